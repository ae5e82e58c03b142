"""From the command to its exit code: choose the transport, perform, judge, print the table, draw."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from safetykit.runtime.blackbox.replay import replay
from safetykit.runtime.blackbox.verify import verify
from sim.demo import plots, road
from sim.demo.director import DemoError, Performance, Stage, perform
from sim.demo.fences import CONTRAST_STEP_S, trespasses, unguarded
from sim.demo.judge import STAMP_NOISE_S, Allowed, judge, read_allowed
from sim.demo.links import transport_here
from sim.demo.outcome import NOT_ENGAGED, Outcome, outcomes

HERE = Path(__file__).resolve().parent
POLICY, MAPPING = HERE / "policy.yaml", HERE / "ros.yaml"
NAMES = {"ros2": "ROS 2", "shm": "shared memory"}
PLAIN_WIDTH = 150  # of a table that does not go to a terminal


def show(wanted: str, out: Path, script: Path) -> int:
    """Runs the whole demo; returns 0 if nothing escaped, else 1. Raises SafetykitError on bad input."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=PLAIN_WIDTH)
    if wanted not in ("auto", *NAMES):
        raise DemoError(f"--transport {wanted!r}: expected auto, ros2 or shm")
    try:
        transport, why = transport_here(wanted)
    except ValueError as error:
        raise DemoError(str(error)) from error
    console.print(f"autonomy, guard and vehicle are processes of their own, over {NAMES[transport]} ({why})")
    allowed = read_allowed(POLICY)
    performance = perform(Stage(console, transport, POLICY, MAPPING, script, out), allowed)
    rows = outcomes(performance.script, performance, allowed)
    problems = overall(performance, allowed, rows) + black_box(console, out / "blackbox")
    console.print(table(rows))
    contrasts = bare_tracks(performance, allowed)
    for line in tower_lines(performance, allowed, contrasts):
        console.print(line)
    on_road = road.perform()
    for line in on_road.lines():
        console.print(line)
    problems += on_road.problems
    for problem in problems:
        console.print(f"[bold red]ESCAPED[/] {problem}")
    escaped = bool(problems) or any(row.problems for row in rows)
    ticks, messages = len(performance.frames["in_now_ns"]), len(performance.received)
    verdict = "[bold red]something escaped[/]" if escaped else "[bold green]nothing escaped[/]"
    console.print(f"{verdict}: {messages} messages at the vehicle and {ticks} ticks of the guard checked")
    for picture in plots.write_all(story(performance, allowed, contrasts, on_road), out):
        console.print(f"wrote {picture}")
    return int(escaped)


def overall(performance: Performance, allowed: Allowed, rows: list[Outcome]) -> list[str]:
    """What may not happen anywhere in the whole record, between the faults neither."""
    problems = list(judge(performance.received, allowed, STAMP_NOISE_S[performance.transport]).escapes)
    problems += trespasses(performance.track, allowed.fences)
    missed = [row.fault.name for row in rows if row.answer.startswith(NOT_ENGAGED)]
    if 2 * len(missed) > len(rows):  # a guard that never engages lets nothing escape and shows nothing
        problems.append(f"most faults met a guard that was not engaged: {', '.join(missed)}")
    if performance.trace.lost:
        problems.append(f"{performance.trace.lost} frames of the guard were not seen by the demo")
    if performance.guard_status != 0:
        problems.append(f"the guard ended with exit status {performance.guard_status}")
    return problems


def black_box(console: Console, log: Path) -> list[str]:
    """Verifies the guard's own log and replays it; what is wrong with it."""
    report, replayed = verify(log), replay(log)
    frames = sum(segment.frames for segment in report.segments)
    console.print(
        f"black box: {frames} frames, hash chain {'whole' if report.ok else 'BROKEN'}; "
        f"{replayed.equal} of {replayed.compared} replayed frames equal in every byte"
    )
    problems = [f"black box: {finding}" for finding in (*report.findings, *replayed.problems)]
    if replayed.equal != replayed.compared or replayed.compared == 0:
        problems.append(f"black box: replay differs: {replayed.first_difference}")
    return problems


def table(rows: list[Outcome]) -> Table:
    """The demo's closing table."""
    result = Table(title="What went wrong, and what became of it", title_justify="left")
    result.add_column("fault")
    result.add_column("answer of the guard", ratio=1)
    result.add_column("contained", justify="right")
    result.add_column("arrived at the vehicle, of what is allowed", justify="right")
    result.add_column("escaped")
    for row in rows:
        verdict = row.verdict
        reached = f"value {verdict.bound_share:4.0%}  rate {verdict.rate_share:4.0%}  NaN {verdict.nonfinite}"
        after = "never" if row.ticks is None else f"after {row.ticks} ticks" if row.ticks else "in the same tick"
        escaped = "[bold red]" + "; ".join(row.problems) + "[/]" if row.problems else "[green]nothing[/]"
        result.add_row(row.fault.name, row.answer, after, reached, escaped)
    return result


def bare_tracks(performance: Performance, allowed: Allowed) -> dict[str, Any]:
    """Where each burst would have taken the vehicle without the guard, by the name of the fault, if past a fence."""
    sent, tracks = performance.sent, {}
    asked = np.column_stack([sent[:, 0], sent[:, 4:]])
    for fault in performance.script.faults:
        at = int(np.searchsorted(performance.track[:, 0], performance.start_s + fault.start_s))
        if fault.kind == "burst" and at < len(performance.track):
            track = unguarded(performance.track[at], asked, fault.duration_s)
            if trespasses(track, allowed.fences):
                tracks[fault.name] = track
    return tracks


def tower_lines(performance: Performance, allowed: Allowed, contrasts: Mapping[str, Any]) -> list[str]:
    """How near the vehicle came to each fence that it was driven at."""
    return [
        f"{name}: never nearer to {fence.name} than {fence.nearest_m(performance.track):.1f} m; without the guard "
        f"{int(fence.holds(track).sum()) * CONTRAST_STEP_S:.1f} s in it"
        for name, track in contrasts.items()
        for fence in allowed.fences
        if not fence.inside and fence.holds(track).any()
    ]


def story(
    performance: Performance, allowed: Allowed, contrasts: Mapping[str, Any], on_road: road.RoadShow
) -> plots.Story:
    """The performance as the pictures need it."""
    return plots.Story(
        performance.script,
        allowed,
        performance.start_s,
        np.column_stack([performance.sent[:, 0], performance.sent[:, 4:]]),
        np.column_stack([performance.received[:, 0], performance.received[:, 2:]]),
        performance.frames,
        performance.track,
        tuple(contrasts.values()),
        on_road,
        f"safetykit demo over {NAMES[performance.transport]}: what the autonomy asked for and what reached the vehicle",
    )
