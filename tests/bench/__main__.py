"""``make bench``: measures everything, prints ratios, writes docs/benchmarks.md.

Names of parts (see PARTS) as arguments measure these only and write nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec

from rich.console import Console

from tests.bench import report
from tests.bench.measure import Section

PARTS = (
    "tick",
    "decision_checks",
    "barrier_filter",
    "temporal_rules",
    "path",
    "bench_blackbox",
    "startup",
    "wakeup",
    "ros_contrast",
    "estop",
)


def main(wanted: list[str]) -> int:
    console = Console()
    unknown = [name for name in wanted if find_spec(f"tests.bench.{name}") is None]
    if unknown:
        console.print(f"unknown part {', '.join(unknown)}; known: {', '.join(PARTS)}")
        return 2
    sections: list[Section] = []
    for name in wanted or PARTS:
        console.print(f"measuring {name} ...", style="dim")
        found = import_module(f"tests.bench.{name}").run()
        for section in found:
            report.show(section, console)
        sections += found
    if not wanted:
        report.PAGE.write_text(report.markdown(sections), encoding="utf-8")
        console.print("wrote docs/benchmarks.md")
    missed = [f"{section.title}: {row.what}" for section in sections for row in section.rows if row.met is False]
    for line in missed:
        console.print(f"target not met: {line}", style="bold yellow")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
