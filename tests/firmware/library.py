"""The firmware's core as a shared library: its records, its functions, and the board of variables beside it.

``ESTOP_LIBRARY`` names another build than ``out/firmware/libestop.so`` (the mutation campaign sets it, and with it
``ESTOP_CORE``, the folder of the sources of that build).
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import subprocess
from ctypes import c_bool, c_uint8, c_uint32, c_uint64
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FIRMWARE = ROOT / "hw" / "firmware"
LIBRARY = ROOT / "out" / "firmware" / "libestop.so"
FRAME_BYTES = 16
EVENTS = 8
QUEUE_BYTES = 4096
STATES = 4


def core_folder() -> Path:
    """Where the sources of the library under test lie."""
    return Path(os.environ.get("ESTOP_CORE", FIRMWARE / "core"))


def fields_of(header: str, record: str) -> list[str]:
    """Names of the fields of a struct in the order of the header."""
    text = re.sub(r"/\*.*?\*/", "", (core_folder() / header).read_text(encoding="utf-8"), flags=re.DOTALL)
    body = re.search(r"typedef struct \{([^}]*)\} " + record + ";", text)
    assert body, f"{header} has no {record}"
    return re.findall(r"(\w+)(?:\[[^;]*\])?;", body[1])


# ------------------------------------------------------------------------------ records of the core


class Event(ctypes.Structure):
    """estop_event_t."""

    _fields_ = [(name, c_uint32) for name in ("cause", "number", "link_us", "at_ms")]


class State(ctypes.Structure):
    """estop_state_t."""

    _fields_ = [*((name, c_uint32) for name in fields_of("estop.h", "estop_state_t")[:-1]), ("event", Event * EVENTS)]


class Boot(ctypes.Structure):
    """estop_boot_t."""

    _fields_ = [(name, c_uint32) for name in ("unit", "image_crc", "boots", "event_number", "seed", "cause")]


CONTACTS = ("channel_a", "channel_b", "key", "released_1", "released_2")


class Inputs(ctypes.Structure):
    """estop_inputs_t."""

    _fields_ = [
        *((name, c_bool) for name in (*CONTACTS, "damaged", "frame_ready")),
        ("frame", c_uint8 * FRAME_BYTES),
        ("check", c_uint32),
    ]


class Outputs(ctypes.Structure):
    """estop_outputs_t."""

    _fields_ = [
        *((name, c_bool) for name in ("relay_1", "relay_2", "led", "reply_ready", "diag_ready")),
        ("reply", c_uint8 * FRAME_BYTES),
        ("diag", c_uint8 * FRAME_BYTES),
    ]


class Wire(ctypes.Structure):
    """wire_t."""

    _fields_ = [("byte", c_uint8 * FRAME_BYTES), ("count", c_uint32)]


class Selfcheck(ctypes.Structure):
    """selfcheck_t."""

    _fields_ = [
        ("image", ctypes.c_void_p),
        ("length", c_uint32),
        ("expected", c_uint32),
        ("at", c_uint32),
        ("crc", c_uint32),
    ]


class Cycle(ctypes.Structure):
    """cycle_t."""

    _fields_ = [
        ("state", State),
        ("mirror", c_uint32 * (ctypes.sizeof(State) // 4)),
        ("wire", Wire),
        ("byte_us", c_uint32),
        ("program", Selfcheck),
        ("check", c_uint32),
        ("checkins", c_uint32),
    ]


class Board(ctypes.Structure):
    """board_t of ports/host/port.c: the contacts, the line, the clock."""

    _fields_ = [
        ("now_us", c_uint32),
        ("step_us", c_uint32),
        ("contacts", Inputs),
        ("received", c_uint8 * QUEUE_BYTES),
        ("received_count", c_uint32),
        ("received_at", c_uint32),
        ("line_errors", c_uint32),
        ("sent", c_uint8 * QUEUE_BYTES),
        ("sent_count", c_uint32),
        ("driven", Outputs),
        ("fed", c_uint32),
    ]


# ------------------------------------------------------------------------------ records of the drivers


class Driver(ctypes.Structure):
    """driver_t: one board and its host."""

    _fields_ = [
        ("state", State),
        ("now_us", c_uint32),
        ("challenge_before", c_uint32),
        ("frame", c_uint8 * FRAME_BYTES),
    ]


class Alphabet(ctypes.Structure):
    """search_alphabet_t: what the search tries in every picture."""

    _fields_ = [("frames", c_uint32), ("checks", c_uint32), ("late", c_uint32)]


class SearchResult(ctypes.Structure):
    """search_result_t."""

    _fields_ = [
        ("states", c_uint64),
        ("edges", c_uint64),
        ("time_edges", c_uint64),
        ("by_state", c_uint64 * STATES),
        ("moves", c_uint64 * STATES * STATES),
        ("broken", c_uint32),
        ("depth", c_uint32),
        ("path", c_uint32 * 256),
    ]


# ------------------------------------------------------------------------------ functions

POINTER = ctypes.POINTER
BYTES = ctypes.c_char_p
SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "estop_init": (None, [POINTER(State), POINTER(Boot)]),
    "estop_step": (None, [POINTER(State), POINTER(Inputs), c_uint32, POINTER(Outputs)]),
    "estop_answer": (c_uint32, [c_uint32] * 4),
    "estop_blockers": (c_uint32, [POINTER(State), POINTER(Inputs)]),
    "wire_crc": (c_uint32, [c_uint32, BYTES, c_uint32]),
    "wire_crc_begin": (c_uint32, []),
    "wire_crc_byte": (c_uint32, [c_uint32, c_uint32]),
    "wire_crc_end": (c_uint32, [c_uint32]),
    "wire_push": (c_uint32, [POINTER(Wire), c_uint32, c_uint8, POINTER(c_uint8 * FRAME_BYTES)]),
    "wire_idle": (c_bool, [POINTER(Wire)]),
    "wire_get16": (c_uint32, [BYTES]),
    "wire_get32": (c_uint32, [BYTES]),
    "wire_put16": (None, [ctypes.c_void_p, c_uint32]),
    "wire_put32": (None, [ctypes.c_void_p, c_uint32]),
    "wire_close": (None, [c_uint32, c_uint32, POINTER(c_uint8 * FRAME_BYTES)]),
    "selfcheck_ram": (c_bool, [ctypes.c_void_p, c_uint32]),
    "selfcheck_init": (None, [POINTER(Selfcheck), ctypes.c_void_p, c_uint32, c_uint32]),
    "selfcheck_program": (c_uint32, [POINTER(Selfcheck), c_uint32]),
    "cycle_init": (None, [POINTER(Cycle), POINTER(Boot), c_bool]),
    "cycle_run": (None, [POINTER(Cycle)]),
    "driver_run": (c_uint32, [POINTER(Driver), ctypes.c_void_p, c_uint32, ctypes.c_void_p, ctypes.c_void_p]),
    "search_run": (c_bool, [POINTER(Alphabet), POINTER(SearchResult)]),
    "search_follow": (c_uint32, [POINTER(Driver), ctypes.c_void_p, c_uint32, ctypes.c_void_p]),
}
SIZES = {"estop_state_bytes": State, "cycle_bytes": Cycle, "driver_bytes": Driver}


def build() -> Path:
    """Builds the library if it is not current, or takes the one of ``ESTOP_LIBRARY``; returns where it is."""
    named = os.environ.get("ESTOP_LIBRARY")
    if named:
        return Path(named)
    LIBRARY.parent.mkdir(parents=True, exist_ok=True)
    with (LIBRARY.parent / "host.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = subprocess.run(["make", "-C", FIRMWARE, "host"], capture_output=True, text=True, check=False)
    if made.returncode:
        raise RuntimeError(f"the firmware's library did not build:\n{made.stdout}{made.stderr}")
    return LIBRARY


def opened(path: Path) -> ctypes.CDLL:
    """The library at `path` with its functions declared; refuses one whose records have another size."""
    library = ctypes.CDLL(str(path))
    for name, (result, arguments) in SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    for name, record in SIZES.items():
        size = c_uint32.in_dll(library, name).value
        if size != ctypes.sizeof(record):
            raise RuntimeError(f"{name} is {size}, but {record.__name__} has {ctypes.sizeof(record)}")
    return library


@cache
def library() -> ctypes.CDLL:
    """The library under test."""
    return opened(build())
