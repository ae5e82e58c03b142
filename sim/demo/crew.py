"""The demo's processes: started together, each with its own log file, ended for certain."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType


class Crew:
    """A context that owns child processes by name and ends those that are left."""

    def __init__(self, logs: Path, environment: dict[str, str]) -> None:
        self.logs = logs
        self.environment = {**os.environ, **environment}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Crew:
        return self

    def start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """``python -m`` the arguments, in a session of its own so that Ctrl-C reaches the director only."""
        with (self.logs / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
                start_new_session=True,
            )
        self.processes[name] = process
        return process

    def gone(self, *expected: str) -> str | None:
        """Name of a process that has ended although nobody asked it to; `expected` are allowed to."""
        ended = (name for name, process in self.processes.items() if process.poll() is not None)
        return next((name for name in ended if name not in expected), None)

    def tail(self, name: str, lines: int = 12) -> str:
        """The last lines that a process wrote."""
        text = (self.logs / f"{name}.log").read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def end(self, name: str, patience_s: float = 5.0) -> int:
        """SIGTERM, and SIGKILL when that takes too long; returns the exit status."""
        process = self.processes.pop(name)
        process.terminate()
        try:
            return process.wait(patience_s)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.processes.values():
            process.terminate()
        deadline_s = time.monotonic() + 3.0
        for process in self.processes.values():
            try:
                process.wait(max(0.0, deadline_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
