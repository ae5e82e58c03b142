"""Frames through a noisy line, by the hundred million: ``python -m tests.campaigns.line_noise``.

The encoder, the decoder and the state machine are those of the firmware (hw/firmware/core), compiled with the driver
hw/firmware/ports/host/noise.c, whose head says which kinds of noise there are. Two tables:

* stream: frames back to back. How many arrive, and how many arrive as something that was never sent (expected: none).
* link: guard and firmware in RUN at 100 Hz, both directions noisy. How often that alone stops the vehicle.

Exit code 1 if a wrong frame was accepted, or if the firmware stopped for a reason that is not the line's.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from safetykit.core import heartbeat
from safetykit.core.protocol import LINK_US

ROOT = Path(__file__).resolve().parents[2]
FIRMWARE = ROOT / "hw" / "firmware"
OUT = ROOT / "out" / "firmware"
SOURCES = ("core/estop.c", "core/report.c", "core/wire.c", "ports/host/noise.c", "ports/host/noisy_line.c")
FLAGS = ("-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wstrict-prototypes", "-Werror", "-O3")

MODES, KINDS = ("stream", "link"), ("flips", "bursts", "line")
RATES = ("1e-5", "1e-4", "1e-3", "1e-2")
FRAMES = 100_000_000
PERIOD_S = 0.01  # PERIOD_US of noise.c
ANSWER_PERIODS = heartbeat.ANSWER_NS // 10_000_000  # after so many periods the guard no longer waits for an answer
SEED_STEP = 1000  # noise.c uses the numbers next to a seed, too
RULE_OF_THREE = 3.0  # nothing seen in n trials: with 95 % confidence the rate is below 3/n


@dataclass(frozen=True)
class Case:
    """One run of the driver."""

    mode: str
    kind: str
    rate: str
    frames: int
    seed: int


@dataclass(frozen=True)
class Count:
    """What the driver counted. Frames are those from the guard; the last six only for a link."""

    frames: int
    flipped: int  # bits
    spoilt: int  # frames in which at least one bit was flipped
    delivered: int
    wrong: int  # accepted by the decoder, but never sent
    silent: int  # periods more than LINK_US after the last accepted frame (link: right answer)
    periods: int = 0
    answers: int = 0  # right answers, as the firmware counts them
    wrong_answers: int = 0  # accepted by the state machine, but never sent
    bad_trips: int = 0  # stops by the bad-event counter ...
    silent_trips: int = 0  # ... by silence ...
    other_trips: int = 0  # ... and by anything else, which the line must not be able to do

    @property
    def availability(self) -> float:
        return 1.0 - self.silent / (self.periods or self.frames)

    @property
    def hours(self) -> float:
        return self.periods * PERIOD_S / 3600.0

    @property
    def sound(self) -> bool:
        return self.wrong == self.wrong_answers == self.other_trips == 0


def build(firmware: Path = FIRMWARE, out: Path = OUT) -> Path:
    """Compile the driver with the core; returns the program. Raises RuntimeError with the compiler's words."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as folder:
        fresh = Path(folder) / "noise"
        command = [os.environ.get("CC", "cc"), *FLAGS, "-Icore", "-o", str(fresh), *SOURCES, "-lm"]
        try:
            done = subprocess.run(command, cwd=firmware, capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            raise RuntimeError(f"no C compiler {command[0]!r}; install one (Debian: gcc), or name it in CC") from error
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}:\n{done.stderr}")
        return fresh.replace(out / "noise")


def run(program: Path, case: Case) -> Count:
    """Count one case."""
    arguments = [case.mode, case.kind, case.rate, str(case.frames), str(case.seed), str(ANSWER_PERIODS)]
    done = subprocess.run([str(program), *arguments], capture_output=True, text=True, check=True)
    return Count(**{name: int(value) for name, value in (field.split("=") for field in done.stdout.split())})


def cases(frames: int, seed: int) -> list[Case]:
    """The whole campaign: `frames` in all, in equal parts."""
    every = [(mode, kind, rate) for mode in MODES for kind in KINDS for rate in RATES]
    share = -(-frames // len(every))
    return [Case(*case, share, SEED_STEP * (seed * len(every) + number)) for number, case in enumerate(every)]


# ------------------------------------------------------------------ tables


def per_hour(trips: int, hours: float) -> str:
    if trips == 0:
        return f"0 (<{RULE_OF_THREE / hours:.2g})"
    return f"{trips / hours:.3g}"


def share(part: float, digits: int = 4) -> str:
    """In percent; never rounded up to 100."""
    return "100" if part == 1.0 else f"{min(100.0 * part, 100.0 - 10.0**-digits):.{digits}f}"


STREAM_HEADS = ("noise", "bit errors", "frames", "% damaged", "% delivered", "wrong accepted", "% available")
LINK_HEADS = (
    *("noise", "bit errors", "frames", "% right answers", "wrong accepted"),
    *("stops/h by counter", "stops/h by silence", "% available"),
)


def stream_row(case: Case, count: Count) -> list[str]:
    shares = [share(count.spoilt / count.frames), share(count.delivered / count.frames)]
    return [case.kind, case.rate, str(count.frames), *shares, str(count.wrong), share(count.availability)]


def link_row(case: Case, count: Count) -> list[str]:
    trips = [per_hour(trips, count.hours) for trips in (count.bad_trips, count.silent_trips)]
    wrong = str(count.wrong + count.wrong_answers)
    answers = share(count.answers / count.frames)
    return [case.kind, case.rate, str(count.frames), answers, wrong, *trips, share(count.availability)]


def show(console: Console, results: list[tuple[Case, Count]]) -> None:
    titles = {"stream": "frames back to back", "link": "guard and firmware at 100 Hz, both directions noisy"}
    for mode, heads, row in (("stream", STREAM_HEADS, stream_row), ("link", LINK_HEADS, link_row)):
        table = Table(title=f"{mode}: {titles[mode]}")
        for head in heads:
            table.add_column(head, justify="left" if head == "noise" else "right")
        for case, count in results:
            if case.mode == mode:
                table.add_row(*row(case, count))
        console.print(table)
    console.print(f"available: time in which the last accepted frame is at most {LINK_US // 1000} ms old")
    frames, wrong = sum(count.frames for _, count in results), sum(not count.sound for _, count in results)
    verdict = "no wrong frame accepted" if wrong == 0 else f"WRONG FRAMES ACCEPTED in {wrong} cases"
    console.print(f"{frames} frames, {sum(count.spoilt for _, count in results)} of them damaged: {verdict}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=FRAMES, help=f"in all; default {FRAMES}")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.frames < 1:
        parser.error("--frames must be at least 1")
    console = Console(width=None if sys.stdout.isatty() else 130)
    began = time.monotonic()
    try:
        program = build()
    except RuntimeError as error:
        console.print(f"error: {error}", markup=False)
        return 2
    results = [(case, run(program, case)) for case in cases(options.frames, options.seed)]
    show(console, results)
    console.print(f"seed {options.seed}, {time.monotonic() - began:.0f} s")
    return 0 if all(count.sound for _, count in results) else 1


if __name__ == "__main__":
    sys.exit(main())
