"""Seals a firmware image: writes the checksum of the program into it, where the firmware looks for it.

``python seal_image.py IMAGE.elf`` seals in place; ``--check`` only says whether it is sealed and ends with 1 if not.

The program is everything that lies in flash from `_image_start` to `_image_end`, where the sealing word follows in a
section of its own. The word is written at its place in the file: no tool of the cross compiler is needed, so every port
seals in the same way. The CRC's polynomial comes from core/protocol.h, which is written from the one table.
"""

from __future__ import annotations

import argparse
import re
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROTOCOL = Path(__file__).resolve().parent / "core" / "protocol.h"
ELF_32_LITTLE = b"\x7fELF\x01\x01"
LOADED, SYMBOLS = 1, 2  # kinds of segment and section
UNSEALED = b"\xff\xff\xff\xff"


class ImageError(Exception):
    """The file is not an image that can be sealed."""


@dataclass(frozen=True)
class Segment:
    """A piece of the file and the address it is flashed to."""

    offset: int
    address: int
    length: int


class Image:
    """A 32-bit little-endian ELF file, as far as sealing needs it."""

    def __init__(self, content: bytes) -> None:
        if content[:6] != ELF_32_LITTLE:
            raise ImageError("not a 32-bit little-endian ELF file")
        self.content = bytearray(content)
        self.segments = list(self._read_segments())
        self.symbols = dict(self._read_symbols())
        missing = {"_image_start", "_image_end"} - self.symbols.keys()
        if missing:
            raise ImageError(f"the linker script does not define {', '.join(sorted(missing))}")
        self.start, self.end = self.symbols["_image_start"], self.symbols["_image_end"]

    def _read_segments(self) -> Iterator[Segment]:
        at, size, count = struct.unpack_from("<I10xHH", self.content, 28)
        for k in range(count):
            kind, offset, _, address, length = struct.unpack_from("<5I", self.content, at + k * size)
            if kind == LOADED and length:
                yield Segment(offset, address, length)

    def _read_symbols(self) -> Iterator[tuple[str, int]]:
        (at,) = struct.unpack_from("<I", self.content, 32)
        size, count = struct.unpack_from("<HH", self.content, 46)
        headers = [struct.unpack_from("<10I", self.content, at + k * size) for k in range(count)]
        for header in headers:
            if header[1] == SYMBOLS:
                names = headers[header[6]][4]
                for entry in range(header[4], header[4] + header[5], 16):
                    name, value = struct.unpack_from("<II", self.content, entry)
                    begin = names + name
                    yield self.content[begin : self.content.index(0, begin)].decode(), value

    def place(self, address: int) -> int:
        """Where in the file the byte of this flash address is."""
        for segment in self.segments:
            if segment.address <= address < segment.address + segment.length:
                return segment.offset + address - segment.address
        raise ImageError(f"nothing is flashed to 0x{address:08X}: the image has a gap")

    def program(self) -> bytes:
        """What is flashed from start to end; a gap, whose content nobody could know, is an error."""
        return bytes(self.content[self.place(address)] for address in range(self.start, self.end))

    def seal(self, crc: int) -> None:
        """Writes the word behind the program."""
        struct.pack_into("<I", self.content, self.place(self.end), crc)

    def sealed_with(self) -> int:
        """The word behind the program."""
        (word,) = struct.unpack_from("<I", self.content, self.place(self.end))
        return int(word)


def polynomial(header: str) -> int:
    """The CRC's reflected polynomial, from the text of protocol.h."""
    found = re.search(r"#define CRC_REFLECTED (0x[0-9A-F]+)U", header)
    if found is None:
        raise ImageError(f"{PROTOCOL.name} has no CRC_REFLECTED")
    return int(found[1], 16)


def crc32(program: bytes, reflected: int) -> int:
    """The checksum that selfcheck_program computes."""
    crc = 0xFFFFFFFF
    for byte in program:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (reflected if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def main(arguments: list[str]) -> int:
    """Seals or checks one file; the message goes to standard output or standard error."""
    parser = argparse.ArgumentParser(description="Seals a firmware image with the checksum of its program.")
    parser.add_argument("image", type=Path)
    parser.add_argument("--check", action="store_true", help="only say whether it is sealed")
    options = parser.parse_args(arguments)
    try:
        image = Image(options.image.read_bytes())
        crc = crc32(image.program(), polynomial(PROTOCOL.read_text(encoding="utf-8")))
        if not options.check:
            image.seal(crc)
            options.image.write_bytes(image.content)
    except (ImageError, OSError, struct.error) as error:
        sys.stderr.write(f"{options.image}: {error}\n")
        return 2
    sealed = image.sealed_with() == crc
    sys.stdout.write(f"{image.end - image.start} bytes, CRC 0x{crc:08X}, {'sealed' if sealed else 'NOT sealed'}\n")
    return 0 if sealed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
