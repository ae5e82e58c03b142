"""Lines, branches and conditions (MC/DC) of the core that coverage_driver.c drives, counted by clang-19.

``python hw/firmware/analysis/mcdc.py`` prints a table and ends with 1 if anything was not driven. MC/DC: for every
condition of a decision there are two runs in which it alone made the difference.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from toolchain import CORE, HERE, SOURCES, Failed, clang_with_runtimes, fresh, run, say, strict_flags, tool

COUNTED = ("-fprofile-instr-generate", "-fcoverage-mapping", "-fcoverage-mcdc")
HOOKED = ("-fsanitize-coverage=edge,trace-loads",)  # of selfcheck.c alone: the driver makes a bit of RAM stick


@dataclass(frozen=True)
class Share:
    """How many of the things of one kind were driven."""

    driven: int
    count: int

    def __str__(self) -> str:
        return f"{self.driven}/{self.count}"


@dataclass(frozen=True)
class Covered:
    """One source file."""

    lines: Share
    branches: Share
    conditions: Share

    @property
    def whole(self) -> bool:
        """Everything was driven, and there was something to drive."""
        shares = (self.lines, self.branches, self.conditions)
        return all(share.count > 0 and share.driven == share.count for share in shares)


def build(core: Path = CORE) -> Path:
    """The driver with counters in the core; fails if clang leaves a decision uncounted."""
    clang = clang_with_runtimes()
    folder = fresh("coverage")
    flags = [*strict_flags(), "-O1", "-g", f"-I{core}", f"-I{HERE}"]
    objects = []
    for name in (*SOURCES, "exercise.c", "coverage_driver.c"):
        counted = [*COUNTED, *(HOOKED if name == "selfcheck.c" else ())] if name in SOURCES else []
        source = (core if name in SOURCES else HERE) / name
        objects.append(folder / f"{name}.o")
        said = run([clang, *flags, *counted, "-c", source, "-o", objects[-1]])
        if "unsupported MC/DC" in said:
            raise Failed(f"clang does not count a decision:\n{said}")
    driver = folder / "driver"
    run([clang, "-fprofile-instr-generate", *objects, "-o", driver])
    return driver


def measure(driver: Path, steps: int | None = None) -> dict[str, Covered]:
    """Runs the driver and reads the counters, per source file."""
    raw, merged = driver.with_suffix(".profraw"), driver.with_suffix(".profdata")
    words = [] if steps is None else [str(steps)]
    run([driver, *words], env={"LLVM_PROFILE_FILE": str(raw)}, may_fail=steps is not None)
    run([tool("llvm-profdata-19"), "merge", raw, "-o", merged])
    table = json.loads(run([tool("llvm-cov-19"), "export", driver, f"-instr-profile={merged}", "--summary-only"]))
    found = {}
    for entry in table["data"][0]["files"]:
        name = Path(entry["filename"]).name
        kinds = (entry["summary"][kind] for kind in ("lines", "branches", "mcdc"))
        if name in SOURCES:
            found[name] = Covered(*(Share(kind["covered"], kind["count"]) for kind in kinds))
    if sorted(found) != sorted(SOURCES):
        raise Failed(f"counters of {sorted(found)} only")
    return found


def gaps(driver: Path) -> str:
    """The annotated source, for whoever looks for what is missing."""
    merged = driver.with_suffix(".profdata")
    shown = ("--show-branches=count", "--show-mcdc")
    return run([tool("llvm-cov-19"), "show", driver, f"-instr-profile={merged}", *shown])


def main() -> int:
    driver = build()
    found = measure(driver)
    say(f"{'':14}{'lines':>10}{'branches':>10}{'MC/DC':>10}")
    say(*(f"{name:14}{c.lines!s:>10}{c.branches!s:>10}{c.conditions!s:>10}" for name, c in sorted(found.items())))
    whole = all(covered.whole for covered in found.values())
    if not whole:
        page = driver.with_name("annotated.txt")
        page.write_text(gaps(driver), encoding="utf-8")
        say(f"not everything was driven; see {page}")
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
