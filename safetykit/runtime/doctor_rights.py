"""Checks of rights and services: may the guard ask for what it needs, and will it be left in peace?"""

from __future__ import annotations

import re
from collections.abc import Callable

from safetykit.runtime.doctor_machine import CAP_IPC_LOCK, CAP_SYS_NICE, Machine, Verdict, bad, ok, unknown, warn
from safetykit.runtime.realtime import PRIORITY

UNIT = "safetykit-guard@.service"
UNIT_FOLDERS = ("etc/systemd/system", "run/systemd/system", "usr/lib/systemd/system", "lib/systemd/system")
INSTALL = f"install hw/systemd/{UNIT} (docs/realtime.md)"
DMA_LATENCY = "dev/cpu_dma_latency"
RULES = "etc/udev/rules.d/60-safetykit.rules"
SHM_NEEDED, SHM_GOOD = 48 << 20, 128 << 20  # the longest ring takes 36 MB, mailboxes and its successor the rest
SYSTEM_USERS = 1000  # users below are never logged out


def unit_settings(machine: Machine) -> dict[str, str] | None:
    """The installed unit's settings with its drop-ins, the last one counts; None if it is not installed."""
    for folder in UNIT_FOLDERS:
        text = machine.text(f"{folder}/{UNIT}")
        if text is not None:
            break
    else:
        return None
    for folder in reversed(UNIT_FOLDERS):
        for path in sorted(machine.at(f"{folder}/{UNIT}.d").glob("*.conf")):
            text += "\n" + (machine.text(f"{folder}/{UNIT}.d/{path.name}") or "")
    return dict(re.findall(r"^\s*(\w+)\s*=\s*(.*?)\s*$", text, re.MULTILINE))


def priority_limit(machine: Machine) -> Verdict:
    if machine.capable(CAP_SYS_NICE):
        return ok("this user may take any priority")
    limit = machine.limit("Max realtime priority")
    if limit is not None and limit >= PRIORITY:
        return ok(f"up to {limit:.0f}")
    if _number((unit_settings(machine) or {}).get("LimitRTPRIO", "")) >= PRIORITY:
        return ok("granted by the service unit, not to this shell")
    return bad(
        f"no real-time priority for this user: the loop needs {PRIORITY}",
        f"{INSTALL}, or write '@safetykit - rtprio 95' to /etc/security/limits.d/safetykit.conf and log in anew",
    )


def memory_limit(machine: Machine) -> Verdict:
    limit = machine.limit("Max locked memory")
    if machine.capable(CAP_IPC_LOCK) or limit == float("inf"):
        return ok("no limit")
    if (unit_settings(machine) or {}).get("LimitMEMLOCK") == "infinity":
        return ok("granted by the service unit, not to this shell")
    return warn(
        "memory locking is limited: pages that come later can be swapped out",
        f"{INSTALL}, or write '@safetykit - memlock unlimited' to /etc/security/limits.d/safetykit.conf",
    )


def cpu_sleep(machine: Machine) -> Verdict:
    try:
        allowed = machine.may_write(DMA_LATENCY)
    except OSError:
        return unknown(f"there is no /{DMA_LATENCY}: this kernel has no such wish")
    if allowed:
        return ok(f"/{DMA_LATENCY} is open to this user")
    return warn(
        f"/{DMA_LATENCY} is closed to this user: waking from deep sleep may take long",
        f"install hw/udev/60-safetykit.rules as /{RULES}: it opens it to group safetykit",
    )


def shared_memory(machine: Machine) -> Verdict:
    try:
        free = machine.free_bytes(machine.at("dev/shm"))
    except OSError:
        return bad("there is no /dev/shm", "mount -t tmpfs tmpfs /dev/shm")
    text = f"{free >> 20} MB free"
    if free < SHM_NEEDED:
        return bad(f"{text}: too little for the ring", "remove old files there, or mount -o remount,size=256M /dev/shm")
    return ok(text) if free >= SHM_GOOD else warn(text, "mount -o remount,size=256M /dev/shm")


def log_out(machine: Machine) -> Verdict:
    """systemd-logind removes the shared memory of an ordinary user who logs out: the mailboxes, too."""
    if machine.uid < SYSTEM_USERS:
        return ok("shared memory of this user stays")
    folders = ("etc/systemd/logind.conf.d", "run/systemd/logind.conf.d", "usr/lib/systemd/logind.conf.d")
    files = ["etc/systemd/logind.conf"]
    files += [f"{folder}/{path.name}" for folder in folders for path in sorted(machine.at(folder).glob("*.conf"))]
    if machine.text("proc/1/comm") not in (None, "systemd"):
        return ok("no logind here")
    settings = "\n".join(machine.text(file) or "" for file in files)
    if re.search(r"^\s*RemoveIPC\s*=\s*(no|false|0|off)\s*$", settings, re.MULTILINE):
        return ok("shared memory stays when the user logs out")
    return warn(
        "when this user logs out, systemd removes the guard's mailboxes",
        "run the guard as a system user, as the unit does, or set RemoveIPC=no in /etc/systemd/logind.conf",
    )


def wall_clock(machine: Machine) -> Verdict:
    """Only dates in the log depend on it. The loop's clock never jumps, whatever NTP does."""
    steady = "the loop uses a clock that NTP never sets"
    if machine.at("run/systemd/timesync/synchronized").exists() or machine.at("run/chrony/chronyd.sock").exists():
        return ok(f"set by NTP; {steady}")
    return warn(f"not set by NTP: dates in the log may be wrong; {steady}", "timedatectl set-ntp true")


def service(machine: Machine) -> Verdict:
    settings = unit_settings(machine)
    if settings is None:
        return warn("the guard is no service here: nothing starts it anew", INSTALL)
    wanted = {
        "Type": settings.get("Type") == "notify",
        "WatchdogSec": bool(settings.get("WatchdogSec")),
        "LimitRTPRIO": _number(settings.get("LimitRTPRIO", "")) >= PRIORITY,
        "LimitMEMLOCK": settings.get("LimitMEMLOCK") == "infinity",
    }
    wrong = [name for name, good in wanted.items() if not good]
    if not wrong:
        return ok("limits and watchdog are set")
    return bad(f"{UNIT}: {', '.join(wrong)} missing or too small", INSTALL)


def _number(text: str) -> float:
    if text == "infinity":
        return float("inf")
    return float(text) if text.isdigit() else 0.0


CHECKS: tuple[tuple[str, Callable[[Machine], Verdict]], ...] = (
    ("real-time priority", priority_limit),
    ("locked memory", memory_limit),
    ("deep CPU sleep", cpu_sleep),
    ("shared memory", shared_memory),
    ("shared memory at log-out", log_out),
    ("wall clock", wall_clock),
    ("service unit", service),
)
