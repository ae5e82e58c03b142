"""What the microcontroller itself says: its event memory and its clock, read from its RAM while that clock is stopped.

The emulated board is scheduled by a busy host, so a time on the host's clock says little about the firmware. Stopping
the machine for a moment costs no time on its own clock, and lets several words be read, or a contact be opened, at one
and the same instant of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from firmware_bridge.qemu_board import QemuBoard
from firmware_bridge.wire import McuState
from safetykit.core import protocol as p

CLOCK_MASK = 0xFFFF_FFFF  # the firmware's microseconds wrap


@dataclass(frozen=True)
class McuEvent:
    """One stop event in the firmware's memory."""

    cause: str
    number: int
    link_us: int  # since the last right answer of the guard
    at_ms: int  # since its start


@contextmanager
def instant(board: QemuBoard) -> Iterator[None]:
    """The microcontroller's clock stands still."""
    board.freeze()
    try:
        yield
    finally:
        board.thaw()


def state_name(board: QemuBoard) -> str:
    """Name of the firmware's state."""
    code = board.state("state")
    return McuState(code).name if code in McuState._value2member_map_ else f"0x{code:02X}"


def cause_name(cause: int) -> str:
    """Name of a cause, as the table of the protocol has it."""
    return p.Cause(cause).name if cause in p.Cause._value2member_map_ else f"CAUSE_{cause}"


def events(board: QemuBoard, after: int = 0) -> list[McuEvent]:
    """The remembered events with a number above `after`, oldest first. Numbers do not wrap within a demo."""
    with instant(board):
        remembered = board.events()
    found = [
        McuEvent(cause_name(event.cause), event.number, event.link_us, event.at_ms)
        for event in remembered
        if event.number > after
    ]
    return sorted(found, key=lambda event: event.number)


def relays_changed_us(board: QemuBoard) -> int:
    """When the command to the relays last changed, on the microcontroller's clock."""
    with instant(board):
        return (board.state("now_us") - board.state("relay_us")) & CLOCK_MASK


def elapsed_us(from_us: int, to_us: int) -> int:
    """Time between two readings of that clock."""
    return (to_us - from_us) & CLOCK_MASK
