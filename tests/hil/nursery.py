"""Guards on the emulated board, and the world around them: a rover at rest, an operator who resets."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from firmware_bridge.facts import GuardPage, read_page
from firmware_bridge.qemu_board import QemuBoard
from safetykit.core import protocol as p
from safetykit.core.vocabulary import State
from safetykit.policy import Policy, load_policy
from safetykit.runtime import paths
from safetykit.runtime.actuator import ActuatorReader, ActuatorView
from safetykit.runtime.mailbox import ControlWriter, MailboxWriter
from tests.hil.bare_guard import write_policy
from tests.unit.runtime.running import wait_for

KEY_S = 0.13


class Nursery:
    """Guards on the board, one after the other, and the world around them: a vehicle at rest."""

    def __init__(self, board: QemuBoard, policy_path: Path) -> None:
        self.board = board
        self.policy: Policy = load_policy(str(policy_path))
        command = [sys.executable, "-m", "tests.hil.bare_guard", str(policy_path), board.port]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._read() == "ready"
        self.directory = paths.run_dir(create=False)
        self.control = ControlWriter(self.directory / paths.control_name("cli"))
        self.reader = ActuatorReader(self.directory / paths.ACTUATOR)
        self._ending = threading.Event()
        threading.Thread(target=self._publish, daemon=True).start()

    def _read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def _publish(self) -> None:
        sources = [
            (MailboxWriter(self.directory / paths.input_name(s.name)), len(s.inputs)) for s in self.policy.sources
        ]
        while not self._ending.wait(0.02):
            for writer, count in sources:
                writer.publish([0.0] * count)

    def start(self) -> int:
        """A new guard; its process number."""
        assert self.process.stdin is not None
        self._started_ns = time.monotonic_ns()
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self._read())

    def run(self) -> int:
        """A new guard, brought to the point where the microcontroller has closed its relays."""
        guard = self.start()
        wait_for(self.may_be_reset)
        self.board.turn_key(KEY_S)
        self.board.wait_state(p.STATE_ARMED)
        wait_for(lambda: set(self.view().fault_names) == {"COMMAND_MISSING", "DEVICE_WAITS"})
        self.control.reset(self.view().stop_event)
        self.board.wait_state(p.STATE_RUN)
        wait_for(lambda: set(self.view().fault_names) == {"COMMAND_MISSING"})  # the guard has heard of it, too
        self.board.wait_power(True)
        return guard

    def may_be_reset(self) -> bool:
        board = self.board
        linked = board.state("streak") >= p.STREAK_MIN and board.state("host_rest") == p.REST_YES
        view = self.view()
        ours = view.stamp_ns > self._started_ns  # not the last word of the guard before
        known = ours and "DEVICE_SILENT" not in view.fault_names and view.state == State.EMERGENCY_STOP
        return linked and known and board.state("closed_us") > p.RELEASE_US

    def view(self) -> ActuatorView:
        view = wait_for(self.reader.read)
        assert isinstance(view, ActuatorView)
        return view

    def page(self) -> GuardPage:
        """What the guard's loop hears."""
        return read_page(self.directory / paths.BRIDGE)

    def close(self) -> None:
        self._ending.set()
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(10)


@contextmanager
def nursery_on_board() -> Iterator[Nursery]:
    """A board, a run directory of its own, and the nursery."""
    before = os.environ.get(paths.RUN_DIR_VARIABLE)
    with tempfile.TemporaryDirectory(prefix="safetykit-hil-", dir="/dev/shm") as folder, QemuBoard() as board:
        os.environ[paths.RUN_DIR_VARIABLE] = folder
        # The port stays open, or QEMU would look for the next guard only every half second.
        held = os.open(board.port, os.O_RDWR | os.O_NOCTTY)
        try:
            crowd = Nursery(board, write_policy(Path(folder)))
            try:
                board.power_cycle()  # its longest cycle is to be one of the test, not of the compiler before it
                board.wait_state(p.STATE_STOPPED)
                yield crowd
            finally:
                crowd.close()
        finally:
            os.close(held)
            os.environ.pop(paths.RUN_DIR_VARIABLE)
            if before is not None:
                os.environ[paths.RUN_DIR_VARIABLE] = before
