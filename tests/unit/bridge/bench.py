"""The production loop on arrays, with a scripted microcontroller at the end of a real descriptor."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from firmware_bridge.facts import DeviceFacts, facts_of
from firmware_bridge.wire import McuState
from safetykit.core.vocabulary import Device, Fault, State, fault_names
from safetykit.runtime import device
from safetykit.runtime.actuator import ActuatorView
from safetykit.runtime.mailbox import CONTROL_RESET, CONTROL_STOP
from tests.unit.bridge.peer import Peer
from tests.unit.runtime.rig import Rig


@dataclass
class Bench:
    """A guard's loop and the far end of its line. Each tick: the guard first, then the far end answers."""

    rig: Rig
    near: socket.socket
    far: socket.socket
    peer: Peer = field(default_factory=Peer)
    answering: bool = True
    engage: float = 0.0
    inputs: dict[str, float] = field(default_factory=dict)

    def tick(self, after_ns: int | None = None) -> ActuatorView:
        self.rig.inputs(**{"engage": self.engage, **self.inputs})
        self.rig.command([0.0] * len(self.rig.policy.channels))
        view = self.rig.tick(after_ns)
        if self.answering:
            self.answer()
        return view

    def answer(self) -> None:
        """The far end takes what was sent, and answers it."""
        self.send(self.peer(self.sent()))

    def drop_answers(self) -> None:
        """What is on its way to the guard is lost."""
        try:
            while self.near.recv(4096):
                pass
        except BlockingIOError:
            return

    def ticks(self, count: int) -> ActuatorView:
        for _ in range(count):
            view = self.tick()
        return view

    def send(self, data: bytes) -> int:
        """Bytes from the far end; how many of them the line took."""
        try:
            return self.far.send(data) if data else 0
        except BlockingIOError:
            return 0

    def sent(self) -> bytes:
        """What the guard has written and nobody took yet."""
        try:
            return self.far.recv(1 << 20)
        except BlockingIOError:
            return b""

    def say(self, state: McuState) -> None:
        """The far end tells of this state unasked, now."""
        self.peer.be(state)
        self.send(self.peer.say(self.peer.status))

    @property
    def line(self) -> Any:
        return self.rig.device.line

    @property
    def faults(self) -> set[str]:
        """Fault bits that the last tick put out."""
        return set(fault_names(int(self.rig.frame.out_faults)))

    @property
    def device_faults(self) -> set[str]:
        return self.faults & {Fault.DEVICE_SILENT.name, Fault.DEVICE_WAITS.name, Fault.STOP_BUTTON.name}

    def facts(self) -> DeviceFacts:
        """What `safetykit bridge` would show."""
        return facts_of(self.rig.device.page[device.PAGE_LINK :], self.rig.now_ns)

    # ------------------------------------------------------------------ on the way to work

    def reset(self) -> ActuatorView:
        self.rig.control("cli", bits=CONTROL_RESET, aux=int(self.rig.frame.st_stop_event))
        return self.tick()

    def stop(self) -> ActuatorView:
        self.rig.control("cli", bits=CONTROL_STOP)
        return self.tick()

    def ready(self) -> None:
        """A reset guard with a running microcontroller, not engaged."""
        self.peer.be(McuState.ARMED)
        self.ticks(15)  # a round of pages, the name among them
        assert self.device_faults == {"DEVICE_WAITS"}
        self.reset()
        self.peer.be(McuState.RUN)
        self.ticks(3)
        assert (self.state, self.device_faults) == (State.STANDBY, set())

    def work(self) -> None:
        """Engaged."""
        self.ready()
        self.engage = 1.0
        self.ticks(2)
        assert self.state == State.ENGAGED, self.faults

    @property
    def state(self) -> int:
        return int(self.rig.frame.st_state)


@contextmanager
def bench(policy: str = "rover", peer: Peer | None = None) -> Iterator[Bench]:
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        far.setblocking(False)
        rig = Rig(policy, kind=Device.MICROCONTROLLER)
        device.hand_over(rig.device, near.fileno())
        yield Bench(rig, near, far, peer or Peer())


def fill(sock: socket.socket) -> None:
    """Until the line takes nothing more."""
    try:
        while True:
            os.write(sock.fileno(), bytes(4096))
    except BlockingIOError:
        return
