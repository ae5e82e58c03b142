"""The `safetykit demo` command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

HERE = Path(__file__).resolve().parent


def register(app: typer.Typer) -> None:
    """Adds ``safetykit demo``."""

    @app.command()
    def demo(
        transport: Annotated[str, typer.Option(help="auto, ros2 or shm (shared memory)")] = "auto",
        out: Annotated[Path, typer.Option(help="folder for pictures, records and logs")] = Path("out/demo"),
        script: Annotated[Path, typer.Option(help="what goes wrong, and when")] = HERE / "script.yaml",
    ) -> None:
        """An autonomy goes wrong on a script; see what the guard lets through. Exit code 1 if anything escaped."""
        from sim.demo.show import show

        raise typer.Exit(show(transport, out, script))
