"""Rules over the recent past in a policy: what fits, how they read, what a change of one means."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from safetykit.errors import PolicyError
from safetykit.policy import Policy, parse_policy
from safetykit.policy.constant_formulas import constant
from safetykit.policy.diff import differences
from safetykit.policy.report import Names
from safetykit.policy.schema import PolicyDocument
from safetykit.policy.schema_rules import Formula, Rule
from safetykit.policy.tables import tables
from safetykit.policy.tables_rules import rule_text
from tests.unit.policy.cases_rules import FAST, HIGH, PUSH, many
from tests.unit.policy.edits import edited

Q = "quadrotor"


def with_rule(**rule: Any) -> Policy:
    return parse_policy(edited(Q, {"rules.r": {"action": "RECOVER", **rule}}))


def problems(edits: dict[str, Any]) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        parse_policy(edited(Q, edits))
    return [f"{problem.key}: {problem.message}" for problem in caught.value.problems]


EVERYTHING = {
    "all": [
        {"since": {"not": FAST}, "from": {"any": [HIGH, PUSH]}, "within_s": 2, "after_s": 0.5},
        {"once": {"inside": "home"}, "within_s": 1},
        {"historically": {"outside": "home"}, "within_s": 3, "after_s": 2},
        {"historically": {"state": "engaged"}, "within_s": 0.01},
        {"any": [{"sent": "vx_mps", "max": 3}, {"once": {"sent": "vx_mps", "min": 1, "max": 2}, "within_s": 1}]},
        {"once": FAST, "within_s": 2, "after_s": 2},
    ]
}


def test_a_rule_reads_as_a_sentence() -> None:
    policy = with_rule(**{"if": EVERYTHING}, require={"not": PUSH}, description="as an example")
    text = (
        "if (not (speed_mps >= 3 m/s)) since (altitude_m >= 20 m or asked vx_mps >= 1 m/s) 0.5 to 2 s ago"
        " and once within 1 s (in home) and throughout 2 to 3 s ago (out of home)"
        " and throughout 0.01 s (state engaged)"
        " and (sent vx_mps <= 3 m/s or once within 1 s (sent vx_mps in [1, 2] m/s))"
        " and once 2 to 2 s ago (speed_mps >= 3 m/s): always (not (asked vx_mps >= 1 m/s))"
    )
    assert rule_text(policy.document.rules["r"], policy.document) == text
    forbidding = with_rule(forbid=FAST)
    assert rule_text(forbidding.document.rules["r"], forbidding.document) == "never (speed_mps >= 3 m/s)"
    table = next(table for table in tables(policy) if str(table.title).startswith("Rules"))
    assert table.row_count == 1


def test_a_rule_survives_json_and_matches_the_schema() -> None:
    policy = with_rule(**{"if": EVERYTHING}, forbid=PUSH)
    written = json.loads(policy.to_json())
    assert parse_policy(written).digest == policy.digest
    assert written["rules"]["r"]["if"]["all"][0]["from"]["any"][1] == {"asked": "vx_mps", "min": 1.0}
    jsonschema.validate(
        edited(Q, {"rules.r": {"if": EVERYTHING, "forbid": PUSH, "action": "HOLD"}}), PolicyDocument.model_json_schema()
    )
    assert policy.rules == ("r",)


def test_the_guide_describes_every_key_and_its_examples_load() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "policy.md").read_text()
    section = page.split("### `rules.<name>`")[1].split("\n### ")[0]
    keys = {field.alias or key for part in (Rule, Formula) for key, field in part.model_fields.items()}
    assert not keys - set(re.findall(r"[a-z_]+", section))
    example = YAML(typ="safe", pure=True).load(section.split("```yaml\n")[1].split("```")[0])
    assert len(parse_policy(edited(Q, {"rules": example["rules"]})).rules) == 3


def test_a_window_is_a_whole_number_of_periods_whatever_the_period_is() -> None:
    found = problems({"rules.r": {"forbid": {"once": FAST, "within_s": 0.015}, "action": "HOLD"}})
    assert found == ["rules.r.forbid.within_s: is not a whole number of periods of 10 ms"]
    made = edited(Q, {"rules.r": {"forbid": {"once": FAST, "within_s": 2.1}, "action": "HOLD"}})
    for digits in range(1, 200):
        made["rules"]["r"]["forbid"]["within_s"] = digits / 100
        parse_policy(made)
    made["rules"]["r"]["forbid"]["within_s"] = 0.0150001
    with pytest.raises(PolicyError, match=r"allowed: 0\.01 or 0\.02"):
        parse_policy(made)


def nested(depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {"asked": "vx_mps", "min": 9}
    for k in range(depth):
        made = {"any" if k % 2 else "all": [{"asked": "vx_mps", "min": 0.1 + k / 100}, made]}
    return made


WIDE = {"any": [{"asked": "vx_mps", "min": k / 7, "max": k / 7 + 0.05} for k in range(48)]}
MORE = {"any": [{"asked": "vy_mps", "min": 1}, {"not": WIDE}]}
THRICE = {
    "all": [
        {"once": FAST, "within_s": 1},
        {"historically": HIGH, "within_s": 1},
        {"since": FAST, "from": HIGH, "within_s": 2},
    ]
}


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"wide": {"forbid": MORE, "action": "HOLD"}}, "too many different comparisons"),
        ({f"r{k}": {"forbid": WIDE, "action": "HOLD"} for k in range(3)}, "too many operators and comparisons"),
        (many(12, THRICE), "too many operators over time"),
        (many(5, {"once": FAST, "within_s": 2, "after_s": 1}), "too many windows with after_s"),
        ({"deep": {"forbid": nested(31), "action": "HOLD"}}, "too many formulas within each other"),
    ],
)
def test_all_rules_together_must_fit(rules: dict[str, Any], message: str) -> None:
    assert f"rules: {message}" in problems({"rules": rules})


def test_as_much_as_fits_is_used() -> None:
    parse_policy(edited(Q, {"rules": {"wide": {"forbid": WIDE, "action": "HOLD"}}}))
    parse_policy(edited(Q, {"rules": {"deep": {"forbid": nested(30), "action": "HOLD"}}}))
    parse_policy(edited(Q, {"rules": many(4, {"once": FAST, "within_s": 10, "after_s": 9.92})}))
    parse_policy(edited(Q, {"rules": many(16, {"once": {"not": FAST}, "within_s": 1})}))
    assert problems({"rules": many(1, {"once": FAST, "within_s": 10, "after_s": 9.93})})


def test_degrading_needs_a_channel_that_can_be_degraded() -> None:
    scales = {f"channels.{name}.degraded_scale": 1.0 for name in ("vx_mps", "vy_mps", "vz_mps", "yaw_rate_radps")}
    found = problems({**scales, "rules.r": {"forbid": FAST, "action": "DEGRADE"}, "breakers": {}})
    assert "rules.r.action: changes nothing: no channel has degraded_scale < 1" in found


def test_a_breaker_may_count_broken_rules() -> None:
    counting = {"faults": ["RULE"], "count": 3, "window_ms": 500, "action": "RECOVER"}
    parse_policy(edited(Q, {"rules.r": {"forbid": FAST, "action": "HOLD"}, "breakers.rules": counting}))


def test_one_broken_declaration_is_reported_once() -> None:
    edits = {"rules.r": {"forbid": {"all": [FAST, HIGH]}, "action": "HOLD"}}
    found = problems({**edits, "sources.vehicle.inputs.speed_mps.min": 99})
    assert found[0] == "sources.vehicle.inputs.speed_mps.min: must be less than max"
    assert "rules.r" not in " ".join(key for key in found if "never" not in key and "always" not in key)


def test_a_suggestion_for_a_mistyped_key() -> None:
    with pytest.raises(PolicyError, match="did you mean historically"):
        with_rule(forbid={"historicaly": FAST, "within_s": 1})
    with pytest.raises(PolicyError, match="did you mean from"):
        with_rule(forbid={"since": FAST, "fromm": HIGH, "within_s": 1})


def test_a_formula_over_too_many_things_is_passed_by() -> None:
    document = parse_policy(edited(Q, {})).document
    parts = [{"once": FAST, "within_s": k} for k in range(1, 14)]
    contradiction = {"all": [*parts, FAST, {"not": FAST}]}
    assert constant(Formula.model_validate({"all": contradiction["all"][-4:]}), Names(document)) is False
    assert constant(Formula.model_validate(contradiction), Names(document)) is None


RULE = {"if": {"once": FAST, "within_s": 1}, "require": {"historically": HIGH, "within_s": 2}, "action": "RECOVER"}
CHANGES: list[tuple[str, Any, str, str]] = [
    ("action", "HOLD", "action", "looser"),
    ("action", "PROTECTIVE_STOP", "action", "tighter"),
    ("description", "why", "description", "other"),
    ("if.within_s", 2, "if", "tighter"),
    ("if.within_s", 0.5, "if", "looser"),
    ("if.after_s", 0.5, "if", "looser"),
    ("if.once.min", 2, "if", "tighter"),
    ("if.once.max", 9, "if", "looser"),
    ("if", {"any": [{"once": FAST, "within_s": 1}, HIGH]}, "if", "other"),
    ("require.within_s", 3, "require", "tighter"),
    ("require.within_s", 1, "require", "looser"),
    ("require.after_s", 1, "require", "looser"),
    ("require.historically.min", 10, "require", "looser"),
    ("require.historically", {"input": "altitude_m", "min": 30, "max": 50}, "require", "tighter"),
    ("require.historically", {"input": "altitude_m", "max": 30}, "require", "other"),
    ("require.historically.input", "speed_mps", "require", "other"),
]


@pytest.mark.parametrize(("path", "value", "key", "verdict"), CHANGES)
def test_what_a_change_of_a_rule_means(path: str, value: Any, key: str, verdict: str) -> None:
    before = parse_policy(edited(Q, {"rules.r": copy.deepcopy(RULE)}))
    after = parse_policy(edited(Q, {"rules.r": copy.deepcopy(RULE), f"rules.r.{path}": value}))
    assert [(found.key, found.verdict) for found in differences(before, after)] == [(f"rules.r.{key}", verdict)]


TWO = {"any": [FAST, {"not": HIGH}]}
LISTS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (TWO, {"any": [FAST, {"not": HIGH}, PUSH]}, "tighter"),
    ({"all": [FAST, HIGH]}, {"all": [FAST, HIGH, PUSH]}, "looser"),
    ({"all": [FAST, HIGH, PUSH]}, {"all": [FAST, HIGH]}, "tighter"),
    (TWO, {"any": [FAST, {"not": {"input": "altitude_m", "min": 30}}]}, "tighter"),
    (TWO, {"any": [HIGH, PUSH, {"sent": "vx_mps", "min": 1}]}, "other"),
    (
        {"since": FAST, "from": HIGH, "within_s": 1},
        {"since": FAST, "from": {"input": "altitude_m", "min": 15}, "within_s": 2},
        "tighter",
    ),
    (
        {"since": FAST, "from": HIGH, "within_s": 1},
        {"since": {"input": "speed_mps", "min": 4}, "from": HIGH, "within_s": 2},
        "other",
    ),
    ({"state": "engaged"}, {"state": "standby"}, "other"),
]


@pytest.mark.parametrize(("old", "new", "verdict"), LISTS)
def test_what_a_change_of_a_forbidden_formula_means(old: Any, new: Any, verdict: str) -> None:
    assert [found.verdict for found in differences(with_rule(forbid=old), with_rule(forbid=new))] == [verdict]


def test_rules_that_come_and_go() -> None:
    without, rule = parse_policy(edited(Q, {})), with_rule(forbid=FAST)
    assert [found.verdict for found in differences(without, rule)] == ["tighter"]
    assert [found.verdict for found in differences(rule, without)] == ["looser"]
    narrowed = with_rule(forbid=FAST, **{"if": HIGH})
    assert [found.verdict for found in differences(rule, narrowed)] == ["looser"]
    assert [found.verdict for found in differences(narrowed, rule)] == ["tighter"]
    turned = with_rule(require={"not": FAST})
    assert {found.verdict for found in differences(rule, turned)} == {"other"}
    two = {"a": {"forbid": FAST, "action": "HOLD"}, "b": {"forbid": HIGH, "action": "HOLD"}}
    one, other = (parse_policy(edited(Q, {"rules": dict(items)})) for items in (two.items(), reversed(two.items())))
    assert [found.key for found in differences(one, other)] == ["order of rules"]
