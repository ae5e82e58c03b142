"""Machines that are not fine, for every check of the doctor, and some that are."""

from __future__ import annotations

from typing import Any

from safetykit.runtime.doctor_machine import Status
from tests.unit.doctor.machines import CPU, LIMITS, UNIT, USB, process

OK, UNKNOWN, WARN, BAD = Status.OK, Status.UNKNOWN, Status.WARN, Status.BAD
CLOCK = "sys/devices/system/clocksource/clocksource0"
SERVICE = "etc/systemd/system/safetykit-guard@.service"
POOR = LIMITS.format(memlock="8388608", rtprio="0")
OWN_ROOT = f"CapEff:\t{1 << 23 | 1 << 14:016x}\n"
GUARD = process(700, "safetykit", "/opt/safetykit/bin/python /opt/safetykit/bin/safetykit run --policy rover")
GIVEN = "dev/ttyS0"

Case = tuple[str, dict[str, Any], Status, str]


def case(item: str, status: Status, words: str, files: dict[str, str | None] | None = None, **more: Any) -> Case:
    """One machine: which item to look at, how it must stand, words of the finding, and what is changed."""
    return item, {"changes": files or {}, **more}, status, words


CASES: list[Case] = [
    case(
        "kernel preemption",
        WARN,
        "PREEMPT_DYNAMIC",
        {"proc/version": "6.1 SMP PREEMPT_DYNAMIC", "sys/kernel/realtime": None},
    ),
    case("kernel preemption", WARN, "no preemption", {"proc/version": "6.1 SMP", "sys/kernel/realtime": None}),
    case("kernel preemption", OK, "PREEMPT_RT", {"sys/kernel/realtime": None}),
    case("kernel preemption", UNKNOWN, "does not say", {"proc/version": None}),
    case("clock source", WARN, "hpet", {f"{CLOCK}/current_clocksource": "hpet"}),
    case(
        "clock source",
        BAD,
        "steps",
        {f"{CLOCK}/current_clocksource": "jiffies", f"{CLOCK}/available_clocksource": "jiffies"},
    ),
    case("clock source", OK, "arch_sys_counter", {f"{CLOCK}/current_clocksource": "arch_sys_counter"}),
    case("clock source", UNKNOWN, "does not say", {f"{CLOCK}/current_clocksource": None}),
    case("timers", BAD, "4 ms", timer_resolution_ns=lambda: 4_000_000),
    case("real-time throttling", BAD, "no time", {"proc/sys/kernel/sched_rt_runtime_us": "0"}),
    case("real-time throttling", WARN, "10 %", {"proc/sys/kernel/sched_rt_runtime_us": "100000"}),
    case("real-time throttling", OK, "no limit", {"proc/sys/kernel/sched_rt_runtime_us": "-1"}),
    case("real-time throttling", UNKNOWN, "does not say", {"proc/sys/kernel/sched_rt_runtime_us": None}),
    case(
        "real-time share of the group",
        BAD,
        "refused",
        {
            "proc/self/cgroup": "4:cpu,cpuacct:/user.slice\n",
            "sys/fs/cgroup/cpu,cpuacct/user.slice/cpu.rt_runtime_us": "0",
        },
    ),
    case(
        "real-time share of the group",
        OK,
        "do not limit",
        {"proc/self/cgroup": "4:cpu:/\n", "sys/fs/cgroup/cpu/cpu.rt_runtime_us": "950000"},
    ),
    case("machine", WARN, "virtual", {"proc/cpuinfo": "flags\t\t: fpu hypervisor tsc\n"}),
    case("machine", WARN, "virtual", {"sys/hypervisor/type": "xen"}),
    case("machine", UNKNOWN, "cpuinfo", {"proc/cpuinfo": None}),
    case("chosen CPU", BAD, "does not run", cpu=7),
    case("chosen CPU", UNKNOWN, "none was chosen", cpu=None),
    case("chosen CPU", UNKNOWN, "does not say", {"sys/devices/system/cpu/online": None}),
    case("CPU isolation", WARN, "shared", {"sys/devices/system/cpu/isolated": "1-2"}),
    case("CPU isolation", WARN, "shared", {"sys/devices/system/cpu/isolated": None}),
    case("kernel work on the CPU", WARN, "own work", {"proc/cmdline": "nohz_full=3"}),
    case("kernel work on the CPU", WARN, "own work", {"proc/cmdline": "nohz_full=1-2 rcu_nocbs=3"}),
    case("kernel work on the CPU", WARN, "own work", {"proc/cmdline": "nohz_full=x,y rcu_nocbs=3"}),
    case("kernel work on the CPU", OK, "no tick", {"proc/cmdline": "nohz_full=3 rcu_nocbs=all"}),
    case("interrupts on the CPU", WARN, "1 interrupts", {"proc/irq/18/effective_affinity_list": "3"}),
    case("interrupts on the CPU", WARN, ", ...", {f"proc/irq/{n}/smp_affinity_list": "0-3" for n in range(20, 32)}),
    case(
        "CPU frequency", WARN, "schedutil", {f"sys/devices/system/cpu/cpu{CPU}/cpufreq/scaling_governor": "schedutil"}
    ),
    case("CPU frequency", OK, "fixed", {f"sys/devices/system/cpu/cpu{CPU}/cpufreq/scaling_governor": None}),
    case("real-time priority", BAD, "no real-time priority", {"proc/self/limits": POOR, SERVICE: None}),
    case("real-time priority", BAD, "no real-time priority", {"proc/self/limits": None, SERVICE: "LimitRTPRIO=10\n"}),
    case("real-time priority", OK, "service unit", {"proc/self/limits": POOR}),
    case(
        "real-time priority",
        OK,
        "any priority",
        {"proc/self/limits": POOR, SERVICE: None, "proc/self/status": OWN_ROOT},
    ),
    case("real-time priority", OK, "up to 95", {SERVICE: None}),
    case("locked memory", WARN, "limited", {"proc/self/limits": POOR, SERVICE: None}),
    case("locked memory", OK, "service unit", {"proc/self/limits": POOR}),
    case("locked memory", OK, "no limit", {"proc/self/limits": POOR, SERVICE: None, "proc/self/status": OWN_ROOT}),
    case("deep CPU sleep", UNKNOWN, "there is no", {"dev/cpu_dma_latency": None}),
    case("shared memory", BAD, "too little", free_bytes=lambda _: 20 << 20),
    case("shared memory", WARN, "100 MB", free_bytes=lambda _: 100 << 20),
    case("shared memory at log-out", WARN, "removes", uid=1000),
    case(
        "shared memory at log-out",
        OK,
        "stays",
        {"etc/systemd/logind.conf": "[Login]\n#RemoveIPC=yes\nRemoveIPC=no\n"},
        uid=1000,
    ),
    case("shared memory at log-out", OK, "stays", {"etc/systemd/logind.conf.d/10.conf": "RemoveIPC = no\n"}, uid=1000),
    case("shared memory at log-out", WARN, "removes", {"etc/systemd/logind.conf": "#RemoveIPC=no\n"}, uid=1000),
    case("shared memory at log-out", OK, "no logind", {"proc/1/comm": "init"}, uid=1000),
    case("shared memory at log-out", OK, "stays", uid=999),
    case("wall clock", WARN, "not set", {"run/systemd/timesync/synchronized": None}),
    case("wall clock", OK, "set by NTP", {"run/systemd/timesync/synchronized": None, "run/chrony/chronyd.sock": ""}),
    case("service unit", WARN, "no service", {SERVICE: None}),
    case("service unit", BAD, "LimitRTPRIO", {SERVICE: UNIT.replace("95", "50")}),
    case("service unit", BAD, "Type, WatchdogSec", {SERVICE: "[Service]\nLimitRTPRIO=95\nLimitMEMLOCK=infinity\n"}),
    case("service unit", BAD, "LimitMEMLOCK", {f"{SERVICE}.d/weaker.conf": "[Service]\nLimitMEMLOCK=64M\n"}),
    case(
        "service unit",
        OK,
        "are set",
        {SERVICE: None, "lib/systemd/system/safetykit-guard@.service": UNIT.replace("95", "infinity")},
    ),
    case("port", BAD, "there are ttyACM0", port="/dev/ttyACM7"),
    case("port", BAD, "is not there", {"dev/ttyACM0": None}),
    case("port", WARN, "another device", port="/dev/ttyACM0"),
    case("port", OK, "/dev/ttyS0", {GIVEN: ""}, port="/dev/ttyS0"),
    case("port in use", BAD, "process 500 (minicom)", process(500, "minicom"), links={"proc/500/fd/4": "/dev/ttyACM0"}),
    case("port in use", OK, "the guard", dict(GUARD), links={"proc/700/fd/9": "/dev/ttyACM0"}),
    case("port in use", OK, "nobody", process(500, "minicom"), links={"proc/500/fd/4": "/dev/ttyACM1"}),
    case("console on the port", BAD, "kernel prints", {"proc/cmdline": "console=ttyACM0,115200 quiet"}),
    case(
        "console on the port",
        BAD,
        "kernel prints",
        {"proc/cmdline": "console=serial0,115200"},
        links={"dev/serial0": "ttyACM0"},
    ),
    case("console on the port", BAD, "login", process(600, "agetty", "/sbin/agetty -o ttyACM0 115200")),
    case("console on the port", OK, "neither", process(600, "agetty", "/sbin/agetty -o ttyACM01 115200")),
    case(
        "ModemManager",
        WARN,
        "tries this port",
        {**process(610, "ModemManager"), "run/udev/data/c166:0": "E:ID_BUS=usb\n"},
    ),
    case("ModemManager", OK, "leaves this port alone", process(610, "ModemManager")),
    case("latency timer", WARN, "16 ms", {"sys/bus/usb-serial/devices/ttyACM0/latency_timer": "16"}),
    case("latency timer", OK, "1 ms", {"sys/bus/usb-serial/devices/ttyACM0/latency_timer": "1"}),
    case("low-latency flag", OK, "is set", {"sys/class/tty/ttyACM0/flags": "0x12002000"}),
    case("low-latency flag", OK, "not set; the guard asks", {"sys/class/tty/ttyACM0/flags": "0x10000040"}),
    case(
        "low-latency flag",
        WARN,
        "although",
        {**GUARD, "sys/class/tty/ttyACM0/flags": "0x10000040"},
        links={"proc/700/fd/9": "/dev/ttyACM0"},
    ),
    case("low-latency flag", UNKNOWN, "cannot be told", {"sys/class/tty/ttyACM0/flags": "many"}),
    case("USB sleep", WARN, "to sleep", {f"{USB}/power/control": "auto"}),
    case("USB sleep", UNKNOWN, "does not say", {f"{USB}/power/control": None}),
    case("USB sleep", OK, "not on USB", {f"{USB}/idVendor": None}),
    case("interrupt thread of the port", WARN, "at 50", process(90, "irq/18-xhci_hcd", policy=1, priority=50)),
    case("interrupt thread of the port", WARN, "at 0", process(90, "irq/18-xhci_hcd", policy=0, priority=90)),
    case("interrupt thread of the port", OK, "no threads", {"proc/90/stat": None}),
    case("interrupt thread of the port", UNKNOWN, "recognised", process(90, "irq/18-nvme0q1", policy=1, priority=85)),
    case(
        "interrupt thread of the port",
        OK,
        "priority 90",
        {"dev/ttyAMA0": "", **process(91, "irq/23-uart-pl0", policy=1, priority=90)},
        port="/dev/ttyAMA0",
    ),
    case(
        "kind of UART",
        WARN,
        "mini UART",
        {GIVEN: "", "proc/device-tree/model": "Raspberry Pi 4 Model B\0"},
        port="/dev/ttyS0",
    ),
    case(
        "kind of UART",
        OK,
        "full UART",
        {"dev/ttyAMA0": "", "proc/device-tree/model": "Raspberry Pi 4"},
        port="/dev/ttyAMA0",
    ),
]
