"""`safetykit policy check | show | diff | plot | schema`. A bad policy: every problem in one message, exit code 2."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from safetykit.policy import Policy

_WIDTH = 150  # where the output is not a terminal: wide enough that no table wraps
_COLOURS = {"looser": "red", "tighter": "green", "other": "yellow"}

Source = Annotated[str, typer.Argument(metavar="NAME|FILE", help="A preset's name or a policy file.")]


def register(app: typer.Typer) -> None:
    """Add the `policy` group."""
    group = typer.Typer(help="Check, show, draw and compare policies.", no_args_is_help=True)
    group.command("check")(check)
    group.command("show")(show)
    group.command("diff")(diff)
    group.command("plot")(plot)
    group.command("schema")(schema)
    app.add_typer(group, name="policy")


def check(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Policy files, or names of presets.")],
) -> None:
    """Check policies: every problem of every file. Exit code 2 if there is any."""
    from safetykit.errors import PolicyError, Problem
    from safetykit.policy import load_policy

    problems: list[Problem] = []
    for file in files:
        try:
            policy = load_policy(file)
        except PolicyError as error:
            problems.extend(error.problems)
        else:
            typer.echo(f"{file}: {policy.name} {policy.version} sha256:{policy.digest}")
    if problems:
        raise PolicyError(problems)


def show(
    source: Source,
    as_json: Annotated[bool, typer.Option("--json", help="The whole policy as JSON, defaults filled in.")] = False,
) -> None:
    """Show a policy with every default filled in."""
    from safetykit.core.layout import LAYOUT_VERSION
    from safetykit.policy import load_policy
    from safetykit.policy.tables import tables

    policy = load_policy(source)
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "name": policy.name,
                    "version": policy.version,
                    "digest": policy.digest,
                    "layout_version": LAYOUT_VERSION,
                    "document": policy.document.model_dump(mode="json"),
                },
                indent=2,
            )
        )
        return
    console = _console()
    _head(console, policy)
    for table in tables(policy):
        console.print(table)


def diff(before: Source, after: Source) -> None:
    """Compare two policies in meaning. Exit code 1 if they differ."""
    from rich.table import Table
    from rich.text import Text

    from safetykit.policy import load_policy
    from safetykit.policy.diff import differences

    old, new = load_policy(before), load_policy(after)
    found = differences(old, new)
    if not found:
        typer.echo(f"no difference: sha256:{new.digest}")
        return
    table = Table("key", "before", "after", "is", title=f"{old.name} {old.version} → {new.name} {new.version}")
    for one in found:
        verdict = Text(one.verdict, style=_COLOURS[one.verdict])
        table.add_row(Text(one.key), _plain(one.before), _plain(one.after), verdict)
    _console().print(table)
    counts = [f"{sum(one.verdict == word for one in found)} {word}" for word in _COLOURS]
    typer.echo(f"{len(found)} difference{'' if len(found) == 1 else 's'}: {', '.join(counts)}")
    raise typer.Exit(1)


def plot(
    source: Source,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The picture; default NAME-zones.png.")] = None,
) -> None:
    """Draw the zones of a policy, and where the vehicle must begin to stop before them."""
    from safetykit.policy import load_policy
    from safetykit.policy.plot import write

    policy = load_policy(source)
    file = output if output is not None else Path(f"{policy.name}-zones.png")
    write(policy, file)
    typer.echo(str(file))


def schema() -> None:
    """Print the JSON Schema of a policy, for editors."""
    from safetykit.policy.schema import PolicyDocument

    described = PolicyDocument.model_json_schema()
    described["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    typer.echo(json.dumps(described, indent=2))


def _console() -> Console:
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=_WIDTH)


def _head(console: Console, policy: Policy) -> None:
    console.print(
        f"{policy.name} {policy.version}  ({policy.document.vehicle})", style="bold", highlight=False, markup=False
    )
    if policy.document.description:
        console.print(policy.document.description, highlight=False, markup=False)
    console.print(f"sha256:{policy.digest}", highlight=False)


def _plain(value: object) -> str:
    from rich.markup import escape

    return "-" if value is None else escape(value if isinstance(value, str) else json.dumps(value))
