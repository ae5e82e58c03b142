"""The guard's own process: checks itself, takes the run directory, runs the loop in a thread, and looks after it.

The main thread does everything that may wait: the recorder, the service supervisor, signals. The loop thread holds no
interpreter lock; nothing that happens here, or in any other process, delays a tick.

A policy that cannot be used never drives anything: the outputs of the most restrictive preset go out as "power
removed"; then the process ends with exit code 2, or stays and keeps saying so (`stay`, for services that must not
be restarted in a loop).
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetykit.core.heartbeat import LINK_NS
from safetykit.core.jit import CODE_DIGEST
from safetykit.core.layout import DEVICE, STOP_TIME_NS
from safetykit.core.vocabulary import Device, Fault, State
from safetykit.errors import PolicyError, Problem
from safetykit.policy import Policy, load_policy
from safetykit.policy.checks_logic import MICROCONTROLLER_BEATS
from safetykit.policy.load import restrictive_policy
from safetykit.runtime import device, loop, paths, realtime, selftest, status
from safetykit.runtime.atomics import Words
from safetykit.runtime.blackbox.opening import policy_record
from safetykit.runtime.clock import NS_PER_S
from safetykit.runtime.notify import Notifier, alive_period_s
from safetykit.runtime.ports import DeviceLine, open_output
from safetykit.runtime.realtime import Grant
from safetykit.runtime.recorder_child import RecorderChild, recorder_arguments
from safetykit.runtime.wiring import Station

LOOK_S = 0.05  # how often the main thread looks
STALLED_S = 1.0  # a loop that did not tick for this long is not reported alive
STOP_GRACE_S = 3.0
NS_PER_MS = 1_000_000

DONE, FAILED, BAD_INPUT = 0, 1, 2  # exit codes

Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """How to run one guard."""

    policy: str  # name of a preset, or path
    instance: str = "default"
    output: str | None = None  # udp://HOST:PORT or a path, besides the actuator mailbox
    log_dir: Path | None = None
    key: Path | None = None  # Ed25519 key that signs closed log segments
    priority: int = realtime.PRIORITY
    cpu: int | None = None
    stop_grace_s: float = STOP_GRACE_S  # time for a stop under control when the process is told to end
    stay: bool = False  # with a bad policy: keep running, outputs stopped
    line: DeviceLine | None = None  # to the emergency-stop microcontroller


def run_guard(options: Options, say: Say) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code. `say` gets one line per event.

    Raises MailboxError: run directory or output cannot be used, or another guard runs there.
    """
    try:
        policy, code = load_policy(options.policy), DONE
        _check_device(policy, options)
    except PolicyError as error:
        say(f"error: {error}")
        say("the policy cannot be used: outputs are stopped")
        policy, code = restrictive_policy(), BAD_INPUT
    guard = GuardProcess(policy, options, say)
    try:
        if code == DONE:
            guard.check()
        elif not options.stay:
            guard.retire()
            return BAD_INPUT
        return max(code, guard.run())
    finally:
        guard.close()


def _check_device(policy: Policy, options: Options) -> None:
    """Raises PolicyError: the policy's tick is too slow for the microcontroller that is to watch it."""
    limit_ns = LINK_NS // MICROCONTROLLER_BEATS
    if options.line is not None and policy.period_ns > limit_ns:
        allowed = f"at most {limit_ns / NS_PER_MS:.0f}"
        text = "too slow for the microcontroller at --bridge"
        raise PolicyError(
            [Problem(options.policy, "timing.period_ms", policy.period_ns / NS_PER_MS, text, "ms", allowed)]
        )


@dataclass
class GuardProcess:
    """One guard in this process; :func:`run_guard` shows the order of its life."""

    policy: Policy
    options: Options
    say: Say
    grants: list[Grant] = field(default_factory=list)
    problems: list[str] = field(default_factory=lambda: ["not tested"])
    signals: int = 0
    unlatch: bool = False  # the stop at the end is ours: the next guard need not keep it

    def __post_init__(self) -> None:
        directory = paths.run_dir(self.options.instance)
        sources = [source.name for source in self.policy.sources]
        line = self.options.line
        kind = Device(int(self.policy.timing[DEVICE])) if line is None else Device.MICROCONTROLLER
        unit = 1 if line is None else line.unit
        voters = self.policy.voters
        self.station = Station(directory, self.policy.limits, self.policy.timing, sources, kind, unit, voters)
        if kind == Device.MICROCONTROLLER and line is None:
            self.say("the policy demands an emergency-stop microcontroller: stopped until one is given with --bridge")
        self.memory[loop.OUT_FD] = open_output(self.options.output) if self.options.output else -1
        self.notifier = Notifier()
        self._thread = threading.Thread(target=self._loop, name="guard loop", daemon=True)
        self._ready_to_loop = threading.Event()

    @property
    def memory(self) -> Words:
        memory: Words = self.station.wiring.memory
        return memory

    @property
    def page(self) -> Words:
        page: Words = self.station.wiring.page
        return page

    def check(self) -> None:
        """Power-on self-test; without it, or with any difference, the guard never leaves BOOT."""
        self.problems = selftest.check(self.policy.limits, self.policy.timing)
        for problem in self.problems:
            self.say(f"self-test: {problem}")
        self.memory[loop.SELFTEST_OK] = int(not self.problems)

    def retire(self) -> None:
        """Say once that power is to be removed."""
        loop.retire(self.station.wiring)

    def run(self) -> int:
        """Loop until told to end; exit code."""
        if self.problems:
            self._raise_fault(Fault.SELFTEST, True)
        if self.station.latched_before:
            self.say("the guard before left a stop that nobody reset: it stays latched")
            self._raise_fault(Fault.STOP_REQUEST, True)
        loop.warm_up(self.station.wiring)
        self._look_after_line()
        self.grants = realtime.prepare_process()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        self._thread.start()
        self._ready_to_loop.wait()
        self._introduce()
        recorder = self._recorder()
        healthy = self._supervise(recorder)
        self.notifier.stopping()
        if healthy:
            self._stop_under_control(recorder)
        self._end_loop(healthy)
        if not recorder.close():
            self.say("recorder: did not close its log; the next one will")
        (self.station.directory / paths.GUARD_INFO).unlink(missing_ok=True)
        return DONE if healthy and not self.problems else FAILED

    def close(self) -> None:
        """Let another guard have the run directory."""
        self.station.close()
        self.notifier.close()
        if self.options.line is not None:
            self.options.line.close()

    # ------------------------------------------------------------------ loop thread

    def _loop(self) -> None:
        """Thread body: everything before `loop.run` may take its time, nothing after."""
        try:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
            self.grants += realtime.prepare_thread(self.options.priority, self.options.cpu)
        finally:
            self._ready_to_loop.set()
        loop.run(self.station.wiring)

    # ------------------------------------------------------------------ main thread

    def _introduce(self) -> None:
        """Tell everybody who we are, once the loop is about to run."""
        for grant in self.grants:
            self.say(str(grant))
        facts = {
            "started_ns": time.monotonic_ns(),
            "pid": os.getpid(),
            "code_digest": CODE_DIGEST,
            "selftest": self.problems or "passed",
            "realtime": [grant.as_json() for grant in self.grants],
        }
        record = policy_record(self.policy)
        names = ("channels", "inputs", "sources", "functions", "conditions", "zones", "period_ns")
        policy = {key: record[key] for key in ("name", "version", "digest")}
        paths.write_json(self.station.directory / paths.POLICY, {**record, "guard": facts})
        info = {**facts, "policy": policy, **{key: record[key] for key in names}, "voters": self.policy.voters}
        paths.write_json(self.station.directory / paths.GUARD_INFO, info)

    def _recorder(self) -> RecorderChild:
        directory = self.station.directory
        log_dir = self.options.log_dir or paths.log_dir(self.options.instance)
        arguments = recorder_arguments(directory / paths.RING, log_dir, directory / paths.POLICY, self.options.key)
        return RecorderChild(arguments, self.say)

    def _supervise(self, recorder: RecorderChild) -> bool:
        """Until a signal comes (True) or the loop fails (False)."""
        ticks, ticked_s, announced = -1, time.monotonic(), False
        fed_s, feed_s = ticked_s, alive_period_s()
        while not self.signals:
            recorder.look_after()
            self._look_after_line()
            self._raise_fault(Fault.BLACKBOX, recorder.absent or self._recorder_behind())
            now_s = time.monotonic()
            if not self._thread.is_alive():
                self.say("the loop ended by itself")
                return False
            if self.page[status.TICKS] != ticks:
                ticks, ticked_s = int(self.page[status.TICKS]), now_s
                announced = announced or self._announce(ticks)
                if now_s - fed_s >= feed_s:
                    fed_s = now_s
                    self.notifier.alive()
            elif now_s - ticked_s > STALLED_S:
                self.say(f"the loop has not ticked for {now_s - ticked_s:.1f} s")
                ticked_s = now_s
            time.sleep(LOOK_S)
        return True

    def _announce(self, ticks: int) -> bool:
        """READY after the first tick; only then is a latch of the guard before taken over by the core."""
        if ticks == 0:
            return False
        self._raise_fault(Fault.STOP_REQUEST, False)
        text = f"guard {self.options.instance!r} runs policy {self.policy.name} {self.policy.version}"
        self.say(f"ready: {text}, in {self.station.directory}")
        self.notifier.ready(text)
        return True

    def _look_after_line(self) -> None:
        """Hand the loop another descriptor when the line was opened, lost or opened anew."""
        if self.options.line is not None:
            device.hand_over(self.station.wiring.device, self.options.line.look(self.station.wiring.device.link))

    def _recorder_behind(self) -> bool:
        return self.station.ring.unread > self.station.ring.slots // 2

    def _stop_under_control(self, recorder: RecorderChild) -> None:
        """Protective stop as the policy has it, for as long as it takes but no longer than the grace time."""
        latched = self.page[status.STATE] > State.RECOVERY
        self._raise_fault(Fault.STOP_REQUEST, True)
        limit_s = min(self.options.stop_grace_s, int(self.policy.timing[STOP_TIME_NS]) / NS_PER_S)
        end_s, asked_again = time.monotonic() + limit_s, self.signals
        moving = self.page[status.STATE] in (State.ENGAGED, State.RECOVERY, State.PROTECTIVE_STOP)
        while moving and time.monotonic() < end_s and self.signals == asked_again and self._thread.is_alive():
            recorder.look_after()
            self._look_after_line()
            moving = self.station.wiring.frame.out_power != 0
            time.sleep(LOOK_S)
        self.unlatch = not latched

    def _end_loop(self, healthy: bool) -> None:
        """End the loop; the last output, which nothing follows, removes power."""
        self.memory[loop.QUIT] = 1
        self._thread.join(STALLED_S)
        if self._thread.is_alive():
            self.say("the loop does not end; sinks have to notice its silence")
            return
        self.retire()
        if healthy and self.unlatch:
            self.page[status.STATE] = State.STANDBY  # this stop was ours, not one that a person must reset

    def _on_signal(self, number: int, _frame: Any) -> None:
        self.signals += 1

    def _raise_fault(self, fault: Fault, present: bool) -> None:
        """Level of one fault bit of the run time; only this thread writes the word."""
        faults = int(self.memory[loop.RAISED_FAULTS])
        self.memory[loop.RAISED_FAULTS] = faults | 1 << fault if present else faults & ~(1 << fault)
