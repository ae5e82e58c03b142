"""The live view fits its terminal and shows what is wrong."""

from __future__ import annotations

from importlib.resources import as_file, files

import numpy as np
import pytest
from rich.console import Console

from safetykit.core import layout
from safetykit.core.vocabulary import Action, Fault, State
from sim.demo.judge import read_allowed
from sim.demo.view import bar, picture


@pytest.mark.parametrize("columns", [80, 100, 160])
def test_the_view_fits_and_names_the_reason(columns: int) -> None:
    frame = layout.new_frames()[0]
    frame["in_ask"][0, :4] = [40.0, -3.0, np.nan, 0.2]
    frame["st_state"], frame["out_action"] = State.ENGAGED, Action.HOLD
    frame["out_faults"] = 1 << Fault.COMMAND_NONFINITE
    with as_file(files("safetykit.policy") / "presets" / "quadrotor.yaml") as path:
        allowed = read_allowed(path)
    console = Console(width=columns, force_terminal=True, color_system=None, record=True, quiet=False)
    with console.capture() as capture:
        console.print(picture(frame, allowed, 12.3, "NaN", columns))
    text = capture.get()
    assert "…" not in text
    assert max(len(line) for line in text.splitlines()) <= columns
    for word in ("NaN", "ENGAGED", "HOLD", "COMMAND_NONFINITE", *allowed.channels):
        assert word in text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, "────●────"),
        (-1.0, "●───┼────"),
        (1.0, "────┼───●"),
        (1.01, "────┼───▶"),
        (-5.0, "◀───┼────"),
    ],
)
def test_a_bar_marks_the_value_and_the_end_that_it_is_beyond(value: float, expected: str) -> None:
    assert bar(value, -1.0, 1.0, 9).plain == expected


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_no_number_has_no_place_on_the_bar(value: float) -> None:
    assert "number" in bar(value, -1.0, 1.0, 21).plain
