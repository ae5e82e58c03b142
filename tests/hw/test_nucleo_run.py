"""The image of the NUCLEO-F103RB runs on a model of its registers. This is not a run on hardware."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from safetykit.core import protocol as p
from tests.hw import nucleo
from tests.hw.nucleo import BIN, FE, FLASH, IWDGRSTF, NE, ORE, PINRSTF, PORRSTF, RAM, SFTRSTF, Host, Nucleo

RELAYS_OFF = (False, False)
FEED = 0xAAAA


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    nucleo.build()


def powered(image: bytes | None = None, **options: Any) -> Nucleo:
    """Power has come on; button released, relays released, key not pressed."""
    board = Nucleo(image or BIN.read_bytes(), **options)
    for signal in ("CHANNEL_A", "CHANNEL_B", "RELEASED_1", "RELEASED_2"):
        board.contact(signal, True)
    return board


def armed() -> tuple[Nucleo, Host]:
    """After self-test, ten right answers and the key."""
    board = powered()
    host = Host(board)
    host.talk_us(250_000)
    assert host.state == p.STATE_STOPPED
    board.contact("KEY", True)
    host.talk_us(150_000)
    board.contact("KEY", False)
    host.talk_us(30_000)
    assert host.state == p.STATE_ARMED
    return board, host


def running() -> tuple[Nucleo, Host]:
    """In RUN; the relays have followed."""
    board, host = armed()
    host.command = p.COMMAND_RUN
    host.talk_us(20_000)
    board.contact("RELEASED_1", False)
    board.contact("RELEASED_2", False)
    host.talk_us(100_000)
    assert host.state == p.STATE_RUN
    return board, host


def relays(board: Nucleo) -> tuple[bool, bool]:
    return board.high("RELAY_1"), board.high("RELAY_2")


def off_after_us(board: Nucleo, since_us: int) -> int:
    """From `since_us` until both relay outputs were low for good."""
    at_us, *levels = board.relay_levels[-1]
    assert tuple(levels) == RELAYS_OFF
    return at_us - since_us


def feeds(board: Nucleo) -> int:
    return sum(value == FEED for value, _ in board.key_writes)


# ------------------------------------------------------------------ the function


@pytest.mark.parametrize("channel", ["CHANNEL_A", "CHANNEL_B"])
def test_from_power_up_to_run_and_back(channel: str) -> None:
    board, host = running()
    assert host.inputs == p.IN_CHANNEL_A | p.IN_CHANNEL_B | p.IN_RELAY_1 | p.IN_RELAY_2
    assert host.events[1] == p.Cause.POWER_UP
    board.contact(channel, False)
    at_us = board.now_us
    board.run_us(3000)
    assert off_after_us(board, at_us) < 1100, "one cycle and what it takes"
    board.contact("RELEASED_1", True)
    board.contact("RELEASED_2", True)
    host.talk_us(50_000)
    assert host.state == p.STATE_STOPPED
    assert host.events[2] == p.Cause.CHANNEL


def test_silence_of_the_host_opens_the_relays() -> None:
    board, _ = running()
    at_us = board.now_us
    board.run_us(130_000)
    assert 85_000 < off_after_us(board, at_us) < 101_100


def test_no_relay_is_on_before_run() -> None:
    board, _ = armed()
    assert {(one, two) for _, one, two in board.relay_levels} == {RELAYS_OFF}


def test_relay_1_is_static_and_relay_2_pulses_in_every_cycle() -> None:
    board, _ = running()
    before_us = board.now_us - 50_000
    recent = [(at, one, two) for at, one, two in board.relay_levels if at > before_us]
    assert all(one for _, one, _ in recent)
    gaps = [later[0] - earlier[0] for earlier, later in pairwise(recent)]
    assert len(gaps) > 45
    assert 990 <= min(gaps) <= max(gaps) <= 1010, (min(gaps), max(gaps))


# ------------------------------------------------------------------ pins


def test_relay_pins_float_in_reset_and_are_low_when_they_become_outputs() -> None:
    board = powered()
    for signal in ("RELAY_1", "RELAY_2"):
        pin = board.pins[signal]
        assert board.gpio[pin.port].mode(pin.bit) == 4, "floating input: the driver's resistor keeps it off"
    board.run_us(2000)
    for signal in ("RELAY_1", "RELAY_2", "LAMP"):
        pin = board.pins[signal]
        assert board.gpio[pin.port].mode(pin.bit) == 2, "output, push-pull, 2 MHz"
    assert {(one, two) for _, one, two in board.relay_levels} == {RELAYS_OFF}


def test_an_open_wire_reads_0() -> None:
    board = Nucleo(BIN.read_bytes())
    board.run_us(2000)
    for signal in ("CHANNEL_A", "CHANNEL_B", "KEY", "RELEASED_1", "RELEASED_2"):
        pin = board.pins[signal]
        assert board.gpio[pin.port].mode(pin.bit) == 8, "input with a pull"
        assert not board.gpio[pin.port].odr >> pin.bit & 1, "downwards"
    host = Host(board)
    host.talk_us(50_000)
    assert host.inputs == 0


def test_clock_and_line_are_set_up_as_the_manual_says() -> None:
    board = powered()
    board.run_us(2000)
    words = board.words
    assert words[nucleo.RCC_CFGR] == 14 << 18 | 4 << 8 | 2, "HSI / 2 * 16, APB1 half of it"
    assert words[nucleo.FLASH_ACR] & 7 == 2, "two wait states above 48 MHz"
    apb1_hz = 8_000_000 // 2 * 16 // 2
    assert words[nucleo.USART2_BRR] == round(apb1_hz / 115_200)
    assert words[nucleo.USART2_CR1] & 0x203F == 0x202C, "UE, RXNEIE, TE, RE; 8 bits, no parity"
    assert words[nucleo.SYST_CSR] == 5, "processor clock, no interrupt"
    line = board.gpio["A"]
    assert (line.mode(2), line.mode(3), line.odr >> 3 & 1) == (0xA, 8, 1), "an unconnected input reads idle"


# ------------------------------------------------------------------ line


@pytest.mark.parametrize("error", [FE, NE, ORE])
def test_bytes_with_an_error_flag_are_not_used(error: int) -> None:
    board, host = running()
    host.board.say(b"\xa5", error)
    host.talk_us(10_000 * 4 * 12)
    assert host.state == p.STATE_RUN, "one is not enough to stop"
    assert int.from_bytes(host.pages[p.PAGE_LINK][6:8], "little") == 1, "damaged frames"
    at_us = board.now_us
    for _ in range(3):
        board.say(b"\xa5", error)
        board.run_us(3000)
    board.contact("RELEASED_1", True)
    board.contact("RELEASED_2", True)
    assert off_after_us(board, at_us) < 8000
    host.talk_us(50_000)
    assert host.events[2] == p.Cause.HOST_BAD


def test_bytes_that_come_faster_than_they_are_fetched_are_an_overrun() -> None:
    board = powered()
    board.run_us(2000)
    board.to_board.extend([(0, 0x11, 0), (0, 0x22, 0)])
    board.words[nucleo.NVIC_ISER1] = 0
    board.run_us(500)
    assert board.status & ORE
    board.words[nucleo.NVIC_ISER1] = 1 << 6
    board.run_us(2000)
    assert not board.status & (ORE | nucleo.RXNE)


def test_the_transmit_interrupt_rests_when_all_is_sent() -> None:
    board = powered()
    host = Host(board)
    host.talk_us(30_000)
    board.run_us(5000)
    assert host.session
    assert not board.words[nucleo.USART2_CR1] & nucleo.TXEIE


def test_a_line_that_takes_nothing_holds_nothing_up() -> None:
    board, host = running()
    board.line_blocked = True
    before, at_us = feeds(board), board.now_us
    for _ in range(20):
        host.beat()
        board.run_us(10_000)
    assert feeds(board) - before == pytest.approx((board.now_us - at_us) / 1000, abs=2)


# ------------------------------------------------------------------ watchdog and clocks


def test_watchdog_period() -> None:
    board = powered()
    board.run_us(2000)
    assert board.words[nucleo.IWDG_PR] == 0, "LSI / 4"
    steps = board.words[nucleo.IWDG_RLR] + 1
    fastest_ms, slowest_ms = (steps * 4 / lsi_hz * 1000 for lsi_hz in (60_000, 30_000))
    assert 20 <= fastest_ms < slowest_ms <= 50, (fastest_ms, slowest_ms)


def test_the_watchdog_is_fed_once_in_a_cycle_and_in_one_place_only() -> None:
    board, _ = running()
    begin = nucleo.symbols()["port_feed_watchdog"]
    places = {place for value, place in board.key_writes if value == FEED}
    assert len(places) == 1
    assert begin <= places.pop() < begin + 0x120
    assert [value for value, _ in board.key_writes[:2]] == [0xCCCC, 0x5555]
    assert feeds(board) == pytest.approx(board.now_us / 1000, abs=2)


def test_a_pll_that_does_not_lock_ends_in_the_watchdog() -> None:
    board = powered()
    board.pll_locks = False
    board.run_instructions(400_000)
    assert [value for value, _ in board.key_writes] == [0xCCCC, 0x5555]
    assert nucleo.USART2_CR1 not in board.words


@pytest.mark.parametrize("lsi_hz", [20_000, 80_000, 0])
def test_a_clock_that_is_far_off_starves_the_watchdog(lsi_hz: int) -> None:
    board = powered(lsi_hz=lsi_hz)
    board.run_us(300_000)
    assert feeds(board) < 105, "none after the first comparison"


@pytest.mark.parametrize("lsi_hz", [30_000, 60_000])
def test_every_slow_oscillator_of_the_datasheet_is_accepted(lsi_hz: int) -> None:
    board = powered(lsi_hz=lsi_hz)
    board.run_us(1_300_000)  # longer than one round of its divider
    assert feeds(board) == pytest.approx(1300, abs=3)


# ------------------------------------------------------------------ faults


@pytest.fixture(scope="module")
def board_in_run() -> Nucleo:
    return running()[0]


@pytest.mark.parametrize("vector", [*range(2, 16), *(16 + irq for irq in range(43) if irq != 38)])
def test_every_exception_but_the_line_switches_the_relays_off_and_waits(board_in_run: Nucleo, vector: int) -> None:
    board = board_in_run
    board.gpio["A"].odr |= 1 << 8
    board.gpio["B"].odr |= 1 << 6
    assert relays(board) == (True, True)
    before = len(board.key_writes)
    board.jump(vector)
    board.run_instructions(50)
    assert relays(board) == RELAYS_OFF
    board.run_instructions(5000)
    assert relays(board) == RELAYS_OFF
    assert len(board.key_writes) == before, "the watchdog resets the board"


@pytest.mark.parametrize("address", [RAM + 0x40, RAM + 0x4_F00])
def test_a_stuck_bit_in_ram_locks(address: int) -> None:
    board = powered()
    board.damage_ram(address, 13)
    host = Host(board)
    host.talk_us(100_000)
    assert host.events == {1: p.Cause.RAM}
    assert host.inputs & p.IN_LOCKED


def test_one_wrong_bit_of_the_program_locks() -> None:
    image = bytearray(BIN.read_bytes())
    image[4 * (16 + 40)] ^= 0x10  # an unused vector
    board = powered(bytes(image))
    host = Host(board)
    host.talk_us(250_000)
    assert host.events == {1: p.Cause.PROGRAM}
    assert host.inputs & p.IN_LOCKED


def test_an_image_that_nobody_sealed_locks() -> None:
    image = bytearray(BIN.read_bytes())
    at = nucleo.symbols()["_image_end"] - FLASH
    image[at : at + 4] = b"\xff\xff\xff\xff"
    host = Host(powered(bytes(image)))
    host.talk_us(250_000)
    assert host.events == {1: p.Cause.PROGRAM}


@pytest.mark.parametrize(
    ("flags", "cause", "boots"),
    [
        (IWDGRSTF | PINRSTF, p.Cause.WATCHDOG, 2),
        (PINRSTF, p.Cause.RESTART, 2),
        (SFTRSTF | PINRSTF, p.Cause.RESTART, 2),
        (PORRSTF | PINRSTF, p.Cause.POWER_UP, 1),
    ],
)
def test_why_the_board_started_and_what_it_kept(flags: int, cause: int, boots: int) -> None:
    first, host = running()
    first.contact("CHANNEL_A", False)
    first.run_us(2000)
    second = powered(flags=flags, ram=first.ram())
    host = Host(second)
    host.talk_us(250_000)
    assert host.state == p.STATE_STOPPED
    assert host.events == {1 if cause == p.Cause.POWER_UP else 3: cause}, "numbers go on, but for a loss of power"
    assert int.from_bytes(host.pages[p.PAGE_IDENT][6:8], "little") == boots
    assert nucleo.RCC_CSR not in second.words or not second.words[nucleo.RCC_CSR] >> 24, "the flags are cleared"


def test_sessions_differ_from_power_up_to_power_up() -> None:
    sessions = set()
    for noise in range(4):
        host = Host(powered(ram=bytes([noise]) * 4096))
        host.talk_us(30_000)
        sessions.add((host.session, host.challenge))
    assert len(sessions) == 4
