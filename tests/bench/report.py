"""Prints the sections and writes docs/benchmarks.md. No number in that page comes from anywhere else."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.measure import Row, Section

PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
COLUMNS = ("", "measured", "reference", "ratio", "target", "met")


def processor() -> str:
    """The processor's own name."""
    for line in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(("model name", "Model")):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def machine() -> str:
    """One line about where this was measured."""
    kernel = platform.release().split("-")[0]
    software = ", ".join(f"{name} {version(name)}" for name in ("numba", "numpy"))
    return (
        f"{processor()}, {os.cpu_count()} cores, Linux {kernel}, Python {platform.python_version()}, {software}; "
        f"load {os.getloadavg()[0]:.1f} at the end"
    )


def number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def cells(row: Row) -> tuple[str, ...]:
    """One row of a table."""
    reference = "" if row.reference is None else f"{number(row.reference)} {row.unit}"
    met = "" if row.met is None else "yes" if row.met else "no"
    return row.what, f"{number(row.value)} {row.unit}", reference, row.ratio, row.target, met


def show(section: Section, console: Console) -> None:
    """One section on the terminal."""
    table = Table(title=f"{section.title}\nreference: {section.reference}", title_justify="left")
    for index, name in enumerate(COLUMNS):
        table.add_column(name, justify="left" if index in (0, 4) else "right")
    for row in section.rows:
        table.add_row(*cells(row))
    console.print(table)
    if section.note:
        console.print(section.note, style="dim")


def markdown(sections: Sequence[Section]) -> str:
    """The whole page."""
    lines = ["# Benchmarks", "", "Written by `make bench`; do not edit. Every ratio is against a reference measured in"]
    lines += ["the same run. A target that is not met says so.", ""]
    lines += [f"Measured {datetime.now(timezone.utc):%Y-%m-%d} on: {machine()}.", ""]
    for section in sections:
        lines += [f"## {section.title}", "", f"Reference: {section.reference}.", ""]
        if section.rows:
            lines += ["| " + " | ".join(COLUMNS) + " |", "|---|--:|--:|--:|---|--:|"]
            lines += ["| " + " | ".join(cells(row)) + " |" for row in section.rows] + [""]
        if section.note:
            lines += [section.note, ""]
    return "\n".join(lines).rstrip() + "\n"
