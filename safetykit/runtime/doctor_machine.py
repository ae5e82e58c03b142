"""What `safetykit doctor` sees of a machine: files below a root, so that a test can show it any machine."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

LINKS_MAX = 8
CAP_IPC_LOCK, CAP_SYS_NICE = 14, 23
FIFO, ROUND_ROBIN = 1, 2  # scheduling policies, sched(7)


class Status(Enum):
    """How an item stands, from good to bad."""

    OK = "ok"
    UNKNOWN = "unknown"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True)
class Verdict:
    """What one check found, and how to mend it."""

    status: Status
    finding: str
    cure: str = ""


def ok(finding: str) -> Verdict:
    return Verdict(Status.OK, finding)


def unknown(finding: str, cure: str = "") -> Verdict:
    return Verdict(Status.UNKNOWN, finding, cure)


def warn(finding: str, cure: str) -> Verdict:
    return Verdict(Status.WARN, finding, cure)


def bad(finding: str, cure: str) -> Verdict:
    return Verdict(Status.BAD, finding, cure)


@dataclass(frozen=True)
class Process:
    """One process or kernel thread."""

    pid: int
    name: str
    command: str
    policy: int
    priority: int  # real-time priority, 0 for an ordinary one


def free_bytes(path: Path) -> int:
    info = os.statvfs(path)
    return info.f_bavail * info.f_frsize


def timer_resolution_ns() -> int:
    return round(time.clock_getres(time.CLOCK_MONOTONIC) * 1e9)


@dataclass(frozen=True)
class Machine:
    """One machine, one user on it, and what the guard is to use. Nothing here writes, and no device is opened: opening
    a serial port moves its DTR line, which resets many a microcontroller."""

    root: Path = Path("/")
    cpu: int | None = None  # for the guard's loop
    port: str | None = None  # to the microcontroller
    uid: int = field(default_factory=os.geteuid)
    groups: frozenset[int] = field(default_factory=lambda: frozenset([os.getegid(), *os.getgroups()]))
    free_bytes: Callable[[Path], int] = free_bytes
    timer_resolution_ns: Callable[[], int] = timer_resolution_ns

    def at(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def text(self, path: str) -> str | None:
        """Content of a small file, stripped; None if it cannot be read."""
        try:
            return self.at(path).read_text(encoding="utf-8", errors="replace").strip("\0\n ")
        except OSError:
            return None

    def number(self, path: str) -> int | None:
        """A file that holds one decimal number."""
        try:
            return int(self.text(path) or "")
        except ValueError:
            return None

    def follow(self, path: str) -> str:
        """Where a path leads, links followed below the root."""
        for _ in range(LINKS_MAX):
            try:
                link = os.readlink(self.at(path))
            except OSError:
                break
            path = os.path.normpath(os.path.join(os.path.dirname(path), link))
        return path

    def processes(self) -> Iterator[Process]:
        """All of them, threads of the kernel too."""
        for folder in sorted(self.at("proc").glob("[0-9]*")):
            pid = folder.name
            line = self.text(f"proc/{pid}/stat")
            if line is None or ")" not in line:
                continue
            name = line[line.index("(") + 1 : line.rindex(")")]
            fields = line[line.rindex(")") + 2 :].split()
            priority, policy = (int(fields[at]) if len(fields) > at else 0 for at in (37, 38))  # fields 40 and 41
            command = (self.text(f"proc/{pid}/cmdline") or "").replace("\0", " ")
            yield Process(int(pid), name, command, policy, priority if policy in (FIFO, ROUND_ROBIN) else 0)

    def holders(self, device: str) -> tuple[list[Process], int]:
        """Processes that have a device open, and how many could not be looked into."""
        found, closed = [], 0
        for process in self.processes():
            try:
                targets = [os.readlink(path) for path in self.at(f"proc/{process.pid}/fd").iterdir()]
            except PermissionError:
                closed += 1
                continue
            except OSError:  # it has just ended, or is a thread of the kernel
                continue
            if device in targets:
                found.append(process)
        return found, closed

    def capable(self, capability: int) -> bool:
        """Whether this process may do what a capability allows."""
        for line in (self.text("proc/self/status") or "").splitlines():
            if line.startswith("CapEff:"):
                return bool(int(line.split()[1], 16) >> capability & 1)
        return False

    def limit(self, name: str) -> float | None:
        """A soft limit of this process, infinity if unlimited; None if unknown."""
        for line in (self.text("proc/self/limits") or "").splitlines():
            if line.startswith(name):
                soft = line[len(name) :].split()[0]
                return float("inf") if soft == "unlimited" else float(soft)
        return None

    def may_write(self, path: str) -> bool:
        """By owner, group and mode; root always may. Raises OSError if it is not there."""
        info = self.at(path).stat()
        if self.uid == 0:
            return True
        wanted = stat.S_IRUSR | stat.S_IWUSR
        if info.st_uid == self.uid:
            return info.st_mode & wanted == wanted
        wanted >>= 3
        if info.st_gid in self.groups:
            return info.st_mode & wanted == wanted
        wanted >>= 3
        return info.st_mode & wanted == wanted

    def group_of(self, path: str) -> str:
        """Name of the group that a file belongs to, or its number."""
        gid = str(self.at(path).stat().st_gid)
        for line in (self.text("etc/group") or "").splitlines():
            fields = line.split(":")
            if len(fields) > 2 and fields[2] == gid:
                return fields[0]
        return gid


def cpu_list(text: str) -> set[int]:
    """CPUs of a kernel list, "1,3-5". Raises ValueError."""
    found: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found
