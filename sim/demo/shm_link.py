"""The demo's processes over shared memory: straight into the guard's mailboxes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safetykit.runtime import paths
from safetykit.runtime.mailbox import MailboxReader, MailboxWriter
from sim.demo.links import Received, measurements
from sim.vehicles import Quadrotor

FloatArray = NDArray[np.float64]


class _Sources:
    """Writes named values into the mailbox of one input source, in the policy's order."""

    def __init__(self, instance: str, source: str) -> None:
        directory = paths.run_dir(instance, create=False)
        self.names = source_inputs(paths.guard_info(directory), source)
        self.mailbox = MailboxWriter(directory / paths.input_name(source))

    def publish(self, values: Mapping[str, float]) -> None:
        self.mailbox.publish([values[name] for name in self.names])


def source_inputs(info: Mapping[str, Any], source: str) -> list[str]:
    """Names of a source's inputs, as the running guard states them."""
    entry = next(entry for entry in info["sources"] if entry["name"] == source)
    return list(info["inputs"][entry["first"] : entry["first"] + entry["count"]])


class Pilot:
    def __init__(self, instance: str) -> None:
        directory = paths.run_dir(instance, create=False)
        self.functions = list(paths.guard_info(directory)["functions"])
        self.command = MailboxWriter(directory / paths.COMMAND)
        self.function = MailboxWriter(directory / paths.FUNCTION)

    def send(self, values: FloatArray, stamp_ns: int) -> None:
        self.command.publish(values, stamp_ns=stamp_ns)

    def request(self, function: str) -> None:
        number = self.functions.index(function) + 1 if function in self.functions else -1
        self.function.publish([], aux=number)


class Vehicle:
    def __init__(self, instance: str) -> None:
        directory = paths.run_dir(instance, create=False)
        self.actuator = MailboxReader(directory / paths.ACTUATOR)
        self.state = _Sources(instance, "vehicle")
        self.second = _Sources(instance, "second")
        self.published = 0

    def receive(self) -> list[Received]:
        message = self.actuator.read()
        if message is None or message.published == self.published:
            return []
        self.published = message.published
        return [Received(time.monotonic_ns(), message.stamp_ns, message.values)]

    def publish(self, vehicle: Quadrotor, altitude_2_m: float) -> None:
        self.state.publish(measurements(vehicle))
        self.second.publish({"altitude_2_m": altitude_2_m})


class Operator:
    def __init__(self, instance: str) -> None:
        self.operator = _Sources(instance, "operator")

    def engage(self, pressed: bool) -> None:
        self.operator.publish({name: float(pressed and name == "engage") for name in self.operator.names})
