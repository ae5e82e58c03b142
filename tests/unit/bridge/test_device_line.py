"""A line gone wild, a line that is full or dead, and the button that needs no line."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator

import pytest

from firmware_bridge.wire import McuState, Status, encode
from safetykit.core import heartbeat as hb
from safetykit.core import protocol as p
from safetykit.core.vocabulary import Device, State
from safetykit.runtime import device
from safetykit.runtime.mailbox import CONTROL_BUTTON
from tests.unit.bridge.bench import Bench, bench, fill

MS = 1_000_000


def flood(kind: str) -> bytes:
    return {
        "zeros": bytes(8192),
        "ones": b"\xff" * 8192,
        "first bytes": bytes([p.SYNC_MCU]) * 8192,
        "noise": random.Random(5).randbytes(8192),
        "almost frames": (encode(Status(McuState.RUN, 0, 1, 2, 3), 1)[:15] + b"x") * 512,
        "heartbeats": bytes([p.SYNC_HOST, p.TYPE_HEARTBEAT, p.COMMAND_RUN, p.REST_YES] + [0] * 12) * 512,
    }[kind]


@pytest.mark.parametrize("kind", ["zeros", "ones", "first bytes", "noise", "almost frames", "heartbeats"])
def test_a_flood_costs_a_bounded_part_of_each_tick_and_is_counted(at_work: Bench, kind: str) -> None:
    at_work.answering = False
    data, given, spent = flood(kind), 0, []
    for _ in range(100):
        given += at_work.send(data)
        before = _counted(at_work)
        began = time.perf_counter()
        at_work.tick()
        spent.append(time.perf_counter() - began)
        taken = _counted(at_work) - before
        assert 0 <= taken <= device.READS_MAX * device.READ_BYTES + p.FRAME_BYTES
    assert at_work.state == State.EMERGENCY_STOP
    assert (
        _counted(at_work) + int(at_work.rig.device.link[hb.RX_COUNT]) >= 100 * device.READS_MAX * device.READ_BYTES - 64
    )
    assert given > _counted(at_work)
    assert sorted(spent)[len(spent) // 2] < 0.02  # the median tick, with the mailboxes written by Python, in a period


def _counted(b: Bench) -> int:
    """Bytes that belonged to no frame."""
    return int(b.rig.device.link[hb.STRAY])


def test_garbage_between_the_answers_stops_nothing(at_work: Bench) -> None:
    noise = random.Random(3)
    for _ in range(200):
        at_work.send(noise.randbytes(noise.randrange(60)).replace(bytes([p.SYNC_MCU]), b""))
        at_work.tick()
    assert at_work.state == State.ENGAGED
    assert at_work.facts().counts["stray bytes"] > 2000


def test_answers_in_pieces_are_answers(at_work: Bench) -> None:
    at_work.answering = False
    for _ in range(60):
        answer = at_work.peer(at_work.sent())
        at_work.send(answer[:7])
        at_work.tick()
        at_work.send(answer[7:])
        at_work.tick()
        assert at_work.state == State.ENGAGED


def test_a_full_line_is_counted_and_stops_as_silence(at_work: Bench) -> None:
    at_work.answering = False
    fill(at_work.near)
    at_work.ticks(7)
    assert (at_work.state, at_work.device_faults) == (State.EMERGENCY_STOP, {"DEVICE_SILENT"})
    failed = int(at_work.line[device.WRITE_FAILED])
    assert failed >= 3
    assert at_work.rig.device.page[device.PAGE_WRITE_FAILED] == failed


@pytest.mark.parametrize("end", ["closed far end", "closed descriptor"])
def test_a_dead_descriptor_is_silence(at_work: Bench, end: str) -> None:
    at_work.answering = False
    if end == "closed far end":
        at_work.far.close()
    else:
        at_work.near.close()
    at_work.ticks(7)
    assert (at_work.state, at_work.device_faults) == (State.EMERGENCY_STOP, {"DEVICE_SILENT"})


def test_the_page_shows_what_the_loop_knows(at_work: Bench) -> None:
    at_work.ticks(20)
    page, facts = at_work.rig.device.page, at_work.facts()
    assert (page[device.PAGE_KIND], page[device.PAGE_CONNECTED]) == (Device.MICROCONTROLLER, 1)
    assert page[device.PAGE_TICK_NS] == at_work.rig.now_ns
    assert facts.alive
    assert facts.state is McuState.RUN
    assert facts.heard_ms == 20.0  # since it was asked: answered at once, read at the next tick
    assert facts.round_trip_ms == 20.0
    assert facts.inputs == ("channel A closed", "channel B closed", "relay 1 released", "relay 2 released")


# ------------------------------------------------------------------ a button on this computer's pins


@pytest.fixture
def button() -> Iterator[Bench]:
    with bench() as b:
        b.rig.device.line[device.KIND] = Device.BUTTON
        yield b


def test_a_button_that_nobody_reads_is_silent(button: Bench) -> None:
    assert button.tick().state == State.EMERGENCY_STOP
    assert button.device_faults == {"DEVICE_SILENT"}
    assert button.sent() == b""  # no heartbeats: there is nobody to answer


def test_a_button_is_heard_for_200_ms(button: Bench) -> None:
    stamp_ns = button.rig.now_ns + button.rig.policy.period_ns
    button.rig.control("bridge")
    button.tick()
    assert button.device_faults == set()
    while button.rig.now_ns < stamp_ns + 200 * MS:
        button.tick()
        assert button.device_faults == set()
    assert button.rig.now_ns == stamp_ns + 200 * MS
    button.tick(1)
    assert button.device_faults == {"DEVICE_SILENT"}


def test_a_stamp_from_the_future_is_no_sign_of_life(button: Bench) -> None:
    button.rig.control("bridge", stamp_ns=button.rig.now_ns + 10_000 * MS)
    button.tick()
    assert button.device_faults == {"DEVICE_SILENT"}


def test_a_pressed_button_stops_in_the_same_tick_and_its_release_does_not_start(button: Bench) -> None:
    button.rig.control("bridge")
    button.tick()
    button.reset()
    assert button.state == State.STANDBY
    button.rig.control("bridge", bits=CONTROL_BUTTON)
    assert button.tick().state == State.EMERGENCY_STOP
    assert button.device_faults == {"STOP_BUTTON"}
    button.rig.control("bridge")
    button.ticks(3)
    assert (button.state, button.device_faults) == (State.EMERGENCY_STOP, set())
    button.rig.control("bridge")
    assert button.reset().state == State.STANDBY


def test_without_a_device_nothing_is_demanded_and_nothing_said() -> None:
    with bench() as b:
        b.rig.device.line[device.KIND] = Device.NONE
        b.ticks(3)
        assert b.device_faults == set()
        assert b.state == State.STANDBY


def test_descriptors_are_ours_to_close(at_work: Bench) -> None:
    """The loop never closes what it was given."""
    device.hand_over(at_work.rig.device, -1)
    at_work.ticks(2)
    assert os.fstat(at_work.near.fileno())
