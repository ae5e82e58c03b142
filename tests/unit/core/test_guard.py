"""The guard as an object: one tick or many, the same core."""

from __future__ import annotations

import numpy as np
import pytest

from safetykit import Command, Guard, load_policy
from safetykit.core.vocabulary import Fault, State
from tests.drive import PERIOD_NS, START_NS, Drive, document

pytestmark = pytest.mark.core


def test_run_batch_is_step_repeated() -> None:
    rng = np.random.default_rng(7)
    count = 300
    commands = np.column_stack([np.zeros(count), rng.normal(0, 4, count)])
    commands[rng.random(count) < 0.05, 1] = np.nan
    single = Drive()
    names = single.guard.policy.inputs
    inputs = np.zeros((count, len(names)))
    inputs[5:, names.index("engage")] = 1.0
    inputs[200:, names.index("engage")] = rng.integers(0, 2, count - 200)
    now = START_NS + PERIOD_NS * np.arange(1, count + 1)
    faults = np.zeros(count, np.int64)
    faults[150] = 1 << Fault.STOP_REQUEST
    batch = Drive().guard.run_batch(now, commands, inputs, conditions=faults)
    for row in range(count):
        conditions = [Fault.STOP_REQUEST] if faults[row] else []
        heard = dict(zip(names, inputs[row], strict=True))
        decision = single.tick(commands[row, 1], inputs=heard, conditions=conditions)
        assert batch.sent[row, 1] == decision.sent["a"]
        assert (batch.action[row], batch.state[row]) == (decision.action, decision.state)
        assert batch.power[row] == decision.power
        assert batch.faults[row] == sum(1 << Fault[name] for name in decision.faults)
        assert batch.reason[row, 1] == sum(1 << Fault[name] for name in decision.reasons.get("a", ()))
    assert set(batch.state) >= {State.STANDBY, State.ENGAGED, State.PROTECTIVE_STOP}


def test_a_repeated_stamp_in_a_batch_is_no_new_command() -> None:
    guard = Drive().engaged().guard
    now = guard.frame.in_now_ns + PERIOD_NS * np.arange(1, 31)
    inputs = np.tile(guard.frame.in_value[: len(guard.policy.inputs)], (30, 1))
    result = guard.run_batch(now, np.full((30, 2), 0.1), inputs, stamps_ns=np.full(30, now[0]))
    assert result.state[2] == State.ENGAGED
    assert result.state[-1] == State.RECOVERY


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda g: g.step(1, {"b": 1.0}), "no 'b'"),
        (lambda g: g.step(1, [1.0], {"sped": 1.0}), "no 'sped'"),
        (lambda g: g.step(1, Command([1.0], request=["z"])), "no 'z'"),
        (lambda g: g.run_batch([1], [[1.0]], [[0.0] * 6]), "commands must have shape"),
        (lambda g: g.run_batch([1], [[1.0, 1.0]], [[0.0]]), "inputs must have shape"),
        (lambda g: g.run_batch([1], [[1.0, 1.0]], [[0.0] * 6], conditions=[1, 2]), "equal length"),
    ],
)
def test_misuse_is_told_before_the_tick(call: object, message: str) -> None:
    guard = Drive(document()).guard
    with pytest.raises(ValueError, match=message):
        call(guard)  # type: ignore[operator]
    assert guard.frame.out_seq == 0


def test_the_example_of_the_readme() -> None:
    guard = Guard(load_policy("rover"))
    decision = guard.step(1_000_000_000, {"linear_mps": 0.2, "angular_radps": 0.0}, {"engage": 0.0})
    assert decision.state is State.STANDBY
    assert decision.sent == {"linear_mps": 0.0, "angular_radps": 0.0}
