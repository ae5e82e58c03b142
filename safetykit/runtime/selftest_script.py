"""The drive of the self-test: made from nothing but a policy's arrays, the same on every machine.

It engages, asks for more than is allowed, sends every kind of bad command, loses a source, asks for functions, stops
and resets. Numbers come from a fixed integer sequence, not from a library that may change.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from safetykit.core import layout as lay
from safetykit.core.vocabulary import Fault

TICKS = 200
START_NS = 1_000_000_000_000
SEED = 0x9E3779B97F4A7C15
_WORD = (1 << 64) - 1

ENGAGED_TICKS = (*range(6, 66), *range(70, 122), *range(136, 160), *range(176, 200))  # engage input on
NAN_TICKS, INFINITE_TICKS = (20, 21), (24,)
SHORT_TICKS, FUTURE_TICKS, OLD_TICKS = (27,), (30,), (33,)
REPEATED_TICKS, BACKWARD_TICKS, SKIPPED_TICKS = (36, 37), (40,), (43,)
TORN_TICKS, SILENT_TICKS = (46,), tuple(range(49, 58))
SOURCE_TORN_TICKS, SOURCE_SILENT_TICKS = (60,), tuple(range(84, 96))
STRANGE_INPUT_TICKS = (98,)
BITS_TICKS = (100, 101, 104)
FUNCTION_TICKS = tuple(range(104, 120))
RESET_TICKS, WRONG_RESET_TICKS = (68, 100, 134, 174), (66, 130)
RAISED = {
    112: Fault.DEADLINE,
    120: Fault.STOP_REQUEST,
    121: Fault.STOP_REQUEST,
    160: Fault.STOP_BUTTON,
    195: Fault.INTERNAL,
}
LATE_TICKS = (150, 151)  # ticks that come three periods late


class Script:
    """Fills the in_ fields of a frame, tick by tick, in order."""

    def __init__(self, limits: NDArray[np.float64], timing: NDArray[np.int64]) -> None:
        self._limits, self._timing = limits, timing
        self._channels = int(timing[lay.CHANNEL_COUNT])
        self._inputs = int(timing[lay.INPUT_COUNT])
        self._sources = int(timing[lay.SOURCE_COUNT])
        self._now_ns = START_NS
        self._seq = 0
        self._random = SEED
        self._ask = [0.0] * self._channels

    def _next(self) -> float:
        """Uniform in [0, 1), 53 bits (splitmix64)."""
        self._random = (self._random + SEED) & _WORD
        mixed = self._random
        mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _WORD
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _WORD
        return ((mixed ^ mixed >> 31) >> 11) * 2.0**-53

    def fill(self, frame: Any, tick: int) -> None:
        """The tick's inputs. Reads st_stop_event and st_reset_seq to aim its resets, as an operator would."""
        period_ns = int(self._timing[lay.PERIOD_NS])
        self._now_ns += period_ns * (4 if tick in LATE_TICKS else 1)
        frame.in_now_ns = self._now_ns
        frame.in_selftest_ok = int(tick > 2)
        frame.in_faults = 1 << RAISED[tick] if tick in RAISED else 0
        if tick in RESET_TICKS or tick in WRONG_RESET_TICKS:
            frame.in_reset_seq += 1
            frame.in_reset_event = frame.st_stop_event + (tick in WRONG_RESET_TICKS)
        if tick in FUNCTION_TICKS:
            frame.in_function_seq += 1
            frame.in_function = tick - FUNCTION_TICKS[0]
        self._fill_sources(frame, tick)
        if tick > 3 and tick not in SILENT_TICKS:
            self._fill_command(frame, tick)

    def _fill_sources(self, frame: Any, tick: int) -> None:
        for source in range(self._sources):
            frame.in_source_status[source] = lay.STATUS_TORN if tick in SOURCE_TORN_TICKS else lay.STATUS_OK
            if tick not in SOURCE_SILENT_TICKS:
                frame.in_source_stamp_ns[source] = self._now_ns
        for number in range(self._inputs):
            row = lay.L_INPUT + number * lay.INPUT_COLS
            low, high = float(self._limits[row + lay.INPUT_LO]), float(self._limits[row + lay.INPUT_HI])
            wander = 0.002 * (high - low) * (self._next() - 0.5)
            frame.in_value[number] = min(max(wander, low), high)
            if tick in STRANGE_INPUT_TICKS:
                frame.in_value[number] = high * 2.0 + 1.0
        self._engage(frame, tick in ENGAGED_TICKS)

    def _engage(self, frame: Any, wanted: bool) -> None:
        """Put the engage input inside its condition, or outside."""
        row = int(self._timing[lay.ENGAGE_CONDITION])
        if row < 0:
            return
        number = int(self._timing[lay.T_COND + row * lay.COND_COLS_I + lay.COND_OPERAND])
        edges = lay.L_COND + row * lay.COND_COLS
        low, high = float(self._limits[edges + lay.COND_LO]), float(self._limits[edges + lay.COND_HI])
        frame.in_value[number] = low if wanted else low - 0.25 * (high - low)

    def _fill_command(self, frame: Any, tick: int) -> None:
        self._seq += 9 if tick in SKIPPED_TICKS else 1
        age_ns = int(self._timing[lay.COMMAND_STALE_NS])
        frame.in_command_status[0] = lay.STATUS_TORN if tick in TORN_TICKS else lay.STATUS_OK
        frame.in_command_published[0] += 1
        frame.in_command_seq[0] = self._seq - (2 if tick in BACKWARD_TICKS else tick in REPEATED_TICKS)
        frame.in_command_count[0] = self._channels - (tick in SHORT_TICKS)
        frame.in_command_stamp_ns[0] = self._now_ns
        if tick in FUTURE_TICKS:
            frame.in_command_stamp_ns[0] = self._now_ns + 1_000_000_000
        if tick in OLD_TICKS:
            frame.in_command_stamp_ns[0] = self._now_ns - 2 * age_ns
        frame.in_request_bits[0] = 0 if tick in BITS_TICKS else int(self._timing[lay.ALL_CHANNELS])
        for channel in range(self._channels):
            frame.in_ask[0, channel] = self._value(channel, tick)

    def _value(self, channel: int, tick: int) -> float:
        """Steps to anywhere in twice the hard bounds every few ticks, and the values that are no numbers."""
        row = lay.L_CHANNEL + channel * lay.CH_COLS
        low, high = float(self._limits[row + lay.HARD_LO]), float(self._limits[row + lay.HARD_HI])
        if tick % 7 == channel % 7:
            self._ask[channel] = 0.5 * (low + high) + (self._next() - 0.5) * 2.0 * (high - low)
        if tick in NAN_TICKS:
            return float("nan")
        return float("inf") if tick in INFINITE_TICKS else self._ask[channel]
