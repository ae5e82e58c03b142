"""The autonomy process of the demo: ``python -m sim.demo.pilot``. It sends at 50 Hz until it is killed."""

from __future__ import annotations

import argparse
import signal
import time
from pathlib import Path

from sim.autonomy import Pilot, load_script
from sim.demo.links import pilot_link
from sim.demo.record import RowWriter

PERIOD_S = 0.02
WIDTH = 8  # monotonic time, claimed stamp (both s), number of the active fault or -1, 1 if wrong, four values


def fly(arguments: argparse.Namespace) -> None:
    """Sends the script's messages; each is written down before it is sent."""
    script = load_script(arguments.script)
    pilot = Pilot(script)
    link = pilot_link(arguments.transport, arguments.instance)
    record = RowWriter(arguments.record, WIDTH)
    start_s = arguments.start_s
    next_s = time.monotonic()
    while True:
        now_s = time.monotonic()
        message = pilot.message(now_s - start_s)
        fault = pilot.fault_at(now_s - start_s)
        number = -1 if fault is None else script.faults.index(fault)
        stamp_s = start_s + message.stamp_s
        record.append(now_s, stamp_s, number, pilot.wrong(message, now_s - start_s), *message.values)
        link.send(message.values, int(stamp_s * 1e9))
        if message.function:
            link.request(message.function)
        next_s = max(next_s + PERIOD_S, time.monotonic() - PERIOD_S)
        time.sleep(max(0.0, next_s - time.monotonic()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--transport", required=True)
    parser.add_argument("--instance", required=True)
    parser.add_argument("--script", type=Path, required=True)
    parser.add_argument("--record", type=Path, required=True)
    parser.add_argument("--start-s", type=float, required=True, help="monotonic time of the script's zero")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the director ends the demo, not the terminal
    fly(parser.parse_args())


if __name__ == "__main__":
    main()
