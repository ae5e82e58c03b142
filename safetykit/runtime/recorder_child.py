"""Keeps one recorder process alive beside the guard, and says when there has been none for too long."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

BACK_OFF_S, BACK_OFF_MAX_S = 0.1, 2.0
SETTLED_S = 2.0  # a recorder that lived this long was there, and the next one starts after the shortest back-off
ABSENT_MAX_S = 2.0  # longer than that without a recorder is Fault.BLACKBOX; the ring holds more
CLOSE_S = 5.0  # time for the last entries at the end


class RecorderChild:
    """One ``python -m safetykit.runtime.blackbox.recorder`` process. Call :meth:`look_after` a few times per second."""

    def __init__(self, arguments: Sequence[str], say: Callable[[str], None]) -> None:
        self._command = [sys.executable, "-m", "safetykit.runtime.blackbox.recorder", *arguments]
        # Named, not looked up by the child: a guard that dies while the child still starts must not be missed.
        self._command += ["--parent", str(os.getpid())]
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None
        self._started_s = self._seen_s = time.monotonic()
        self._next_start_s = 0.0
        self._back_off_s = BACK_OFF_S
        self.starts = 0

    @property
    def pid(self) -> int | None:
        """Process id of the living recorder."""
        return self._process.pid if self._process is not None else None

    @property
    def absent(self) -> bool:
        """True when no recorder has been alive for longer than ABSENT_MAX_S."""
        return self._process is None and time.monotonic() - self._seen_s > ABSENT_MAX_S

    def look_after(self) -> None:
        """Start it if there is none and the back-off is over."""
        now_s = time.monotonic()
        if self._process is not None and self._process.poll() is not None:
            self._bury(now_s)
        if self._process is None and now_s >= self._next_start_s:
            self._start(now_s)

    def _start(self, now_s: float) -> None:
        try:
            # Its own session: a signal to the guard's group must not end the recorder before the last frames.
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, start_new_session=True)
        except OSError as error:
            self._say(f"recorder: cannot start: {error.strerror}")
            self._wait_before_next(now_s)
            return
        self._started_s = now_s
        self.starts += 1

    def _bury(self, now_s: float) -> None:
        code = self._process.returncode if self._process is not None else None
        self._process = None
        lived_s = now_s - self._started_s
        if lived_s > SETTLED_S:
            self._back_off_s = BACK_OFF_S
            self._seen_s = now_s
        self._say(f"recorder: ended with code {code}; the next one starts in {self._back_off_s:.1f} s")
        self._wait_before_next(now_s)

    def _wait_before_next(self, now_s: float) -> None:
        self._next_start_s = now_s + self._back_off_s
        self._back_off_s = min(self._back_off_s * 2.0, BACK_OFF_MAX_S)

    def close(self) -> bool:
        """Let it write the rest and end it; False when it had to be killed or was not there."""
        if self._process is None:
            return False
        self._process.terminate()
        try:
            return self._process.wait(CLOSE_S) == 0
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return False


def recorder_arguments(ring: Path, log_dir: Path, policy_json: Path, key: Path | None) -> list[str]:
    """Command line of the recorder."""
    arguments = ["--ring", str(ring), "--out", str(log_dir), "--policy-json", str(policy_json)]
    return arguments + (["--key", str(key)] if key is not None else [])
