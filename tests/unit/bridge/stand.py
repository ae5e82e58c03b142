"""A guard's real process with a vehicle at rest around it, and the command line beside it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from safetykit.core.vocabulary import State
from safetykit.errors import MailboxError
from safetykit.policy import load_policy
from safetykit.runtime import paths
from safetykit.runtime.actuator import ActuatorReader, ActuatorView
from safetykit.runtime.mailbox import MailboxWriter
from tests.unit.runtime.running import ANSWER_S, START_S, wait_for

POLICY = "rover"
FEED_S = 0.02


class Commands:
    """The `safetykit` command line on a run directory of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, paths.RUN_DIR_VARIABLE: str(folder / "run")}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """To its end."""
        return subprocess.run(
            self._command(arguments), env=self.environment, capture_output=True, text=True, timeout=120
        )

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Without waiting for it; its output is to be read line by line."""
        environment = {**self.environment, "PYTHONUNBUFFERED": "1"}
        return subprocess.Popen(self._command(arguments), env=environment, stdout=subprocess.PIPE, text=True)

    def json(self, *arguments: str) -> Any:
        done = self.run(*arguments, "--json")
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    @staticmethod
    def _command(arguments: Sequence[str]) -> list[str]:
        return [sys.executable, "-m", "safetykit", *arguments]


class Stand(Commands):
    """Commands beside a guard that runs, fed by a vehicle that stands still and an operator who does nothing."""

    def __init__(self, folder: Path, port: str, prefix: Sequence[str] = ()) -> None:
        super().__init__(folder)
        self.log = folder / "log"
        self.stderr = folder / "stderr"
        arguments = ("run", "--policy", POLICY, "--log-dir", str(self.log), "--bridge", port)
        with self.stderr.open("wb") as stderr:
            self.process = subprocess.Popen(
                [*prefix, *self._command(arguments)], stderr=stderr, env=self.environment, start_new_session=True
            )
        self.directory = folder / "run" / "default"
        self._ending = threading.Event()
        self._feeding = threading.Thread(target=self._feed, daemon=True)
        try:
            self.reader: ActuatorReader = wait_for(self._reader, START_S)
            wait_for(lambda: "ready: guard" in self.said(), START_S)
            self._feeding.start()
        except BaseException:
            self.close()
            raise

    def _reader(self) -> ActuatorReader | None:
        assert self.process.poll() is None, self.said()
        try:
            return ActuatorReader(self.directory / paths.ACTUATOR)
        except MailboxError:
            return None

    def _feed(self) -> None:
        sources = load_policy(POLICY).sources
        writers = [(MailboxWriter(self.directory / paths.input_name(s.name)), len(s.inputs)) for s in sources]
        while not self._ending.wait(FEED_S):
            for writer, count in writers:
                writer.publish([0.0] * count)
        for writer, _ in writers:
            writer.close()

    def said(self) -> str:
        """Everything that the guard told its operator so far."""
        return self.stderr.read_text()

    def view(self) -> ActuatorView:
        view = wait_for(self.reader.read)
        assert isinstance(view, ActuatorView)
        return view

    def stopped(self) -> bool:
        """In an emergency stop, with power removed."""
        view = self.view()
        return view.state == State.EMERGENCY_STOP and not view.power

    def end(self) -> int:
        """As a supervisor ends it; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(ANSWER_S)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self._ending.set()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(ANSWER_S)
            except subprocess.TimeoutExpired:
                self.kill()
        if self._feeding.is_alive():
            self._feeding.join()


def line_with(stream: IO[str] | None, text: str) -> str:
    """Reads lines until one holds `text`."""
    assert stream is not None
    for line in stream:
        if text in line:
            return line
    raise AssertionError(f"it ended without a word of {text!r}")
