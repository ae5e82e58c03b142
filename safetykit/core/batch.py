"""Many ticks in one compiled call: the very same `step`, for simulation, replay of tables and tests."""

from __future__ import annotations

from safetykit.core.jit import jit, jit_apart
from safetykit.core.layout import CHANNEL_COUNT, INPUT_COUNT, SOURCE_COUNT, STATUS_OK, Frame, Limits, Timing
from safetykit.core.step import step


@jit
def feed(timing: Timing, frame: Frame, now_ns: int, stamp_ns: int, commands: Limits, values: Limits, row: int) -> None:
    """Puts row `row` of the tables into the frame: inputs stamped now, the command with its stamp.

    A stamp that repeats the previous row's is no new publication: the last command ages.
    """
    frame.in_now_ns = now_ns
    for i in range(timing[INPUT_COUNT]):
        frame.in_value[i] = values[row, i]
    for s in range(timing[SOURCE_COUNT]):
        frame.in_source_status[s] = STATUS_OK
        frame.in_source_stamp_ns[s] = now_ns
    if frame.in_command_status[0] == STATUS_OK and stamp_ns == frame.in_command_stamp_ns[0]:
        return
    channels = timing[CHANNEL_COUNT]
    for c in range(channels):
        frame.in_ask[0, c] = commands[row, c]
    frame.in_command_status[0] = STATUS_OK
    frame.in_command_published[0] += 1
    frame.in_command_seq[0] += 1
    frame.in_command_stamp_ns[0] = stamp_ns
    frame.in_command_count[0] = channels
    frame.in_request_bits[0] = -1


@jit_apart
def run(
    limits: Limits,
    timing: Timing,
    frame: Frame,
    times: tuple[Timing, Timing, Timing],
    tables: tuple[Limits, Limits],
    results: tuple[Limits, Timing, Timing],
) -> None:
    """Steps through all rows.

    times: (now ns, command stamps ns, fault bits seen outside), int64 (T,). tables: (commands float64 (T, C), inputs
    float64 (T, K)). results, written: (sent float64 (T, C), reason int64 (T, C), words int64 (T, 4): action,
    faults, state, power).
    """
    now_ns, stamps_ns, faults = times
    commands, values = tables
    sent, reason, words = results
    for row in range(len(now_ns)):
        feed(timing, frame, now_ns[row], stamps_ns[row], commands, values, row)
        frame.in_faults = faults[row]
        step(limits, timing, frame)
        for c in range(timing[CHANNEL_COUNT]):
            sent[row, c] = frame.out_sent[c]
            reason[row, c] = frame.out_reason[c]
        words[row, 0] = frame.out_action
        words[row, 1] = frame.out_faults
        words[row, 2] = frame.st_state
        words[row, 3] = frame.out_power
