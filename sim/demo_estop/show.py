"""From the command to its exit code: sets the stage, plays the scenes, prints the table, writes record and picture."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from firmware_bridge.qemu_board import IMAGE, QemuBoard
from sim.demo.director import run_directory
from sim.demo_estop import plots
from sim.demo_estop.outcome import Outcome
from sim.demo_estop.play import Take, play
from sim.demo_estop.scenes import SCENES, Scene
from sim.demo_estop.stage import Stage, StageError, fresh_folder
from sim.demo_estop.table import document, legend, table

NAME = "demo-estop"
PLAIN_WIDTH = 170  # of a table that does not go to a terminal


def show(out: Path, names: Sequence[str], image: Path | None) -> int:
    """Runs the whole demo; returns 0 if every scene went as it must, else 1. Raises SafetykitError on bad input."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=PLAIN_WIDTH)
    scenes = chosen(names)
    if find_spec("serial") is None:
        raise StageError("the guard needs pyserial for its serial line; install safetykit[serial]")
    started_s = time.monotonic()
    with QemuBoard(image or IMAGE) as board, run_directory() as run:
        fresh_folder(out)
        console.print(f"board: {board_words(board)}, emulated in process {board.process_id}", highlight=False)
        console.print("guard, autonomy and vehicle: starting; the first start compiles the guard, which takes a while")
        with Stage(console, board, run, out) as stage:
            console.print(f"all ready after {time.monotonic() - started_s:.1f} s", highlight=False)
            begin_s = time.monotonic()
            outcomes, takes = perform(stage, scenes)
            story = told(stage, begin_s, takes)
            facts = facts_of_run(stage, started_s)
    report(console, out, outcomes, facts)
    plots.write_png(story, out / f"{NAME}.png")
    console.print(f"wrote {out / f'{NAME}.png'}", highlight=False)
    return int(any(outcome.problems for outcome in outcomes))


def chosen(names: Sequence[str]) -> list[Scene]:
    """The scenes with these names, in their order on the bill; all if none is named."""
    known = [scene.name for scene in SCENES]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise StageError(f"--scene {', '.join(unknown)}: expected some of {', '.join(known)}")
    return [scene for scene in SCENES if not names or scene.name in names]


def board_words(board: QemuBoard) -> str:
    """Which firmware it runs."""
    return f"firmware with checksum {board.state('image_crc'):08X} on a Cortex-M3"


def perform(stage: Stage, scenes: Sequence[Scene]) -> tuple[list[Outcome], list[Take]]:
    """All scenes, one after the other."""
    outcomes, takes = [], []
    for number, scene in enumerate(scenes, start=1):
        stage.say(f"[bold]{number}/{len(scenes)} {scene.title}[/]")
        outcome, take = play(stage, scene)
        outcomes.append(outcome)
        takes.append(take)
    return outcomes, takes


def told(stage: Stage, begin_s: float, takes: Sequence[Take]) -> plots.Story:
    """The performance as the picture needs it."""
    end_s = takes[-1].end_s
    return plots.Story(
        begin_s,
        end_s,
        np.array(stage.vehicle.rows),
        [(change.at_ns * 1e-9, change.on) for change in stage.board.power_changes],
        plots.guard_stretches(stage.trace.columns()),
        plots.board_stretches(stage.mcu_states, end_s),
        takes,
        "safetykit demo-estop: each red line is a cause; after it nothing moves until a person turns the key",
    )


def facts_of_run(stage: Stage, started_s: float) -> dict[str, Any]:
    """What holds of the whole run."""
    return {
        "seconds": round(time.monotonic() - started_s, 1),
        "cycle_max_ms": stage.board.state("cycle_max_us") / 1000,
        "stops_without_a_cause": len(stage.unasked),
        "unasked": stage.unasked,
        "load_average": os.getloadavg()[0],
    }


def report(console: Console, out: Path, outcomes: Sequence[Outcome], facts: dict[str, Any]) -> None:
    """Table, verdict and record."""
    console.print(table(outcomes))
    console.print(legend(facts["cycle_max_ms"]), highlight=False)
    for text in facts["unasked"]:
        console.print(f"[yellow]tried again before a scene[/] {text}", highlight=False)
    for outcome in outcomes:
        for problem in outcome.problems:
            console.print(f"[bold red]WRONG[/] {outcome.title}: {problem}", highlight=False)
    wrong = sum(bool(outcome.problems) for outcome in outcomes)
    verdict = (
        f"[bold red]{wrong} of {len(outcomes)} scenes went wrong[/]"
        if wrong
        else (f"[bold green]all {len(outcomes)} scenes stopped the vehicle, and nothing restarted by itself[/]")
    )
    console.print(f"{verdict}; {facts['seconds']:.0f} s")
    path = out / f"{NAME}.json"
    path.write_text(json.dumps(document(outcomes, facts), indent=1) + "\n", encoding="utf-8")
    console.print(f"wrote {path}", highlight=False)
