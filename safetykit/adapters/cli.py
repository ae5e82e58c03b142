"""The one `safetykit` command: collects the sub-commands of every part and turns errors into exit codes.

Exit codes: 0 done, 1 a check found something wrong (verify, demo), 2 bad input (one message that lists everything).
Heavy libraries (numba, rclpy) are imported inside the commands, so that ``--help`` answers at once.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import entry_points
from importlib.metadata import version as installed_version
from typing import Annotated

import typer

from safetykit.errors import SafetykitError

COMMANDS = (
    "safetykit.adapters.policy_commands",
    "safetykit.adapters.run_commands",
    "safetykit.adapters.stop_commands",
    "safetykit.adapters.shadow_commands",
    "safetykit.adapters.log_commands",
    "safetykit.adapters.doctor_commands",
    "safetykit.adapters.ros.commands",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"safetykit {installed_version('safetykit')}")
        raise typer.Exit


def build_app() -> typer.Typer:
    """The whole command line: our own commands first, then those of group ``safetykit.commands``."""
    app = typer.Typer(
        name="safetykit",
        help="A guard between autonomy and actuators. Not a certified safety component.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )

    @app.callback()
    def root(
        version: Annotated[
            bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
        ] = False,
    ) -> None:
        del version

    for name in COMMANDS:
        import_module(name).register(app)
    for entry in sorted(entry_points(group="safetykit.commands"), key=lambda entry: entry.name):
        entry.load()(app)
    return app


def main() -> None:
    """Entry point of the console script."""
    try:
        build_app()()  # ends the process by itself, with 2 for a command line that does not fit
    except SafetykitError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
