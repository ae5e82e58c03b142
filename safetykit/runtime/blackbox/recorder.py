"""The recorder process: drains the ring into the black box. The guard never waits for it, and outlives it.

Run as ``python -m safetykit.runtime.blackbox.recorder --ring PATH --out DIR --policy-json PATH``. It may be killed at
any time: the next one goes on where the log ends. SIGTERM, or the end of its parent, lets it drain the ring, close
the log and exit. SIGINT is left to the guard. Exit codes: 0 closed, 1 ended with frames it could not write, 2 cannot
start.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from safetykit.errors import LogError, MailboxError, SafetykitError
from safetykit.runtime.blackbox import events
from safetykit.runtime.blackbox.opening import names, policy_record
from safetykit.runtime.blackbox.retention import KEEP_DAYS_MIN
from safetykit.runtime.blackbox.segment_file import LOCK_NAME, make_directory
from safetykit.runtime.blackbox.segments import LostReason, parse_json
from safetykit.runtime.blackbox.writer import BlackBox, Settings
from safetykit.runtime.ring import STARTS_AT, RingReader
from safetykit.runtime.words import WordFile

DRAIN_PERIOD_S = 0.08  # every round ends with the frames handed to the kernel: at most 0.1 s later
FRAMES_PER_ENTRY = 512
LOCK_WAIT_S = 5.0
LAST_WRITES_S = 2.0  # how long a stopping recorder goes on trying to write


class Recorder:
    """Moves frames from the ring to the black box. Nothing is read from the ring while anything waits to be written:
    when the disk is full the ring is the buffer, and what it overwrites becomes a LOST entry.

    Attributes: ``failures`` (writes that failed since the last one that worked), ``box``.
    """

    def __init__(self, ring_path: Path, settings: Settings, policy: dict[str, Any]) -> None:
        """Raises MailboxError (ring) or LogError (directory, key)."""
        self._ring_path = ring_path
        reader = RingReader(ring_path)
        starts = int(WordFile.open(ring_path).words[STARTS_AT])
        ring = {"identity": f"{reader.identity:016x}", "starts": starts, "guard_pid": reader.guard_pid}
        self.box = BlackBox(settings, policy, ring)
        opening = {"policy": policy}
        self._channels, self._functions = names(opening, "channels"), names(opening, "functions")
        self._waiting: deque[Callable[[], None]] = deque()
        self._before: np.ndarray | None = None
        self._digest = events.Digest()
        self._unheard = False
        self.failures = 0
        self._failed_since_ns = 0
        self._lost_reason = LostReason.NOT_RECORDING  # until the first frame is there
        self._reader = self._resume(reader)
        facts = policy.get("guard")
        if isinstance(facts, dict):
            self._waiting.append(partial(self.box.write_event, {"event": "guard", **facts}))

    def _resume(self, oldest: RingReader) -> RingReader:
        """A reader at the frame after the last recorded one; what is gone meanwhile is marked."""
        expected = self.box.next_frame
        if expected is not None and expected <= oldest.head:
            return RingReader(self._ring_path, expected)
        if expected is not None:
            self.box.next_frame = None
            self._waiting.append(partial(self.box.write_event, {"event": "ring_went_back", "expected_frame": expected}))
        elif oldest.next_number > 0:
            lost = partial(self.box.write_lost, 0, oldest.next_number, LostReason.NOT_RECORDING)
            self._waiting.append(lost)
        return oldest

    def drain(self) -> bool:
        """Read what the ring has and write it. True when the ring was emptied and everything is written."""
        while self._write():
            try:
                frames, first, lost = self._reader.read(FRAMES_PER_ENTRY)
            except MailboxError as error:
                self._start_over(str(error))
                continue
            if lost:
                self._waiting.append(partial(self.box.write_lost, first - lost, lost, self._lost_reason))
                self._before = None
            if len(frames) == 0 and not lost:
                return True
            if len(frames):
                self._queue(frames, first)
        return False

    def _start_over(self, what: str) -> None:
        """The ring's count went backwards: numbers begin anew, in a segment of their own."""
        self._waiting.append(partial(self.box.close, "ring damaged"))
        self._waiting.append(partial(setattr, self.box, "next_frame", None))
        self._waiting.append(partial(self.box.write_event, {"event": "ring_damaged", "what": what}))
        self._reader, self._before = RingReader(self._ring_path), None

    def _queue(self, frames: np.ndarray, first: int) -> None:
        self._lost_reason = LostReason.OVERRUN
        self._waiting.append(partial(self.box.write_frames, frames, first))
        derived = events.derive(self._before, frames, first, self._channels, self._functions)
        happened = self._digest.take(derived, int(frames["in_now_ns"][-1]))
        offset_ns = self.box.settings.clocks.utc_ns() - self.box.settings.clocks.monotonic_ns()
        for event in happened:
            if "monotonic_ns" in event:
                event["utc_ns"] = event["monotonic_ns"] + offset_ns
        self._waiting.extend(partial(self.box.write_event, event) for event in happened)
        self._before = frames[-1:].copy()

    def _write(self) -> bool:
        """Write everything that waits. False when the disk does not take it; it goes on waiting then."""
        try:
            while self._waiting:
                self._waiting[0]()
                self._waiting.popleft()
            self.box.keep_up()
            if self.failures:
                self._note_failures()
        except (OSError, LogError) as error:
            if not self.failures:
                self._failed_since_ns = time.monotonic_ns()
                _say(f"cannot write the black box, trying on: {error}")
            self.failures += 1
            self._lost_reason = LostReason.NOT_RECORDING
            return False
        self._acknowledge()
        return True

    def _acknowledge(self) -> None:
        """Tell the guard; a ring that is gone from its place is no reason to stop writing what was read from it."""
        try:
            self._reader.acknowledge()
        except MailboxError as error:
            if not self._unheard:
                _say(f"cannot tell the guard how far the black box is: {error}")
            self._unheard = True

    def _note_failures(self) -> None:
        waited_ns = time.monotonic_ns() - self._failed_since_ns
        self.box.write_event({"event": "writing_failed", "attempts": self.failures, "duration_ns": waited_ns})
        _say(f"the black box is written again after {self.failures} failed attempts")
        self.failures = 0

    def _write_rest(self) -> bool:
        self._waiting.extend(partial(self.box.write_event, event) for event in self._digest.rest())
        return self._write()

    def finish(self, reason: str) -> bool:
        """Drain and close, trying for `LAST_WRITES_S`. True when everything is written."""
        give_up_ns = time.monotonic_ns() + int(LAST_WRITES_S * 1e9)
        while time.monotonic_ns() < give_up_ns:
            try:
                if self.drain() and self._write_rest():
                    self.box.close(reason)
                    return True
            except OSError as error:
                _say(f"cannot close the black box: {error}")
            time.sleep(DRAIN_PERIOD_S)
        return False


def run(recorder: Recorder, parent_pid: int) -> int:
    """Record until SIGTERM or until the parent is gone; exit code."""
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while not asked and os.getppid() == parent_pid:
        recorder.drain()
        time.sleep(DRAIN_PERIOD_S)
    return 0 if recorder.finish("stop" if asked else "guard gone") else 1


def read_policy(path: Path) -> dict[str, Any]:
    """The policy record to put into every OPEN entry: a record as it is, or a policy document compiled here.

    Raises LogError when the file cannot be read, PolicyError when it is a document with errors.
    """
    try:
        document = parse_json(path.read_bytes())
    except OSError as error:
        raise LogError(f"{path}: cannot read the policy: {error.strerror}") from error
    if not document:
        raise LogError(f"{path}: not a JSON object")
    if "limits" in document and "timing" in document:
        return document
    from safetykit.policy import parse_policy

    return policy_record(parse_policy(document, str(path)))


def lock_directory(directory: Path, wait_s: float = LOCK_WAIT_S) -> int:
    """Be the only recorder of this directory; the descriptor to keep. Raises LogError when another one stays."""
    make_directory(directory)
    fd = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    give_up_ns = time.monotonic_ns() + int(wait_s * 1e9)
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return fd
        except BlockingIOError as error:
            if time.monotonic_ns() >= give_up_ns:
                os.close(fd)
                raise LogError(f"{directory}: another recorder writes here") from error
        time.sleep(DRAIN_PERIOD_S)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="recorder", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--ring", type=Path, required=True, help="the guard's ring of frames")
    parser.add_argument("--out", type=Path, required=True, help="log directory, created with mode 0700")
    parser.add_argument("--policy-json", type=Path, required=True, help="policy record or policy document")
    parser.add_argument("--key", type=Path, help="Ed25519 private key, PEM, mode 0600: closed segments are signed")
    parser.add_argument("--segment-mib", type=float, default=64.0, help="a segment is closed at this size")
    parser.add_argument("--segment-s", type=float, default=3600.0, help="... or at this age")
    parser.add_argument("--keep-days", type=float, default=KEEP_DAYS_MIN, help="closed segments are kept this long")
    parser.add_argument("--keep-decision", default="", help="who decided to keep less than the minimum, and why")
    parser.add_argument("--parent", type=int, default=os.getppid(), help="stop when this is no longer the parent")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; exit code."""
    given = _arguments(argv)
    settings = Settings(
        given.out,
        segment_size_max=int(given.segment_mib * (1 << 20)),
        segment_s_max=given.segment_s,
        keep_days=given.keep_days,
        keep_decision=given.keep_decision,
        key_path=given.key,
    )
    try:
        lock = lock_directory(given.out)
        recorder = Recorder(given.ring, settings, read_policy(given.policy_json))
    except (SafetykitError, OSError) as error:
        _say(f"error: {error}")
        return 2
    try:
        return run(recorder, given.parent)
    finally:
        os.close(lock)


def _say(message: str) -> None:
    sys.stderr.write(f"recorder: {message}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
