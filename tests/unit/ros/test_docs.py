"""Every mapping in the documentation binds, and does what the text says."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from safetykit.adapters.ros.binding import Binding, bind
from safetykit.adapters.ros.mapping import load_mapping, parse_mapping, policy_problems, unmapped_sources
from safetykit.policy import PRESETS, load_policy, parse_policy
from tests.unit.policy.edits import edited
from tests.unit.ros.fake_messages import message
from tests.unit.ros.test_redundant import SENDERS

PAGE = Path(__file__).parents[3] / "docs" / "ros2.md"
BLOCKS = tuple(
    (section.splitlines()[0], block.split("```")[0])
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]
    for block in section.split("```yaml\n")[1:]
)
SECTIONS = tuple(block for block in BLOCKS if block[1].startswith("format:"))
PARTS = tuple(text for _, text in BLOCKS if not text.startswith("format:"))  # of a mapping


def bound(document: Any) -> Binding:
    policy = load_policy(document["policy"])
    mapping = parse_mapping(document)
    assert unmapped_sources(mapping, policy) == ()
    return bind(mapping, policy)


def example(word: str) -> Binding:
    return bound(YAML(typ="safe").load(next(text for title, text in SECTIONS if word in title)))


def test_the_page_has_its_examples() -> None:
    assert (len(SECTIONS), len(PARTS)) == (5, 1)


@pytest.mark.parametrize(("title", "text"), SECTIONS, ids=[title for title, _ in SECTIONS])
def test_the_mappings_of_the_page_bind(title: str, text: str) -> None:
    assert bound(YAML(typ="safe").load(text)).outputs


def test_the_part_about_several_senders_binds(document: dict[str, Any]) -> None:
    policy = parse_policy(edited("rover", {**SENDERS, "commands.voters": ["planner", "twin"]}))
    del document["inputs"][1]  # the operator's switches are not on this page
    binding = bind(parse_mapping({**document, **YAML(typ="safe").load(PARTS[0])}), policy)
    assert list(binding.others) == ["twin", "manual"]
    assert binding.objects is not None


@pytest.mark.parametrize("name", PRESETS)
def test_the_mappings_of_the_presets_bind(name: str) -> None:
    policy = load_policy(name)
    mapping, file = load_mapping(None, policy)
    assert list(policy_problems(mapping, policy, file)) == []
    assert bind(mapping, policy, file).commands


def test_px4_turns_the_axes_and_leaves_the_position_uncontrolled() -> None:
    binding = example("PX4")
    setpoint = binding.outputs[0].fill([1.0, 2.0, 3.0, 0.5], 0, 5_000_000)
    assert list(setpoint.velocity) == [2.0, 1.0, -3.0]
    assert setpoint.yawspeed == -0.5
    assert setpoint.timestamp == 5_000
    assert all(math.isnan(value) for value in setpoint.position)
    assert binding.outputs[1].fill([0.0] * 4, 0, 0).velocity is True
    assert all(output.only_alive for output in binding.outputs)
    state = message("px4_msgs/VehicleLocalPosition")()
    state.x, state.y, state.z = 1.0, 2.0, -30.0
    reads = dict(zip(binding.inputs[0].numbers, (read(state) for read in binding.inputs[0].reads), strict=True))
    assert [reads[number] for number in range(3)] == [2.0, 1.0, 30.0]


def test_ackermann_angles_come_back_as_they_went() -> None:
    binding = example("Ackermann")
    asked = message("ackermann_msgs/AckermannDriveStamped")()
    asked.drive.steering_angle, asked.drive.acceleration = 0.25, 1.5
    reads = [read(asked) for read in binding.commands[0].reads]
    assert reads == [3.0, 1.5]
    sent = binding.outputs[0].fill(reads, 0, 0)
    assert sent.drive.steering_angle == pytest.approx(0.25)
