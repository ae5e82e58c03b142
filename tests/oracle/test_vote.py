"""The vote against a slow version written another way: histories are kept whole, medians come from sorting."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safetykit.core.vocabulary import Fault
from safetykit.runtime.guard import Command
from tests.drive import PERIOD_NS
from tests.unit.core.test_vote import DISAGREE_TICKS, Voters, redundant

TOLERANCE, ALIGN_NS, LATE_NS, STALE_NS = 0.5, 20_000_000, 25_000_000, 200_000_000
EDGES = (0.0, 0.5, 0.5 + 1e-12, 0.5 - 1e-12, 1.0, -0.5, -0.5 - 1e-12, 4.0, -4.0, -0.0)
VOTE, VOTE_LOST = 1 << Fault.VOTE, 1 << Fault.VOTE_LOST


@dataclass
class Voter:
    """What one sender did: (stamp, value) of its accepted commands, and whether the newest was refused."""

    accepted: list[tuple[int, float]] = field(default_factory=list)
    refused: bool = False
    near: list[bool | None] = field(default_factory=list)  # by tick; None = could not be judged
    unheard: list[bool] = field(default_factory=list)
    out: bool = False


@dataclass
class SlowVote:
    """ENGAGED all the time; faults of content are only told from none."""

    needed: int
    voters: list[Voter]
    ask: float = 0.0
    agreed: list[bool] = field(default_factory=list)

    def tick(self, now_ns: int, sent: list[tuple[int, float] | None]) -> tuple[float, bool, bool, list[float]]:
        """(ask, somebody is missing, nobody agrees for too long, values of those that count)."""
        for voter, new in zip(self.voters, sent, strict=True):
            if new is not None:
                voter.refused = not math.isfinite(new[1])
                if not voter.refused:
                    voter.accepted.append(new)
        sound = [v for v in self.voters if v.accepted and not v.refused and now_ns - v.accepted[-1][0] <= LATE_NS]
        newest = max((v.accepted[-1][0] for v in sound), default=0)
        heard = [v for v in sound if newest - v.accepted[-1][0] <= ALIGN_NS]
        inside = [v for v in heard if not v.out]
        values = [v.accepted[-1][1] for v in inside]
        agreed = len(values) >= self.needed
        if agreed and len(values) == 3:
            self.ask = median(values)
            agreed = sum(abs(value - self.ask) <= TOLERANCE for value in values) >= self.needed
        elif agreed:
            agreed = max(values) - min(values) <= TOLERANCE
            self.ask = values[0] if agreed else sorted([min(values), self.ask, max(values)])[1]
        self.agreed.append(agreed)
        missing = len(inside) < len(self.voters)
        self._outvote(heard, agreed)
        recent = self.agreed[-DISAGREE_TICKS - 1 :]
        return self.ask, missing, len(recent) > DISAGREE_TICKS and not any(recent), values

    def _outvote(self, heard: list[Voter], agreed: bool) -> None:
        """Out or in again after more than DISAGREE_TICKS ticks in a row that say so; ticks that say nothing pass by."""
        for voter in self.voters:
            if voter not in heard:
                voter.near.clear()
                continue
            near = abs(voter.accepted[-1][1] - self.ask) <= TOLERANCE if agreed else None
            if near is not None and near != voter.out:
                voter.near.clear()
                continue
            voter.near.append(near)
            if near is not None and len(voter.near) > DISAGREE_TICKS:
                voter.out = not voter.out
                voter.near.clear()


value = st.one_of(st.sampled_from(EDGES), st.floats(-5, 5), st.sampled_from((math.nan, math.inf)))
# (value, age in periods) of each voter in a tick; long runs, so that times are reached
said = st.one_of(st.none(), st.tuples(value, st.sampled_from((0, 0, 0, 1, 2))))
runs = st.lists(st.tuples(st.lists(said, min_size=3, max_size=3), st.integers(1, 9)), min_size=1, max_size=12)


@pytest.mark.parametrize(("voters", "needed"), [(3, 2), (3, 1), (3, 3), (2, 2), (2, 1)])
@given(script=runs)
@settings(max_examples=120, deadline=None)
def test_the_vote_by_keeping_everything(voters: int, needed: int, script: list) -> None:  # type: ignore[type-arg]
    made = redundant(voters, needed)
    reactions = {"VOTE_LOST": "HOLD"}
    drive = Voters({**made, "reactions": reactions}).engaged()
    frame = drive.guard.frame
    slow = SlowVote(needed, [Voter([(drive.now_ns, 0.0)]) for _ in range(voters)], agreed=[True])
    stamps = [drive.now_ns] * voters
    for asked, ticks in script:
        for _ in range(ticks):
            now_ns = drive.now_ns + PERIOD_NS
            commands: list[Command | None] = []
            sent: list[tuple[int, float] | None] = []
            for r in range(voters):
                new = asked[r]
                stamp_ns = now_ns - (0 if new is None else new[1] * PERIOD_NS)
                if new is None or stamp_ns <= stamps[r]:
                    commands.append(None)
                    sent.append(None)
                    continue
                if math.isfinite(new[0]):
                    stamps[r] = stamp_ns
                commands.append(Command((0.0, new[0], 0.0), stamp_ns=stamp_ns))
                sent.append((stamp_ns, new[0]))
            drive.ask(*commands)
            if frame.st_state != 2:  # a sender was stale: COMMAND_STALE counts as it is
                return
            ask, missing, lost, values = slow.tick(now_ns, sent)
            assert float(frame.st_ask[1]) == ask
            if len(values) >= needed:
                assert min(values) <= float(frame.st_ask[1]) <= max(values)
            faults = int(frame.out_faults)
            assert (faults & VOTE_LOST != 0) == lost
            assert not missing or faults & VOTE
