"""From a command in the mailbox to the byte on the actuator's descriptor."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from safetykit.core.jit import jit
from safetykit.core.vocabulary import Fault
from safetykit.policy import load_policy
from safetykit.runtime import loop, paths, realtime
from safetykit.runtime.clock import now_ns, write_words
from safetykit.runtime.mailbox import EXTRA, WORDS, MailboxWriter
from safetykit.runtime.wiring import Station
from tests.bench.measure import Row, Section, percentiles

POLICY = "quadrotor"
WORK_TICKS = 5_000
MESSAGES = 1_000


@jit
def work_times(w: Any, period: int, out: Any) -> None:
    """Time of whole ticks: gather all mailboxes, step, encode, publish, write(2), push to the ring."""
    due = now_ns(w.timespec)
    for k in range(out.size):
        due += period
        begin = now_ns(w.timespec)
        loop.tick(w, due)
        out[k] = now_ns(w.timespec) - begin


@jit
def write_times(w: Any, fd: int, out: Any) -> None:
    """The reference: the write(2) alone, of the same bytes to the same descriptor."""
    for k in range(out.size):
        begin = now_ns(w.timespec)
        write_words(fd, w.outbox)
        out[k] = now_ns(w.timespec) - begin


@contextmanager
def station() -> Iterator[tuple[Station, socket.socket, threading.Event]]:
    """A guard's run directory with a datagram socket as its actuator; the far end is kept empty by a thread."""
    policy = load_policy(POLICY)
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with tempfile.TemporaryDirectory(prefix="safetykit-bench-", dir="/dev/shm") as base:
        before = os.environ.get(paths.RUN_DIR_VARIABLE)
        os.environ[paths.RUN_DIR_VARIABLE] = base
        try:
            place = Station(
                paths.run_dir("bench"), policy.limits, policy.timing, [source.name for source in policy.sources]
            )
        finally:
            os.environ.pop(paths.RUN_DIR_VARIABLE)
            if before is not None:
                os.environ[paths.RUN_DIR_VARIABLE] = before
        loop.warm_up(place.wiring)
        place.wiring.memory[loop.OUT_FD] = near.fileno()
        stop = threading.Event()
        try:
            yield place, far, stop
        finally:
            stop.set()
            place.close()
            near.close()
            far.close()


def _drain(far: socket.socket, stop: threading.Event) -> None:
    far.settimeout(0.1)
    while not stop.is_set():
        try:
            far.recv(WORDS * 8)
        except TimeoutError:
            continue
        except OSError:
            return


def work() -> tuple[dict[str, float], dict[str, float]]:
    """(whole tick, write alone) in µs."""
    with station() as (place, far, stop):
        threading.Thread(target=_drain, args=(far, stop), daemon=True).start()
        ticks, writes = np.zeros(WORK_TICKS, np.int64), np.zeros(WORK_TICKS, np.int64)
        work_times(place.wiring, 10_000_000, ticks[:10])
        work_times(place.wiring, 10_000_000, ticks)
        fd = int(place.wiring.memory[loop.OUT_FD])
        write_times(place.wiring, fd, writes[:10])
        write_times(place.wiring, fd, writes)
    return percentiles(ticks / 1000.0), percentiles(writes / 1000.0)


def end_to_end() -> dict[str, float]:
    """From `publish` in another thread to the first record on the descriptor that carries the command, in µs.

    Commands come at random moments, in turn healthy and NaN: the fault bits of a record tell which one it has seen.
    """
    random = np.random.default_rng(1)
    delays = []
    with station() as (place, far, _):
        command = MailboxWriter(place.directory / paths.COMMAND)

        def on_time() -> None:
            realtime.prepare_thread()
            loop.run(place.wiring)

        thread = threading.Thread(target=on_time, daemon=True)
        thread.start()
        for number in range(MESSAGES):
            time.sleep(float(random.uniform(0.001, 0.011)))
            far.setblocking(False)
            _empty(far)
            far.settimeout(5.0)
            bad = number % 2 == 1
            begin = time.monotonic_ns()
            command.publish([np.nan if bad else 0.0] * 4)
            while bool(np.frombuffer(far.recv(WORDS * 8), np.int64)[EXTRA] >> Fault.COMMAND_NONFINITE & 1) != bad:
                pass
            delays.append((time.monotonic_ns() - begin) / 1000.0)
        place.wiring.memory[loop.QUIT] = 1
        thread.join(5.0)
    return percentiles(np.array(delays[1:]))  # before the first one there was no command at all


def _empty(far: socket.socket) -> None:
    while True:
        try:
            far.recv(WORDS * 8)
        except BlockingIOError:
            return


def run() -> list[Section]:
    """Both tables."""
    ticks, writes = work()
    rows = tuple(Row(f"tick, {name}", ticks[name], "µs", writes[name]) for name in ticks)
    period_us = load_policy(POLICY).period_ns / 1000
    whole = end_to_end()
    return [
        Section(
            "Command in the mailbox to byte on the descriptor: the work",
            "the write(2) of the same bytes alone",
            rows,
            "Reading 14 mailboxes, the step, the actuator mailbox, the write and the frame into the ring. The record "
            "is on the descriptor before the frame goes to the ring.",
        ),
        Section(
            "Command in the mailbox to byte on the descriptor: with the wait for the next tick",
            "one period",
            tuple(Row(name, value, "µs", period_us) for name, value in whole.items()),
            f"{MESSAGES} commands at random moments; the output leaves on the timer, so up to one period is waiting.",
        ),
    ]
