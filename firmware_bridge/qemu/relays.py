"""The two relays between the microcontroller and the actuators' supply, as the bench models them. No I/O, no clock.

A relay has a coil, a power contact and a mirror contact. The two contacts are forcibly guided: the mirror contact shows
"released" if and only if the power contact is really open. Relay 1 has its coil at a static output. Relay 2 has it
behind a charge pump, which holds only while edges keep coming: an output stuck at either level lets it go.
"""

from __future__ import annotations

from dataclasses import dataclass

MILLISECOND = 1_000_000  # ns
PULL_NS = 10 * MILLISECOND  # from coil to contact
RELEASE_NS = 5 * MILLISECOND
PUMP_EDGES = 4  # edges that charge the pump

# A real pump would be laid out for 10 ms. QEMU is taken off the processor by its host now and then; it may lose as much
# time as the emulated build allows its cycle (CYCLE_US in port.mk).
PUMP_NS = 100 * MILLISECOND


@dataclass
class Relay:
    """One relay, its faults included."""

    coil: bool = False
    closed: bool = False  # the power contact
    moves_ns: int = 0  # when the contacts follow the coil
    moved_ns: int = 0  # when they last did
    welded: bool = False  # once closed, it stays closed
    dead: bool = False  # it never pulls in
    mirror_cut: bool = False

    @property
    def released(self) -> bool:
        """Level of the mirror contact's input."""
        return not self.closed and not self.mirror_cut

    def follow(self, coil: bool, now_ns: int) -> None:
        """Lets coil and contacts take their places at this time."""
        if coil != self.coil:
            self.coil = coil
            self.moves_ns = now_ns + (PULL_NS if coil else RELEASE_NS)
        held = self.closed and self.welded
        if self.coil != self.closed and now_ns >= self.moves_ns and not held and not self.dead:
            self.closed = self.coil
            self.moved_ns = now_ns


@dataclass
class Pump:
    """Charge pump in front of the coil of relay 2."""

    hold_ns: int = PUMP_NS
    edges: int = 0  # since it was empty
    last_ns: int = 0

    def follow(self, edges: int, now_ns: int) -> bool:
        """True if it holds, with this many edges since the last look."""
        if edges:
            self.edges += edges
            self.last_ns = now_ns
        elif now_ns - self.last_ns > self.hold_ns:
            self.edges = 0
        return self.edges >= PUMP_EDGES
