"""Whatever way the firmware hangs, its watchdog resets it; the relays open and stay open.

Hangs of the real image are injected from outside, through memory and registers. The others need the test build, which
hangs on command. In all of them the host goes on saying RUN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from firmware_bridge.qemu.machine import BoardError
from firmware_bridge.qemu_board import QemuBoard
from safetykit.core import protocol as p
from tests.hil.host import Host, run

SYST_CSR, NVIC_ICER0, SCB_ICSR = 0xE000_E010, 0xE000_E180, 0xE000_ED04
NMI_PENDING = 1 << 31
TIMER0 = 1 << 19
MPU_RNR, MPU_RBAR, MPU_RASR = 0xE000_ED98, 0xE000_ED9C, 0xE000_EDA0
NO_ACCESS_256 = 0x1000_000F
NO_EXECUTION_256_K = 0x1300_0023
HANG_MAGIC = 0xDEAD_0000


def close_region(board: QemuBoard, address: int, attributes: int) -> None:
    board.write(MPU_RNR, 7)
    board.write(MPU_RBAR, address & ~0xFF)
    board.write(MPU_RASR, attributes)


# Which relay opens first: 2 when the pulses just end, 1 when a fault switches both outputs off at once, because relay 2
# hangs on for as long as its pump holds.
REAL_IMAGE: dict[str, tuple[Callable[[QemuBoard], None], int]] = {
    "time stands still": (lambda board: board.write(SYST_CSR, 0), 2),
    "a sleep without end": (lambda board: board.write(NVIC_ICER0, TIMER0), 2),
    "an exception nobody expects": (lambda board: board.write(SCB_ICSR, NMI_PENDING), 1),
    "state out of reach": (lambda board: close_region(board, board.address("cycle"), NO_ACCESS_256), 1),
    "program out of reach": (lambda board: close_region(board, 0, NO_EXECUTION_256_K), 1),
}
# In "check-in missing" the pulses go on until the reset, which drops both outputs.
TEST_BUILD = {
    "endless loop": (1, 2),
    "undefined instruction": (2, 1),
    "stack overflow": (3, 1),
    "wild jump": (4, 1),
    "check-in missing": (5, 1),
    "jump into RAM": (6, 1),
}


@pytest.fixture
def hanging(firmware: Path) -> Iterator[tuple[QemuBoard, Host]]:
    with QemuBoard(firmware / "lm3s6965evb-hang.elf") as board, Host(board.port) as host:
        host.talk()
        yield board, host


def hang_and_come_back(board: QemuBoard, host: Host, hang: Callable[[], None], first: int) -> None:
    run(board, host)
    before = board.event()
    hang()
    board.wait_power(False)
    board.wait(lambda: not any(relay.closed for relay in board.relays), "both relays open")
    relay_1, relay_2 = board.relays
    assert (relay_1.moved_ns < relay_2.moved_ns) == (first == 1)
    board.wait(lambda: board.event().cause == p.Cause.WATCHDOG, "start after a watchdog reset")
    accepted = board.state("accepted")
    board.wait(lambda: board.state("accepted") > accepted + 20, "talk with the host, who says RUN")
    assert board.state("state") == p.STATE_STOPPED
    assert board.event().number == before.number + 1
    assert board.state("boots") == 2
    assert not board.power
    assert len(board.power_changes) == 2


@pytest.mark.parametrize("kind", REAL_IMAGE)
def test_the_watchdog_ends_every_hang_of_the_real_image(board: QemuBoard, host: Host, kind: str) -> None:
    hang, first = REAL_IMAGE[kind]
    hang_and_come_back(board, host, lambda: hang(board), first)


@pytest.mark.parametrize("kind", TEST_BUILD)
def test_the_watchdog_ends_every_hang_on_command(hanging: tuple[QemuBoard, Host], kind: str) -> None:
    board, host = hanging
    code, first = TEST_BUILD[kind]
    hang_and_come_back(board, host, lambda: board.write(board.address("hang_request"), HANG_MAGIC + code), first)


def test_the_real_image_cannot_be_told_to_hang(board: QemuBoard) -> None:
    with pytest.raises(BoardError, match="no symbol 'hang_request'"):
        board.address("hang_request")


def test_after_a_watchdog_reset_the_key_starts_anew(board: QemuBoard, host: Host) -> None:
    run(board, host)
    board.write(SYST_CSR, 0)
    board.wait(lambda: board.event().cause == p.Cause.WATCHDOG, "start after a watchdog reset")
    run(board, host)
    assert board.power
