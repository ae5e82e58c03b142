"""The judge sees each thing that can be wrong with a scene, and the table shows it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from safetykit.core import protocol as p
from safetykit.core.vocabulary import Fault, State
from sim.demo_estop.mcu import McuEvent, elapsed_us
from sim.demo_estop.outcome import (
    ANSWER,
    EDGE,
    Outcome,
    guard_reaction,
    judge,
    limit_ms,
    microcontroller_ms,
    not_played,
)
from sim.demo_estop.scenes import SCENES, Guard
from sim.demo_estop.table import board_words, document, guard_words, table

BY_NAME = {scene.name: scene for scene in SCENES}
PRESS, WELD, NOISE, KILL = (BY_NAME[name] for name in ("press", "weld", "noise", "kill"))
TICK_NS = 20_000_000
E, X, P, S = State.ENGAGED, State.EMERGENCY_STOP, State.PROTECTIVE_STOP, State.STANDBY
BUTTON, SILENT = 1 << Fault.STOP_BUTTON, 1 << Fault.DEVICE_SILENT


def outcome(**changes: Any) -> Outcome:
    good = Outcome(
        name="press",
        title="button, both channels",
        causes=("CHANNEL",),
        locked=False,
        mcu_ms=1.0,
        mcu_from=EDGE,
        mcu_limit_ms=4.0,
        relay_ms=9.0,
        guard=Guard.LIVES,
        guard_ms=31.0,
        guard_ticks=2,
        guard_late=0,
        way_m=0.3,
        restarts=(),
    )
    return replace(good, **changes)


def frames(*ticks: tuple[State, int]) -> dict[str, NDArray[Any]]:
    """One tick every 20 ms, the first at 20 ms."""
    return {
        "in_now_ns": np.array([(k + 1) * TICK_NS for k in range(len(ticks))]),
        "st_state": np.array([state for state, _ in ticks]),
        "out_faults": np.array([faults for _, faults in ticks], np.int64),
    }


def test_a_good_outcome_has_no_problem() -> None:
    assert judge(outcome(), PRESS) == ()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"causes": ()}, "event memory: nothing; expected CHANNEL"),
        ({"causes": ("HOST_SILENT",)}, "event memory: HOST_SILENT; expected CHANNEL"),
        ({"causes": ("CHANNEL", "CHANNEL")}, "event memory: CHANNEL, CHANNEL; expected CHANNEL"),
        ({"mcu_ms": None}, "the microcontroller did not stop"),
        ({"mcu_ms": 4.1}, "relays after 4.1 ms, allowed 4.0 ms"),
        ({"relay_ms": None}, "power stayed on"),
        ({"way_m": None}, "the vehicle did not come to rest"),
        ({"guard_ms": None}, "the guard did not stop"),
        ({"guard_ms": None, "guard": Guard.DIES}, "the new guard is not stopped"),
        ({"guard_late": 2}, "the guard knew for 2 ticks and did not stop"),
        ({"restarts": ("power came back",)}, "power came back"),
    ],
)
def test_each_wrong_thing_is_a_problem(changes: dict[str, Any], problem: str) -> None:
    assert judge(outcome(**changes), PRESS) == (problem,)


@pytest.mark.parametrize("late", [0, 1])
def test_one_tick_is_in_time(late: int) -> None:
    assert judge(outcome(guard_late=late), PRESS) == ()


def test_causes_are_judged_place_by_place_and_may_have_alternatives() -> None:
    assert judge(outcome(causes=("CHANNEL", "RELAY_STUCK")), WELD) == ()
    assert judge(outcome(causes=("RELAY_STUCK", "CHANNEL")), WELD)
    assert judge(outcome(causes=("HOST_BAD",)), NOISE) == judge(outcome(causes=("HOST_SILENT",)), NOISE) == ()


def test_limits_on_the_microcontrollers_clock() -> None:
    assert limit_ms(EDGE, 1500) == 3.0
    assert limit_ms(ANSWER, 1500) == 101.5
    assert microcontroller_ms(McuEvent("HOST_SILENT", 3, 100_700, 9), None) == (100.7, ANSWER)
    assert microcontroller_ms(McuEvent("HOST_STOP", 3, 0, 9), None) == (0.0, "guard's STOP")
    assert microcontroller_ms(McuEvent("CHANNEL", 3, 12_000, 9), 900) == (0.9, EDGE)
    assert microcontroller_ms(None, None) == (None, ANSWER)
    assert elapsed_us(0xFFFF_FF00, 0x100) == 0x200


def test_the_guard_is_measured_from_the_cause_on() -> None:
    reaction = guard_reaction(frames((X, BUTTON), (E, 0), (E, 0), (X, BUTTON), (X, BUTTON)), TICK_NS)
    assert reaction.stopped_ns == 4 * TICK_NS
    assert (reaction.ticks, reaction.late, reaction.left) == (3, 0, "")


@pytest.mark.parametrize("reason", [BUTTON, SILENT, 1 << Fault.STOP_REQUEST])
def test_ticks_that_knew_and_did_not_stop_are_late(reason: int) -> None:
    assert guard_reaction(frames((E, 0), (E, reason), (E, reason), (X, reason)), 0).late == 2


def test_silence_counts_from_the_last_answer() -> None:
    ticks = [(E, 0)] * 8 + [(X, SILENT)]
    assert guard_reaction(frames(*ticks), 0, silent_from_ns=0).late == 3  # those at 120, 140 and 160 ms
    assert guard_reaction(frames(*ticks), 0, silent_from_ns=60_000_000).late == 0


def test_a_guard_that_never_stops_and_one_that_leaves_its_stop() -> None:
    never = guard_reaction(frames((E, 0), (E, BUTTON)), 0)
    assert (never.stopped_ns, never.late, never.left) == (None, 1, "")
    assert guard_reaction(frames((E, 0), (P, 0), (X, BUTTON), (S, 0), (E, 0)), 0).left == "STANDBY"
    assert guard_reaction(frames((X, 0), (State.BOOT, 0), (X, SILENT)), 0).left == "", "a new guard begins in BOOT"


def test_a_scene_that_was_not_played_is_wrong_and_can_be_shown() -> None:
    row = not_played(KILL, "no driving vehicle")
    assert row.problems == ("not played: no driving vehicle",)
    assert "never" in board_words(row)


def shown(*rows: Outcome) -> str:
    console = Console(width=200, color_system=None)
    with console.capture() as capture:
        console.print(table(rows))
    return capture.get()


def test_the_table_shows_what_was_measured() -> None:
    text = shown(outcome(), outcome(title="relay welded", causes=("CHANNEL", "RELAY_STUCK"), locked=True))
    for words in ("1 button, both channels", "1.0 ms after the edge", "9 ms", "31 ms, tick 2", "0.30 m", "no"):
        assert words in text
    assert "CHANNEL, RELAY_STUCK (locked)" in text


def test_the_table_shows_what_is_wrong() -> None:
    text = shown(outcome(mcu_ms=None, relay_ms=None, way_m=None, guard_ms=None, restarts=("power came back",)))
    assert text.count("never") == 3
    assert "no rest" in text
    assert "power came back" in text


def test_a_guard_that_cannot_react_is_said_to_be_so() -> None:
    assert guard_words(outcome(guard=Guard.DIES)) == "dead; the new one stopped"
    assert guard_words(outcome(guard=Guard.FREEZES, guard_ticks=2)) == "frozen; tick 2 awake"
    assert "never" in guard_words(outcome(guard=Guard.DIES, guard_ms=None))


def test_the_record_is_json_with_a_verdict_for_each_scene() -> None:
    rows = [outcome(), outcome(problems=("power stayed on",))]
    record = json.loads(json.dumps(document(rows, {"seconds": 40.0})))
    assert [row["ok"] for row in record["scenes"]] == [True, False]
    assert record["scenes"][0]["guard"] == "lives"
    assert record["seconds"] == 40.0


def test_every_scene_expects_causes_that_exist() -> None:
    names = [scene.name for scene in SCENES]
    assert len(set(names)) == len(names) == 9
    for scene in SCENES:
        for choice in scene.causes:
            assert all(cause in p.Cause.__members__ for cause in choice)
