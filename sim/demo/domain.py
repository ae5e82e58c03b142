"""A ROS 2 domain of our own, so that the demo and the tests never meet a robot or each other.

The domain of the user's shell may be a real robot's: it is never used here. Two runs on one machine get two domains,
because each holds a file lock for as long as its process lives.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path

FIRST, LAST = 10, 99  # below is where robots usually are; above, UDP ports run into the ephemeral range


def reserve_domain(folder: Path | None = None) -> int:
    """Number of a domain that nobody else on this machine has reserved. Raises OSError when all are taken."""
    base = Path(tempfile.gettempdir()) if folder is None else folder
    for number in range(FIRST, LAST + 1):
        try:
            lock = os.open(base / f"safetykit-ros-domain-{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:  # another user's
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            continue
        return number  # the open descriptor keeps the lock until this process ends
    raise OSError(f"all ROS 2 domains from {FIRST} to {LAST} are taken on this machine")


def ros_environment() -> dict[str, str]:
    """Variables for processes that talk to each other only: a reserved domain, this host, plain UDP.

    FastDDS' shared-memory transport stumbles over lock files where unrelated users share a machine.
    """
    return {
        "ROS_DOMAIN_ID": str(reserve_domain()),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "FASTDDS_BUILTIN_TRANSPORTS": "UDPv4",
    }
