"""The ROS 2 node is killed and frozen at random while it carries commands; the guard does not notice.

As tests/chaos, with the real node, a real autonomy process and real DDS in place of the mailbox actors.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from safetykit.core.vocabulary import State
from safetykit.policy import load_policy
from safetykit.runtime import paths
from tests.chaos.judge import Judge
from tests.ros.stand import Stand

BLOWS = 50
KILL_SHARE = 0.3  # a node that was killed takes seconds to come back
FREEZE_S, CALM_S = (0.02, 0.5), (0.2, 1.2)
ENGAGE_S, RELEASE_S = 0.8, 0.2  # the operator presses again and again
LIMIT_S = 240.0
SEED = 20261123

pytestmark = [pytest.mark.ros, pytest.mark.chaos, pytest.mark.slow]


@pytest.fixture
def rover(tmp_path: Path) -> Iterator[Stand]:
    stand = Stand(tmp_path, Path("rover"))
    stand.state("STANDBY")
    guard = stand.guard_pid
    yield stand
    stand.close()
    os.kill(guard, signal.SIGTERM)


def test_a_node_that_dies_and_freezes_does_not_disturb_the_guard(rover: Stand) -> None:
    chance, blows = random.Random(SEED), Counter[str]()
    judge = Judge(rover.folder / "run" / "default" / paths.RING, load_policy("rover"))
    rover.autonomy().order(values=[0.3, 0.1], stamp="now", silent=False)
    end_s = time.monotonic() + LIMIT_S
    while blows.total() < BLOWS and time.monotonic() < end_s:
        work(rover, judge, chance.uniform(*CALM_S))
        if chance.random() < KILL_SHARE:
            rover.node.kill()
            rover.node.wait()
            blows["killed"] += 1
            rover.observer.states.append("NO_NODE")
            rover.node = rover.safetykit("ros", "--policy", "rover", "--attach")
            while rover.observer.states[-1] not in State.__members__ and time.monotonic() < end_s:
                work(rover, judge, 0.1)
        else:
            rover.node.send_signal(signal.SIGSTOP)
            blows["frozen"] += 1
            work(rover, judge, chance.uniform(*FREEZE_S))
            rover.node.send_signal(signal.SIGCONT)
    story = f"blows {dict(blows)}, frames by state {dict(judge.states)}"
    assert blows.total() == BLOWS, story
    assert judge.wrong == [], story
    assert judge.states[State.ENGAGED] > 300, story


def work(stand: Stand, judge: Judge, seconds: float) -> None:
    """Time passes: the operator presses engage, every frame is judged."""
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        stand.observer.engage = time.monotonic() % (ENGAGE_S + RELEASE_S) < ENGAGE_S
        judge.look()
        time.sleep(0.02)
