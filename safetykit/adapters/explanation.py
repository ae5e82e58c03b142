"""An explained decision as lines for a person."""

from __future__ import annotations

from collections.abc import Iterator

from safetykit.runtime.blackbox.explain import Because, Explanation, Moved
from safetykit.runtime.blackbox.export import utc_text


def paragraphs(told: Explanation) -> Iterator[str]:
    """Head, reasons, channels."""
    driver = ", the operator drives" if told.manual else ""
    power = "on" if told.power else "off"
    yield f"{utc_text(told.utc_ns)}  tick {told.tick}  policy {told.policy} (SHA-256 {told.digest[:16]})"
    yield f"action {told.action}, state {told.state}, power {power}, stop event {told.stop_event}{driver}"
    yield ""
    for because in told.because:
        yield from _because(because)
    if not told.because:
        yield "no fault: the command was sent as it was asked"
    yield ""
    for moved in told.channels:
        yield _channel(moved)


def _because(because: Because) -> Iterator[str]:
    yield f"{because.fault} -> {because.action}"
    yield from (f"    {text}" for text in because.numbers)
    if because.policy:
        yield f"    policy: {', '.join(because.policy)}"


def _channel(moved: Moved) -> str:
    line = f"{moved.channel}: asked {moved.asked:.6g}, sent {moved.sent:.6g}"
    why = f" ({', '.join(moved.reasons)})" if moved.reasons else ""
    return line + why + (f", the checks left {moved.window}" if moved.window else "")
