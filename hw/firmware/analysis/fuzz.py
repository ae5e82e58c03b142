"""libFuzzer over the decoder and the step, with AddressSanitizer and UndefinedBehaviorSanitizer.

``python hw/firmware/analysis/fuzz.py wire --seconds 3600`` is the long run; without ``--seconds`` it makes the fixed
number of runs of the suite. The corpus of a long run is kept under out/ and is where the next one begins. The invariant
of each target is the first sentence of its source.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from toolchain import CORE, HERE, OUT, Failed, clang_with_runtimes, run, say, strict_flags

SANITIZED = ("-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all")
LIMITS = ("-seed=1", "-timeout=10")

# A start, sixty-one answers with STOP, the key pressed and released, RUN, and a while in it: what chance alone would be
# long in finding. Four bytes each: contacts and how long, kind of frame, command and rest, time.
WALK = bytes((0, 1, 2, 3, 4, 5, 0)) + bytes.fromhex("c003011e c403011e 0003011e 0003001e c003001e")
# Unit 1; a sealed heartbeat, one behind a byte that may begin a frame, and a cut one.
FRAMES = b"\x01" + b"\xfe0123456789" + b"\xa5\xfe9876543210" + b"\xa5\xc3\x0f\x96\xff\xfe0123456789"


@dataclass(frozen=True)
class Target:
    """One thing that is fuzzed."""

    name: str
    runs: int  # of the suite: ten seconds or so
    longest: int  # bytes of one input
    seed: bytes


TARGETS = {target.name: target for target in (Target("wire", 150_000, 512, FRAMES), Target("step", 60_000, 96, WALK))}


def build(target: Target, folder: Path, core: Path = CORE) -> Path:
    """The fuzzer of one target over the core in `core`."""
    program = folder / f"fuzz_{target.name}"
    sources = [
        HERE / f"fuzz_{target.name}.c",
        HERE / "exercise.c",
        core / "estop.c",
        core / "report.c",
        core / "wire.c",
    ]
    includes = [f"-I{core}", f"-I{HERE}"]
    run([clang_with_runtimes(), *strict_flags(), "-O2", "-g", *SANITIZED, *includes, *sources, "-o", program])
    return program


def attack(target: Target, program: Path, corpus: Path, seconds: int = 0) -> str:
    """Runs the fuzzer; an input that breaks the invariant is an error whose text holds it."""
    corpus.mkdir(parents=True, exist_ok=True)
    (corpus / "seed").write_bytes(target.seed)
    bound = f"-max_total_time={seconds}" if seconds else f"-runs={target.runs}"
    crash = f"-artifact_prefix={program.parent}/{target.name}-"
    words: list[str | Path] = [program, *LIMITS, f"-max_len={target.longest}", bound, crash, corpus]
    said = run(words, timeout_s=seconds + 600.0)
    last = said.strip().splitlines()[-1]
    if not last.startswith("Done "):
        raise Failed(f"the fuzzer did not come to its end:\n{said[-3000:]}")
    return last


def main() -> int:
    parser = argparse.ArgumentParser(description="Fuzz the firmware's decoder or step.")
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=int, default=0, help="a long run instead of the suite's")
    chosen = parser.parse_args()
    target = TARGETS[chosen.target]
    folder = OUT / "fuzz"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as built:
        program = build(target, Path(built))
        try:
            corpus = (folder if chosen.seconds else Path(built)) / f"corpus-{target.name}"
            say(attack(target, program, corpus, chosen.seconds))
        except Failed as error:
            for found in Path(built).glob(f"{target.name}-*"):
                found.replace(folder / found.name)
                say(f"kept: {folder / found.name}")
            say(str(error))
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
