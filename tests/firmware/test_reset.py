"""What leads out of a stop, and that nothing else does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.firmware.examples import EXAMPLES
from tests.firmware.protocol import BLOCK, COUNT, NO, PROTOCOL, RAM, RUN, STOP, TIME, YES
from tests.firmware.stand import Stand, armed, boot_record, ready, running, stopped

MIN, MAX, STUCK = TIME["KEY_MIN_US"], TIME["KEY_MAX_US"], TIME["KEY_STUCK_US"]


def press(stand: Stand, us: int) -> Stand:
    """A press of exactly this length, in steps short enough for the link."""
    stand.key = True
    stand.beat()
    steps, rest = divmod(us, 50_000)
    for _ in range(steps):
        stand.beat(dt_us=50_000)
    stand.key = False
    stand.beat(dt_us=rest) if rest >= TIME["EARLY_US"] else stand.step(rest)
    return stand


@pytest.mark.parametrize(
    ("us", "after"),
    [
        (0, "STOPPED"),
        (1, "STOPPED"),
        (MIN - 1, "STOPPED"),
        (MIN, "ARMED"),
        (MIN + 1, "ARMED"),
        (400_000, "ARMED"),
        (MAX, "ARMED"),
        (MAX + 1, "STOPPED"),
        (STUCK, "STOPPED"),
        (STUCK + 1, "STOPPED"),
    ],
)
def test_only_a_press_of_the_right_length_resets(us: int, after: str) -> None:
    stand = press(ready(), us)
    assert stand.name == after
    assert not stand.on


@EXAMPLES
@given(us=st.one_of(st.integers(0, MIN - 1), st.integers(MAX + 1, STUCK + 10**6)))
def test_a_key_pressed_too_short_or_too_long_does_nothing(us: int) -> None:
    stand = ready()
    number = stand.number
    assert press(stand, us).name == "STOPPED"
    assert stand.number == number


@EXAMPLES
@given(us=st.integers(MIN, MAX))
def test_the_reset_acts_when_the_key_is_released_and_not_before(us: int) -> None:
    stand = ready()
    stand.key = True
    stand.beat()
    for _ in range(us // 50_000):
        assert stand.beat(dt_us=50_000).name == "STOPPED"
    stand.key = False
    stand.step(us % 50_000)
    assert stand.name == "ARMED"


def test_a_press_made_before_the_stop_does_nothing() -> None:
    stand = ready()
    stand.key = True
    stand.beats(3)
    stand.a = stand.b = False
    stand.beat()  # a stop while the key is held
    stand.a = stand.b = True
    stand.beats(40)
    stand.key = False
    assert stand.beat().name == "STOPPED"
    assert press(stand, 200_000).name == "ARMED"


def test_a_press_that_begins_in_the_very_step_of_the_stop_does_nothing() -> None:
    stand = ready()
    stand.key = True
    stand.a = stand.b = False
    stand.beat()
    stand.a = stand.b = True
    stand.beats(40)
    stand.key = False
    assert stand.beat().name == "STOPPED"


def test_a_press_made_in_run_resets_nothing_after_the_stop() -> None:
    stand = running()
    stand.key = True
    stand.beats(3, RUN)
    stand.step(10_000, stand.right(STOP))
    assert stand.name == "STOPPED"
    stand.beats(30)
    stand.key = False
    assert stand.beat().name == "STOPPED"


def test_a_key_held_since_the_start_resets_nothing_until_it_was_seen_released() -> None:
    stand = Stand()
    stand.key = True
    stand.to_stopped()
    stand.beats(60)
    assert stand.blockers() == BLOCK["KEY"]
    stand.key = False
    assert stand.beat().name == "STOPPED"
    assert not stand.blockers()
    assert press(stand, 200_000).name == "ARMED"


def test_a_key_held_since_the_start_is_not_taken_for_a_press_for_event_zero() -> None:
    """Before the first event ever its number is 0, which is also the mark of a press that counts for nothing."""
    stand = Stand(boot_record(number=0))
    stand.check = 0
    stand.key = True
    stand.beats(50)
    stand.key = False
    assert stand.beat().name == "SELFTEST"


def test_every_press_counts_once() -> None:
    stand = press(ready(), 200_000)
    stand.a = False
    stand.step()
    stand.a = True
    stand.beats(60)
    assert stand.name == "STOPPED"
    assert press(stand, 200_000).name == "ARMED"


# ------------------------------------------------------------------------------ blockers


def spoil_lock(stand: Stand) -> None:
    stand.check = RAM
    stand.beat()
    stand.check = 1
    stand.beats(30)


def spoil_channels(stand: Stand) -> None:
    stand.b = False
    stand.beats(30)


def spoil_channel_time(stand: Stand) -> None:
    stand.b = False
    stand.beats(30)
    stand.b = True
    stand.beats(TIME["RELEASE_US"] // 5_000 - 1)


def spoil_relays(stand: Stand) -> None:
    stand.mirrors = (True, False)


def spoil_relays_too(stand: Stand) -> None:
    stand.mirrors = (False, True)


def spoil_link(stand: Stand) -> None:
    stand.step(TIME["LINK_US"] + 1)


def spoil_streak(stand: Stand) -> None:
    stand.step(5_000, bytes(16))
    stand.beats(COUNT["STREAK_MIN"] - 1)


def spoil_row(stand: Stand) -> None:
    stand.beat(dt_us=TIME["LINK_US"] + 1)
    stand.beats(COUNT["STREAK_MIN"] - 2)


def spoil_command(stand: Stand) -> None:
    stand.beat(RUN)


def spoil_rest(stand: Stand) -> None:
    stand.beat(STOP, NO)


def spoil_key(stand: Stand) -> None:
    stand.key = True
    stand.beat()
    for _ in range(STUCK // 50_000 + 1):
        stand.beat(dt_us=50_000)


SPOILED: list[tuple[str, Callable[[Stand], None]]] = [
    ("LOCKED", spoil_lock),
    ("CHANNELS", spoil_channels),
    ("CHANNELS", spoil_channel_time),
    ("RELAYS", spoil_relays),
    ("RELAYS", spoil_relays_too),
    ("LINK", spoil_link),
    ("LINK", spoil_streak),
    ("LINK", spoil_row),
    ("COMMAND", spoil_command),
    ("MOVING", spoil_rest),
    ("KEY", spoil_key),
]


def end_of_press(stand: Stand) -> None:
    """The step that ends a press; of the right length, unless the key is held already."""
    s = stand.state
    if not stand.key:
        s.key_down, s.key_us, s.key_event = 1, 200_000, s.event_number
    stand.key = False
    stand.step(0)


@pytest.mark.parametrize(("name", "spoil"), SPOILED, ids=lambda value: value if isinstance(value, str) else "")
def test_each_blocker_alone_keeps_the_key_from_resetting(name: str, spoil: Callable[[Stand], None]) -> None:
    for spoiled in (False, True):
        stand = ready()
        if spoiled:
            spoil(stand)
        assert stand.blockers() == (BLOCK[name] if spoiled else 0), PROTOCOL["blockers"][f"BLOCK_{name}"][1]
        end_of_press(stand)
        assert stand.name == ("STOPPED" if spoiled else "ARMED")


def test_blockers_at_the_end_of_the_press_are_what_counts() -> None:
    for name, (command, rest) in {"COMMAND": (RUN, YES), "MOVING": (STOP, NO)}.items():
        stand = ready()
        stand.key = True
        stand.beats(40)
        stand.key = False
        assert stand.beat(command, rest).name == "STOPPED", name


def test_ten_right_answers_in_a_row_are_just_enough() -> None:
    stand = ready()
    stand.step(5_000, bytes(16))
    stand.beats(COUNT["STREAK_MIN"] - 1)
    assert stand.blockers() == BLOCK["LINK"]
    stand.beat()
    assert not stand.blockers()


def test_channels_closed_for_just_long_enough_do_not_block() -> None:
    stand = ready()
    stand.a = False
    stand.beats(20)
    stand.a = True
    for _ in range(TIME["RELEASE_US"] // 5_000 - 1):
        stand.beat()
    assert stand.blockers() == BLOCK["CHANNELS"]
    stand.step(4_999)
    assert stand.blockers() == BLOCK["CHANNELS"]
    stand.step(1)
    assert not stand.blockers()


def test_a_link_as_old_as_it_may_be_does_not_block() -> None:
    stand = ready()
    stand.step(TIME["LINK_US"])
    assert not stand.blockers()
    stand.step(1)
    assert stand.blockers() == BLOCK["LINK"]


def test_a_key_held_for_as_long_as_it_may_is_not_stuck_yet() -> None:
    stand = ready()
    stand.key = True
    stand.beat()
    for _ in range(STUCK // 50_000):
        stand.beat(dt_us=50_000)
    assert not stand.blockers()
    stand.step(1)
    assert stand.blockers() == BLOCK["KEY"]
    stand.key = False
    stand.beat()
    assert not stand.blockers()


def test_a_fresh_start_is_blocked_by_link_command_and_rest() -> None:
    stand = Stand().to_stopped()
    bits = BLOCK["CHANNELS"] | BLOCK["LINK"] | BLOCK["COMMAND"] | BLOCK["MOVING"]
    assert stand.blockers() == bits


# ------------------------------------------------------------------------------ armed


@pytest.mark.parametrize(("command", "rest"), [(STOP, YES), (STOP, NO), (RUN, NO)])
def test_armed_waits_for_a_run_of_a_guard_at_rest(command: int, rest: int) -> None:
    stand = armed().beats(5, command, rest)
    assert stand.name == "ARMED"
    assert not stand.on
    assert stand.beat(RUN, YES).name == "RUN"


def test_armed_becomes_run_only_in_a_step_with_an_answer() -> None:
    stand = armed()
    stand.state.host_command, stand.state.host_rest = RUN, YES
    assert stand.step(5_000).name == "ARMED"


def test_a_run_said_while_stopped_does_not_carry_over() -> None:
    stand = ready()
    stand.beats(5, RUN)
    press(stand, 200_000)  # its beats say STOP again
    assert stand.name == "ARMED"
    assert stand.beats(3).name == "ARMED"


def test_armed_expires_after_ten_seconds() -> None:
    stand = armed()
    stand.wait(TIME["ARMED_US"], dt_us=20_000)
    assert stand.name == "ARMED"
    stand.step(1)
    assert (stand.name, stand.cause) == ("STOPPED", "EXPIRED")


def test_run_does_not_expire() -> None:
    stand = running()
    stand.wait(2 * TIME["ARMED_US"], RUN, dt_us=20_000)
    assert stand.name == "RUN"


def test_the_stop_of_the_host_does_not_end_armed() -> None:
    assert armed().beats(20).name == "ARMED"


def test_nothing_but_the_key_leads_out_of_stopped() -> None:
    stand = stopped()
    for k in range(400):
        stand.beat(RUN if k % 3 else STOP)
        assert stand.name == "STOPPED"
        assert not stand.on
