"""The rover of the demo: it does what arrives from the guard while its actuators have power, and coasts without.

It trusts nobody's word that power is off: it asks the relays. It does not look at how old a command is either, so that
nothing but the relays stops it when the guard is frozen or dead.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.qemu.machine import go_first
from safetykit.runtime import paths
from safetykit.runtime.actuator import ActuatorReader
from safetykit.runtime.mailbox import MailboxWriter
from sim.demo.shm_link import source_inputs
from sim.vehicles import Rover

FloatArray = NDArray[np.float64]

PERIOD_S = 0.01
FRICTION_MPS2 = 1.5  # gears and tyres of a small rover whose motors have no power


@dataclass
class PoweredRover:
    """A rover behind the relays."""

    rover: Rover = field(default_factory=Rover)
    way_m: float = 0.0  # travelled so far

    @property
    def speed_mps(self) -> float:
        return self.rover.speed_mps

    def step(self, command: FloatArray, power: bool, dt_s: float) -> None:
        """Follow the command with power; lose speed by friction without."""
        before = self.rover.position_m
        if power:
            self.rover.step(command, dt_s)
        else:
            speed = max(0.0, abs(self.rover.speed_mps) - FRICTION_MPS2 * dt_s)
            self.rover.speed_mps = float(np.copysign(speed, self.rover.speed_mps))
            self.rover.yaw_rate_radps = 0.0
            heading = np.array([np.cos(self.rover.yaw_rad), np.sin(self.rover.yaw_rad)])
            self.rover.position_m = before + dt_s * self.rover.speed_mps * heading
        self.way_m += float(np.linalg.norm(self.rover.position_m - before))


class Vehicle:
    """A thread that receives, moves and measures. `engage` is the operator's button on the vehicle."""

    def __init__(self, directory: Path, power: Callable[[], bool]) -> None:
        self.body = PoweredRover()
        self.engage = False
        self.rows: list[tuple[float, float, float]] = []  # monotonic time in s, speed, way
        self._power = power
        self._actuator = ActuatorReader(directory / paths.ACTUATOR)
        info = paths.guard_info(directory)
        self._sources = {
            name: (MailboxWriter(directory / paths.input_name(name)), source_inputs(info, name))
            for name in ("vehicle", "operator")
        }
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._drive, name="vehicle", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def close(self) -> None:
        """Ends the thread."""
        self._ending.set()
        self._thread.join()

    def way_at(self, time_ns: int) -> float:
        """Way travelled until then."""
        rows = np.array(list(self.rows))  # copied in one go: the thread appends
        return float(np.interp(time_ns * 1e-9, rows[:, 0], rows[:, 2]))

    def _drive(self) -> None:
        go_first(0)
        command = np.zeros(2)
        before_s = time.monotonic()
        while not self._ending.wait(PERIOD_S):
            view = self._actuator.read()
            if view is not None:
                command = view.sent
            now_s = time.monotonic()
            self.body.step(command, self._power(), now_s - before_s)
            before_s = now_s
            self.rows.append((now_s, self.body.speed_mps, self.body.way_m))
            self._publish()

    def _publish(self) -> None:
        measured = {
            "speed_mps": self.body.speed_mps,
            "yaw_rate_meas_radps": self.body.rover.yaw_rate_radps,
            "engage": float(self.engage),
        }
        for mailbox, names in self._sources.values():
            mailbox.publish([measured[name] for name in names])
