"""For any content of the inputs and any timing, what is sent stays inside the policy."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from safetykit.core import layout
from safetykit.core.step import step
from safetykit.core.vocabulary import Fault, State
from safetykit.policy import load_policy
from safetykit.runtime.guard import Command, Guard
from tests.drive import PERIOD_NS, START_NS
from tests.invariants import Invariants

PRESETS = ("quadrotor", "car-torque", "car-angle", "rover", "restrictive")
POLICIES = {name: load_policy(name) for name in PRESETS}
INPUT_BYTES = layout.FRAME.fields["st_started"][1]

values = st.one_of(
    st.floats(-3, 3),
    st.floats(-40, 40),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([0.0, -0.0, 1e308, -1e308, 5e-324]),
)
places = st.integers(0, INPUT_BYTES // 8 - 1)
numbers = st.one_of(values, st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1))
anything = numbers.map(lambda n: struct.pack("<d" if isinstance(n, float) else "<q", n))


@pytest.mark.parametrize("preset", PRESETS)
@given(seeds=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=5), words=st.dictionaries(places, anything))
@settings(max_examples=60, deadline=None)
def test_any_bytes_in_the_input_part_of_the_frame(preset: str, seeds: list[int], words: dict[int, bytes]) -> None:
    """Bytes by chance, a new lot in each tick, and some words of our own choosing in all of them."""
    policy = POLICIES[preset]
    guard = Guard(policy)
    raw = guard._frames.view(np.uint8)
    checks = Invariants(policy, guard.frame)
    for seed in seeds:
        raw[:INPUT_BYTES] = np.frombuffer(np.random.default_rng(seed).bytes(INPUT_BYTES), np.uint8)
        for place, word in words.items():
            raw[8 * place : 8 * place + 8] = np.frombuffer(word, np.uint8)
        step(policy.limits, policy.timing, guard.frame)
        checks.check(guard.frame)


class AnyDrive(RuleBasedStateMachine):
    """An operator, an autonomy and a vehicle that do anything, mostly plausible things."""

    preset = "quadrotor"

    def __init__(self) -> None:
        super().__init__()
        self.policy = POLICIES[self.preset]
        self.guard = Guard(self.policy)
        self.checks = Invariants(self.policy, self.guard.frame)
        self.now_ns = START_NS
        self.inputs = {name: self._quiet(name) for name in self.policy.inputs}

    def _quiet(self, name: str) -> float:
        row = layout.L_INPUT + self.policy.input_index(name) * layout.INPUT_COLS
        return float(np.clip(0.0, self.policy.limits[row], self.policy.limits[row + 1]))

    def tick(self, command: object = None, dt_ns: int = PERIOD_NS, **options: object) -> None:
        self.now_ns += dt_ns
        self.guard.step(self.now_ns, command, self.inputs, **options)  # type: ignore[arg-type]
        self.checks.check(self.guard.frame)

    @rule()
    def engage(self) -> None:
        for level in (0.0, 0.0, 1.0):
            if "engage" in self.inputs:
                self.inputs["engage"] = level
            self.tick([0.0] * len(self.policy.channels))

    @rule(data=st.data(), count=st.integers(1, 8))
    def command(self, data: st.DataObject, count: int) -> None:
        asked = data.draw(st.lists(values, min_size=len(self.policy.channels), max_size=len(self.policy.channels)))
        for _ in range(count):
            self.tick(asked)

    @rule(asked=st.lists(values, max_size=40), stamp=st.integers(-(10**10), 10**9), seq=st.integers(-(2**62), 2**62))
    def odd_command(self, asked: list[float], stamp: int, seq: int) -> None:
        self.tick(Command(asked, stamp_ns=self.now_ns + stamp, seq=seq))

    @rule(dt_ns=st.one_of(st.integers(0, 10**8), st.integers(-(10**9), 10**12)))
    def odd_time(self, dt_ns: int) -> None:
        self.tick(dt_ns=max(dt_ns, -self.now_ns))

    @rule(data=st.data(), value=values)
    def hear(self, data: st.DataObject, value: float) -> None:
        self.inputs[data.draw(st.sampled_from(sorted(self.inputs)))] = value

    @rule()
    def calm(self) -> None:
        self.inputs = {name: self._quiet(name) for name in self.policy.inputs}

    @rule(fault=st.sampled_from([Fault.STOP_REQUEST, Fault.STOP_BUTTON, Fault.DEADLINE, Fault.BLACKBOX]))
    def outside(self, fault: Fault) -> None:
        self.tick(conditions=[fault])

    @rule(name=st.sampled_from(["take_off", "land", "no_such_function"]))
    def ask_function(self, name: str) -> None:
        self.tick(function=name)

    @rule(off=st.integers(-1, 1))
    @precondition(lambda self: self.guard.frame.st_state != State.ENGAGED)
    def reset(self, off: int) -> None:
        self.tick(reset=int(self.guard.frame.st_stop_event) + off)

    @invariant()
    def output_is_finite(self) -> None:
        assert np.isfinite(self.guard.frame.out_sent).all()


def _machine(preset: str) -> type:
    machine = type(f"AnyDrive_{preset}", (AnyDrive,), {"preset": preset})
    machine.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
    return machine.TestCase


TestQuadrotor = _machine("quadrotor")
TestCarTorque = _machine("car-torque")
TestCarAngle = _machine("car-angle")
TestRover = _machine("rover")
