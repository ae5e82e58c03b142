"""One frame lost, damaged, repeated or late, again and again: no error of the line stops a vehicle by itself, and none
makes either side believe what is not so. Production code on both sides, in simulated time."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest
from ruamel.yaml import YAML

from safetykit.core import protocol as p
from safetykit.core.vocabulary import State
from safetykit.policy import Policy
from safetykit.policy.load import parse_policy
from tests.unit.bridge.core_board import Together, together

PERIODS_MS = (2, 10, 20, 33)  # 33: the slowest that a policy with a microcontroller may have
EVERY = 25  # ticks from error to error
ERRORS = 15


def rover(period_ms: int) -> Policy:
    text = (files("safetykit.policy") / "presets" / "rover.yaml").read_text(encoding="utf-8")
    document: Any = YAML(typ="safe").load(text)
    document["timing"].update(period_ms=period_ms, dt_max_ms=2 * period_ms)
    document["stop"]["device"] = "microcontroller"
    return parse_policy(document)


class Errors:
    """Spoils the next frame whenever it is told to."""

    def __init__(self, spoil: Callable[[bytes], bytes]) -> None:
        self._spoil = spoil
        self._held = b""
        self.armed = False
        self.made = 0

    def __call__(self, data: bytes) -> bytes:
        held, self._held = self._held, b""
        if self.armed and data:
            self.armed = False
            self.made += 1
            spoilt = self._spoil(data)
            if spoilt is not HELD:
                return held + spoilt
            self._held, data = data, b""
        return held + data


HELD = b"held"  # comes with the next look at the line
SPOILS: dict[str, Callable[[bytes], bytes]] = {
    "lost": lambda data: b"",
    "damaged": lambda data: data[:5] + bytes([data[5] ^ 0x10]) + data[6:],
    "cut short": lambda data: data[:-3],
    "repeated": lambda data: data + data[-p.FRAME_BYTES :],
    "late": lambda data: HELD,
    "behind noise": lambda data: b"\x5a\xa5\x00" + data,
}


@pytest.mark.parametrize("period_ms", PERIODS_MS)
@pytest.mark.parametrize("way", ["to the board", "to the guard"])
@pytest.mark.parametrize("kind", SPOILS)
def test_single_errors_stop_nothing(kind: str, way: str, period_ms: int) -> None:
    pair = together(rover(period_ms))
    pair.ticks(100)
    pair.turn_key(200 // period_ms)
    pair.reset()
    pair.ticks(30)
    pair.engage = 1.0
    pair.ticks(5)
    assert (pair.board.state, pair.state) == (p.STATE_RUN, State.ENGAGED), (pair.board.cause, pair.faults)
    errors = Errors(SPOILS[kind])
    if way == "to the board":
        pair.spoil = errors
    else:
        pair.board.spoil = errors
    for _ in range(ERRORS):
        errors.armed = True
        pair.ticks(EVERY)
        assert _works(pair), (errors.made, pair.board.cause, pair.faults)
    assert errors.made == ERRORS


def _works(pair: Together) -> bool:
    return pair.board.state == p.STATE_RUN and pair.state == State.ENGAGED
