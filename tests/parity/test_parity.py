"""Compiled and interpreted core leave the same bytes in the frame, tick by tick; bounds checks find nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from safetykit.core.vocabulary import State
from safetykit.policy import load_policy, parse_policy
from tests.parity import everything, stream

TICKS = 1500


# What the streams through every kind of check must come across, or they would prove nothing
REACHED = {
    "car": {"ZONE", "RSS", "RULE", "OUTLIER", "DISAGREE", "INTERVENTION", "BREAKER", "INFEASIBLE", "OBJECTS"},
    "drone": {"ZONE", "BARRIER", "COLLISION", "INFEASIBLE", "OBJECTS"},
}


def _elsewhere(seed: int, module: str = "stream", **environment: str) -> str:
    command = [sys.executable, "-m", f"tests.parity.{module}", str(seed), str(TICKS)]
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _here(seed: int) -> str:
    return "".join(f"{name} {stream.digest(load_policy(name), seed, TICKS)}\n" for name in stream.PRESETS)


@pytest.mark.parametrize("seed", [1, 2])
def test_interpreted_and_compiled_frames_are_byte_identical(seed: int) -> None:
    assert _elsewhere(seed, NUMBA_DISABLE_JIT="1") == _here(seed)


def test_compiled_with_bounds_checks_gives_the_same_and_finds_nothing(tmp_path: Path) -> None:
    """In a cache folder of its own: numba's cache does not tell checked from unchecked code."""
    assert _elsewhere(1, NUMBA_BOUNDSCHECK="1", NUMBA_CACHE_DIR=str(tmp_path)) == _here(1)


def test_every_kind_of_check_gives_the_same_bytes_interpreted_compiled_and_with_bounds_checks(tmp_path: Path) -> None:
    here = {name: everything.digest(parse_policy(made()), 1, TICKS) for name, made in everything.POLICIES.items()}
    assert all(REACHED[name] <= reached for name, (_, reached) in here.items())
    expected = "".join(f"{name} {digest}\n" for name, (digest, _) in here.items())
    assert _elsewhere(1, "everything", NUMBA_DISABLE_JIT="1") == expected
    assert _elsewhere(1, "everything", NUMBA_BOUNDSCHECK="1", NUMBA_CACHE_DIR=str(tmp_path)) == expected


@pytest.mark.parametrize("name", [name for name in stream.PRESETS if name != "restrictive"])
def test_the_stream_reaches_every_state(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A parity test that never engages would prove nothing."""
    reached: set[int] = set()
    monkeypatch.setattr(stream, "step", _spy(reached))
    stream.digest(load_policy(name), 1, TICKS)
    assert reached == set(State) - {State.BOOT}


def _spy(reached: set[int]) -> object:
    from safetykit.core.step import step

    def spying(*arguments: object) -> None:
        step(*arguments)
        reached.add(int(arguments[2].st_state))  # type: ignore[attr-defined]

    return spying
