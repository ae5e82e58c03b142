"""Writes the protocol's constants for C and Python, and the tables of PROTOCOL.md, from protocol.yaml.

``python hw/make_protocol.py`` writes; ``--check`` says what is not current and ends with 1.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SOURCE = HERE / "protocol.yaml"
C_HEADER = HERE / "firmware" / "core" / "protocol.h"
PYTHON = ROOT / "safetykit" / "core" / "protocol.py"
PAGE = HERE / "PROTOCOL.md"
BEGIN, END = "<!-- begin {name}: written by make protocol -->", "<!-- end {name} -->"

Table = dict[str, Any]


def read_table() -> Table:
    """protocol.yaml."""
    table: Table = YAML(typ="safe").load(SOURCE.read_text(encoding="utf-8"))
    return table


def token(stage: str) -> int:
    """The stage's 32-bit word."""
    return int.from_bytes(hashlib.sha256(f"safetykit/{stage}".encode()).digest()[:4], "big")


def crc_nibbles(reflected: int) -> list[int]:
    """The 16-entry table of the reflected CRC, four bits at a time."""
    table = []
    for nibble in range(16):
        crc = nibble
        for _ in range(4):
            crc = crc >> 1 ^ (reflected if crc & 1 else 0)
        table.append(crc)
    return table


# ------------------------------------------------------------------------------ C


def c_header(table: Table) -> str:
    """protocol.h."""
    lines = [
        "/* Written by `make protocol` from hw/protocol.yaml; do not edit. */",
        "#ifndef PROTOCOL_H",
        "#define PROTOCOL_H",
        "",
        f"#define PROTOCOL_VERSION {table['version']}U",
        f"#define FIRMWARE_VERSION 0x{table['firmware'][0]:02X}{table['firmware'][1]:02X}U",
        f"#define CRC_REFLECTED 0x{table['crc']['reflected']:08X}U",
        "",
    ]
    lines += [f"#define {name} 0x{code:02X}U /* {text} */" for name, (code, text) in table["codes"].items()]
    lines += ["", "/* status byte 3 */"]
    lines += [f"#define {name} 0x{1 << bit:02X}U /* {text} */" for name, (bit, text) in table["inputs"].items()]
    lines += ["", "/* causes: code, and bit number of the condition */", "#define CAUSE_NONE 0U"]
    lines += [f"#define {name} {row[0]}U /* {row[1]} */" for name, row in table["causes"].items()]
    lines += [f"#define CAUSES_LOCKING 0x{locking(table):04X}U", "", "/* health page byte 3 */"]
    lines += [f"#define {name} 0x{1 << bit:02X}U /* {text} */" for name, (bit, text) in table["blockers"].items()]
    lines += ["", "/* diagnostic pages */"]
    lines += [f"#define {name} {row[0]}U" for name, row in table["pages"].items()]
    lines += [""]
    for name, (value, text, kind) in table["times"].items():
        define = f"#define {name} {value}U /* {text} */"
        lines += [f"#ifndef {name}", define, "#endif"] if kind == "port" else [define]
    lines += [""]
    lines += [f"#define {name} {row[0]}U /* {row[1]} */" for name, row in table["counts"].items()]
    tokens = ", ".join(f"0x{token(stage):08X}U" for stage in table["stages"])
    nibbles = ", ".join(f"0x{entry:08X}U" for entry in crc_nibbles(table["crc"]["reflected"]))
    lines += ["", f"#define STAGES {len(table['stages'])}U /* {', '.join(table['stages'])} */"]
    lines += [f"#define PROGRESS_ROTATE {table['rotate']}U", f"#define STAGE_TOKENS {{{tokens}}}"]
    lines += [f"#define CRC_NIBBLES {{{nibbles}}}", "", "#endif"]
    return "\n".join([*lines, ""])


def locking(table: Table) -> int:
    """Mask of the causes that only a power cycle clears."""
    return sum(1 << row[0] for row in table["causes"].values() if row[2] == "locked")


# ------------------------------------------------------------------------------ Python


def python_module(table: Table) -> str:
    """safetykit/core/protocol.py."""
    lines = [
        '"""Constants of the link to the emergency-stop microcontroller.',
        "",
        "Written by `make protocol` from hw/protocol.yaml; do not edit.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        "from enum import IntEnum",
        "",
        f"VERSION = {table['version']}",
        f"CRC_REFLECTED = 0x{table['crc']['reflected']:08X}",
    ]
    lines += [f"{name} = 0x{code:02X}  # {text}" for name, (code, text) in table["codes"].items()]
    lines += [""]
    lines += [f"{name} = 1 << {bit}  # {text}" for name, (bit, text) in table["inputs"].items()]
    lines += [""]
    lines += [f"{name} = 1 << {bit}  # {text}" for name, (bit, text) in table["blockers"].items()]
    lines += [""]
    lines += [f"{name} = {row[0]}" for name, row in table["pages"].items()]
    lines += [f"{name} = {row[0]:_}  # {row[1]}" for name, row in table["times"].items()]
    lines += [f"{name} = {row[0]}  # {row[1]}" for name, row in table["counts"].items()]
    lines += [f"PROGRESS_ROTATE = {table['rotate']}", "", "", "class Stage(IntEnum):"]
    lines += ['    """Stages of a tick in their order."""', ""]
    lines += [f"    {stage} = {number}" for number, stage in enumerate(table["stages"])]
    lines += ["", "", "class Cause(IntEnum):", '    """Why the microcontroller stopped."""', ""]
    lines += [f"    {name.removeprefix('CAUSE_')} = {row[0]}  # {row[1]}" for name, row in table["causes"].items()]
    lines += ["", "", "CAUSE_TEXT = {"]
    lines += [f'    Cause.{name.removeprefix("CAUSE_")}: "{row[1]}",' for name, row in table["causes"].items()]
    lines += ["}", "CAUSE_CURE = {"]
    lines += [f'    Cause.{name.removeprefix("CAUSE_")}: "{row[3]}",' for name, row in table["causes"].items()]
    lines += ["}", "BLOCKER_TEXT = {"]
    lines += [f'    {name}: "{text}",' for name, (_, text) in table["blockers"].items()]
    lines += ["}", "TOKENS = (  # by stage"]
    lines += [f"    0x{token(stage):08X}," for stage in table["stages"]]
    lines += [")", "CRC_NIBBLES = (  # four bits at a time"]
    lines += [f"    0x{entry:08X}," for entry in crc_nibbles(table["crc"]["reflected"])]
    return "\n".join([*lines, ")", ""])


# ------------------------------------------------------------------------------ PROTOCOL.md


def page(table: Table, text: str) -> str:
    """PROTOCOL.md with its tables written anew."""
    for name, write in TABLES.items():
        begin, end = BEGIN.format(name=name), END.format(name=name)
        head, _, rest = text.partition(begin)
        _, found, tail = rest.partition(end)
        if not found:
            raise SystemExit(f"{PAGE.name}: the marks of table {name!r} are missing")
        text = "\n".join([head + begin, *write(table), end + tail])
    return text


def _codes(table: Table) -> Iterator[str]:
    yield from ("| name | code | meaning |", "|---|---|---|")
    yield from (f"| {name} | 0x{code:02X} | {text} |" for name, (code, text) in table["codes"].items())


def _bits(key: str) -> Callable[[Table], Iterator[str]]:
    def rows(table: Table) -> Iterator[str]:
        yield from ("| bit | name | meaning |", "|---|---|---|")
        yield from (f"| {bit} | {name} | {text} |" for name, (bit, text) in table[key].items())

    return rows


def _causes(table: Table) -> Iterator[str]:
    yield from ("| code | name | meaning | ends by | what to do |", "|---|---|---|---|---|")
    for name, (code, text, kind, cure) in table["causes"].items():
        yield f"| {code} | {name} | {text} | {'power cycle' if kind == 'locked' else 'reset key'} | {cure} |"


def _pages(table: Table) -> Iterator[str]:
    yield from ("| page | name | content (u16 and u32 little-endian, `@` byte) |", "|---|---|---|")
    yield from (f"| {number} | {name} | {text} |" for name, (number, text) in table["pages"].items())


def _times(table: Table) -> Iterator[str]:
    yield from ("| name | value | meaning |", "|---|---|---|")
    for name, (value, text, kind) in table["times"].items():
        yield f"| {name} | {value / 1000:g} ms{' (a port may differ)' if kind == 'port' else ''} | {text} |"
    yield from (f"| {name} | {value} | {text} |" for name, (value, text) in table["counts"].items())


def _stages(table: Table) -> Iterator[str]:
    yield from ("| order | stage | token |", "|---|---|---|")
    yield from (f"| {n} | {stage} | 0x{token(stage):08X} |" for n, stage in enumerate(table["stages"]))


TABLES: dict[str, Callable[[Table], Iterator[str]]] = {
    "codes": _codes,
    "inputs": _bits("inputs"),
    "causes": _causes,
    "blockers": _bits("blockers"),
    "pages": _pages,
    "times": _times,
    "stages": _stages,
}


def outputs(table: Table) -> dict[Path, str]:
    """What every generated file should hold."""
    return {
        C_HEADER: c_header(table),
        PYTHON: python_module(table),
        PAGE: page(table, PAGE.read_text(encoding="utf-8")),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if a file is not current")
    check = parser.parse_args().check
    stale = 0
    for path, text in outputs(read_table()).items():
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale += 1
        sys.stdout.write(f"{path.relative_to(ROOT)}: {'not current, run make protocol' if check else 'written'}\n")
        if not check:
            path.write_text(text, encoding="utf-8")
    return int(check and stale > 0)


if __name__ == "__main__":
    sys.exit(main())
