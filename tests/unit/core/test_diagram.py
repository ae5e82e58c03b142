"""The page about stop states is the table."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs"


def test_the_page_about_stop_states_is_current() -> None:
    made = runpy.run_path(str(DOCS / "make_diagrams.py"))["page"]()
    assert made == (DOCS / "stop-states.md").read_text(encoding="utf-8"), "run: python docs/make_diagrams.py"
