"""The services `e_stop_trigger` and `e_stop_reset`: what was asked, and whether the guard did it.

A trigger is answered with success only after the guard shows the stop. A reset is answered with success only after the
guard has left it. A trigger during a reset wins.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from safetykit.core.vocabulary import Fault, State, fault_names

ANSWER_NS_MAX = 1_000_000_000
TICKS_TO_SEE = 3  # ticks after which the guard has certainly read a request
LATCHED = (State.PROTECTIVE_STOP, State.EMERGENCY_STOP)
STOPPED = (State.BOOT, *LATCHED)


class Control(Protocol):
    """What is needed of ``ControlWriter``."""

    def stop(self) -> None: ...

    def reset(self, stop_event: int) -> None: ...


@dataclass(frozen=True)
class GuardTick:
    """What the guard said last. ``faults``: bits seen in any tick since the update before."""

    seq: int
    state: State
    stop_event: int
    faults: int


@dataclass
class Request:
    """One service call under way. ``done`` with ``success`` and ``message`` at its end."""

    is_reset: bool
    asked_ns: int
    after_seq: int
    done: bool = False
    success: bool = False
    message: str = ""

    def answer(self, success: bool, message: str) -> None:
        self.done, self.success, self.message = True, success, message


@dataclass
class StopServices:
    """Requests under way. `control` is None until there is a guard."""

    control: Control | None = None
    pending: list[Request] = field(default_factory=list)
    latest: GuardTick | None = None  # None = no guard, or a silent one

    def trigger(self, now_ns: int) -> Request:
        """Ask for a stop; ends a reset that is under way."""
        for request in self.pending:
            if request.is_reset:
                request.answer(False, "reset aborted: a stop was triggered meanwhile")
        request = Request(False, now_ns, self.latest.seq if self.latest else -1)
        if self.control is None:
            request.answer(False, "there is no guard yet; outputs are neutral and stay so until it runs")
            return request
        self.control.stop()
        self.pending.append(request)
        return request

    def reset(self, now_ns: int) -> Request:
        """Ask to leave the present stop."""
        request = Request(True, now_ns, self.latest.seq if self.latest else -1)
        if self.control is None or self.latest is None:
            request.answer(False, "reset refused: the guard is not running")
        elif any(not other.done for other in self.pending):
            other = "reset" if any(r.is_reset for r in self.pending if not r.done) else "stop trigger"
            request.answer(False, f"reset refused: a {other} is under way")
        else:
            self.control.reset(self.latest.stop_event)
            self.pending.append(request)
        return request

    def update(self, tick: GuardTick | None, now_ns: int) -> None:
        """Answers what the guard has done, and what took too long."""
        self.latest = tick
        for request in self.pending:
            if not request.done and tick is not None:
                (self._judge_reset if request.is_reset else self._judge_trigger)(request, tick)
            if not request.done and now_ns - request.asked_ns > ANSWER_NS_MAX:
                request.answer(False, self._too_late(request))
        self.pending = [request for request in self.pending if not request.done]

    @staticmethod
    def _judge_trigger(request: Request, tick: GuardTick) -> None:
        if tick.seq > request.after_seq and tick.state in LATCHED:
            request.answer(True, f"stopped: {tick.state.name}, stop event {tick.stop_event}")

    @staticmethod
    def _judge_reset(request: Request, tick: GuardTick) -> None:
        if tick.seq <= request.after_seq:
            return
        if tick.faults >> Fault.RESET_REFUSED & 1:
            why = [name for name in fault_names(tick.faults) if name != Fault.RESET_REFUSED.name]
            present = f"; present: {', '.join(why)}" if why else ""
            text = f"reset refused by the guard in {tick.state.name}: the reset conditions do not hold{present}"
            request.answer(False, text)
        elif tick.seq >= request.after_seq + TICKS_TO_SEE and tick.state not in LATCHED:
            request.answer(True, f"reset done: {tick.state.name}; engage again to move")

    def _too_late(self, request: Request) -> str:
        if self.latest is None:
            return "the guard does not answer; outputs are neutral"
        reasons = ", ".join(fault_names(self.latest.faults)) or "none"
        what = "reset refused: still" if request.is_reset else "the guard has not stopped: still"
        return f"{what} {self.latest.state.name}; faults: {reasons}"
