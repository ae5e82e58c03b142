"""No intervention is lost, and a stream of them does not flood the topic."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from safetykit.adapters.ros.interventions import KINDS_MAX, LEVEL_ERROR, LEVEL_OK, Interventions, faults_of
from safetykit.core.layout import new_frames
from safetykit.core.vocabulary import Action, Fault, State

MS = 1_000_000
CLAMP, BOUND = int(Action.CLAMP), 1 << Fault.BOUND


def frames(count: int, action: int = CLAMP, faults: int = BOUND, state: int = State.ENGAGED) -> Any:
    made = new_frames(count)
    made["out_action"], made["out_faults"], made["st_state"] = action, faults, state
    made["in_ask"][:, 0, 0], made["out_sent"][:, 0], made["out_reason"][:, 0] = 9.0, 1.0, faults
    return made


def interventions() -> Interventions:
    return Interventions(("v", "w"), ("horn", "dock"))


def test_a_report_names_reason_asked_and_sent() -> None:
    seen = interventions()
    seen.add(frames(1), 0)
    (report,) = seen.reports(0)
    assert report.message == "CLAMP: BOUND"
    expected = {"v.asked": "9.0", "v.sent": "1.0", "v.reason": "BOUND", "count": "1", "state": "ENGAGED"}
    assert expected.items() <= report.values.items()
    assert "w.asked" not in report.values


def test_a_stream_of_clamps_is_one_report_a_second_and_every_tick_counts() -> None:
    seen, counts, reports = interventions(), 0, 0
    for tick in range(1000):
        seen.add(frames(1), 0)
        for report in seen.reports(tick * 10 * MS):
            counts, reports = counts + int(report.values["count"]), reports + 1
    assert (reports, counts) == (10, 901)  # the last 99 are due within the next second
    assert seen.total == 1000


def test_the_end_of_an_intervention_is_told() -> None:
    seen = interventions()
    seen.add(frames(3), 0)
    seen.reports(0)
    seen.add(frames(1, 0, 0), 0)
    assert seen.reports(1100 * MS)[0].level == LEVEL_OK
    assert seen.reports(2200 * MS) == []


def test_waiting_without_commands_is_no_intervention() -> None:
    seen = interventions()
    idle = frames(5, int(Action.HOLD), 1 << Fault.COMMAND_MISSING, State.STANDBY)
    idle["out_reason"] = 0
    seen.add(idle, 0)
    assert (seen.total, seen.reports(0)) == (0, [])


def test_a_refused_function_is_named() -> None:
    seen = interventions()
    made = frames(2, 0, 1 << Fault.FUNCTION_REFUSED)
    made["out_function_refused"], made["in_function"] = 1, (2, 99)
    seen.add(made[:1], 0)
    assert seen.reports(0)[0].values["function_refused"] == "dock"
    seen = interventions()
    seen.add(made[1:], 0)
    assert seen.reports(0)[0].values["function_refused"] == "unknown"


def test_stops_are_errors_and_unseen_ticks_are_told() -> None:
    seen = interventions()
    seen.add(frames(1, int(Action.EMERGENCY_STOP), 1 << Fault.STOP_REQUEST, State.EMERGENCY_STOP), 12)
    (report,) = seen.reports(0)
    assert (report.level, report.values["ticks_unseen"]) == (LEVEL_ERROR, "12")


def test_numbers_without_a_name_do_not_raise() -> None:
    seen = interventions()
    seen.add(frames(1, 99, -1, 99), 0)
    assert "ACTION_99" in seen.reports(0)[0].message


@given(st.lists(st.integers(1, 2**40), min_size=1, max_size=200), st.integers(1, 300))
def test_whatever_comes_every_tick_is_counted_once(masks: list[int], gap_ms: int) -> None:
    seen, now, counted = interventions(), 0, 0
    for mask in masks:
        seen.add(frames(1, CLAMP, mask), 0)
        now += gap_ms * MS
        counted += sum(int(report.values.get("count", 0)) for report in seen.reports(now))
    for _ in range(2 * KINDS_MAX):
        now += 1000 * MS
        counted += sum(int(report.values.get("count", 0)) for report in seen.reports(now))
    assert counted == seen.total == len(masks)


def test_faults_of_many_ticks() -> None:
    made = frames(2)
    made["out_faults"] = (1, 4)
    assert faults_of(made) == 5
    assert faults_of(np.zeros(0, made.dtype)) == 0
