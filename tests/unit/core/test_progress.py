"""The progress of a tick: every stage, once, in order; anything else ends in another word."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from safetykit.core import layout as lay
from safetykit.core import progress
from safetykit.core.protocol import PROGRESS_ROTATE, TOKENS, Stage
from safetykit.core.step import start, step
from safetykit.policy import load_policy

pytestmark = pytest.mark.core

IN_LOOP = (Stage.ENCODE, Stage.SEND, Stage.RECORD)
CHALLENGES = (0, 1, 0xFFFFFFFF, 0x80000000, 0x12345678)


def folded(challenge: int, stages: list[Stage]) -> int:
    word = challenge
    for stage in stages:
        word = int(progress.fold(word, stage))
    return word


def naive(challenge: int) -> int:
    """Rotate as text, so that nothing is shared with the code under test."""
    word = challenge
    for token in TOKENS:
        bits = f"{word:032b}"
        word = int(bits[PROGRESS_ROTATE:] + bits[:PROGRESS_ROTATE], 2) ^ token
    return word


@pytest.mark.parametrize("challenge", CHALLENGES)
def test_the_whole_progress_is_all_stages_in_order(challenge: int) -> None:
    assert progress.whole(challenge) == folded(challenge, list(Stage)) == naive(challenge)


def test_no_two_stages_can_change_places() -> None:
    """The difference does not depend on the challenge, so this is shown for all of them."""
    for first, second in itertools.combinations(Stage, 2):
        stages = list(Stage)
        stages[first], stages[second] = stages[second], stages[first]
        assert folded(0, stages) != progress.whole(0), f"{first.name} and {second.name}"


def test_a_skipped_or_repeated_stage_shows_on_random_challenges() -> None:
    rng = random.Random(7)
    for stage in Stage:
        for _ in range(50):
            challenge = rng.getrandbits(32)
            without = [other for other in Stage if other != stage]
            twice = [*list(Stage)[: stage + 1], *list(Stage)[stage:]]
            assert folded(challenge, without) != progress.whole(challenge)
            assert folded(challenge, twice) != progress.whole(challenge)


@pytest.mark.parametrize("name", ["quadrotor", "rover", "restrictive"])
def test_a_step_passes_every_stage_of_the_core(name: str) -> None:
    policy = load_policy(name)
    frame = lay.new_frames().view(np.recarray)[0]
    start(policy.limits, policy.timing, frame)
    for challenge in CHALLENGES:
        frame.in_progress = int(progress.fold(challenge, Stage.GATHER))
        frame.in_now_ns += policy.period_ns
        step(policy.limits, policy.timing, frame)
        left = folded(int(frame.out_progress), list(IN_LOOP))
        assert left == progress.whole(challenge)


def test_a_step_that_does_not_run_leaves_the_progress_of_the_tick_before() -> None:
    policy = load_policy("rover")
    frame = lay.new_frames().view(np.recarray)[0]
    start(policy.limits, policy.timing, frame)
    frame.in_progress = int(progress.fold(1, Stage.GATHER))
    step(policy.limits, policy.timing, frame)
    assert folded(int(frame.out_progress), list(IN_LOOP)) != progress.whole(2)
