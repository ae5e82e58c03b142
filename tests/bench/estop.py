"""Reaction times of guard and emergency-stop microcontroller together: the firmware on its emulated board, the guard's
compiled loop in a process of its own, a real serial port between them.

What the microcontroller does is timed on its own clock: QEMU shares a busy host, so the host's clock says more about
the host. That clock is halted while a contact opens, and read to the tick of SysTick. A round that a busy host has
spoilt (a stop before its cause) is left out and counted.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from firmware_bridge.qemu.machine import BoardError
from firmware_bridge.qemu.relays import RELEASE_NS
from firmware_bridge.qemu_board import LOOK_S, PORT_B_DATA, QemuBoard
from firmware_bridge.serial_port import RETRY_S
from safetykit.core import protocol as p
from safetykit.core.layout import PERIOD_NS
from safetykit.core.vocabulary import Fault, State
from safetykit.runtime import paths
from safetykit.runtime.ring import RingReader
from sim.demo_estop import mcu
from tests.bench import estop_round_trip, estop_tick
from tests.bench.measure import Row, Section
from tests.hil.nursery import Nursery, nursery_on_board

PRESSES, KILLS, PLUGS = 24, 20, 10
PART_S = 13.0  # no part begins another round after that
SPOILT_MAX = 10
PHASE_S = 0.020  # a cause comes at a random moment of two ticks
RUN_S_MAX = 0.1
LOOKS = 200
WAIT_S = 5.0

CYCLE_MS = 1.0
SYSTICK = 0xE000_E018  # current value, counts down
SYSTICK_MASK = 0xFF_FFFF
TICKS_PER_US = 50
TICKS, US, REST_TICKS = 0, 4, 8  # words of `time` in the firmware's board.c
ROUND = 3 + p.EVENTS  # diagnostic pages
SILENT = 1 << Fault.DEVICE_SILENT


class Spoilt(Exception):
    """The round shows nothing: it was over before its cause."""


@dataclass
class Times:
    """Everything measured, in ms unless the name says otherwise; `spoilt` by part."""

    edge_mcu: list[float] = field(default_factory=list)
    edge_power: list[float] = field(default_factory=list)
    edge_guard: list[float] = field(default_factory=list)
    silence_mcu_us: list[float] = field(default_factory=list)
    silence_power: list[float] = field(default_factory=list)
    plug_open: list[float] = field(default_factory=list)
    plug_heard: list[float] = field(default_factory=list)
    cycle_max: float = 0.0
    look: float = 0.0
    period: float = 0.0
    spoilt: dict[str, int] = field(default_factory=dict)


# ------------------------------------------------------------------ the microcontroller's clock


def clock_us(board: QemuBoard) -> float:
    """Now, on the clock from which the firmware takes `now_us`; the machine must stand still."""
    at = board.address("time")
    passed = (board.read(at + TICKS) - board.read(SYSTICK)) & SYSTICK_MASK
    return board.read(at + US) + (board.read(at + REST_TICKS) + passed) / TICKS_PER_US


def since_ms(begin_us: float, end_us: float) -> float:
    """Time between two moments of that clock, which wraps."""
    wrap = float(mcu.CLOCK_MASK + 1)
    return ((end_us - begin_us + wrap / 2) % wrap - wrap / 2) / 1000


# ------------------------------------------------------------------ rounds


def press(crowd: Nursery, moments: random.Random, times: Times) -> None:
    """The button, and who does what then."""
    board, guard = crowd.board, crowd.run()
    time.sleep(moments.uniform(0.0, PHASE_S))
    reader = RingReader(crowd.directory / paths.RING)
    reader.next_number = reader.head
    try:
        edge_ns = time.monotonic_ns()  # rather too early than too late
        with mcu.instant(board):
            if board.state("state") != p.STATE_RUN or not board.power:
                raise Spoilt
            edge_us = clock_us(board)
            board.press()
        off_ns = board.wait_power(False)
        with mcu.instant(board):
            relays_us = (board.state("now_us") - board.state("relay_us")) & mcu.CLOCK_MASK
        if board.event().cause != p.Cause.CHANNEL:
            raise Spoilt
        stopped_ns = first_tick(reader, lambda frames: frames["st_state"] == State.EMERGENCY_STOP)
    finally:
        board.release()
        os.kill(guard, signal.SIGKILL)
    if stopped_ns < edge_ns:
        raise Spoilt
    times.edge_mcu.append(since_ms(edge_us, relays_us))
    times.edge_power.append((off_ns - edge_ns) / 1e6)
    times.edge_guard.append((stopped_ns - edge_ns) / 1e6)


def kill(crowd: Nursery, moments: random.Random, times: Times) -> None:
    """The guard's process is gone."""
    board, guard = crowd.board, crowd.run()
    time.sleep(moments.uniform(0.0, RUN_S_MAX))
    os.kill(guard, signal.SIGKILL)
    killed_ns = time.monotonic_ns()
    off_ns = board.wait_power(False)
    event = board.event()
    if event.cause != p.Cause.HOST_SILENT or off_ns < killed_ns:
        raise Spoilt
    times.silence_mcu_us.append(event.link_us)
    times.silence_power.append((off_ns - killed_ns) / 1e6)


def plug(crowd: Nursery, moments: random.Random, times: Times) -> None:
    """The port vanishes under the guard and comes back, at a random moment of the guard's retries."""
    board, reader = crowd.board, RingReader(crowd.directory / paths.RING)
    board.wait(lambda: crowd.page().connected and not crowd.view().faults & SILENT, "link", WAIT_S)
    terminal = os.readlink(board.port)
    os.unlink(board.port)
    try:
        board.wait(lambda: not crowd.page().connected and bool(crowd.view().faults & SILENT), "silence", WAIT_S)
        time.sleep(moments.uniform(0.0, RETRY_S))
    finally:
        os.symlink(terminal, board.port)
        plugged_ns = time.monotonic_ns()
    reader.next_number = reader.head
    board.wait(lambda: crowd.page().connected, "open port", WAIT_S)
    opened_ns = time.monotonic_ns()
    heard_ns = first_tick(reader, lambda frames: frames["in_faults"] & SILENT == 0)
    times.plug_open.append((opened_ns - plugged_ns) / 1e6)
    times.plug_heard.append((heard_ns - plugged_ns) / 1e6)


def first_tick(reader: RingReader, wanted: Callable[[Any], Any]) -> int:
    """Time of the guard's first tick of that kind, on the host's clock. Raises Spoilt."""
    end_s = time.monotonic() + WAIT_S
    while time.monotonic() < end_s:
        frames, _, lost = reader.read()
        found = frames["in_now_ns"][wanted(frames)]
        if lost:
            raise Spoilt
        if len(found):
            return int(found[0])
        time.sleep(0.001)
    raise Spoilt


def rounds(part: Callable[[Nursery, random.Random, Times], None], crowd: Nursery, count: int, times: Times) -> None:
    """Up to `count` good rounds of one part, their moments always the same."""
    board, moments = crowd.board, random.Random(7)
    end_s, good, spoilt = time.monotonic() + PART_S, 0, 0
    while good < count and time.monotonic() < end_s and spoilt < SPOILT_MAX:
        try:
            part(crowd, moments, times)
            good += 1
        except (Spoilt, BoardError, AssertionError):  # the last two: board and guards did not come that far
            spoilt += 1
        times.cycle_max = max(times.cycle_max, board.state("cycle_max_us") / 1000)
        if board.state("locked"):
            board.power_cycle()
    times.spoilt[part.__name__] = spoilt


def look_ms(board: QemuBoard) -> float:
    """The bench's look at the outputs: one read over qtest."""
    taken = []
    for _ in range(LOOKS):
        begin_ns = time.monotonic_ns()
        board.read(PORT_B_DATA)
        taken.append((time.monotonic_ns() - begin_ns) / 1e6)
    return float(np.median(taken))


def measure(presses: int, kills: int, plugs: int) -> Times:
    """All rounds on one board."""
    times = Times()
    with nursery_on_board() as crowd:
        crowd.board.power_cycle()  # its longest cycle so far came while the guards were compiled
        crowd.board.wait_state(p.STATE_STOPPED)
        times.look, times.period = look_ms(crowd.board), int(crowd.policy.timing[PERIOD_NS]) / 1e6
        rounds(press, crowd, presses, times)
        rounds(kill, crowd, kills, times)
        crowd.start()
        rounds(plug, crowd, plugs, times)
    return times


# ------------------------------------------------------------------ tables


def rows(what: str, values: Sequence[float], reference: float, unit: str = "ms") -> list[Row]:
    """Median and longest, if there is anything."""
    found = {"p50": float(np.median(values)), "max": float(max(values))} if values else {}
    return [Row(f"{what}, {name}", value, unit, reference) for name, value in found.items()]


def judged(found: list[Row], limit: float, target: str) -> list[Row]:
    """The last of them against its limit."""
    return [*found[:-1], *(replace(row, target=target, met=row.value <= limit) for row in found[-1:])]


def count_note(values: Sequence[float], spoilt: int) -> str:
    left_out = f"; {spoilt} spoilt by a busy host" if spoilt else ""
    return f"{len(values)} times{left_out}."


def press_sections(times: Times) -> list[Section]:
    """What the button does: to the relays on two clocks, to the guard."""
    count = count_note(times.edge_mcu, times.spoilt.get("press", 0))
    at_edge = rows("edge to relays off", times.edge_mcu, CYCLE_MS)
    floor = RELEASE_NS / 1e6 + LOOK_S * 1000 + times.look
    return [
        Section(
            "Emergency stop: button to relays, on the microcontroller's clock",
            "its nominal cycle of 1 ms",
            (
                *judged(at_edge, times.cycle_max, "≤ longest cycle"),
                Row("longest cycle of all rounds", times.cycle_max, "ms", CYCLE_MS),
            ),
            f"{count} The clock stands still while the contact opens; at the end of the time begins the cycle that "
            "drives both outputs off. A cycle longer than 1 ms is QEMU's, taken off the processor by its host.",
        ),
        Section(
            "Emergency stop: button to power off, on the host's clock",
            "the bench's own share: 5 ms from coil to contact, its pause of 2 ms and one look over qtest",
            tuple(rows("edge to power off", times.edge_power, floor)),
            f"The same rounds. One look takes {times.look * 1000:.0f} µs. That the microcontroller's clock stands "
            "still for about 1 ms counts here and in the next table.",
        ),
        Section(
            "Emergency stop: button to the guard's stop, on the host's clock",
            "the guard's period",
            tuple(rows("edge to EMERGENCY_STOP", times.edge_guard, times.period)),
            "The same rounds, up to the beginning of the guard's first tick in EMERGENCY_STOP, in which its output "
            "leaves. The microcontroller speaks only when asked: the news waits for the next heartbeat, and its answer "
            "for the tick after that.",
        ),
    ]


def link_sections(times: Times) -> list[Section]:
    """What a guard that dies does, and a cable that comes back."""
    target = f"≤ {p.LINK_US} µs + longest cycle, {times.cycle_max * 1000:.0f} µs"
    silence = rows("right answer to relays off, its clock", times.silence_mcu_us, p.LINK_US, "µs")
    return [
        Section(
            "Emergency stop: guard killed to relays off",
            "the link's time limit",
            (
                *judged(silence, p.LINK_US + times.cycle_max * 1000, target),
                *rows("kill to power off, host's clock", times.silence_power, p.LINK_US / 1000),
            ),
            count_note(times.silence_mcu_us, times.spoilt.get("kill", 0))
            + " The first two on the microcontroller's clock, since the guard's last right answer. On the host's clock "
            "that answer came up to one heartbeat before the SIGKILL, and 5 ms are the contacts'.",
        ),
        Section(
            "Emergency stop: cable plugged in again to the guard hears",
            "`RETRY_S` of the serial port, the pause between two tries to open it",
            (
                *rows("port open again", times.plug_open, RETRY_S * 1000),
                *rows("DEVICE_SILENT gone", times.plug_heard, RETRY_S * 1000),
            ),
            count_note(times.plug_heard, times.spoilt.get("plug", 0))
            + " Nothing is believed on a new line until the microcontroller has named itself, whose turn comes once in "
            f"a round of {ROUND} diagnostic frames, one for every fourth heartbeat.",
        ),
    ]


def run(presses: int = PRESSES, kills: int = KILLS, plugs: int = PLUGS) -> list[Section]:
    """All tables."""
    try:
        times = measure(presses, kills, plugs)
        reactions = [*press_sections(times), *link_sections(times)]
    except BoardError as error:
        reactions = [Section("Emergency stop: reaction times", "none", (), f"Not measured: {error}.")]
    return [*reactions, *estop_round_trip.run(), *estop_tick.run()]
