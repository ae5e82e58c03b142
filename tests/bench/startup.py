"""From the start of the guard's process to READY, with an empty cache of machine code and with a filled one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.measure import Row, Section

COLD_TARGET_S, WARM_TARGET_S = 15.0, 2.0
GIVE_UP_S = 180.0
WARM_STARTS = 5


def until_ready(base: Path) -> float:
    """Seconds from exec to the service supervisor's READY=1. Raises RuntimeError when it does not come."""
    address = str(base / "notify")
    environment = {
        **os.environ,
        "NOTIFY_SOCKET": address,
        "NUMBA_CACHE_DIR": str(base / "cache"),
        "SAFETYKIT_RUN_DIR": str(base / "run"),
        "SAFETYKIT_LOG_DIR": str(base / "log"),
    }
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(address)
        supervisor.settimeout(GIVE_UP_S)
        begin = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "safetykit", "run", "--policy", "quadrotor"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            while b"READY=1" not in supervisor.recv(4096):
                pass
            return time.monotonic() - begin
        except TimeoutError as error:
            raise RuntimeError("the guard did not become ready") from error
        finally:
            process.terminate()
            process.communicate(timeout=30)
            os.unlink(address)


def import_numba_s() -> float:
    """The reference: a Python that does nothing but import numba."""
    begin = time.monotonic()
    subprocess.run([sys.executable, "-c", "import numba"], check=True)
    return time.monotonic() - begin


def run() -> list[Section]:
    """One cold start, the median of some warm ones."""
    with tempfile.TemporaryDirectory(prefix="safetykit-bench-") as name:
        base = Path(name)
        cold = until_ready(base)
        warm = sorted(until_ready(base) for _ in range(WARM_STARTS))[WARM_STARTS // 2]
        reference = sorted(import_numba_s() for _ in range(WARM_STARTS))[WARM_STARTS // 2]
    rows = (
        Row("cold: nothing compiled yet", cold, "s", reference, f"≤ {COLD_TARGET_S:g} s", cold <= COLD_TARGET_S),
        Row("warm, median of 5", warm, "s", reference, f"≤ {WARM_TARGET_S:g} s", warm <= WARM_TARGET_S),
    )
    note = "Includes the power-on self-test: known answers through the compiled step and through its interpreted twin."
    return [Section("Process start to ready", "`python -c 'import numba'`", rows, note)]
