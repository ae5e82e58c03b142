"""Real-time priority, where this user may give it, for what stands for hardware: board, cable, vehicle, its autonomy.

All of these sleep nearly all the time. Without the right to it the demo works too; on a busy machine the board then
stops now and then because the host did not run guard, cable or emulation in time.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

PRIORITY = 20  # below the guard's own loop


def go_first(thread: int = 0) -> None:
    """This thread, or the one with this number, before all that is not real-time."""
    with suppress(OSError):
        os.sched_setscheduler(thread, os.SCHED_RR, os.sched_param(PRIORITY))


def let_go_first(process: int) -> None:
    """The same for every thread of a process."""
    with suppress(OSError):
        for task in Path(f"/proc/{process}/task").iterdir():
            go_first(int(task.name))
