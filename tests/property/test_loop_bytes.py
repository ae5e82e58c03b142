"""Whatever lies in the mailboxes, whenever a tick comes: what is sent is finite, bounded, slow enough; stops latch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from safetykit.core import layout as lay
from safetykit.core.vocabulary import State
from safetykit.policy import load_policy
from safetykit.runtime import loop, mailbox
from tests.unit.runtime.rig import Rig, violations

PRESETS = ("quadrotor", "car-angle")
POLICIES = {name: load_policy(name) for name in PRESETS}
LATCHED = (State.PROTECTIVE_STOP, State.EMERGENCY_STOP)

NAN, INF, ONE = (int(np.float64(value).view(np.int64)) for value in (np.nan, np.inf, 1.0))
EDGES = [0, 1, -1, 2, 64, 65, 2**31, 2**62, 2**63 - 1, -(2**63), NAN, INF, ONE, mailbox.MAGIC]
words = st.one_of(st.sampled_from(EDGES), st.integers(-(2**63), 2**63 - 1))
slots = st.integers(0, loop.SLOTS - 1)
edits = st.lists(st.tuples(st.integers(0, mailbox.WORDS - 1), words), max_size=8)
# Time: on time, late, standing still, backwards, and as far off as a clock can be.
steps_ns = st.one_of(
    st.integers(0, 50_000_000), st.integers(-(10**9), 10**9), st.sampled_from([-(2**61), 2**61, 10_000_000])
)


class AnyBytes(RuleBasedStateMachine):
    """Random writes of every kind between ticks at any time; the invariant looks at every output."""

    preset = "quadrotor"

    @initialize()
    def wire(self) -> None:
        self.rig = Rig(POLICIES[self.preset])
        self.before: Any = None
        self.wrong: list[str] = []
        self.resets = 0

    def _see(self, after_ns: int) -> None:
        policy, frame = self.rig.policy, self.rig.frame
        last = frame.st_sent.copy()
        state, resets = int(frame.st_state), int(self.rig.w.memory[loop.RESET_SEQ])
        started, earlier = int(frame.st_started), int(frame.st_now_ns)
        view = self.rig.tick(after_ns)
        elapsed = min(max(self.rig.now_ns - earlier, 0), int(policy.timing[lay.DT_MAX_NS]))
        dt_s = (elapsed if started else policy.period_ns) * 1e-9
        self.wrong += violations(policy, last, view.sent, view.reasons, int(frame.st_state), dt_s)
        if int(self.rig.w.memory[loop.RESET_SEQ]) == resets and state in LATCHED and frame.st_state not in LATCHED:
            self.wrong.append(f"left {State(state).name} without a reset")
        if state == State.EMERGENCY_STOP and frame.st_state == State.EMERGENCY_STOP and view.power:
            self.wrong.append("power in EMERGENCY_STOP")

    @rule(after_ns=steps_ns, count=st.integers(1, 3))
    def ticks(self, after_ns: int, count: int) -> None:
        for _ in range(count):
            if abs(self.rig.now_ns + after_ns) < 2**62:
                self._see(after_ns)

    @rule(ask=st.lists(st.floats(width=64), min_size=0, max_size=40), words_=st.tuples(words, words, words))
    def any_command(self, ask: list[float], words_: tuple[int, int, int]) -> None:
        self.rig.command(ask, stamp_ns=words_[0], seq=words_[1], bits=words_[2])

    @rule(ask=st.floats(-100.0, 100.0), engage=st.booleans(), count=st.integers(1, 12))
    def drive(self, ask: float, engage: bool, count: int) -> None:
        """Well-formed driving, so that the machine gets beyond STANDBY."""
        for _ in range(count):
            self.rig.inputs(engage=float(engage))
            self.rig.command([ask] * len(self.rig.policy.channels))
            self._see(self.rig.policy.period_ns)

    @rule(slot=slots, seed=st.integers(0, 2**32 - 1))
    def garbage(self, slot: int, seed: int) -> None:
        self.rig.boxes[slot][:] = np.random.default_rng(seed).integers(-(2**63), 2**63, mailbox.WORDS, np.int64)

    @rule(slot=slots, edits=edits)
    def sealed(self, slot: int, edits: list[tuple[int, int]]) -> None:
        """Any content with a checksum that fits: what a hostile or mad, but complete, writer leaves."""
        box = self.rig.boxes[slot]
        lock = int(box[mailbox.LOCK])
        for word, value in edits:
            box[word] = value
        box[mailbox.MAGIC_AT] = mailbox.MAGIC
        box[mailbox.CHECKSUM] = mailbox.checksum(box, 0)
        box[mailbox.LOCK] = (lock + 2 & (1 << 62) - 1) & ~1

    @rule(slot=slots, edits=edits)
    def torn(self, slot: int, edits: list[tuple[int, int]]) -> None:
        for word, value in edits:
            self.rig.boxes[slot][word] = value

    @rule(client=st.sampled_from(("cli", "bridge")), bits=st.integers(0, 7), event=st.integers(-1, 4))
    def control(self, client: str, bits: int, event: int) -> None:
        self.rig.control(client, bits=bits, aux=event)

    @precondition(lambda self: self.wrong)
    @rule()
    def nothing_after_a_failure(self) -> None:
        """Keeps the shrunk example short."""

    @invariant()
    def nothing_wrong_was_sent(self) -> None:
        assert getattr(self, "wrong", []) == []


class AnyBytesCar(AnyBytes):
    preset = "car-angle"


STEPS = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestQuadrotor = AnyBytes.TestCase
TestQuadrotor.settings = STEPS
TestCar = AnyBytesCar.TestCase
TestCar.settings = STEPS


@pytest.mark.parametrize("preset", PRESETS)
@given(seed=st.integers(0, 2**32 - 1), after_ns=steps_ns)
@settings(max_examples=100, deadline=None)
def test_garbage_everywhere_from_the_start(preset: str, seed: int, after_ns: int) -> None:
    """All mailboxes full of random bytes before the loop is even wired."""
    random = np.random.default_rng(seed)
    boxes = [random.integers(-(2**63), 2**63, mailbox.WORDS, np.int64) for _ in range(loop.SLOTS)]
    rig = Rig(POLICIES[preset], boxes=boxes)
    for _ in range(12):
        last = rig.frame.st_sent.copy()
        view = rig.tick(max(after_ns, 0) % 10**9)
        assert violations(rig.policy, last, view.sent, view.reasons, int(rig.frame.st_state), 1.0) == []
    # A control mailbox that stays unreadable may hide a stop.
    assert rig.frame.st_state in LATCHED
    assert "STOP_REQUEST" in rig.in_faults()
