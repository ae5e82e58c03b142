"""The image of the NUCLEO-F103RB: it builds, links, fits, and begins as the processor expects. And its pins."""

from __future__ import annotations

import re
import struct
import subprocess
import sys

import pytest

from tests.hw import nucleo
from tests.hw.nucleo import BIN, ELF, FIRMWARE, FLASH, FLASH_BYTES, PORT, RAM, RAM_BYTES, ROOT, pin_table

README = ROOT / "hw" / "README.md"
DEBUG_PORT = {("A", 13), ("A", 14), ("A", 15), ("B", 3), ("B", 4)}
TAKEN = {("B", 2), ("C", 13), ("C", 14), ("C", 15), ("A", 9), ("A", 10)}  # BOOT1, button, crystal, boot loader
ARDUINO = {  # header name -> pin, from ST's UM1724
    "A0": "PA0", "A1": "PA1", "A2": "PA4", "A3": "PB0", "A4": "PC1", "A5": "PC0", "D0": "PA3", "D1": "PA2",
    "D2": "PA10", "D3": "PB3", "D4": "PB5", "D5": "PB4", "D6": "PB10", "D7": "PA8", "D8": "PA9", "D9": "PC7",
    "D10": "PB6", "D11": "PA7", "D12": "PA6", "D13": "PA5", "D14": "PB9", "D15": "PB8",
}  # fmt: skip
STACK_SPARE = 2  # the stack is at least this many times what the deepest chain of calls could use


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    nucleo.build()


def sections() -> dict[str, tuple[int, int]]:
    """Address and size of every section of the image."""
    text = subprocess.run(["arm-none-eabi-size", "-A", str(ELF)], check=True, capture_output=True, text=True).stdout
    return {name: (int(at), int(size)) for name, size, at in re.findall(r"^(\.\S+) +(\d+) +(\d+)$", text, re.MULTILINE)}


def test_it_fits() -> None:
    placed = sections()
    assert len(BIN.read_bytes()) <= FLASH_BYTES
    used = sum(size for at, size in placed.values() if RAM <= at < RAM + RAM_BYTES)
    assert 2048 < used < RAM_BYTES // 2, f"{used} bytes of RAM"
    assert placed[".data"][1] == 0 or placed[".data"][0] >= RAM


def test_vector_table() -> None:
    table = struct.unpack_from("<59I", BIN.read_bytes())
    symbols = nucleo.symbols()
    assert table[0] == symbols["_stack_top"]
    assert RAM < table[0] < RAM + RAM_BYTES
    assert table[0] % 8 == 0
    assert all(entry & 1 for entry in table[1:]), "Thumb"
    assert table[1] & ~1 == symbols["reset"]
    assert table[16 + 38] & ~1 == symbols["line_interrupt"]
    assert {entry & ~1 for entry in [*table[2 : 16 + 38], *table[16 + 39 :]]} == {symbols["fault"]}
    assert symbols["_image_start"] == FLASH


def test_memory_layout() -> None:
    symbols, placed = nucleo.symbols(), sections()
    assert symbols["_stack_bottom"] == RAM, "a stack that overflows leaves RAM"
    assert symbols["_stack_top"] - symbols["_stack_bottom"] == 2048
    assert symbols["kept"] == symbols["_stack_top"]
    assert placed[".noinit"] == (symbols["kept"], symbols["_tested"] - symbols["kept"])
    assert symbols["_ram_end"] == RAM + RAM_BYTES
    assert placed[".image_crc"] == (symbols["_image_end"], 4)
    assert len(BIN.read_bytes()) == symbols["_image_end"] + 4 - FLASH, "nothing behind the word that seals it"


def test_it_is_sealed() -> None:
    command = [sys.executable, str(FIRMWARE / "seal_image.py"), "--check", str(ELF)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    word = struct.unpack("<I", BIN.read_bytes()[-4:])[0]
    assert word == nucleo.crc_of_program(BIN.read_bytes()[:-4])


def test_stack_is_large_enough() -> None:
    """All frames of the image at once are more than any chain of calls, which has no recursion, can need."""
    frames = {}
    for file in (ROOT / "out" / "firmware" / "nucleo-f103rb").glob("*.su"):
        for line in file.read_text(encoding="utf-8").splitlines():
            where, size, kind = line.split("\t")
            assert kind == "static", line
            frames[where] = int(size)
    assert len(frames) > 20
    interrupt = 32  # pushed by the processor
    assert STACK_SPARE * (sum(frames.values()) + interrupt) <= 2048, sum(frames.values())


def test_no_vendor_or_library_code() -> None:
    sources = " ".join(path.read_text(encoding="utf-8") for path in PORT.glob("*.[ch]"))
    assert set(re.findall(r"#include <(\S+)>", sources)) <= {"stdbool.h", "stddef.h", "stdint.h"}
    names = set(nucleo.symbols())
    assert not names & {"malloc", "free", "printf", "_sbrk", "__libc_init_array"}


# ------------------------------------------------------------------ pins


def test_pins_are_used_once_and_none_is_taken() -> None:
    pins = pin_table()
    places = [(pin.port, pin.bit) for pin in pins]
    assert len(pins) == 10
    assert len(set(places)) == len(places)
    assert not set(places) & (DEBUG_PORT | TAKEN)
    for pin in pins:
        assert ARDUINO[pin.header] == f"P{pin.port}{pin.bit}", pin.signal


def test_channels_and_relays_share_no_port_and_are_no_neighbours() -> None:
    pins = {pin.signal: pin for pin in pin_table()}
    for one, two in (("CHANNEL_A", "CHANNEL_B"), ("RELAY_1", "RELAY_2"), ("RELEASED_1", "RELEASED_2")):
        assert pins[one].port != pins[two].port
        kinds = {pins[one].header[0], pins[two].header[0]}
        assert len(kinds) == 2 or abs(int(pins[one].header[1:]) - int(pins[two].header[1:])) > 1


def test_the_lamp_is_the_one_on_the_board_and_nothing_else_is_there() -> None:
    at_lamp = [pin.signal for pin in pin_table() if (pin.port, pin.bit) == ("A", 5)]
    assert at_lamp == ["LAMP"]


def test_the_readme_shows_the_same_pins() -> None:
    rows = re.findall(
        r"^\| (\w+) \| (P[A-E]\d+) \| (\w+) \| (.+) \|$", README.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert rows == [(pin.signal, f"P{pin.port}{pin.bit}", pin.header, pin.meaning) for pin in pin_table()]


def test_port_and_readme_say_what_was_not_done() -> None:
    said = "NOT run on hardware"
    for path in (README, PORT / "board.c", PORT / "port.mk"):
        assert said in path.read_text(encoding="utf-8"), path.name
