"""What is proved of the firmware's core: no run-time error, and relays open unless every condition holds."""

from __future__ import annotations

import re
from pathlib import Path

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


@pytest.mark.parametrize(
    ("old", "new", "function", "clause"),
    [
        ("flag(!(in->channel_a && in->channel_b))", "flag(!(in->channel_a || in->channel_b))", "conditions", "channel"),
        ("news->turned && (estop_blockers(s, in) == 0U)", "news->turned", "advance", "armed_from"),
        ("&& (s->key_us <= KEY_MAX_US)", "", "key_turned", "turned"),
    ],
)
def test_a_broken_core_does_not_keep_its_contract(
    broken: Breaker, old: str, new: str, function: str, clause: str
) -> None:
    prove.provers()
    options = ("-wp-fct", function, f"-wp-prop={clause}")
    limits = ("-wp-prover", "cvc4,z3", "-wp-timeout", "4")
    core = broken("estop.c", old, new)
    outcome = prove.proof("broken", "proof_estop.c", options, core, patient=False, limits=limits)
    assert outcome.proved < outcome.total
    assert all(clause in goal for goal in outcome.open_goals)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("report.c", "&s->event[page % EVENTS]", "&s->event[page]"),
        ("estop.c", "? s->boot_cause : damage", "? s->boots : damage"),
        ("wire.c", "(from < wire->count)", "(from <= wire->count)"),
    ],
)
def test_a_run_time_error_is_an_alarm(broken: Breaker, file: str, old: str, new: str) -> None:
    outcome = prove.values("broken", "eva_core.c", ("estop.c", "report.c", "wire.c"), broken(file, old, new))
    assert outcome.open_goals


def proved_impossible(folder: Path, *functions: str) -> int:
    """How many goals are proved of estop_step's promise that it never returns, made for each of the functions."""
    source = re.sub(r"\s+", " ", (CORE / "estop.c").read_text(encoding="utf-8"))
    heads = [found for name in functions for found in re.findall(rf"(?:static )?void {name}\([^)]*\)", source)]
    assert len(heads) == len(functions)
    promises = "\n".join(f"/*@ ensures impossible: \\false; */\n{head};" for head in heads)
    unit = folder / "impossible.c"
    unit.write_text(f'#include "proof_estop.c"\n{promises}\n', encoding="utf-8")
    prove.provers()
    limits = ("-wp-prover", "cvc4,z3", "-wp-timeout", "4")
    proved, total, _ = prove.attempt(str(unit), ("-wp-fct", "estop_step", "-wp-prop=impossible"), CORE, limits)
    assert total == 1
    return proved


def test_the_contract_of_the_step_is_not_empty(tmp_path: Path) -> None:
    """Were what it requires contradictory, everything would follow from it, this too; from a wrong part it does."""
    assert proved_impossible(tmp_path, "estop_step") == 0
    assert proved_impossible(tmp_path, "estop_step", "listen") == 1
