"""Times of the charge pump that drives relay 2, computed: ``python hw/wiring/charge_pump.py`` prints them.

The pin feeds C1; a diode from 0 V and one to the gate make a direct voltage of its edges on C2, which R drains. Nothing
here was measured; it answers whether the values on the diagram can work.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Pump:
    """Parts of the diagram, and the extremes of what may be fitted."""

    c1_f: float = 100e-9
    c2_f: float = 100e-9  # the gate itself adds well under a nanofarad
    r_ohm: float = 150e3
    high_v: float = 3.3
    diode_v: float = 0.25  # Schottky, at some ten microampere
    half_period_s: float = 1e-3  # the pin changes in every cycle
    threshold_min_v: float = 0.5  # the gate below which no switch of the class conducts
    threshold_max_v: float = 1.6  # the gate above which every one carries a coil

    @property
    def drain_s(self) -> float:
        """Time constant with which the gate loses its charge."""
        return self.r_ohm * self.c2_f

    def rise(self, gate_v: float) -> float:
        """Gate voltage after one rising edge. C1 gives what it has more than the gate; both capacitors share it."""
        more_v = self.high_v - 2 * self.diode_v - gate_v
        return gate_v + max(more_v, 0.0) * self.c1_f / (self.c1_f + self.c2_f)

    def fall(self, gate_v: float, time_s: float) -> float:
        return gate_v * math.exp(-time_s / self.drain_s)

    def edges(self, count: int) -> list[float]:
        """Gate voltage right after each of the first rising edges."""
        gate_v, found = 0.0, []
        for _ in range(count):
            gate_v = self.rise(self.fall(gate_v, 2 * self.half_period_s))
            found.append(gate_v)
        return found


@dataclass(frozen=True)
class Figures:
    """What matters of a pump."""

    peak_v: float
    lowest_v: float  # between two edges, while pulsing
    on_s: float  # until every switch conducts
    off_min_s: float  # after the last edge: the first switch may open ...
    off_max_s: float  # ... and every one is open
    one_edge_s: float  # a pin that goes high once and stays there: longest time that a switch may conduct


def figures(pump: Pump) -> Figures:
    """Compute them."""
    peaks = pump.edges(100)
    peak_v = peaks[-1]
    pulses = next((k for k, after in enumerate(peaks) if after > pump.threshold_max_v), math.inf)

    def open_after(gate_v: float, threshold_v: float) -> float:
        return max(pump.drain_s * math.log(gate_v / threshold_v), 0.0)

    lowest_v = pump.fall(peak_v, 2 * pump.half_period_s)
    return Figures(
        peak_v,
        lowest_v,
        pulses * 2 * pump.half_period_s,
        open_after(lowest_v, pump.threshold_max_v),
        open_after(peak_v, pump.threshold_min_v),
        open_after(peaks[0], pump.threshold_min_v),
    )


def report(pump: Pump) -> str:
    found = figures(pump)
    return "\n".join(
        [
            f"C1 {pump.c1_f * 1e9:.0f} nF, C2 {pump.c2_f * 1e9:.0f} nF, R {pump.r_ohm / 1e3:.0f} k, "
            f"{pump.high_v} V, an edge every {pump.half_period_s * 1e3:.0f} ms",
            f"gate while pulsing: {found.lowest_v:.2f} to {found.peak_v:.2f} V; on after {found.on_s * 1e3:.0f} ms",
            f"off after the last edge: {found.off_min_s * 1e3:.0f} to {found.off_max_s * 1e3:.0f} ms",
            f"a pin stuck high: off after {found.one_edge_s * 1e3:.0f} ms at most",
        ]
    )


if __name__ == "__main__":
    import sys

    sys.stdout.write(report(Pump()) + "\n")
