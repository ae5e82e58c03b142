"""How many examples a property gets. The same ones in every run: a red test stays red until it is mended."""

from __future__ import annotations

from hypothesis import settings

EXAMPLES = settings(max_examples=80, deadline=None, derandomize=True, database=None)
