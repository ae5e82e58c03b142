"""Compiled and interpreted loop, mailboxes and ring do the same, byte for byte."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from safetykit.runtime import loop, mailbox
from safetykit.runtime.atomics import INTERPRETED
from tests.unit.runtime.rig import Rig

TICKS = 250
ROOT = Path(__file__).resolve().parents[3]


def digest() -> str:
    """Hash of everything that a scripted drive with garbage, stops and resets leaves in shared memory."""
    random, rig, made = np.random.default_rng(7), Rig("quadrotor"), hashlib.sha256()
    for tick in range(TICKS):
        rig.inputs(engage=float(tick % 60 > 4), x_m=float(random.uniform(-5.0, 5.0)))
        rig.command(random.uniform(-9.0, 9.0, 4).tolist())
        if tick % 17 == 0:
            rig.boxes[int(random.integers(loop.SLOTS))][2 + int(random.integers(70))] ^= 1 << int(random.integers(62))
        if tick % 41 == 0:
            rig.control("ros", bits=int(random.integers(8)), aux=int(rig.frame.st_stop_event))
        if tick % 43 == 0:
            rig.boxes[loop.COMMAND_SLOT][mailbox.LOCK] |= 1
        if tick % 29 == 0:
            rig.write(loop.FUNCTION_SLOT, aux=int(random.integers(-1, 9)))
        if tick % 100 == 99:
            loop.book_misses(rig.w, rig.now_ns, 3)
        rig.tick(int(random.integers(0, 30_000_000)))
        for words in (rig.actuator, rig.page, rig.w.frame_words, rig.w.memory):
            made.update(words.tobytes())
    made.update(rig.ring.tobytes())
    return made.hexdigest()


def test_compiled_and_interpreted_agree() -> None:
    assert not INTERPRETED
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)}
    code = "from tests.unit.runtime.test_interpreted import digest; print(digest())"
    twin = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
    )
    assert twin.stdout.strip() == digest(), twin.stderr
