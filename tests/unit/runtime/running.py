"""A guard that really runs, as a supervisor sees it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetykit.core.vocabulary import State
from safetykit.policy import Policy
from safetykit.runtime import paths
from safetykit.runtime.actuator import ActuatorReader, ActuatorView
from safetykit.runtime.mailbox import MailboxWriter

START_S = 120.0  # a cold cache compiles first
ANSWER_S = 20.0


def wait_for(what: Callable[[], Any], limit_s: float = ANSWER_S) -> Any:
    """Poll until `what` is true; fails with its name otherwise."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        value = what()
        if value:
            return value
        time.sleep(0.002)
    raise AssertionError(f"nothing after {limit_s} s: {what}")


class Running:
    """One `safetykit run`, with a supervisor's socket."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self.messages: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(str(folder / "notify"))
        environment = {**os.environ, "NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "2000000"}
        command = [sys.executable, "-m", "safetykit", "run", "--log-dir", str(folder / "log"), *arguments]
        self.stderr = folder / "stderr"
        with self.stderr.open("wb") as stderr:
            self.process = subprocess.Popen(command, stderr=stderr, env=environment)

    def heard(self, message: str) -> bool:
        while True:
            try:
                self.messages += self._socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return message in self.messages
        return False

    def ready(self) -> Running:
        wait_for(lambda: self.heard("READY=1") or self.process.poll() is not None, START_S)
        assert self.process.poll() is None, self.stderr.read_text()
        self.directory = paths.run_dir(create=False)
        self.reader = ActuatorReader(self.directory / paths.ACTUATOR)
        return self

    def view(self) -> ActuatorView:
        view = wait_for(self.reader.read)
        assert isinstance(view, ActuatorView)
        return view

    def engage(self, policy: Policy) -> None:
        writers = [MailboxWriter(self.directory / paths.input_name(source.name)) for source in policy.sources]
        command = MailboxWriter(self.directory / paths.COMMAND)
        began = time.monotonic()

        def drive() -> bool:
            for writer, source in zip(writers, policy.sources, strict=True):
                names = [policy.inputs[index] for index in source.inputs]
                writer.publish([float(name == "engage" and time.monotonic() - began > 0.2) for name in names])
            command.publish([0.0] * len(policy.channels))
            time.sleep(0.005)
            return self.view().state == State.ENGAGED

        wait_for(drive)

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(ANSWER_S)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._socket.close()


def children(pid: int) -> list[int]:
    """Child processes that are alive."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in listed if "Z" not in Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1][:3]]
