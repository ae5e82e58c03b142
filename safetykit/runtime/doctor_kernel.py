"""Checks of kernel and processor: can a loop be woken on time here?"""

from __future__ import annotations

import re
from collections.abc import Callable

from safetykit.runtime.doctor_machine import Machine, Verdict, bad, cpu_list, ok, unknown, warn

GOOD_CLOCKS = ("tsc", "arch_sys_counter", "kvm-clock", "hyperv_clocksource_tsc_page")
COARSE_NS = 1_000_000
PERCENT_OF_PERIOD = 1e-4  # sched_rt_runtime_us is out of 1 000 000
SHARE_MIN_PERCENT = 50
PAGE = "docs/realtime.md"


def preemption(machine: Machine) -> Verdict:
    version = machine.text("proc/version")
    if version is None:
        return unknown("the kernel does not say what it is")
    if machine.text("sys/kernel/realtime") == "1" or "PREEMPT_RT" in version:
        return ok("PREEMPT_RT")
    found = re.search(r"\bPREEMPT(_DYNAMIC)?\b", version)
    model = found[0] if found else "no preemption inside the kernel"
    return warn(f"{model}: a driver can hold the loop up", f"install a PREEMPT_RT kernel ({PAGE})")


def clock_source(machine: Machine) -> Verdict:
    base = "sys/devices/system/clocksource/clocksource0"
    current = machine.text(f"{base}/current_clocksource")
    if current is None:
        return unknown("the kernel does not say which clock it uses")
    if current in GOOD_CLOCKS:
        return ok(current)
    others = (machine.text(f"{base}/available_clocksource") or "").split()
    better = next((name for name in GOOD_CLOCKS if name in others), None)
    cure = (
        f"echo {better} > /{base}/current_clocksource"
        if better
        else "look for 'clocksource' in dmesg: why was it left?"
    )
    if current in ("jiffies", "refined-jiffies"):
        return bad(f"{current}: time goes on in steps of the timer tick", cure)
    return warn(f"{current}: every look at the clock is slow", cure)


def timers(machine: Machine) -> Verdict:
    resolution_ns = machine.timer_resolution_ns()
    if resolution_ns < COARSE_NS:
        return ok(f"high resolution ({resolution_ns} ns)")
    return bad(
        f"{resolution_ns / 1e6:.0f} ms: no high-resolution timers",
        "remove highres=off and nohlt from the kernel's command line, or take a kernel with CONFIG_HIGH_RES_TIMERS",
    )


def throttling(machine: Machine) -> Verdict:
    allowed_us = machine.number("proc/sys/kernel/sched_rt_runtime_us")
    if allowed_us is None:
        return unknown("the kernel does not say how much time real-time threads may take")
    cure = "sysctl -w kernel.sched_rt_runtime_us=950000"
    if allowed_us == 0:
        return bad("real-time threads get no time at all", cure)
    if 0 < allowed_us * PERCENT_OF_PERIOD < SHARE_MIN_PERCENT:
        return warn(f"real-time threads are stopped after {allowed_us * PERCENT_OF_PERIOD:.0f} % of each second", cure)
    share = "no limit" if allowed_us < 0 else f"{allowed_us * PERCENT_OF_PERIOD:.0f} % of each second"
    return ok(f"{share}; the loop takes far less")


def group_share(machine: Machine) -> Verdict:
    """CONFIG_RT_GROUP_SCHED with version 1 control groups: a group without a share of its own refuses SCHED_FIFO."""
    for line in (machine.text("proc/self/cgroup") or "").splitlines():
        _, controllers, path = line.split(":", 2)
        if "cpu" in controllers.split(","):
            share = machine.number(f"sys/fs/cgroup/{controllers}/{path.strip('/')}/cpu.rt_runtime_us")
            if share == 0:
                return bad(
                    "this control group has no share of real-time time: SCHED_FIFO will be refused",
                    "boot with systemd.unified_cgroup_hierarchy=1, or a kernel without CONFIG_RT_GROUP_SCHED",
                )
    return ok("control groups do not limit it")


def virtual(machine: Machine) -> Verdict:
    text = machine.text("proc/cpuinfo")
    if text is None:
        return unknown("there is no /proc/cpuinfo")
    if re.search(r"^flags\s*:.*\bhypervisor\b", text, re.MULTILINE) or machine.text("sys/hypervisor/type"):
        return warn("a virtual machine: its host decides when this CPU runs", "run the guard on the metal")
    return ok("runs on the metal")


# ------------------------------------------------------------------ the chosen CPU


def with_cpu(check: Callable[[Machine, int], Verdict]) -> Callable[[Machine], Verdict]:
    """A check that needs a CPU to look at."""

    def checked(machine: Machine) -> Verdict:
        return no_cpu(machine) if machine.cpu is None else check(machine, machine.cpu)

    return checked


def no_cpu(machine: Machine) -> Verdict:
    return unknown("none was chosen", "say which one the loop is to have: safetykit doctor --cpu N")


def online(machine: Machine, cpu: int) -> Verdict:
    text = machine.text("sys/devices/system/cpu/online")
    if text is None:
        return unknown("the kernel does not say which CPUs run")
    if cpu in cpu_list(text):
        return ok(f"CPU {cpu} runs")
    return bad(f"CPU {cpu} does not run; those that do: {text}", "choose one of these")


def isolated(machine: Machine, cpu: int) -> Verdict:
    if cpu in cpu_list(machine.text("sys/devices/system/cpu/isolated") or ""):
        return ok(f"CPU {cpu} is kept for those who ask for it")
    return warn(
        f"CPU {cpu} is shared with every other thread", f"add isolcpus={cpu} to the kernel's command line ({PAGE})"
    )


def quiet(machine: Machine, cpu: int) -> Verdict:
    """nohz_full stops the timer tick, rcu_nocbs moves the kernel's own clean-up elsewhere."""
    options = dict(re.findall(r"\b(nohz_full|rcu_nocbs)=(\S+)", machine.text("proc/cmdline") or ""))
    missing = [name for name in ("nohz_full", "rcu_nocbs") if not _names(options.get(name, ""), cpu)]
    if not missing:
        return ok(f"no tick and no RCU work on CPU {cpu}")
    words = " ".join(f"{name}={cpu}" for name in missing)
    return warn(f"the kernel's own work runs on CPU {cpu}", f"add {words} to the kernel's command line ({PAGE})")


def _names(option: str, cpu: int) -> bool:
    try:
        return option == "all" or cpu in cpu_list(option)
    except ValueError:
        return False


def interrupts(machine: Machine, cpu: int) -> Verdict:
    there = []
    for folder in sorted(machine.at("proc/irq").glob("[0-9]*")):
        base = f"proc/irq/{folder.name}"
        text = machine.text(f"{base}/effective_affinity_list") or machine.text(f"{base}/smp_affinity_list") or ""
        if text and cpu in cpu_list(text):
            there.append(folder.name)
    if not there:
        return ok(f"none on CPU {cpu}")
    shown = ", ".join(there[:8]) + (", ..." if len(there) > 8 else "")
    return warn(
        f"{len(there)} interrupts may come to CPU {cpu}: {shown}",
        f"add irqaffinity= with all other CPUs to the kernel's command line, and stop irqbalance ({PAGE})",
    )


def governor(machine: Machine, cpu: int) -> Verdict:
    path = f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor"
    text = machine.text(path)
    if text is None:
        return ok("the frequency is fixed, as far as Linux sees")
    if text == "performance":
        return ok("performance")
    return warn(f"{text}: the frequency follows the load, with delay", f"echo performance > /{path}")


CHECKS: tuple[tuple[str, Callable[[Machine], Verdict]], ...] = (
    ("kernel preemption", preemption),
    ("clock source", clock_source),
    ("timers", timers),
    ("real-time throttling", throttling),
    ("real-time share of the group", group_share),
    ("machine", virtual),
)
NO_CPU_CHECKS: tuple[tuple[str, Callable[[Machine], Verdict]], ...] = (("chosen CPU", no_cpu),)
CPU_CHECKS: tuple[tuple[str, Callable[[Machine], Verdict]], ...] = (
    ("chosen CPU", with_cpu(online)),
    ("CPU isolation", with_cpu(isolated)),
    ("kernel work on the CPU", with_cpu(quiet)),
    ("interrupts on the CPU", with_cpu(interrupts)),
    ("CPU frequency", with_cpu(governor)),
)
