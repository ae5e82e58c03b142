"""The vehicle process of the demo: ``python -m sim.demo.vehicle``. A quadrotor that does whatever arrives.

It writes down every command as it arrived. That record, not the guard's, is what the demo is judged by.
"""

from __future__ import annotations

import argparse
import signal
import time
from pathlib import Path
from types import FrameType

import numpy as np

from sim.demo.fences import TRACK_WIDTH
from sim.demo.links import vehicle_link
from sim.demo.record import RowWriter
from sim.vehicles import Quadrotor

PERIOD_S = 0.004
MEASURE_EVERY = 3  # periods: measurements at about 80 Hz
WIDTH = 6  # arrival, stamp (both s), four values
LIE, TRUTH = signal.SIGUSR1, signal.SIGUSR2  # what the second altimeter is to tell from now on
LIE_M = 4.0


class SecondAltimeter:
    """Tells the altitude, or one that is `LIE_M` too high: signals of the director switch it."""

    def __init__(self) -> None:
        self.error_m = 0.0
        signal.signal(LIE, self._switch)
        signal.signal(TRUTH, self._switch)

    def _switch(self, number: int, frame: FrameType | None) -> None:
        self.error_m = LIE_M if number == LIE else 0.0

    def read(self, vehicle: Quadrotor) -> float:
        return float(vehicle.position_m[2]) + self.error_m


def drive(arguments: argparse.Namespace) -> None:
    """Receives, moves, measures."""
    link = vehicle_link(arguments.transport, arguments.instance)
    received = RowWriter(arguments.record, WIDTH)
    track = RowWriter(arguments.track, TRACK_WIDTH)
    vehicle, altimeter = Quadrotor(), SecondAltimeter()
    command = np.zeros(4)
    before_s = next_s = time.monotonic()
    count = 0
    while True:
        for message in link.receive():
            received.append(message.arrival_ns * 1e-9, message.stamp_ns * 1e-9, *message.values)
            command = message.values
        now_s = time.monotonic()
        vehicle.step(command, now_s - before_s)
        before_s = now_s
        if count % MEASURE_EVERY == 0:
            link.publish(vehicle, altimeter.read(vehicle))
            track.append(now_s, *vehicle.position_m, *vehicle.velocity_mps, vehicle.yaw_rad)
        count += 1
        next_s = max(next_s + PERIOD_S, now_s)
        time.sleep(max(0.0, next_s - time.monotonic()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--transport", required=True)
    parser.add_argument("--instance", required=True)
    parser.add_argument("--record", type=Path, required=True)
    parser.add_argument("--track", type=Path, required=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    drive(parser.parse_args())


if __name__ == "__main__":
    main()
