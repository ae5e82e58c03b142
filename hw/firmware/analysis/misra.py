"""MISRA C:2012 over the core, through the addon of cppcheck; deviations stand at their line, with the reason.

``python hw/firmware/analysis/misra.py`` prints what is found and ends with 1 if there is anything. The exit code of
cppcheck says nothing about the addon's findings, so the text is read.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from toolchain import CORE, SOURCES, Failed, cppcheck, run, say

# Deviations of a whole file. 2.5 (unused macro): protocol.h is made from the one table of the protocol, and some of its
# constants are for the host or for documentation only.
WHOLE_FILE = ("misra-c2012-2.5:*protocol.h",)
FINDING = re.compile(r"^(\S+?):(\d+): (\w+) \[([\w.-]+)\] (.*)$", re.MULTILINE)
REASONED = re.compile(r"cppcheck-suppress (misra-c2012-[\d.]+) ; \w.{15,}")


def findings(core: Path = CORE) -> list[str]:
    """Everything that the checker and its addon say, one line each."""
    options = ["--addon=misra", "--std=c11", "--platform=arm32-wchar_t4", "--inline-suppr", "--quiet"]
    options += ["--enable=style,warning,performance,portability"]
    options += [f"--suppress={rule}" for rule in WHOLE_FILE]
    template = "--template={file}:{line}: {severity} [{id}] {message}"
    said = run([cppcheck(), *options, template, *SOURCES], cwd=core, may_fail=True)
    if "Bailing out" in said or "internalError" in said or "syntaxError" in said:
        raise Failed(f"cppcheck could not read the core:\n{said}")
    return [f"{file}:{line}: [{rule}] {text}" for file, line, _, rule, text in FINDING.findall(said)]


def deviations(core: Path = CORE) -> list[tuple[str, bool]]:
    """Every deviation noted at a line, and whether a reason stands beside it."""
    lines = [line for path in sorted(core.glob("*.[ch]")) for line in path.read_text(encoding="utf-8").splitlines()]
    noted = [line.strip() for line in lines if "cppcheck-suppress" in line]
    return [(line, REASONED.search(line) is not None) for line in noted]


def main() -> int:
    found, noted = findings(), deviations()
    say(*found, *(f"deviation: {line}" for line, _ in noted))
    say(f"{len(found)} findings, {len(noted)} deviations noted at their line, {len(WHOLE_FILE)} for a whole file")
    return 1 if found or not all(reasoned for _, reasoned in noted) else 0


if __name__ == "__main__":
    sys.exit(main())
