"""Checks of the serial port to the microcontroller. No port is opened."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from safetykit.runtime.doctor_machine import Machine, Process, Verdict, bad, ok, unknown, warn
from safetykit.runtime.realtime import PRIORITY

STABLE = "/dev/safetykit-estop"
RULES = "install hw/udev/60-safetykit.rules (docs/realtime.md)"
NOBODY_JOINS = ("root", "0")
LATENCY_MAX_MS = 1
LOW_LATENCY = 1 << 13  # ASYNC_LOW_LATENCY, linux/tty_flags.h
IRQ_NAMES = {  # names of interrupt threads by kind of port
    "ttyACM": ("xhci", "ehci", "ohci", "dwc", "tegra-xusb"),
    "ttyUSB": ("xhci", "ehci", "ohci", "dwc", "tegra-xusb"),
    "ttyAMA": ("uart-pl011", "ttyAMA"),
    "ttyTHS": ("ttyTHS", "serial", "hsuart"),
    "ttyS": ("ttyS", "serial"),
}
KIND = re.compile(r"[A-Za-z]+")


def with_port(check: Callable[[Machine, str, str], Verdict]) -> Callable[[Machine], Verdict]:
    """A check that needs a port; gets the port as given, and its name in /sys (ttyACM0)."""

    def checked(machine: Machine) -> Verdict:
        port = machine.port or STABLE
        device = machine.follow(port)
        if not machine.at(device).exists():
            return unknown(f"{port} is not there")
        return check(machine, port, os.path.basename(device))

    return checked


def present(machine: Machine) -> Verdict:
    port = machine.port or STABLE
    device = machine.follow(port)
    if not machine.at(device).exists():
        others = sorted(path.name for kind in ("ttyACM", "ttyUSB") for path in machine.at("dev").glob(f"{kind}*"))
        seen = f"; there are {', '.join(others)}" if others else ""
        return bad(f"{port} is not there{seen}", f"plug the board in, and {RULES}")
    if re.fullmatch(r"/dev/tty(ACM|USB)\d+", port):
        return warn(f"{port} may be another device after the next boot", f"{RULES} and use {STABLE}")
    return ok(port if device == port else f"{port} is {device}")


def rights(machine: Machine, port: str, name: str) -> Verdict:
    device = machine.follow(port)
    if machine.may_write(device):
        return ok("this user may read and write")
    group = machine.group_of(device)
    cure = RULES if group in NOBODY_JOINS else f"usermod -aG {group} USER, then log in anew"
    return bad(f"this user may not use {device}", cure)


def holder(machine: Machine, port: str, name: str) -> Verdict:
    device = machine.follow(port)
    processes, closed = machine.holders(device)
    others = [process for process in processes if not is_guard(process)]
    if others:
        pids = " ".join(str(process.pid) for process in others)
        shown = ", ".join(f"process {process.pid} ({process.name})" for process in others)
        return bad(f"{device} is held by {shown}", f"end it: kill {pids}")
    if processes:
        return ok(f"held by the guard (process {processes[0].pid})")
    if closed and machine.uid != 0:
        return unknown(f"{closed} processes of others cannot be looked into", "run the doctor as root")
    return ok("nobody has it open")


def is_guard(process: Process) -> bool:
    return re.search(r"(^|[ /])safetykit run( |$)", process.command) is not None


def console(machine: Machine, port: str, name: str) -> Verdict:
    options = re.findall(r"\bconsole=([A-Za-z]+\d+)", machine.text("proc/cmdline") or "")
    if name in [os.path.basename(machine.follow(f"/dev/{option}")) for option in options]:
        return bad(f"the kernel prints its messages on {name}", f"remove console={name} from the kernel's command line")
    for process in machine.processes():
        if process.name == "agetty" and name in process.command.split():
            return bad(f"a login waits on {name}", f"systemctl disable --now serial-getty@{name}.service")
    return ok("neither console nor login")


def modem_probe(machine: Machine, port: str, name: str) -> Verdict:
    """It sends AT commands to whatever is plugged in and could be a modem."""
    if not any(process.name == "ModemManager" for process in machine.processes()):
        return ok("does not run")
    number = machine.text(f"sys/class/tty/{name}/dev")
    properties = machine.text(f"run/udev/data/c{number}") or ""
    if re.search(r"^E:ID_MM_(DEVICE|PORT)_IGNORE=1$", properties, re.MULTILINE):
        return ok("runs, and leaves this port alone")
    return warn("runs, and tries this port whenever it appears", f"{RULES}, or systemctl disable --now ModemManager")


def latency_timer(machine: Machine, port: str, name: str) -> Verdict:
    path = f"sys/bus/usb-serial/devices/{name}/latency_timer"
    timer_ms = machine.number(path)
    if timer_ms is None:
        return ok("this driver has none")
    if timer_ms <= LATENCY_MAX_MS:
        return ok(f"{timer_ms} ms")
    return warn(f"{timer_ms} ms: that long the adapter keeps every answer", f"{RULES}, or echo 1 > /{path}")


def low_latency(machine: Machine, port: str, name: str) -> Verdict:
    text = machine.text(f"sys/class/tty/{name}/flags")
    if text is None:
        return ok("this driver has no such flag")
    if int(text, 0) & LOW_LATENCY:
        return ok("low latency is set")
    processes, _ = machine.holders(machine.follow(port))
    if any(is_guard(process) for process in processes):
        return warn("not set, although the guard asks for it", f"setserial {port} low_latency")
    return ok("not set; the guard asks for it when it opens the port")


def suspend(machine: Machine, port: str, name: str) -> Verdict:
    device = _usb_device(machine.at(f"sys/class/tty/{name}/device"))
    if device is None:
        return ok("not on USB")
    control = device / "power" / "control"
    try:
        text = control.read_text(encoding="ascii").strip()
    except OSError:
        return unknown("the kernel does not say whether it may put the adapter to sleep")
    if text == "on":
        return ok("never")
    return warn("the kernel may put the adapter to sleep", f"{RULES}, or echo on > {control}")


def _usb_device(interface: Path) -> Path | None:
    """The USB device that an interface belongs to: the nearest folder above that has a vendor."""
    here = interface.resolve()
    return next((folder for folder in (here, *here.parents) if (folder / "idVendor").exists()), None)


def irq_thread(machine: Machine, port: str, name: str) -> Verdict:
    """On PREEMPT_RT the driver's interrupt is a thread; below the loop it may starve, and its bytes with it."""
    kind = KIND.match(name)
    names = IRQ_NAMES.get(kind[0] if kind else "", ())
    threads = [process for process in machine.processes() if process.name.startswith("irq/")]
    if not threads:
        return ok("interrupts are no threads here: they come before everything")
    found = [thread for thread in threads if _serves(thread.name, names)]
    if not found:
        return unknown(f"no interrupt thread of {name} was recognised")
    below = [thread for thread in found if thread.priority <= PRIORITY]
    if not below:
        return ok(f"priority {min(thread.priority for thread in found)}, above the loop's {PRIORITY}")
    shown = ", ".join(f"{thread.name} at {thread.priority}" for thread in below)
    pids = " ".join(f"chrt -f -p {PRIORITY + 5} {thread.pid};" for thread in below)
    return warn(f"{shown}: not above the loop's {PRIORITY}", f"{pids} at every boot (docs/realtime.md)")


def _serves(thread: str, names: tuple[str, ...]) -> bool:
    """Thread names are cut after 15 characters."""
    source = thread.partition("-")[2]
    return bool(source) and any(source.startswith(name) or name.startswith(source) for name in names)


def mini_uart(machine: Machine, port: str, name: str) -> Verdict:
    model = machine.text("proc/device-tree/model") or ""
    if "Raspberry Pi" in model and name == "ttyS0":
        return warn(
            "the Raspberry Pi's mini UART: its speed follows the core clock, and it has no error flags to speak of",
            "use the PL011 (ttyAMA0): dtoverlay=disable-bt in config.txt",
        )
    return ok("a full UART or USB")


CHECKS: tuple[tuple[str, Callable[[Machine], Verdict]], ...] = (
    ("port", present),
    ("port rights", with_port(rights)),
    ("port in use", with_port(holder)),
    ("console on the port", with_port(console)),
    ("ModemManager", with_port(modem_probe)),
    ("latency timer", with_port(latency_timer)),
    ("low-latency flag", with_port(low_latency)),
    ("USB sleep", with_port(suspend)),
    ("interrupt thread of the port", with_port(irq_thread)),
    ("kind of UART", with_port(mini_uart)),
)
