"""A machine made of files, on which every check is content, and ways to spoil it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from safetykit.runtime.doctor_machine import Machine

CPU, PORT = 3, "/dev/safetykit-estop"
USB = "sys/devices/usb1/1-1"
UNIT = """[Service]
Type=notify
WatchdogSec=2
LimitRTPRIO=95
LimitMEMLOCK=infinity
"""
LIMITS = """Limit                     Soft Limit           Hard Limit           Units
Max locked memory         {memlock:<21}{memlock:<21}bytes
Max realtime priority     {rtprio:<21}{rtprio}
"""


def process(pid: int, name: str, command: str = "", *, policy: int = 0, priority: int = 0) -> dict[str, str]:
    """Files of one process; `command` with spaces between its words."""
    numbers = ["0"] * 50
    numbers[36], numbers[37] = "0", str(priority)
    numbers[38] = str(policy)
    return {
        f"proc/{pid}/stat": f"{pid} ({name}) S {' '.join(numbers[1:])}",
        f"proc/{pid}/cmdline": "\0".join(command.split()) + "\0" if command else "",
    }


GOOD: dict[str, str | None] = {
    "proc/version": "Linux version 6.12.0-rt (builder) #1 SMP PREEMPT_RT",
    "proc/cmdline": "quiet isolcpus=3 nohz_full=3 rcu_nocbs=2-3 console=tty1",
    "proc/cpuinfo": "processor : 0\nflags : fpu tsc\n",
    "proc/sys/kernel/sched_rt_runtime_us": "950000",
    "proc/self/limits": LIMITS.format(memlock="unlimited", rtprio="95"),
    "proc/self/status": "Name: python\nCapEff:\t0000000000000000\n",
    "proc/self/cgroup": "0::/user.slice\n",
    "proc/irq/18/effective_affinity_list": "0-2",
    "proc/irq/19/smp_affinity_list": "1",
    "proc/1/comm": "systemd",
    **process(1, "systemd"),
    **process(90, "irq/18-xhci_hcd", policy=1, priority=85),
    "sys/kernel/realtime": "1",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc",
    "sys/devices/system/clocksource/clocksource0/available_clocksource": "tsc hpet acpi_pm",
    "sys/devices/system/cpu/online": "0-3",
    "sys/devices/system/cpu/isolated": "3",
    "sys/devices/system/cpu/cpu3/cpufreq/scaling_governor": "performance",
    "dev/cpu_dma_latency": "",
    "dev/shm/.here": "",
    "dev/ttyACM0": "",
    "run/systemd/timesync/synchronized": "",
    "etc/systemd/system/safetykit-guard@.service": UNIT,
    "etc/group": f"dialout:x:{os.getgid()}:\nother:x:77:\n",
    "sys/class/tty/ttyACM0/dev": "166:0",
    "run/udev/data/c166:0": "E:ID_MM_DEVICE_IGNORE=1\n",
    f"{USB}/idVendor": "0483",
    f"{USB}/power/control": "on",
    f"{USB}/1-1:1.2/.here": "",
}
LINKS = {"dev/safetykit-estop": "ttyACM0", "sys/class/tty/ttyACM0/device": "../../../devices/usb1/1-1/1-1:1.2"}


def build(
    root: Path, changes: dict[str, str | None] | None = None, links: dict[str, str] | None = None, **options: Any
) -> Machine:
    """The good machine with some files changed (None: not there). The user is the owner of all files."""
    for path, text in {**GOOD, **(changes or {})}.items():
        if text is not None:
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    for path, target in {**LINKS, **(links or {})}.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if target:
            file.symlink_to(target)
    owner = os.getuid()
    usual: dict[str, Any] = {
        "cpu": CPU,
        "port": PORT,
        "uid": owner,
        "groups": frozenset(),
        "free_bytes": lambda _path: 1 << 30,
        "timer_resolution_ns": lambda: 1,
    }
    return Machine(root, **{**usual, **options})
