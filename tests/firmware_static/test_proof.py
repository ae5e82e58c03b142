"""What is proved of the firmware's core: no run-time error, and relays open unless every condition holds."""

from __future__ import annotations

import re

import prove
import pytest

from tests.firmware_static.conftest import CORE, Breaker

GOALS_MIN = 1_400  # fewer would mean that contracts were lost


@pytest.mark.slow
def test_every_goal_is_proved() -> None:
    outcomes = prove.prove()
    assert [goal for outcome in outcomes for goal in outcome.open_goals] == []
    assert sum(outcome.proved for outcome in outcomes) == sum(outcome.total for outcome in outcomes) >= GOALS_MIN


def test_the_contract_of_the_step_says_when_a_relay_may_be_on() -> None:
    """A proof is worth what it proves: these promises must stand in the contract itself."""
    text = (CORE.parent / "analysis" / "contracts_transition.h").read_text(encoding="utf-8")
    text = re.sub(r"\s+", " ", text[text.rindex("/*@") :])
    for promise in (
        "POWERED ==> s->state == STATE_RUN;",
        "POWERED ==> \\old(in->channel_a) && \\old(in->channel_b);",
        "POWERED ==> \\old(in->check) == CHECK_PASSED;",
        "POWERED ==> s->link_us <= LINK_US;",
        "POWERED ==> s->bad < BAD_LIMIT;",
        "s->locked != 0 ==> !POWERED;",
        "BEGINS ==> \\old(s->state) == STATE_ARMED;",
    ):
        assert promise in text, promise


@pytest.mark.slow
def test_a_core_that_closes_a_relay_too_early_is_not_proved(broken: Breaker) -> None:
    core = broken(
        "estop.c", "uint32_t on = flag(s->state == STATE_RUN);", "uint32_t on = flag(s->state != STATE_STOPPED);"
    )
    prove.provers()
    outcome = prove.proof("broken", "proof_estop.c", ("-wp-fct", "drive_relays"), core, patient=False)
    assert 0 < outcome.proved < outcome.total


def test_the_core_as_it_is_passes_the_same_goals() -> None:
    prove.provers()
    outcome = prove.proof("whole", "proof_estop.c", ("-wp-fct", "drive_relays"), CORE, patient=False)
    assert 0 < outcome.proved == outcome.total
