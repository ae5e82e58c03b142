"""The core and the test board with AddressSanitizer and UndefinedBehaviorSanitizer, through a long random life.

``python hw/firmware/analysis/sanitizers.py`` prints what was lived through and ends with 1 at the first wrong access,
overflow or cut value, and when the relays were on although they must not.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from toolchain import CORE, HERE, OUT, SOURCES, Failed, clang_with_runtimes, run, say, strict_flags

CHECKED = ("-fsanitize=address,undefined,implicit-conversion,local-bounds", "-fno-sanitize-recover=all")
HOOKED = ("-fsanitize-coverage=edge,trace-loads",)  # coverage_driver.c makes a bit of RAM stick in selfcheck.c
STEPS = 2_000_000


def live(folder: Path, core: Path = CORE, steps: int = STEPS) -> str:
    """Builds coverage_driver.c over the core and runs it; returns what it counted."""
    clang = clang_with_runtimes()
    flags = [*strict_flags(), "-O1", "-g", *CHECKED, f"-I{core}", f"-I{HERE}"]
    objects = []
    for source in (*(core / name for name in SOURCES), HERE / "exercise.c", HERE / "coverage_driver.c"):
        objects.append(folder / f"{source.name}.o")
        hooked = HOOKED if source.name == "selfcheck.c" else ()
        run([clang, *flags, *hooked, "-c", source, "-o", objects[-1]])
    program = folder / "life"
    run([clang, *CHECKED, *objects, "-o", program])
    return run([program, str(steps)])


def main() -> int:
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=OUT) as folder:
        try:
            say(live(Path(folder)).strip())
        except Failed as error:
            say(str(error))
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
