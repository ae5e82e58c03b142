"""Where the firmware keeps what: addresses from the image's symbol table, fields of the state from the C header."""

from __future__ import annotations

import re
import struct
from pathlib import Path

from firmware_bridge.qemu.machine import BoardError

HEADER = Path(__file__).resolve().parents[2] / "hw" / "firmware" / "core" / "estop.h"
SYMBOL_TABLE = 2


def read_symbols(image: Path) -> dict[str, int]:
    """Address of every symbol of a 32-bit little-endian ELF file."""
    content = image.read_bytes()
    try:
        (at,) = struct.unpack_from("<I", content, 32)
        size, count = struct.unpack_from("<HH", content, 46)
        headers = [struct.unpack_from("<10I", content, at + k * size) for k in range(count)]
        symbols = {}
        for header in (header for header in headers if header[1] == SYMBOL_TABLE):
            names = headers[header[6]][4]
            for entry in range(header[4], header[4] + header[5], 16):
                name, value = struct.unpack_from("<II", content, entry)
                begin = names + name
                symbols[content[begin : content.index(b"\0", begin)].decode()] = value
    except (struct.error, ValueError, IndexError) as error:
        raise BoardError(f"{image} is no firmware image: {error}") from error
    return symbols


def record_fields(name: str) -> list[str]:
    """Names of the words of one of the header's records, in their order; they are all 32 bits wide."""
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(encoding="utf-8"), flags=re.DOTALL)
    record = re.search(r"typedef struct \{([^}]*)\} " + name + ";", text)
    if record is None:
        raise BoardError(f"{HEADER.name} has no record {name}")
    return re.findall(r"uint32_t (\w+);", record[1])
