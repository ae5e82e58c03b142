"""Guards that start within milliseconds: ``python -m tests.hil.bare_guard POLICY PORT``, a nursery.

It loads the production loop once; for every line on its standard input it forks a child that takes the run directory,
opens the port and runs that loop, without self-test and recorder, and prints the child's process number. Tests kill
the children; the nursery reaps them.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

from firmware_bridge.serial_port import SerialLine
from safetykit.core.vocabulary import Device
from safetykit.policy import Policy, load_policy
from safetykit.runtime import device, loop, paths
from safetykit.runtime.wiring import Station

LOOK_S = 0.05


def station_of(policy: Policy) -> Station:
    sources = [source.name for source in policy.sources]
    return Station(paths.run_dir(), policy.limits, policy.timing, sources, Device.MICROCONTROLLER)


def live(policy: Policy, port: str) -> None:
    """One guard, until it is killed."""
    station = station_of(policy)
    station.wiring.memory[loop.SELFTEST_OK] = 1
    line = SerialLine(port, 1, lambda text: None)
    threading.Thread(target=loop.run, args=(station.wiring,), daemon=True).start()
    nursery = os.getppid()
    while os.getppid() == nursery:
        device.hand_over(station.wiring.device, line.look())
        time.sleep(LOOK_S)
    os._exit(0)


def main(policy_path: str, port: str) -> None:
    policy = load_policy(policy_path)
    first = station_of(policy)  # makes the files and compiles everything
    loop.warm_up(first.wiring)
    first.close()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    child = 0
    for _ in sys.stdin:
        if child:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)  # only when it is gone are the port and the run directory free
        child = os.fork()
        if child == 0:
            live(policy, port)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()


def write_policy(folder: Path, period_ms: int = 10) -> Path:
    """The rover preset with a microcontroller behind it."""
    from importlib.resources import files

    text = (files("safetykit.policy") / "presets" / "rover.yaml").read_text(encoding="utf-8")
    text = text.replace("period_ms: 20 ", f"period_ms: {period_ms} ")
    text = text.replace("stop:\n", "stop:\n  device: microcontroller\n")
    path = folder / "rover-mcu.yaml"
    path.write_text(text, encoding="utf-8")
    return path


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
