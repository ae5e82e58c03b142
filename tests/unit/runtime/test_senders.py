"""Further voters, the operator's own commands and the list of objects reach the core through their mailboxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from safetykit.core.bounds import OBJECT_COLS, OBJECTS_MAX
from safetykit.core.layout import STATUS_NEVER, STATUS_OK, STATUS_TORN
from safetykit.core.vocabulary import Fault, State
from safetykit.errors import MailboxError
from safetykit.policy import Policy, parse_policy
from safetykit.runtime import loop, mailbox, paths, status
from safetykit.runtime.guard import Guard
from safetykit.runtime.object_list import WORDS, ObjectsWriter
from safetykit.runtime.wiring import Station
from tests.drive import document
from tests.unit.core.test_manual import MANUAL, SOURCES
from tests.unit.runtime.rig import Rig

SECOND, THIRD, OPERATOR = range(loop.OTHER_SLOT, loop.OTHER_SLOT + 3)
TWO_OBJECTS = np.arange(2.0 * OBJECT_COLS).reshape(2, OBJECT_COLS)


def all_senders() -> Policy:
    vote = {"voters": ["primary", "secondary", "tertiary"], "needed": 2, "align_ms": 20, "disagree_ms": 50}
    made = document({"vote_tolerance": 0.5}, sources=SOURCES, manual=MANUAL, commands=vote)
    return parse_policy(made)


@pytest.fixture
def rig() -> Rig:
    return Rig(all_senders())


def test_every_sender_has_its_row(rig: Rig) -> None:
    rig.inputs()
    rig.command([0.1])
    for slot, value in ((SECOND, 0.2), (THIRD, 0.3), (OPERATOR, -1.0)):
        rig.write(slot, [value], bits=slot)
    rig.tick()
    assert rig.frame.in_ask[:, 0].tolist() == [0.1, 0.2, 0.3, -1.0]
    assert rig.frame.in_command_status.tolist() == [STATUS_OK] * 4
    assert rig.frame.in_request_bits.tolist() == [0, SECOND, THIRD, OPERATOR]
    assert rig.frame.st_ask[0] == 0.2
    assert rig.frame.st_vote_mask == 0b111


def test_a_torn_mailbox_of_a_voter_is_told_by_its_row(rig: Rig) -> None:
    rig.inputs()
    rig.write(SECOND, [0.0])
    rig.boxes[SECOND][mailbox.LOCK] |= 1
    rig.tick()
    assert rig.frame.in_command_status.tolist() == [STATUS_NEVER, STATUS_TORN, STATUS_NEVER, STATUS_NEVER]
    assert rig.page[status.TORN + SECOND] == 1


def test_what_a_sender_reports_of_a_second_one_is_the_same_fault(station: Station) -> None:
    writer = mailbox.MailboxWriter(station.directory / paths.command_name("secondary"))
    loop.gather(station.wiring, 1)
    assert station.wiring.frame.in_faults == 0
    writer.note_second_sender()
    loop.gather(station.wiring, 2)
    assert station.wiring.frame.in_faults == 1 << Fault.SENDER


@pytest.mark.parametrize("slot", [loop.COMMAND_SLOT, SECOND, THIRD, OPERATOR])
def test_a_second_writer_of_any_command_mailbox_is_a_fault(rig: Rig, slot: int) -> None:
    rig.inputs()
    rig.tick()
    assert "SENDER" not in rig.in_faults()
    rig.boxes[slot][mailbox.REFUSED] += 1
    rig.tick()
    assert "SENDER" in rig.in_faults()
    rig.tick()
    assert "SENDER" not in rig.in_faults()


def test_senders_that_the_policy_does_not_have_are_not_read() -> None:
    rig = Rig("quadrotor")
    rig.inputs()
    for slot in (SECOND, THIRD, OPERATOR):
        rig.write(slot, [1.0])
        rig.boxes[slot][mailbox.REFUSED] += 1
    rig.tick()
    assert rig.frame.in_command_status.tolist() == [STATUS_NEVER] * 4
    assert "SENDER" not in rig.in_faults()


def test_messages_from_before_the_loop_do_not_count() -> None:
    before = Rig(all_senders())
    before.write(OPERATOR, [1.0])
    rig = Rig(all_senders(), boxes=before.boxes)
    rig.tick()
    assert rig.frame.in_command_status[3] == STATUS_NEVER


@pytest.fixture
def station(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Station:
    monkeypatch.setenv(paths.RUN_DIR_VARIABLE, str(tmp_path / "run"))
    return opened()


def opened() -> Station:
    policy = all_senders()
    names = [source.name for source in policy.sources]
    return Station(paths.run_dir(), policy.limits, policy.timing, names, voters=policy.voters)


def test_the_run_directory_has_a_mailbox_for_each_sender(station: Station) -> None:
    names = {path.name for path in station.directory.iterdir()}
    assert names >= {"command", "command-secondary", "command-tertiary", "command-manual", "objects"}
    assert "command-primary" not in names


def test_the_list_of_objects_reaches_the_frame(station: Station) -> None:
    w = station.wiring
    loop.gather(w, 1)
    assert w.frame.in_objects_status == STATUS_NEVER
    writer = ObjectsWriter(station.directory / paths.OBJECTS)
    writer.publish(TWO_OBJECTS, stamp_ns=7)
    loop.gather(w, 2)
    assert (w.frame.in_objects_status, w.frame.in_objects_stamp_ns, w.frame.in_objects_count) == (STATUS_OK, 7, 2)
    assert w.frame.in_object[:2].tolist() == TWO_OBJECTS.tolist()
    assert not w.frame.in_object[2:].any()
    writer.publish([])
    loop.gather(w, 3)
    assert (w.frame.in_objects_count, w.frame.in_object.any()) == (0, False)


def test_a_list_that_is_too_long_keeps_its_length(station: Station) -> None:
    many = np.ones((OBJECTS_MAX + 3, OBJECT_COLS))
    ObjectsWriter(station.directory / paths.OBJECTS).publish(many)
    loop.gather(station.wiring, 1)
    assert station.wiring.frame.in_objects_count == OBJECTS_MAX + 3
    assert station.wiring.frame.in_object.all()


def test_a_torn_list_leaves_the_last_good_one(station: Station) -> None:
    ObjectsWriter(station.directory / paths.OBJECTS).publish(TWO_OBJECTS)
    w = station.wiring
    loop.gather(w, 1)
    w.objects[mailbox.PAYLOAD] ^= 1
    w.objects[mailbox.LOCK] += 2
    for _ in range(2):
        loop.gather(w, 2)
    assert w.frame.in_objects_status == STATUS_TORN
    assert w.frame.in_object[1].tolist() == TWO_OBJECTS[1].tolist()
    assert w.page[status.TORN + loop.OBJECTS_SLOT] == 2


def test_a_list_from_before_the_loop_does_not_count(station: Station) -> None:
    ObjectsWriter(station.directory / paths.OBJECTS).publish(TWO_OBJECTS)
    station.close()
    again = opened()
    loop.gather(again.wiring, 1)
    assert again.wiring.frame.in_objects_status == STATUS_NEVER


def test_the_list_has_one_writer_and_one_shape(station: Station) -> None:
    path = station.directory / paths.OBJECTS
    first = ObjectsWriter(path)
    assert [first.publish(TWO_OBJECTS), first.publish(TWO_OBJECTS)] == [1, 2]
    with pytest.raises(MailboxError, match="has a writer already"):
        ObjectsWriter(path)
    with pytest.raises(ValueError, match="must have shape"):
        first.publish([1.0, 2.0])
    first.close()
    with pytest.raises(MailboxError, match="closed"):
        first.publish([])
    assert ObjectsWriter(path).publish(TWO_OBJECTS) == 3
    assert path.stat().st_size == WORDS * 8


def test_the_plain_guard_takes_objects_too() -> None:
    guard = Guard(all_senders())
    guard.step(5, None, objects=TWO_OBJECTS)
    frame = guard.frame
    assert (frame.in_objects_count, frame.in_objects_stamp_ns, frame.in_objects_status) == (2, 5, STATUS_OK)
    assert frame.in_object[:2].tolist() == TWO_OBJECTS.tolist()
    guard.step(6, None)
    assert frame.in_objects_stamp_ns == 5
    guard.step(7, None, objects=np.ones((OBJECTS_MAX + 1, OBJECT_COLS)))
    assert frame.in_objects_count == OBJECTS_MAX + 1


def test_the_operator_takes_over_through_mailboxes(rig: Rig) -> None:
    def ticks(count: int, *asked: float, **inputs: float) -> None:
        for _ in range(count):
            rig.inputs(**inputs)
            rig.command([asked[0]])
            rig.write(SECOND, [asked[0]])
            rig.write(OPERATOR, [asked[1]])
            rig.tick()

    ticks(3, 0.0, 0.0)
    ticks(5, 1.0, -1.0, engage=1.0)
    assert (rig.frame.st_state, rig.frame.out_sent[0]) == (State.ENGAGED, 1.0)
    ticks(5, 1.0, -1.0, engage=1.0, take=1.0)
    assert (rig.frame.st_state, rig.frame.out_sent[0]) == (State.ENGAGED, -1.0)
    ticks(1, 1.0, -1.0, engage=1.0)
    assert rig.frame.st_state == State.STANDBY
