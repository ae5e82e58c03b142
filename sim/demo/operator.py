"""The operator of the demo: ``python -m sim.demo.operator``. A person with an engage button and some patience.

Presses it again about a second after the guard has gone back to STANDBY, or after a recovery whose cause is gone:
then it takes the switch back and gives it again. While a stop is latched it presses in vain, on purpose: only a reset
may help.
"""

from __future__ import annotations

import argparse
import signal
import time

from safetykit.core.vocabulary import State
from safetykit.runtime import paths
from safetykit.runtime.actuator import ActuatorReader
from sim.demo.links import OperatorLink, operator_link

PERIOD_S = 0.05
PATIENCE_S = 1.0
RELEASE_S = 0.3


def operate(link: OperatorLink, actuator: ActuatorReader) -> None:
    """Publishes the button's level at 20 Hz."""
    disengaged_s = time.monotonic()
    while True:
        now_s = time.monotonic()
        view = actuator.read()
        if view is not None and (view.state == State.ENGAGED or (view.state == State.RECOVERY and view.faults)):
            disengaged_s = now_s
        idle_s = now_s - disengaged_s
        # Held while it flies; else released for a while and pressed again, which makes a rising edge.
        link.engage(idle_s < PATIENCE_S or idle_s % PATIENCE_S > RELEASE_S)
        time.sleep(PERIOD_S)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--transport", required=True)
    parser.add_argument("--instance", required=True)
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    actuator = ActuatorReader(paths.run_dir(arguments.instance, create=False) / paths.ACTUATOR)
    operate(operator_link(arguments.transport, arguments.instance), actuator)


if __name__ == "__main__":
    main()
