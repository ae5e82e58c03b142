"""The firmware on the emulated board: every transition, driven through the serial port and the contacts.

Times are those of the MCU wherever a time is asserted; times of this computer only bound how long a test waits.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_bridge.qemu_board import QemuBoard
from safetykit.core import protocol as p
from safetykit.core.protocol import Cause
from tests.hil.host import Host, Page, arm, crc32, heartbeat, run

BOARD_FEEDBACK_US = 250_000  # ports/lm3s6965evb/port.mk
MILLISECOND = 1_000_000  # ns
PATIENT_PUMP_NS = 2000 * MILLISECOND
CYCLE_BYTES = 0x300  # cycle_t is a little larger; what is looked for lies further up


def stopped_for(board: QemuBoard, cause: Cause) -> None:
    """The board is, or within two seconds comes to be, stopped for this cause, with both relays off."""
    stopped = p.STATE_STOPPED
    board.wait(lambda: (board.state("state"), board.event().cause) == (stopped, cause), f"stop for {cause.name}")
    assert board.state("relay_on") == 0
    board.wait_power(False)


def stays_stopped(board: QemuBoard, beats: int = 30) -> None:
    """The board takes so many more right answers and does not leave STOPPED."""
    accepted = board.state("accepted")
    board.wait(lambda: board.state("accepted") >= accepted + beats, f"{beats} right answers")
    assert board.state("state") == p.STATE_STOPPED


def answer_wrongly(host: Host) -> None:
    """Three sound frames in a row whose answer is wrong."""
    host.be_quiet()
    for _ in range(p.BAD_LIMIT):
        last = host.status
        assert last is not None
        host.exchange(heartbeat(host.command, host.rest, last.session, last.seq + 1 & 0xFFFF, last.challenge))


def damage_state(board: QemuBoard) -> None:
    """One bit after another until it is noticed: a change in the midst of a cycle passes for the cycle's own work."""
    unit, at = board.state("unit"), board.state_address("unit")
    for bit in range(8, 32):
        board.write(at, unit | 1 << bit)
        time.sleep(0.005)
        if board.event().cause == Cause.RAM:
            break


def damage_program(board: QemuBoard) -> None:
    """As if flash had changed. QEMU's cannot, so the other side of the comparison does."""
    crc, known = board.state("image_crc"), board.state_address("image_crc")
    words = range(board.address("cycle"), board.address("cycle") + CYCLE_BYTES, 4)
    (expected,) = (at for at in words if at != known and board.read(at) == crc)
    board.write(expected, crc ^ 1)


def ready_but_for_the_key(board: QemuBoard) -> None:
    board.wait(lambda: board.state("streak") == p.STREAK_MIN, "link")
    board.wait(lambda: board.state("closed_us") > p.RELEASE_US, "closed channels")
    board.wait(lambda: not any(relay.closed for relay in board.relays), "open relays")


# ------------------------------------------------------------------ start


def test_every_start_goes_through_selftest_to_stopped(board: QemuBoard, host: Host) -> None:
    board.wait_state(p.STATE_STOPPED)
    board.power_cycle()
    seen: set[int] = set()

    def stopped() -> bool:
        seen.add(board.state("state"))
        return p.STATE_STOPPED in seen

    board.wait(stopped, "STOPPED")
    assert p.STATE_SELFTEST in seen
    assert not seen & {p.STATE_ARMED, p.STATE_RUN}
    host.say(p.COMMAND_RUN)
    stays_stopped(board)
    assert board.event().cause == Cause.POWER_UP
    assert board.event().number == board.state("boots") == 1
    assert not board.power_changes


def test_it_identifies_itself(board: QemuBoard, host: Host, firmware: Path) -> None:
    binary = firmware / "ident.bin"
    command = ["arm-none-eabi-objcopy", "-O", "binary", "--remove-section=.image_crc"]
    subprocess.run([*command, str(firmware / "lm3s6965evb.elf"), str(binary)], check=True)
    board.wait(lambda: p.PAGE_IDENT in host.pages, "ident page")
    assert host.pages[p.PAGE_IDENT] == Page(p.VERSION, 0x0100, 1, crc32(binary.read_bytes()))


def test_power_up_forgets_and_reset_remembers(board: QemuBoard, host: Host) -> None:
    run(board, host)
    session, number = board.state("session"), board.event().number
    board.reset()
    stopped_for(board, Cause.RESTART)
    stays_stopped(board)  # although the host says RUN
    assert board.event().number == number + 1
    assert board.state("boots") == 2
    assert board.state("session") != session

    run(board, host)
    board.power_cycle()
    stopped_for(board, Cause.POWER_UP)
    stays_stopped(board)
    assert board.event().number == board.state("boots") == 1


def test_sessions_differ_from_power_up_to_power_up(board: QemuBoard) -> None:
    seeds = set()
    for _ in range(5):
        board.power_cycle()
        board.wait_state(p.STATE_STOPPED)
        seeds.add((board.state("session"), board.state("challenge")))
    assert len(seeds) == 5


def test_an_image_that_is_not_sealed_stays_locked(firmware: Path) -> None:
    with QemuBoard(firmware / "lm3s6965evb-unsealed.elf") as board, Host(board.port) as host:
        host.talk()
        stopped_for(board, Cause.PROGRAM)
        board.wait(lambda: board.state("streak") == p.STREAK_MIN, "link")
        board.turn_key()
        stays_stopped(board)
        assert host.status is not None
        assert host.status.inputs & p.IN_LOCKED
        board.power_cycle()
        stopped_for(board, Cause.PROGRAM)


# ------------------------------------------------------------------ to RUN


def test_the_key_arms_and_the_host_runs(board: QemuBoard, host: Host) -> None:
    arm(board, host)
    assert board.state("relay_on") == 0
    host.say(p.COMMAND_RUN, p.REST_NO)
    accepted = board.state("accepted")
    board.wait(lambda: board.state("accepted") > accepted + 20, "answers")
    assert board.state("state") == p.STATE_ARMED
    assert not board.power_changes
    host.say(p.COMMAND_RUN, p.REST_YES)
    board.wait_power(True)
    board.wait(lambda: host.status is not None and host.status.state == p.STATE_RUN, "RUN at the host")
    both = p.IN_CHANNEL_A | p.IN_CHANNEL_B | p.IN_RELAY_1 | p.IN_RELAY_2
    board.wait(lambda: host.status is not None and host.status.inputs == both, "released contacts gone")


# What the press or the guard lacks. Each is set up in STOPPED; then the key is turned, and nothing may come of it.
NOT_ARMED: dict[str, Callable[[QemuBoard, Host], object]] = {
    "the host says RUN": lambda _, host: host.say(p.COMMAND_RUN),
    "the vehicle moves": lambda _, host: host.say(p.COMMAND_STOP, p.REST_NO),
    "the host is silent": lambda _, host: host.be_quiet(),
    "the button is pressed": lambda board, _: board.press(),
    "one channel is open": lambda board, _: board.press(a=False),
}


@pytest.mark.parametrize("what", NOT_ARMED)
def test_the_key_does_nothing_while(what: str, board: QemuBoard, host: Host) -> None:
    ready_but_for_the_key(board)
    NOT_ARMED[what](board, host)
    begun_ms = board.state("uptime_ms")
    board.wait(lambda: board.state("uptime_ms") > begun_ms + 2 * p.LINK_US // 1000, "time")
    board.turn_key()
    turned_ms = board.state("uptime_ms")
    board.wait(lambda: board.state("uptime_ms") > turned_ms + 20, "time")
    assert board.state("key_down") == 0
    assert board.state("state") == p.STATE_STOPPED
    assert board.event().cause in (Cause.POWER_UP, Cause.CHANNEL, Cause.DISCREPANCY)


def test_a_press_too_short_or_too_long_does_nothing(board: QemuBoard, host: Host) -> None:
    for seconds in (0.02, p.KEY_MAX_US / 1e6 + 0.1):
        ready_but_for_the_key(board)
        board.turn_key(seconds)
        stays_stopped(board)
    arm(board, host)


def test_a_key_held_since_the_start_does_nothing(board: QemuBoard, host: Host) -> None:
    board.wait_state(p.STATE_STOPPED)
    board.key(True)
    board.power_cycle()
    stopped_for(board, Cause.POWER_UP)
    board.wait(lambda: p.PAGE_HEALTH in host.pages and host.pages[p.PAGE_HEALTH].a == p.BLOCK_KEY, "blocker KEY only")
    board.key(False)
    stays_stopped(board)
    arm(board, host)


def test_a_press_begun_before_the_stop_does_nothing(board: QemuBoard, host: Host) -> None:
    run(board, host)
    board.key(True)
    board.wait(lambda: board.state("key_down") == 1, "pressed key")
    host.say(p.COMMAND_STOP)
    stopped_for(board, Cause.HOST_STOP)
    ready_but_for_the_key(board)
    board.key(False)
    stays_stopped(board)
    arm(board, host)


def test_armed_ends_after_ten_seconds_and_a_key_held_meanwhile_is_stuck(board: QemuBoard, host: Host) -> None:
    arm(board, host)
    board.freeze()  # so that both are of the same cycle, give or take one
    armed_ms = board.state("uptime_ms") - board.state("armed_us") // 1000
    board.thaw()
    board.key(True)
    board.wait(lambda: board.event().cause == Cause.EXPIRED, "expiry", timeout_s=15.0)
    waited_ms = board.event().at_ms - armed_ms
    longest_ms = board.state("cycle_max_us") // 1000
    assert p.ARMED_US // 1000 - 2 <= waited_ms <= p.ARMED_US // 1000 + longest_ms + 2
    stopped_for(board, Cause.EXPIRED)
    board.wait(lambda: host.pages[p.PAGE_HEALTH].a & p.BLOCK_KEY == p.BLOCK_KEY, "blocker KEY")
    assert not board.power_changes


# ------------------------------------------------------------------ to STOPPED

STOPS: dict[str, tuple[Callable[[QemuBoard, Host], object], Cause]] = {
    "button": (lambda board, _: board.press(), Cause.CHANNEL),
    "channel A": (lambda board, _: board.press(b=False), Cause.CHANNEL),
    "channel B": (lambda board, _: board.press(a=False), Cause.CHANNEL),
    "silent host": (lambda _, host: host.be_quiet(), Cause.HOST_SILENT),
    "wrong answers": (lambda _, host: answer_wrongly(host), Cause.HOST_BAD),
    "damaged state": (lambda board, _: damage_state(board), Cause.RAM),
    "damaged program": (lambda board, _: damage_program(board), Cause.PROGRAM),
}


@pytest.mark.parametrize("what", STOPS)
@pytest.mark.parametrize("bring", [arm, run], ids=["ARMED", "RUN"])
def test_it_stops_for(what: str, bring: Callable[[QemuBoard, Host], None], board: QemuBoard, host: Host) -> None:
    bring(board, host)
    number = board.event().number
    act, cause = STOPS[what]
    act(board, host)
    stopped_for(board, cause)
    assert board.event().number == number + 1
    assert board.state("locked") == (cause in (Cause.RAM, Cause.PROGRAM))


def test_the_host_can_stop_a_run(board: QemuBoard, host: Host) -> None:
    run(board, host)
    host.say(p.COMMAND_STOP)
    stopped_for(board, Cause.HOST_STOP)
    host.say(p.COMMAND_RUN)
    stays_stopped(board)


def test_silence_is_noticed_after_100_ms_and_a_cycle_of_its_own_clock(board: QemuBoard, host: Host) -> None:
    for _ in range(3):
        run(board, host)
        host.be_quiet()
        stopped_for(board, Cause.HOST_SILENT)
        age_us, longest_us = board.event().link_us, board.state("cycle_max_us")
        assert p.LINK_US < age_us <= p.LINK_US + longest_us
        host.talk()


def test_a_late_cycle_stops(firmware: Path) -> None:
    with QemuBoard(firmware / "lm3s6965evb.elf", pump_ns=PATIENT_PUMP_NS) as board, Host(board.port) as host:
        host.talk()
        run(board, host)
        board.stall(0.15)
        stopped_for(board, Cause.CYCLE)
        assert board.state("boots") == 1


def test_no_turn_of_the_clock_is_lost_in_a_stall(firmware: Path) -> None:
    """SysTick turns over every 335 ms, the watchdog bites after 500 ms: in between, the board must know better."""
    with QemuBoard(firmware / "lm3s6965evb.elf", pump_ns=PATIENT_PUMP_NS) as board:
        board.wait_state(p.STATE_STOPPED)
        board.stall(0.37)
        board.wait(lambda: board.state("cycle_max_us") > 300_000, "cycle after the stall")
        assert 365_000 <= board.state("cycle_max_us") < 500_000
        assert board.state("boots") == 1


def test_two_channels_that_differ_for_too_long_must_both_open(board: QemuBoard, host: Host) -> None:
    run(board, host)
    board.press(b=False)
    stopped_for(board, Cause.CHANNEL)
    opened_ms = board.event().at_ms
    stopped_for(board, Cause.DISCREPANCY)
    last_concordant_ms = opened_ms - board.state("cycle_max_us") // 1000 - 1  # at the latest a cycle before
    assert board.event().at_ms - last_concordant_ms >= p.DISCREPANCY_US // 1000
    board.release()
    host.say(p.COMMAND_STOP)
    ready_but_for_the_key(board)
    board.turn_key()
    stays_stopped(board)
    board.press()
    board.wait(lambda: board.state("channel_fault") == 0, "both channels seen open")
    board.release()
    run(board, host)


# ------------------------------------------------------------------ relays


@pytest.mark.parametrize("relay", [1, 2])
def test_a_welded_relay_locks(relay: int, board: QemuBoard, host: Host) -> None:
    run(board, host)
    board.weld(relay)
    board.press()
    stopped_for(board, Cause.RELAY_STUCK)  # the other relay has opened
    assert board.state("locked") == 1
    board.release()
    host.say(p.COMMAND_STOP)
    board.repair(relay)
    ready_but_for_the_key(board)
    board.turn_key()
    stays_stopped(board)  # a locking fault ends with a power cycle only
    board.power_cycle()
    stopped_for(board, Cause.POWER_UP)
    run(board, host)


@pytest.mark.parametrize("relay", [1, 2])
def test_a_cut_mirror_wire_locks_before_any_run(relay: int, board: QemuBoard, host: Host) -> None:
    board.wait_state(p.STATE_STOPPED)
    board.cut_mirror(relay)
    stopped_for(board, Cause.RELAY_STUCK)
    board.power_cycle()
    stopped_for(board, Cause.RELAY_STUCK)
    assert board.state("locked") == 1
    assert not board.power_changes


@pytest.mark.parametrize("relay", [1, 2])
def test_a_relay_that_never_pulls_locks(relay: int, board: QemuBoard, host: Host) -> None:
    board.disable(relay)
    arm(board, host)
    host.say(p.COMMAND_RUN)
    stopped_for(board, Cause.RELAY_DEAD)
    assert board.state("locked") == 1
    assert not board.power_changes
    board.repair(relay)
    board.reset()  # no way around the power cycle
    board.wait(lambda: board.state("boots") == 2, "restart")
    stopped_for(board, Cause.RELAY_DEAD)
    assert board.state("locked") == 1
    board.power_cycle()
    stopped_for(board, Cause.POWER_UP)
    assert board.state("locked") == 0


def test_outputs_that_stand_still_hold_no_power(board: QemuBoard, host: Host) -> None:
    run(board, host)
    board.wait(lambda: board.state("relay_us") > BOARD_FEEDBACK_US, "settled relays")
    board.freeze()  # the outputs stay as they are
    board.wait_power(False)
    relay_1, relay_2 = board.relays
    assert relay_1.closed
    assert not relay_2.closed
    board.thaw()
    stopped_for(board, Cause.RELAY_DEAD)


# ------------------------------------------------------------------ line


def test_a_host_for_another_unit_is_nobody(board: QemuBoard) -> None:
    board.wait_state(p.STATE_STOPPED)
    with Host(board.port, unit=2) as host:
        assert [host.beat() for _ in range(5)] == [None] * 5
        assert board.state("accepted") == board.state("refused") == 0
        assert board.state("damaged") >= 5
        assert host.refused == 0
