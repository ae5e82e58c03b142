"""The autonomy process of the demo: ``python -m sim.demo_estop.autonomy``. It wants to drive, always, whatever happens.

It does not know of stops: commands that pile up while a vehicle stands are what makes it bolt after a careless reset.
"""

from __future__ import annotations

import argparse
import signal
import time

import numpy as np

from firmware_bridge.qemu.machine import go_first
from sim.demo.shm_link import Pilot

PERIOD_S = 0.02
SPEED_MPS = 1.0


def drive(instance: str) -> None:
    """Asks for full speed straight on, fifty times a second, until it is ended."""
    link = Pilot(instance)
    go_first(0)
    command = np.array([SPEED_MPS, 0.0])
    next_s = time.monotonic()
    while True:
        link.send(command, time.monotonic_ns())
        next_s = max(next_s + PERIOD_S, time.monotonic() - PERIOD_S)
        time.sleep(max(0.0, next_s - time.monotonic()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instance", required=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the director ends the demo, not the terminal
    drive(parser.parse_args().instance)


if __name__ == "__main__":
    main()
