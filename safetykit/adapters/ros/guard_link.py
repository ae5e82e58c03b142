"""The node's end of the guard's run directory: opens it when the guard is there, reads what it sends, never waits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from safetykit.adapters.ros.diagnostics import GuardLink
from safetykit.adapters.ros.feeds import CommandFeed, FunctionFeed, SourceFeed
from safetykit.adapters.ros.object_feed import ObjectsFeed
from safetykit.core import layout
from safetykit.errors import MailboxError
from safetykit.runtime import paths
from safetykit.runtime.actuator import ActuatorReader, ActuatorView
from safetykit.runtime.mailbox import ControlWriter, MailboxReader, MailboxWriter
from safetykit.runtime.object_list import ObjectsWriter
from safetykit.runtime.ring import RingReader

if TYPE_CHECKING:
    from safetykit.policy import Policy

PERIODS_LOST = 3  # a guard that misses this many outputs is gone
GUARD_TIMEOUT_NS_MIN = 50_000_000  # but ordinary scheduling hiccups of a fast guard are not a death
NO_FRAMES = np.zeros(0, layout.FRAME)


def guard_timeout_ns(policy: Policy, wanted_ms: float) -> int:
    """Age of the guard's output from which it counts as gone. 0 = from the policy's period."""
    if wanted_ms > 0:
        return int(wanted_ms * 1e6)
    return max(PERIODS_LOST * policy.period_ns, GUARD_TIMEOUT_NS_MIN)


class GuardPort:
    """Mailboxes of one guard instance. `view` is its latest output, usable only while `link.alive`."""

    def __init__(self, policy: Policy, instance: str, timeout_ns: int) -> None:
        self.policy = policy
        self.instance = instance
        self.timeout_ns = timeout_ns
        self.link = GuardLink()
        self.view: ActuatorView | None = None
        self.control: ControlWriter | None = None
        self.expected_pid: int | None = None  # of a guard that we started ourselves
        self._actuator: ActuatorReader | None = None
        self._ring: RingReader | None = None
        self._writers: list[MailboxWriter] = []
        self._objects_writer: ObjectsWriter | None = None

    @property
    def open(self) -> bool:
        return self._actuator is not None

    def try_open(
        self,
        senders: dict[str, CommandFeed],
        sources: dict[str, SourceFeed],
        functions: FunctionFeed,
        objects: ObjectsFeed | None,
    ) -> bool:
        """Opens everything once the guard is there; `senders` by the file names of their mailboxes.

        Raises MailboxError where it is not ours to use.
        """
        try:
            directory = paths.run_dir(self.instance, create=False)
            info = paths.guard_info(directory)
        except MailboxError:
            return False  # no guard yet
        if not (directory / paths.ACTUATOR).exists() or not (directory / paths.RING).exists():
            return False
        ring, actuator = RingReader(directory / paths.RING), ActuatorReader(directory / paths.ACTUATOR)
        view = actuator.read()
        if view is None or abs(view.age_ns()) > self.timeout_ns or not self._is_ours(info, ring):
            return False
        for name, command in senders.items():
            latest = MailboxReader(directory / name).read()
            command.seq = latest.seq if latest is not None else 0
            command.writer = self._writer(directory / name)
        functions.writer = self._writer(directory / paths.FUNCTION)
        for name, feed in sources.items():
            feed.writer = self._writer(directory / paths.input_name(name))
        if objects is not None:
            objects.writer = self._objects_writer = ObjectsWriter(directory / paths.OBJECTS)
        self.control = ControlWriter(directory / paths.control_name("ros"))
        self._ring = RingReader(directory / paths.RING, ring.head)
        self._actuator = actuator
        return True

    def _writer(self, path: Path) -> MailboxWriter:
        writer = MailboxWriter(path)
        self._writers.append(writer)
        return writer

    def _is_ours(self, info: dict[str, Any], ring: RingReader) -> bool:
        """`info` is that of the guard that writes now, which is the one we started, and has our policy.

        Raises MailboxError: it has another policy.
        """
        pid, policy = info.get("pid"), info.get("policy")
        if pid != ring.guard_pid:
            return False  # left by a guard that died; the one that runs has not introduced itself yet
        if self.expected_pid is not None and pid != self.expected_pid:
            return False
        digest = policy.get("digest") if isinstance(policy, dict) else None
        if digest != self.policy.digest:
            raise MailboxError(
                f"guard {self.instance!r} (process {pid}) runs another policy (digest {str(digest)[:12]}) than this "
                f"node was given ({self.policy.name} {self.policy.version}, digest {self.policy.digest[:12]})"
            )
        return True

    def update(self, now_ns: int) -> bool:
        """Reads the guard's output; True if it is alive and this output was not seen before."""
        if self._actuator is None:
            return False
        view = self._actuator.read()
        self.link.torn = self._actuator.torn
        fresh = view is not None and (self.view is None or view.published != self.view.published)
        if view is not None:
            self.view = view
        self._judge(now_ns)
        return fresh and self.link.alive

    def _judge(self, now_ns: int) -> None:
        view, was_alive = self.view, self.link.alive
        age_ns = view.age_ns(now_ns) if view is not None else self.timeout_ns + 1
        alive = view is not None and -self.timeout_ns <= age_ns <= self.timeout_ns
        if alive and view is not None and view.sent.size != len(self.policy.channels):
            alive, self.link.note = False, f"the guard sends {view.sent.size} channels"
        elif alive and not was_alive and not self._same_guard():
            alive, self.link.note = False, "another guard with another policy writes the output"
        elif not alive:
            self.link.note = "the guard is silent" if view is not None else "the guard has not sent anything yet"
        self.link.alive = alive
        self.link.outages += was_alive and not alive

    def _same_guard(self) -> bool:
        """After an outage: is it still our policy? A new guard process may run another one."""
        try:
            info = paths.guard_info(paths.run_dir(self.instance, create=False))
            self.expected_pid = None  # a supervisor may have started another one
            return self._ring is not None and self._is_ours(info, self._ring)
        except MailboxError:
            return False

    def frames(self) -> tuple[Any, int]:
        """Frames since the last call, and how many were overwritten before they could be read."""
        if self._ring is None:
            return NO_FRAMES, 0
        try:
            frames, _, lost = self._ring.read(256)
        except MailboxError:  # the ring was made anew
            self._ring = RingReader(self._ring.path)
            return NO_FRAMES, 0
        return frames, lost

    def close(self) -> None:
        """Leave the mailboxes to others."""
        for writer in self._writers:
            writer.close()
        if self._objects_writer is not None:
            self._objects_writer.close()
        if self.control is not None:
            self.control.close()
