"""What must hold after every tick, whatever came in. Written against the policy's arrays, not against the core."""

from __future__ import annotations

import math

import numpy as np

from safetykit.core import layout as at
from safetykit.core.vocabulary import State
from safetykit.policy import Policy

SLACK = 1e-9


class Invariants:
    """Checks one guard's frame after each tick against what it was before."""

    def __init__(self, policy: Policy, frame: np.record) -> None:
        self.policy = policy
        self.channels = range(len(policy.channels))
        self._remember(frame)

    def _remember(self, frame: np.record) -> None:
        self.sent = frame.out_sent.copy()
        self.state = int(frame.st_state)
        self.now_ns = int(frame.st_now_ns)
        self.event = int(frame.st_stop_event)
        self.reset_seq = int(frame.st_reset_seq)

    def check(self, frame: np.record) -> None:
        """Raises AssertionError with what was broken."""
        assert frame.st_state in State.__members__.values()
        for c in self.channels:
            self._check_channel(frame, c)
        self._check_norms(frame)
        self._check_latch(frame)
        if frame.st_state in (State.BOOT, State.EMERGENCY_STOP):
            assert frame.out_power == 0
        if frame.st_state != State.ENGAGED:
            assert frame.out_request_bits == 0
        self._remember(frame)

    def _check_channel(self, frame: np.record, c: int) -> None:
        row, row_i = at.L_CHANNEL + c * at.CH_COLS, at.T_CHANNEL + c * at.CHI_COLS
        limits, sent, last = self.policy.limits, float(frame.out_sent[c]), float(self.sent[c])
        assert math.isfinite(sent), f"{self.policy.channels[c]} is {sent}"
        assert limits[row + at.HARD_LO] <= sent <= limits[row + at.HARD_HI], f"{self.policy.channels[c]} = {sent}"
        assert sent == frame.st_sent[c]
        flags = self.policy.timing[row_i + at.FLAGS]
        if frame.st_state == State.EMERGENCY_STOP and flags & at.EMERGENCY_JUMPS:
            assert sent == limits[row + at.EMERGENCY]
            return
        if flags & at.JUMPS and frame.out_reason[c]:
            return
        dt_ns = min(max(int(frame.st_now_ns) - self.now_ns, 0), int(self.policy.timing[at.DT_MAX_NS]))
        if frame.out_seq == 1:
            dt_ns = int(self.policy.timing[at.PERIOD_NS])
        up, down = self._fastest(row_i, at.RATE_UP, row), self._fastest(row_i, at.RATE_DOWN, row)
        slack = SLACK * (limits[row + at.HARD_HI] - limits[row + at.HARD_LO])
        assert sent - last <= up * dt_ns * 1e-9 + slack, f"{self.policy.channels[c]} rose from {last} to {sent}"
        assert last - sent <= down * dt_ns * 1e-9 + slack, f"{self.policy.channels[c]} fell from {last} to {sent}"

    def _fastest(self, row_i: int, column: int, row: int) -> float:
        """The loosest value that the rate may ever have."""
        table = self.policy.timing[row_i + at.CHI_TABLE + column]
        if table < 0:
            return float(self.policy.limits[row + column])
        start = at.L_TABLE + table * at.TABLE_COLS + at.TABLE_Y
        points = self.policy.timing[at.T_TABLE + table * at.TABLE_COLS_I + at.TABLE_POINTS]
        return float(self.policy.limits[start : start + points].max())

    def _check_norms(self, frame: np.record) -> None:
        for g in range(self.policy.timing[at.GROUP_COUNT]):
            row_i = at.T_GROUP + g * at.GROUP_COLS_I
            members = self.policy.timing[row_i + at.GROUP_CHANNEL :][: self.policy.timing[row_i + at.GROUP_N]]
            jumps = any(self.policy.timing[at.T_CHANNEL + c * at.CHI_COLS + at.FLAGS] & at.JUMPS for c in members)
            if self.policy.timing[row_i + at.GROUP_TABLE] < 0 and not jumps:
                longest = self.policy.limits[at.L_GROUP + g * at.GROUP_COLS + at.NORM]
                assert math.hypot(*frame.out_sent[members]) <= longest * (1 + SLACK)

    def _check_latch(self, frame: np.record) -> None:
        if self.state < State.PROTECTIVE_STOP or frame.st_state >= State.PROTECTIVE_STOP:
            return
        assert frame.st_state == State.STANDBY, "a latched stop ends in STANDBY only"
        assert frame.in_reset_seq != self.reset_seq, "a latched stop ended without a reset request"
        assert frame.in_reset_event == self.event, "a latched stop ended by the reset of another event"
