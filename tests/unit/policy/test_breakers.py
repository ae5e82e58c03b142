"""Circuit breakers and reactions: their numbers in the arrays, as tables, and compared between two policies."""

from __future__ import annotations

from typing import Any

import pytest

from safetykit.core import layout as at
from safetykit.core.columns import breakers as col
from safetykit.core.vocabulary import Action, Fault, Until
from safetykit.policy import Policy, parse_policy
from safetykit.policy.checks import producible
from safetykit.policy.diff import differences
from safetykit.policy.tables_breakers import breaker_rows, reaction_rows
from tests.unit.policy.cases_breakers import OF_SENDER, SELF, VOTE
from tests.unit.policy.edits import DELETE, edited

LINK = {"sources": ["operator"], "for_ms": 1500, "action": "PROTECTIVE_STOP"}
MANUAL = {"take": {"input": "consent", "min": 0.5}, "late_ms": 100, "stale_ms": 500}
WAITS = {"action": "RECOVER", "after_s": 0.5, "takeover_s": 5, "until": "engaged_again"}


def quadrotor(edits: dict[str, Any]) -> Policy:
    return parse_policy(edited("quadrotor", edits))


def breaker(policy: Policy, number: int) -> list[int]:
    row = at.T_BREAKER + number * col.BREAKER_COLS_I
    return [int(value) for value in policy.timing[row : row + col.BREAKER_COLS_I]]


def reaction(policy: Policy, number: int) -> list[int]:
    row = at.T_REACTION + number * col.REACTION_COLS_I
    return [int(value) for value in policy.timing[row : row + col.REACTION_COLS_I]]


def test_the_numbers_of_breakers() -> None:
    second = {**OF_SENDER, **SELF}
    policy = quadrotor({**VOTE, "breakers.link": LINK, "breakers.second": second})
    bounds = 1 << Fault.BOUND | 1 << Fault.NORM
    s = 1_000_000_000
    assert breaker(policy, 0) == [bounds, 60, s, Action.DEGRADE, -1, col.NO_SEVERITY, 0, 0, 0, 5 * s, 20 * s, 3]
    assert policy.limits[at.L_BREAKER] == 0.4
    stop = Action.PROTECTIVE_STOP
    assert breaker(policy, 2) == [0, 0, 0, stop, -1, col.NO_SEVERITY, 0b10, 3 * s // 2, 1, 0, 0, 0]
    nan = 1 << Fault.COMMAND_NONFINITE
    assert breaker(policy, 3) == [nan, 3, s, Action.PASS, 1, col.NO_SEVERITY, 0, 0, 0, 5 * s, 20 * s, 3]
    grave = quadrotor({"breakers.x": {"at_action": "HOLD", "action": "RECOVER"}})
    assert breaker(grave, 2)[col.BREAKER_SEVERITY] == Action.HOLD


def test_the_numbers_of_reactions() -> None:
    plain = {"action": "RECOVER", "until": "reset"}
    policy = quadrotor({"manual": MANUAL, "reactions.SENDER": WAITS, "reactions.BLACKBOX": plain})
    sender, box = 1 << Fault.SENDER, 1 << Fault.BLACKBOX
    assert list(policy.timing[at.T_REACTIONS : at.T_REACTIONS + 2]) == [2, sender | box]
    rows = {reaction(policy, number)[0]: reaction(policy, number) for number in range(2)}
    ns = 1_000_000_000
    assert rows[sender] == [sender, Action.RECOVER, ns // 2, 5 * ns, Action.HOLD, Action.PASS, Until.ENGAGED_AGAIN]
    assert rows[box] == [box, Action.RECOVER, 0, 0, Action.RECOVER, -1, Until.RESET]
    assert int(policy.timing[at.T_ACTION + Action.HOLD]) & sender, "the first action"
    assert int(policy.timing[at.T_ACTION + Action.RECOVER]) & box
    assert Fault.INTERVENTION in producible(policy.document)


def test_without_manual_or_with_never_nobody_can_drive_past_an_announced_action() -> None:
    assert reaction(quadrotor({"reactions.SENDER": WAITS}), 0)[col.REACTION_DRIVEN] == -1
    never = {"manual": MANUAL, "reactions.SENDER": {**WAITS, "takeover": "never"}}
    assert reaction(quadrotor(never), 0)[col.REACTION_DRIVEN] == -1


def test_what_can_occur() -> None:
    assert Fault.BREAKER_TRIAL in producible(quadrotor({}).document)
    possible = producible(quadrotor({"breakers.too_fast.trial_share": 1}).document)
    assert Fault.BREAKER_TRIAL not in possible
    assert Fault.INTERVENTION not in possible


def test_tables_say_everything() -> None:
    edits = {**VOTE, "breakers.second": {**OF_SENDER, **SELF}, "breakers.link": {**LINK, "at_action": "RECOVER"}}
    edits |= {"breakers.garbage.window_ms": DELETE, "reactions.SENDER": WAITS, "manual": MANUAL}
    edits["reactions.BLACKBOX"] = {**WAITS, "after_s": DELETE, "takeover": "never", "until": "cleared"}
    del edits["reactions.BLACKBOX"]["after_s"]
    document = quadrotor(edits).document
    breakers = {row[0]: row[1:] for row in breaker_rows(document)}
    assert breakers["link"] == (
        "vehicle",
        "an action of RECOVER or worse; or loss of operator for 1500 ms",
        "PROTECTIVE_STOP",
        "a reset",
    )
    assert breakers["second"][0] == "second"
    assert breakers["second"][3] == "a trial after 5 s, 20 s long; latched after 3 failed trials and one more"
    assert "from 0.4 of the envelope" in str(breakers["too_fast"][3])
    assert str(breakers["garbage"][1]).startswith("50 ticks since the reset: COMMAND_NONFINITE")
    reactions = {row[0]: row[1:] for row in reaction_rows(document)}
    assert reactions["SENDER"] == ("RECOVER", "PASS", "0.5 s, then 5 s announced", "HOLD", "engaged again")
    assert reactions["BLACKBOX"][2:] == ("5 s announced, even while the operator drives", "HOLD", None)
    assert reactions["BOUND"] == ("CLAMP", None, None, None, None)
    assert "BREAKER" not in reactions


F, SENDER = "breakers.too_fast", "reactions.SENDER"
LATCHED = {f"{F}.{key}": DELETE for key in ("level", "cool_down_s", "trial_share", "widen_s", "reopen_max")}
CASES: list[tuple[dict[str, Any], str, str]] = [
    ({f"{F}.count": 64}, f"{F}.count", "looser"),
    ({f"{F}.window_ms": 2000}, f"{F}.window_ms", "tighter"),
    ({"breakers.garbage.window_ms": DELETE}, "breakers.garbage.window_ms", "tighter"),
    ({f"{F}.at_action": "HOLD"}, f"{F}.at_action", "tighter"),
    ({f"{F}.sources": ["operator"], f"{F}.for_ms": 900}, f"{F}.sources", "tighter"),
    ({f"{F}.faults": ["BOUND", "RATE"]}, f"{F}.faults", "other"),
    ({f"{F}.cool_down_s": 9}, f"{F}.cool_down_s", "tighter"),
    ({f"{F}.widen_s": 9}, f"{F}.widen_s", "looser"),
    ({f"{F}.trial_share": 0.9}, f"{F}.trial_share", "looser"),
    ({f"{F}.reopen_max": 1}, f"{F}.reopen_max", "tighter"),
    (LATCHED, f"{F}.level", "tighter"),
    (LATCHED, f"{F}.trial_share", "other"),
    ({SENDER: "HOLD"}, SENDER, "tighter"),
    ({SENDER: {"action": "RECOVER", "after_s": 1}}, SENDER, "tighter"),
    ({"reactions.COMMAND_STALE": {"action": "PROTECTIVE_STOP", "after_s": 1}}, "reactions.COMMAND_STALE", "tighter"),
    ({"reactions.COMMAND_LATE": {"action": "RECOVER", "after_s": 1}}, "reactions.COMMAND_LATE", "other"),
    ({"reactions.NOT_FOLLOWING": {"action": "RECOVER", "after_s": 1}}, "reactions.NOT_FOLLOWING", "looser"),
    ({"reactions.NOT_FOLLOWING": {"action": "RECOVER", "until": "reset"}}, "reactions.NOT_FOLLOWING", "tighter"),
]


@pytest.mark.parametrize(("edits", "key", "verdict"), CASES)
def test_verdicts(edits: dict[str, Any], key: str, verdict: str) -> None:
    old, new = quadrotor({}), quadrotor(edits)
    found = {one.key: one.verdict for one in differences(old, new)}
    assert found.get(key) == verdict, found
    opposite = {"looser": "tighter", "tighter": "looser", "other": "other"}
    assert {one.key: one.verdict for one in differences(new, old)}[key] == opposite[verdict]


WAITING: list[tuple[dict[str, Any], str]] = [
    ({"after_s": 1}, "looser"),
    ({"takeover_s": 9}, "looser"),
    ({"takeover": "never"}, "tighter"),
    ({"until": "reset"}, "tighter"),
    ({"until": "cleared"}, "looser"),
    ({"meanwhile": "CLAMP"}, "looser"),
    ({"action": "PROTECTIVE_STOP", "until": "cleared"}, "other"),
]


@pytest.mark.parametrize(("change", "verdict"), WAITING)
def test_verdicts_of_reactions_that_wait(change: dict[str, Any], verdict: str) -> None:
    old, new = ({"manual": MANUAL, SENDER: entry} for entry in (WAITS, {**WAITS, **change}))
    assert [one.verdict for one in differences(quadrotor(old), quadrotor(new))] == [verdict]


def test_degrading_until_a_reset_is_tighter_than_degrading_for_now() -> None:
    old, new = quadrotor({SENDER: "DEGRADE"}), quadrotor({SENDER: {"action": "DEGRADE"}})
    assert [one.verdict for one in differences(old, new)] == ["looser"]
