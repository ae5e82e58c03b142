"""The `safetykit demo-estop` command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Adds ``safetykit demo-estop``."""

    @app.command("demo-estop")
    def demo_estop(
        out: Annotated[Path, typer.Option(help="folder for picture, record and logs")] = Path("out/demo-estop"),
        scene: Annotated[list[str] | None, typer.Option(help="only this scene; may be given several times")] = None,
        image: Annotated[Path | None, typer.Option(help="firmware image, if not the one that the build makes")] = None,
    ) -> None:
        """The real firmware on an emulated board stops a simulated rover, in nine ways. Exit code 1 if one fails."""
        from sim.demo_estop.show import show

        raise typer.Exit(show(out, scene or [], image))
