"""What the operating system can do for the loop: asked for where permitted, and reported where it was not.

Nothing here is needed for a correct output, only for a punctual one; so nothing here stops the guard from starting.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import struct
from collections.abc import Callable
from dataclasses import asdict, dataclass

PRIORITY = 80  # above interrupt threads of most drivers (50), below the kernel's own watchdogs (99)
_MCL_CURRENT, _MCL_FUTURE = 1, 2
_PR_SET_TIMERSLACK = 29
_CAP_IPC_LOCK = 14
_DMA_LATENCY = "/dev/cpu_dma_latency"


@dataclass(frozen=True)
class Grant:
    """One thing asked of the operating system."""

    what: str
    granted: bool
    reason: str = ""  # why not

    def __str__(self) -> str:
        return f"{self.what}: {'granted' if self.granted else f'not granted ({self.reason})'}"

    def as_json(self) -> dict[str, str | bool]:
        return asdict(self)


def prepare_process(cpu_wake: bool = True) -> list[Grant]:
    """For the process as a whole, before the loop starts: memory stays in RAM, no collector pauses, awake CPUs."""
    gc.collect()
    gc.freeze()
    grants = [_attempt("memory locked", _lock_memory)]
    if cpu_wake:
        grants.append(_attempt("no deep CPU sleep", _keep_awake))
    return grants


def prepare_thread(priority: int = PRIORITY, cpu: int | None = None) -> list[Grant]:
    """For the calling thread, which then runs the loop: FIFO scheduling, exact timers and, if asked, one CPU."""
    grants = [_attempt("exact timers", _exact_timers)]
    if cpu is not None:
        grants.append(_attempt(f"CPU {cpu} only", lambda: os.sched_setaffinity(0, {cpu})))
    fifo = f"FIFO priority {priority}"
    grants.append(_attempt(fifo, lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))))
    return grants


def _attempt(what: str, ask: Callable[[], object]) -> Grant:
    try:
        ask()
    except (OSError, ValueError, AttributeError) as error:
        return Grant(what, False, getattr(error, "strerror", None) or str(error))
    return Grant(what, True)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _lock_memory() -> None:
    """Future pages too only where there is no limit: with one, any later allocation could fail instead."""
    unlimited = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY
    flags = _MCL_CURRENT | (_MCL_FUTURE if unlimited or _capable(_CAP_IPC_LOCK) else 0)
    _call(_libc().mlockall(flags))


def _capable(capability: int) -> bool:
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            effective = next(line.split()[1] for line in file if line.startswith("CapEff:"))
    except (OSError, StopIteration):
        return False
    return bool(int(effective, 16) >> capability & 1)


def _exact_timers() -> None:
    """Without this the kernel may wake an ordinary thread 50 us late on purpose."""
    _call(_libc().prctl(_PR_SET_TIMERSLACK, ctypes.c_ulong(1), 0, 0, 0))


def _keep_awake() -> None:
    """The request holds as long as the descriptor is open: until the process ends."""
    fd = os.open(_DMA_LATENCY, os.O_WRONLY | os.O_CLOEXEC)
    os.write(fd, struct.pack("i", 0))
