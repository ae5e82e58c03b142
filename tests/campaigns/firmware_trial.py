"""One mutant of the firmware on trial: built, and shown to the tests, cheapest first. Each in a process of its own,
because a mutant may crash, loop for ever or write where it must not."""

from __future__ import annotations

import faulthandler
import hashlib
import os
import resource
import shutil
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.campaigns.firmware_mutants import Mutant
from tests.firmware import exploration, library, stand
from tests.firmware.day import Day
from tests.firmware.differential import compare, trace_of
from tests.firmware.protocol import PASSED
from tests.firmware.scripts import Author, Script
from tests.firmware.variants import CC, CORE_SOURCES, HOST, HOST_SOURCES

TESTS = Path(stand.__file__).parent
ROOT = TESTS.parents[1]
# The quick ones. The differential and the search have stages of their own here.
SUITE = ("library", "stop", "reset", "link", "diagnosis", "selfcheck", "cycle", "cycle_differential", "black_channel")
SCRIPT_SEEDS, SCRIPT_STEPS = (501, 502, 503), 40_000
DAY_SEEDS, DAY_CYCLES = (21, 22), 4_000
TIME_LIMIT_S = 120  # of the processor, for one mutant; the slowest honest one takes a tenth
SURVIVED, STILLBORN, EQUAL, DEAD, FAILED = 0, 3, 4, 10, 99  # exit codes; DEAD + k: killed by stage k
FLAGS = ("-std=c11", "-O2", "-fPIC")
# Reads and writes beyond an array crash, and what is read before it was written is never 0 by luck.
TRAPS = ("-fsanitize=undefined", "-fsanitize-undefined-trap-on-error", "-ftrivial-auto-var-init=pattern")


@dataclass(frozen=True)
class Expected:
    """What the firmware as it is makes of the recorded scripts, and its objects."""

    scripts: tuple[Script, ...]
    digests: tuple[str, ...]
    core: Path  # a copy of the sources: whoever works on them meanwhile does not disturb
    objects: Path


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant."""

    mutant: Mutant
    code: int

    @property
    def survived(self) -> bool:
        return self.code == SURVIVED

    @property
    def how(self) -> str:
        """By what it died."""
        return _how(self.code)


def _how(code: int) -> str:
    if code < 0:
        return "crash or endless loop"
    told = {SURVIVED: "survived", STILLBORN: "does not compile", EQUAL: "same machine code", FAILED: "trial failed"}
    return told.get(code) or STAGES[code - DEAD][0]


def prepare(workshop: Path) -> Expected:
    """Compiles the firmware as it is and records what it does. The model must agree: it is the judge. And nothing
    may notice anything, or every mutant would seem to be noticed."""
    core, objects, control = workshop / "core", workshop / "objects", workshop / "control"
    shutil.copytree(library.core_folder(), core)
    objects.mkdir()
    control.mkdir()
    for source in [*(core / name for name in CORE_SOURCES), *HOST_SOURCES]:
        compile_object(source, core, objects)
    link(objects, control / "libestop.so", ())
    firmware = library.opened(control / "libestop.so")
    scripts = tuple(Author(seed).script(SCRIPT_STEPS) for seed in SCRIPT_SEEDS)
    traces = [trace_of(firmware, script) for script in scripts]
    compare(scripts[0], traces[0])
    digests = tuple(hashlib.sha256(trace).hexdigest() for trace in traces)
    expected = Expected(scripts, digests, core, objects)
    _, status = os.waitpid(_forked(lambda: _shown(expected, control, core)), 0)
    code = os.waitstatus_to_exitcode(status)
    if code != SURVIVED:
        raise RuntimeError(f"the firmware as it is does not pass: {_how(code)}")
    return expected


def compile_object(source: Path, core: Path, target: Path, extra: Iterable[str] = ()) -> bool:
    """One object; false if the source is no C."""
    command = [
        CC,
        *FLAGS,
        *extra,
        "-w",
        f"-I{core}",
        f"-I{HOST}",
        "-c",
        source.name,
        "-o",
        str(target / f"{source.stem}.o"),
    ]
    return subprocess.run(command, cwd=source.parent, capture_output=True, check=False).returncode == 0


def link(objects: Path, target: Path, instead: Iterable[Path]) -> None:
    """The library from the objects as they are, but for those given."""
    other = {path.name: path for path in instead}
    chosen = [other.get(path.name, path) for path in sorted(objects.glob("*.o"))]
    subprocess.run([CC, "-shared", "-o", target, *chosen], check=True, capture_output=True)


# ------------------------------------------------------------------------------ stages; each true if it noticed


def corpus(expected: Expected) -> bool:
    """The recorded scripts: any other byte in any output."""
    for script, digest in zip(expected.scripts, expected.digests, strict=True):
        if hashlib.sha256(trace_of(library.library(), script)).hexdigest() != digest:
            return True
    return False


def days(expected: Expected) -> bool:
    """Whole cycles beside the model."""
    for seed in DAY_SEEDS:
        day = Day(seed)
        for number, (firmware, model) in enumerate(day.cycles(DAY_CYCLES)):
            if firmware != model or day.stand.board.fed != number + 1:
                return True
    return False


def suite(expected: Expected) -> bool:
    """The quick tests of tests/firmware, in an interpreter of their own: they may not be run twice in one."""
    files = [str(TESTS / f"test_{name}.py") for name in SUITE]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *files]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode != 0


def search(expected: Expected) -> bool:
    """The smallest exhaustive search."""
    frames = [exploration.LINES.index(name) for name in ("nothing", "right STOP", "right RUN", "other session")]
    return exploration.search(library.library(), frames, [PASSED], late=False).broken != "nothing"


STAGES: tuple[tuple[str, Callable[[Expected], bool]], ...] = (
    ("recorded scripts", corpus),
    ("whole cycles", days),
    ("test suite", suite),
    ("exhaustive search", search),
)


def _trial(mutant: Mutant, expected: Expected, folder: Path) -> int:
    core = folder / "core"
    shutil.copytree(expected.core, core)
    source = core / mutant.file
    source.write_text(mutant.source(source.read_text(encoding="utf-8")), encoding="utf-8")
    if not compile_object(source, core, folder):
        return STILLBORN
    made = folder / f"{source.stem}.o"
    if made.read_bytes() == (expected.objects / made.name).read_bytes():
        return EQUAL
    compile_object(source, core, folder, TRAPS)
    link(expected.objects, folder / "libestop.so", [made])
    return _shown(expected, folder, core)


def _shown(expected: Expected, folder: Path, core: Path) -> int:
    """Shows the library in this folder to every stage until one notices."""
    os.environ["ESTOP_LIBRARY"] = str(folder / "libestop.so")
    os.environ["ESTOP_CORE"] = str(core)
    library.library.cache_clear()
    stand.forget()
    for number, (_, notices) in enumerate(STAGES):
        try:
            noticed = notices(expected)
        except Exception:  # noqa: BLE001 - whatever a mutant makes the tests raise is a notice
            noticed = True
        if noticed:
            return DEAD + number
    return SURVIVED


def _child(work: Callable[[], int]) -> None:
    """Never returns."""
    code = FAILED
    faulthandler.disable()  # a mutant that crashes is no news
    try:
        # The processor's time, not the clock's: a busy machine kills no mutant.
        resource.setrlimit(resource.RLIMIT_CPU, (TIME_LIMIT_S, TIME_LIMIT_S))
        code = work()
    except BaseException:  # noqa: BLE001 - the exit code must say that the trial itself failed
        traceback.print_exc()
    finally:
        os._exit(code)


def _forked(work: Callable[[], int]) -> int:
    pid = os.fork()
    if pid == 0:
        _child(work)
    return pid


def verdicts(mutants: Iterable[Mutant], expected: Expected, workshop: Path, workers: int) -> Iterator[Verdict]:
    """Tries the mutants, `workers` at a time."""
    running: dict[int, tuple[Mutant, Path]] = {}
    waiting = iter(enumerate(mutants))
    more = True
    while more or running:
        if more and len(running) < workers:
            following = next(waiting, None)
            more = following is not None
            if following is not None:
                folder = workshop / f"mutant{following[0]}"
                folder.mkdir()
                work = partial(_trial, following[1], expected, folder)
                running[_forked(work)] = following[1], folder
        elif running:
            pid, status = os.wait()
            mutant, folder = running.pop(pid)
            shutil.rmtree(folder)
            code = os.waitstatus_to_exitcode(status)
            if code == FAILED:
                raise RuntimeError(f"the trial itself failed for {mutant}")
            yield Verdict(mutant, code)
