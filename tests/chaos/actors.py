"""The processes that get killed: each runs until somebody ends it, and says nothing about its end."""

from __future__ import annotations

import random
import time
from pathlib import Path

import numpy as np

from safetykit.policy import load_policy
from safetykit.runtime import mailbox, paths
from safetykit.runtime.actuator import ActuatorReader
from safetykit.runtime.mailbox import MailboxWriter

POLICY = load_policy("quadrotor")
PERIOD_S = 0.01
ENGAGE_S, PAUSE_S = 0.3, 0.06  # the switch: on, and shortly off to engage again after a recovery
STRANGE = (float("nan"), float("inf"), 1e300, -1e300, 0.0)


def autonomy(directory: Path, seed: int) -> None:
    """Commands: mostly plausible, often too much, sometimes no numbers, sometimes of the wrong size."""
    chance = random.Random(seed)
    writer = MailboxWriter(directory / paths.COMMAND)
    ask = [0.0] * len(POLICY.channels)
    while True:
        if chance.random() < 0.1:
            ask = [chance.uniform(-8.0, 8.0) for _ in POLICY.channels]
        sent = [chance.choice(STRANGE) for _ in ask] if chance.random() < 0.02 else ask
        writer.publish(sent, count=len(sent) - (chance.random() < 0.01))
        time.sleep(PERIOD_S)


def adapter(directory: Path, seed: int) -> None:
    """State of the vehicle and the pilot's switch in, outputs out: what a ROS 2 or MAVLink adapter does."""
    chance = random.Random(seed)
    vehicle, operator = (MailboxWriter(directory / paths.input_name(source.name)) for source in POLICY.sources)
    function = MailboxWriter(directory / paths.FUNCTION)
    actuator = ActuatorReader(directory / paths.ACTUATOR)
    while True:
        view = actuator.read()
        sent = [0.0, 0.0, 0.0] if view is None else view.sent[:3].tolist()
        vehicle.publish([0.0, 0.0, 0.0, *sent, sum(value * value for value in sent) ** 0.5])
        engaged = time.monotonic() % (ENGAGE_S + PAUSE_S) < ENGAGE_S
        operator.publish([float(engaged), float(chance.random() < 0.1)])
        if chance.random() < 0.05:
            function.publish([], aux=chance.randint(-1, len(POLICY.functions) + 1))
        time.sleep(PERIOD_S)


# This module is loaded once, before the first actor is forked from it: compile here what every actor needs.
_scratch = np.zeros(2 * mailbox.WORDS, np.int64)
mailbox.publish(_scratch[: mailbox.WORDS].copy(), _scratch[: mailbox.WORDS].copy())
mailbox.receive(_scratch[: mailbox.WORDS].copy(), _scratch, 0, mailbox.WORDS)
