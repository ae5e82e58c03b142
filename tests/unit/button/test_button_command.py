"""The button's process turn by turn, against a loop of the guard that is ticked by hand."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_bridge import button_command
from firmware_bridge.button import RELEASE_NS, Reason
from firmware_bridge.button_command import ButtonProcess, line_numbers, take_mailbox
from firmware_bridge.gpio_chip import GpioError, GpioLines
from safetykit.core.vocabulary import State
from safetykit.errors import MailboxError
from safetykit.runtime import loop, paths
from safetykit.runtime.mailbox import CONTROL_BUTTON, CONTROL_RESET, ControlWriter, MailboxReader, create_mailbox
from tests.unit.button.contacts import LINES, Contacts
from tests.unit.button.fake import gpiod as fake
from tests.unit.runtime.rig import Rig

TURNS_MAX = 200  # of 20 ms each
BRIDGE = loop.CONTROL_SLOT + paths.CONTROL_CLIENTS.index("bridge")


@pytest.fixture
def box() -> Iterator[Path]:
    """The control mailbox as the guard makes it."""
    file = create_mailbox(paths.run_dir() / paths.control_name("bridge"))
    yield file.path
    file.close()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def process(contacts: Contacts, said: list[str]) -> Iterator[ButtonProcess]:
    made = ButtonProcess(
        lambda: GpioLines(fake, str(contacts.chip), LINES), lambda: take_mailbox("default"), said.append
    )
    yield made
    made.close()


def given(path: Path) -> bool:
    message = MailboxReader(path).read()
    assert message is not None
    return bool(message.bits & CONTROL_BUTTON)


def turn_until_released(process: ButtonProcess, path: Path) -> None:
    for _ in range(TURNS_MAX):
        process.turn()
        if not given(path):
            return
    raise AssertionError("never released")


class Vehicle:
    """A loop that is engaged, with the button's mailbox among its own."""

    def __init__(self, path: Path) -> None:
        self.file = create_mailbox(path)
        boxes = [Rig.new_box() for _ in range(loop.SLOTS)]
        boxes[BRIDGE] = self.file.words
        self.rig = Rig("quadrotor", boxes=boxes)
        self.rig.engage()

    def tick(self) -> tuple[State, bool]:
        self.rig.inputs(engage=1.0)
        self.rig.command([0.0] * len(self.rig.policy.channels))
        view = self.rig.tick()
        return view.state, view.power


# ------------------------------------------------------------------ to the guard


@pytest.mark.parametrize(("a", "b"), [(0, 1), (1, 0), (0, 0)])
def test_a_press_is_an_emergency_stop_in_the_very_next_tick(
    process: ButtonProcess, contacts: Contacts, box: Path, a: int, b: int
) -> None:
    turn_until_released(process, box)
    vehicle = Vehicle(box)
    assert vehicle.tick() == (State.ENGAGED, True)
    process.turn()
    assert vehicle.tick() == (State.ENGAGED, True)
    contacts.set(a, b)
    process.turn()
    assert vehicle.tick() == (State.EMERGENCY_STOP, False)
    assert "STOP_BUTTON" in vehicle.rig.in_faults()
    contacts.set(1, 1)
    turn_until_released(process, box)
    assert vehicle.tick() == (State.EMERGENCY_STOP, False), "the guard's latch is not the button's to open"
    assert "STOP_BUTTON" not in vehicle.rig.in_faults()


def test_a_press_without_an_edge_is_seen_by_the_next_poll(
    process: ButtonProcess, contacts: Contacts, box: Path
) -> None:
    turn_until_released(process, box)
    vehicle = Vehicle(box)
    contacts.set(0, 0, edge=False)
    process.turn()
    assert vehicle.tick() == (State.EMERGENCY_STOP, False)


def test_an_edge_wakes_long_before_the_poll(
    process: ButtonProcess, contacts: Contacts, box: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn_until_released(process, box)
    monkeypatch.setattr(button_command, "POLL_S", 3600.0)
    contacts.set(0, 1)
    process.turn()
    assert given(box)


def test_levels_decide_not_edges(process: ButtonProcess, contacts: Contacts, box: Path) -> None:
    """A full buffer of edges has lost the oldest; the level is what it is."""
    turn_until_released(process, box)
    contacts.edges(1000)
    for _ in range(20):
        process.turn()
    assert not given(box)


def test_a_line_that_chatters_does_not_take_the_whole_cpu(
    process: ButtonProcess, contacts: Contacts, box: Path
) -> None:
    turn_until_released(process, box)
    contacts.edges(4000)
    began = time.monotonic()
    for _ in range(20):
        process.turn()
    assert time.monotonic() - began >= 20 * button_command.REST_S


@pytest.mark.parametrize("edge", [True, False])
def test_a_chip_that_goes_is_an_emergency_stop(
    process: ButtonProcess, contacts: Contacts, box: Path, said: list[str], edge: bool
) -> None:
    turn_until_released(process, box)
    vehicle = Vehicle(box)
    contacts.remove(edge=edge)
    process.turn()
    assert vehicle.tick() == (State.EMERGENCY_STOP, False)
    assert said[-1] == "the chip has gone (No such device); the guard is told that the button is pressed"
    assert fake.LineRequest.latest.released


def test_a_chip_that_comes_back_is_used_again_and_the_guard_stays_latched(
    process: ButtonProcess, contacts: Contacts, box: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(button_command, "RETRY_S", 0.05)
    turn_until_released(process, box)
    vehicle = Vehicle(box)
    contacts.remove()
    for _ in range(10):
        process.turn()
        assert given(box), "pressed for as long as the chip is away"
    vehicle.tick()
    contacts.set(1, 1)
    turn_until_released(process, box)
    assert said[-2:] == ["the chip is back", Reason.RELEASED.value]
    assert vehicle.tick() == (State.EMERGENCY_STOP, False)
    vehicle.rig.inputs()
    vehicle.rig.control(bits=CONTROL_RESET, aux=int(vehicle.rig.frame.st_stop_event))
    assert vehicle.rig.tick().state == State.STANDBY


def test_a_chip_that_stays_away_is_looked_for_twice_a_second(
    process: ButtonProcess, contacts: Contacts, box: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []

    def look() -> GpioLines:
        looks.append(time.monotonic())
        raise GpioError("still away")

    turn_until_released(process, box)
    contacts.remove()
    process.turn()
    monkeypatch.setattr(process, "_open_lines", look)
    end_s = time.monotonic() + 2.2 * button_command.RETRY_S
    while time.monotonic() < end_s:
        process.turn()
    assert 1 <= len(looks) <= 2
    assert given(box)


def test_a_welded_contact_keeps_the_button_pressed(
    process: ButtonProcess, contacts: Contacts, box: Path, said: list[str]
) -> None:
    turn_until_released(process, box)
    contacts.set(1, 0)
    end_s = time.monotonic() + 0.6
    while time.monotonic() < end_s:
        process.turn()
    contacts.set(1, 1)
    end_s = time.monotonic() + 3 * RELEASE_NS / 1e9
    while time.monotonic() < end_s:
        process.turn()
        assert given(box)
    assert said[-1] == Reason.DISCREPANCY.value
    contacts.set(0, 0)
    process.turn()
    contacts.set(1, 1)
    turn_until_released(process, box)


def test_every_turn_gives_the_level(process: ButtonProcess, contacts: Contacts, box: Path) -> None:
    turn_until_released(process, box)
    reader = MailboxReader(box)
    seen = []
    for _ in range(10):
        process.turn()
        message = reader.read()
        assert message is not None
        seen.append(message.published)
    assert seen == list(range(seen[0], seen[0] + 10))


def test_the_last_word_is_pressed(process: ButtonProcess, contacts: Contacts, box: Path) -> None:
    turn_until_released(process, box)
    process.end(signal.SIGTERM, None)
    process.run()
    assert given(box)
    ControlWriter(box).close()  # and the mailbox is free again


def test_an_error_of_our_own_ends_as_pressed_too(
    process: ButtonProcess, contacts: Contacts, box: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn_until_released(process, box)
    monkeypatch.setattr(process, "_read", lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        process.run()
    assert given(box)


# ------------------------------------------------------------------ the guard comes and goes


def test_it_waits_for_the_guard_and_says_so_once(
    process: ButtonProcess, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(button_command, "LOOK_S", 0.0)
    for _ in range(5):
        process.turn()
    waiting = [line for line in said if line.startswith("waiting for the guard: ")]
    assert len(waiting) == 1
    assert waiting[0].endswith("not there; is the guard 'default' running?")
    file = create_mailbox(paths.run_dir() / paths.control_name("bridge"))
    turn_until_released(process, file.path)
    assert f"guard found: {file.path}" in said


def test_the_mailbox_may_come_after_the_directory(
    process: ButtonProcess, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(button_command, "LOOK_S", 0.0)
    paths.run_dir()
    process.turn()
    assert "waiting for the guard: " in said[-1]


def test_a_run_directory_made_anew_is_found(
    process: ButtonProcess, contacts: Contacts, box: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(button_command, "LOOK_S", 0.0)
    turn_until_released(process, box)
    box.unlink()
    process.turn()
    file = create_mailbox(box)
    contacts.set(0, 0)
    process.turn()
    process.turn()
    assert given(file.path)
    contacts.set(1, 1)
    turn_until_released(process, file.path)


def test_a_second_button_is_refused(process: ButtonProcess, contacts: Contacts, box: Path) -> None:
    first = ControlWriter(box)
    with pytest.raises(MailboxError, match="has a writer already"):
        process.turn()
    first.close()


def test_somebody_elses_directory_is_an_error(process: ButtonProcess, box: Path) -> None:
    box.parent.chmod(0o755)
    with pytest.raises(MailboxError, match="lets others in"):
        process.turn()
    box.parent.chmod(0o700)


def test_a_mailbox_that_vanished_is_not_present(box: Path) -> None:
    mailbox = take_mailbox("default")
    assert mailbox.present()
    box.unlink()
    assert not mailbox.present()
    mailbox.close()


# ------------------------------------------------------------------ words


def test_only_changes_are_said(process: ButtonProcess, contacts: Contacts, box: Path, said: list[str]) -> None:
    turn_until_released(process, box)
    for a, b in ((0, 1), (0, 0), (1, 0)):
        contacts.set(a, b)
        process.turn()
        process.turn()
    contacts.set(1, 1)
    turn_until_released(process, box)
    reasons = {reason.value for reason in Reason}
    assert [line for line in said if line in reasons] == [
        Reason.CLOSING.value,
        Reason.RELEASED.value,
        Reason.OPEN_A.value,
        Reason.RELEASED.value,
    ]


@pytest.mark.parametrize("text", ["17", "17,27,5", "17;27", "", "a,b", "-1,2", "17,", "1.0,2", "\N{SUPERSCRIPT TWO},3"])
def test_lines_that_are_none(text: str) -> None:
    with pytest.raises(GpioError, match="expected two line numbers"):
        line_numbers(text)


def test_one_line_twice_is_refused() -> None:
    with pytest.raises(GpioError, match="two different lines"):
        line_numbers("17, 17")
    assert line_numbers(" 17, 27 ") == (17, 27)
