"""Events read off frames: what is listed, and that prose stays bounded."""

from __future__ import annotations

import numpy as np

from safetykit.policy import Policy
from safetykit.runtime.blackbox.events import INTERVENTIONS_BURST, INTERVENTIONS_PER_S, Digest, derive


def kinds(events: list[dict[str, object]]) -> list[tuple[object, object]]:
    return [(event["event"], event["frame"]) for event in events]


def test_blocks_of_any_size_give_the_same_events(run: np.ndarray, rover: Policy) -> None:
    names = rover.channels, rover.functions
    whole = kinds(derive(None, run, 0, *names))
    for size in (1, 7, 64):
        parts = [
            derive(run[first - 1 : first] if first else None, run[first : first + size], first, *names)
            for first in range(0, len(run), size)
        ]
        assert kinds([event for part in parts for event in part]) == whole


def test_what_happened_is_told_with_its_circumstances(run: np.ndarray, rover: Policy) -> None:
    events = derive(None, run, 1000, rover.channels, rover.functions)
    functions = [
        (event["frame"], event["function"], event["granted"]) for event in events if event["event"] == "function"
    ]
    assert functions == [(1200, "horn", True), (1210, "bumper_off", False), (1220, "unknown (-1)", False)]
    stops = [event for event in events if event["event"] == "stop_event"]
    assert [(event["frame"], event["number"], event["state"]) for event in stops] == [(1300, 1, "PROTECTIVE_STOP")]
    assert "STOP_REQUEST" in stops[0]["faults"]
    resets = [(event["frame"], event["for_stop_event"]) for event in events if event["event"] == "reset"]
    assert resets == [(1340, 1)]


def test_interventions_are_bounded_and_the_rest_is_counted() -> None:
    digest, listed, counted, ticks = Digest(), 0, 0, 10_000
    for tick in range(ticks):
        for event in digest.take([{"event": "intervention", "frame": tick}], tick * 1_000_000):
            listed += event["event"] == "intervention"
            counted += event.get("count", 0)
    counted += sum(event["count"] for event in digest.rest())
    assert listed + counted == ticks
    assert listed <= INTERVENTIONS_BURST + 10 * INTERVENTIONS_PER_S + 1


def test_everything_else_is_always_listed() -> None:
    digest = Digest()
    happened = [{"event": "state", "frame": number} for number in range(1000)]
    assert digest.take(happened, 0) == happened
