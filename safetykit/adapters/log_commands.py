"""``safetykit log``: is the black box whole, what happened, does it follow from its inputs, and for other programs."""

from __future__ import annotations

import sys
from collections import deque
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from safetykit.errors import LogError

if TYPE_CHECKING:
    from safetykit.runtime.blackbox.export import ExportReport
    from safetykit.runtime.blackbox.listing import Filter, Row

LogPath = Annotated[
    Path,
    typer.Argument(metavar="LOG", help="Log directory, one segment, or the name of a guard's instance."),
]
DEFAULT_LOG = Path("default")
From = Annotated[str, typer.Option("--from", help="Only from this UTC time on, for example 2026-03-01T12:00:00.")]
To = Annotated[str, typer.Option("--to", help="Only before this UTC time.")]
FINDINGS_SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the group ``log``."""
    group = typer.Typer(help="The black box: verify, show, explain, replay, export.", no_args_is_help=True)
    group.command("verify")(verify)
    group.command("show")(show)
    group.command("explain")(explain)
    group.command("replay")(replay)
    group.command("export")(export)
    app.add_typer(group, name="log")


def verify(
    path: LogPath = DEFAULT_LOG,
    public_key: Annotated[
        Path | None, typer.Option(help="Ed25519 public key: every closed segment must be signed with it.")
    ] = None,
    closed: Annotated[bool, typer.Option("--closed", help="The newest segment must be closed, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Find any cut, edit, bit flip, reorder or missing segment. Exit code 2 and the place when there is one."""
    from dataclasses import asdict

    from safetykit.runtime.blackbox.signature import load_public_key
    from safetykit.runtime.blackbox.verify import Finding
    from safetykit.runtime.blackbox.verify import verify as check

    log = _log(path)
    report = check(log, None if public_key is None else load_public_key(public_key))
    if closed and report.segments and report.segments[-1].state != "closed":
        report.findings.append(Finding(report.segments[-1].name, None, None, "not closed"))
    if as_json:
        _print_json({"ok": report.ok, **asdict(report)})
    else:
        for segment in report.segments:
            signed = f", signed by {segment.signed_by[:16]}" if segment.signed_by else ""
            lost = f", {segment.lost} lost" if segment.lost else ""
            typer.echo(
                f"{segment.name}: {segment.state}, {segment.entries} entries, {segment.frames} frames{lost}{signed}"
            )
        for note in report.notes:
            typer.echo(f"note: {note}")
    if not report.ok:
        count = len(report.findings)
        lines = [f"  {finding}" for finding in report.findings[:FINDINGS_SHOWN]]
        if count > FINDINGS_SHOWN:
            lines.append(f"  and {count - FINDINGS_SHOWN} more (--json lists all)")
        raise LogError("\n".join([f"{log}: not whole, {count} finding{'s' if count > 1 else ''}", *lines]))
    if not as_json:
        typer.echo("whole: every entry follows from the one before")


def show(
    path: LogPath = DEFAULT_LOG,
    from_: From = "",
    to: To = "",
    faults: Annotated[str, typer.Option(help="Only these faults, comma-separated, for example BOUND,RATE.")] = "",
    channel: Annotated[str, typer.Option(help="Only where this channel was changed.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="The last so many rows; 0 = all.")] = 50,
    every_tick: Annotated[bool, typer.Option("--every-tick", help="Read every frame, not only the events.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one row per line.")] = False,
) -> None:
    """List what happened: time, action, state, faults, asked against sent."""
    from safetykit.core.vocabulary import RETIRED, Fault
    from safetykit.runtime.blackbox.listing import Filter, rows

    wanted_faults = frozenset(name.strip().upper() for name in faults.split(",") if name.strip())
    unknown = sorted(wanted_faults - set(Fault.__members__) - RETIRED)
    if unknown:
        raise LogError(f"unknown fault {', '.join(unknown)}; known: {', '.join(Fault.__members__)}")
    wanted = Filter(_utc_ns(from_), _utc_ns(to), wanted_faults, channel, every_tick)
    found: deque[Row] = deque(maxlen=limit or None)
    seen = 0
    for row in rows(_log(path), wanted):
        found.append(row)
        seen += 1
    if as_json:
        for row in found:
            _print_json({"utc_ns": row.utc_ns, "channels": row.channels, **row.event}, indent=None)
    else:
        _table(found, wanted)
        if seen > len(found):
            typer.echo(f"the last {len(found)} of {seen} rows; --limit 0 shows all")


def explain(
    path: LogPath = DEFAULT_LOG,
    at: Annotated[str, typer.Option("--at", help="The decision in force at this UTC time.")] = "",
    tick: Annotated[int | None, typer.Option(help="The decision of this tick, instead of a time.")] = None,
    policy: Annotated[Path | None, typer.Option(help="The policy's file, for its line numbers.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Why one decision was taken: which check, which numbers, which part of the policy, what was asked and sent.

    Without a time: the latest decision that was not to pass.
    """
    from dataclasses import asdict

    from safetykit.adapters.explanation import paragraphs
    from safetykit.runtime.blackbox.explain import explain as decide

    explanation = decide(_log(path), _utc_ns(at), tick, policy)
    if as_json:
        _print_json(asdict(explanation))
        return
    for line in paragraphs(explanation):
        typer.echo(line)


def replay(
    path: LogPath = DEFAULT_LOG,
    policy: Annotated[str, typer.Option(help="What if: run the recorded inputs through this policy instead.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run every recorded tick through the guard again and compare every byte."""
    from dataclasses import asdict

    if policy:
        _what_if(_log(path), policy, as_json)
        return
    from safetykit.runtime.blackbox.replay import replay as run

    report = run(_log(path))
    if as_json:
        _print_json({"ok": report.ok, **asdict(report)})
    else:
        typer.echo(
            f"{report.compared} ticks computed again, {report.equal} equal in every byte; "
            f"{report.anchors} without a forerunner, {report.lost} lost"
        )
        for note in report.notes:
            typer.echo(f"note: {note}")
    if not report.ok:
        difference = [str(report.first_difference)] if report.first_difference is not None else []
        problems = [*difference, *report.problems[:FINDINGS_SHOWN]]
        raise LogError("\n".join(["the log does not follow from its inputs", *(f"  {line}" for line in problems)]))


def export(
    path: LogPath = DEFAULT_LOG,
    mcap: Annotated[Path | None, typer.Option(help="Write this MCAP file.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write this CSV file.")] = None,
    from_: From = "",
    to: To = "",
) -> None:
    """Write the log for other programs; with damage, everything readable is written and exit code is 2."""
    from safetykit.runtime.blackbox.export import export_csv, export_mcap

    if mcap is None and csv is None:
        raise LogError("say what to write: --mcap FILE or --csv FILE")
    log, from_ns, to_ns = _log(path), _utc_ns(from_), _utc_ns(to)
    reports: list[ExportReport] = []
    if mcap is not None:
        reports.append(export_mcap(log, mcap, from_ns, to_ns))
        typer.echo(f"{mcap}: {reports[-1].frames} ticks, {reports[-1].events} events, {reports[-1].lost} lost")
    if csv is not None:
        reports.append(export_csv(log, csv, from_ns, to_ns))
        typer.echo(f"{csv}: {reports[-1].frames} ticks, {reports[-1].lost} lost")
    if any(report.unreadable for report in reports):
        unreadable = next(report.unreadable for report in reports if report.unreadable)
        lines = [f"  {line}" for line in unreadable[:FINDINGS_SHOWN]]
        raise LogError("\n".join(["exported what is readable; not readable:", *lines]))


def _what_if(log: Path, source: str, as_json: bool) -> None:
    from dataclasses import asdict

    from rich.console import Console
    from rich.table import Table

    from safetykit.policy import load_policy
    from safetykit.runtime.blackbox.what_if import what_if

    policy = load_policy(source)
    report = what_if(log, policy)
    if as_json:
        _print_json(asdict(report))
        return
    first = "" if report.first_changed is None else f", the first in frame {report.first_changed}"
    typer.echo(f"{report.frames} ticks under {policy.name}; {report.frames_changed} with another outcome{first}")
    actions = Table("action", "recorded ticks", f"ticks under {policy.name}")
    for name in sorted(report.actions_recorded.keys() | report.actions_other.keys()):
        actions.add_row(name, str(report.actions_recorded.get(name, 0)), str(report.actions_other.get(name, 0)))
    sent = Table("channel", "largest change of what is sent")
    for name, change in report.sent_change_max.items():
        sent.add_row(name, f"{change:.6g}")
    console = Console()
    console.print(actions, sent)
    for problem in report.problems[:FINDINGS_SHOWN]:
        typer.echo(f"not readable: {problem}")


def _table(found: deque[Row], wanted: Filter) -> None:
    from rich.console import Console
    from rich.table import Table

    from safetykit.runtime.blackbox.export import utc_text

    table = Table("UTC", "event", "state", "action", "faults", "asked → sent", box=None, pad_edge=False)
    for row in found:
        event = row.event
        changes = [
            f"{name} {_short(ask)} → {_short(sent)}" + (f" ({why})" if why else "")
            for name, ask, sent, why in row.asked_and_sent(wanted.channel)
        ]
        state = f"{event['from']} → {event.get('state')}" if "from" in event else str(event.get("state", ""))
        table.add_row(
            utc_text(row.utc_ns),
            _kind(row),
            state,
            str(event.get("action", "")),
            ", ".join(row.faults),
            "\n".join(changes),
        )
    console = Console()
    Console(width=console.width if console.is_terminal else 200).print(table)


_DETAILS = ("number", "tripped", "function", "granted", "for_stop_event", "refused", "count", "reason", "what", "name")


def _kind(row: Row) -> str:
    details = [f"{key}={row.event[key]}" for key in _DETAILS if row.event.get(key) not in (None, "")]
    return " ".join([row.kind, *details])


def _short(value: float | str) -> str:
    return f"{value:.4g}" if isinstance(value, float | int) else value


def _log(path: Path) -> Path:
    """A path as it is; a plain name that is no path means that instance's log."""
    from safetykit.runtime.paths import log_dir

    chosen = log_dir(path.name) if path.parent == Path() and not path.exists() else path
    if not chosen.exists():
        raise LogError(f"{chosen}: no such log")
    return chosen


def _utc_ns(text: str) -> int | None:
    """UTC ns of an ISO 8601 time; a time without a zone is UTC. Raises LogError."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise LogError(f"{text!r}: not a time like 2026-03-01T12:00:00") from error
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)
    since = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000


def _print_json(document: dict[str, Any], indent: int | None = 1) -> None:
    import json

    json.dump(document, sys.stdout, indent=indent, default=str)
    sys.stdout.write("\n")
