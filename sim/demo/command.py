"""The `safetykit demo` command."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Adds ``safetykit demo``."""
