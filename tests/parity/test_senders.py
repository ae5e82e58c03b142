"""The vote, the operator and the shadow model leave the same bytes compiled and interpreted."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.parity import senders

TICKS = 3000


def test_interpreted_and_compiled_frames_are_byte_identical() -> None:
    command = [sys.executable, "-m", "tests.parity.senders", "1", str(TICKS)]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    made, reached = senders.digest(1, TICKS)
    assert done.stdout == made
    assert reached >= {"state 2", "state 3", "manual 0", "manual 1", "mask 7", "mask 3", "mask 5", "mask 6", "out 1"}
