"""The files for systemd and udev: they parse, name commands that exist, and fit the guard and its doctor."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer.main

from safetykit.runtime import doctor_port, doctor_rights, process, recorder_child
from safetykit.runtime.doctor_machine import Machine, Status
from safetykit.runtime.realtime import PRIORITY

ROOT = Path(__file__).resolve().parents[2]
SYSTEMD, UDEV = ROOT / "hw" / "systemd", ROOT / "hw" / "udev"
GUARD, BUTTON, IRQ = (SYSTEMD / f"safetykit-{name}@.service" for name in ("guard", "button", "irq"))
UNITS = (GUARD, BUTTON, IRQ)
RULES = UDEV / "60-safetykit.rules"
PAGE = (ROOT / "docs" / "realtime.md").read_text(encoding="utf-8")
COMMAND_MODULES = ("safetykit.adapters.run_commands", "firmware_bridge.button_command")
PROGRAM = "/opt/safetykit/bin/safetykit"
BREAKS_THE_GUARD = ("PrivateDevices", "MemoryDenyWriteExecute", "RestrictRealtime", "PrivateNetwork", "DynamicUser")
FIRST_VERIFY = 254  # version of udevadm that can check rules


def settings(unit: Path) -> dict[str, list[str]]:
    """All values of every key of a unit."""
    found: dict[str, list[str]] = {}
    section = ""
    for number, line in enumerate(unit.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("["):
            section = line
            assert line in ("[Unit]", "[Service]", "[Install]"), f"{unit.name}:{number}"
            continue
        key, equals, value = line.partition("=")
        assert equals, f"{unit.name}:{number}: {line!r}"
        assert re.fullmatch(r"[A-Z]\w+", key), f"{unit.name}:{number}: {key!r}"
        assert section, f"{unit.name}:{number}: before the first section"
        found.setdefault(key, []).append(value)
    return found


def options_of(words: list[str]) -> set[str]:
    """All options of a `safetykit` command."""
    app = typer.Typer()
    for module in COMMAND_MODULES:
        import_module(module).register(app)
    command: Any = typer.main.get_command(app)
    for word in words:
        command = command.commands[word]
    return {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_unit_parses_and_starts_what_exists(unit: Path) -> None:
    found = settings(unit)
    (start,) = found["ExecStart"]
    if unit is not IRQ:
        program, command, *words = start.split()
        assert program == PROGRAM
        assert {word for word in words if word.startswith("--")} <= options_of([command])
        assert found["Type"] == ["notify"]
        assert not set(found) & set(BREAKS_THE_GUARD)


@pytest.mark.parametrize(("text", "command"), [("GUARD_ARGS", "run"), ("BUTTON_ARGS", "button")])
def test_the_examples_of_arguments_exist(text: str, command: str) -> None:
    sources = PAGE + GUARD.read_text(encoding="utf-8") + BUTTON.read_text(encoding="utf-8")
    examples = re.findall(rf"{text}=(--[^\n']*)", sources)
    assert examples
    for example in examples:
        assert set(re.findall(r"--[\w-]+", example)) <= options_of([command])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_accepts_the_unit(unit: Path, tmp_path: Path) -> None:
    """With systemd's own check where it is installed; the tests above need nothing."""
    if shutil.which("systemd-analyze") is None:
        return
    for other in UNITS:
        text = other.read_text(encoding="utf-8").replace(PROGRAM, "/bin/true")
        (tmp_path / other.name).write_text(text, encoding="utf-8")
    name = str(tmp_path / unit.name.replace("@", "@rover"))
    command = ["systemd-analyze", "verify", "--man=no", name]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout + result.stderr) == (0, "")


def test_the_unit_fits_the_guard() -> None:
    found = {key: values[-1] for key, values in settings(GUARD).items()}
    assert float(found["LimitRTPRIO"]) > PRIORITY
    assert found["LimitMEMLOCK"] == "infinity"
    assert found["KillMode"] == "mixed"
    assert found["RestartPreventExitStatus"] == str(process.BAD_INPUT)
    ending_s = process.STOP_GRACE_S + recorder_child.CLOSE_S + process.STALLED_S
    assert float(found["TimeoutStopSec"]) > ending_s
    assert float(found["WatchdogSec"]) / 4 > process.LOOK_S, "the guard feeds it four times in its time"
    assert found["User"] == "safetykit"


def test_the_unit_leaves_open_what_the_guard_uses() -> None:
    found = settings(GUARD)
    devices = {value.split()[0] for value in found["DeviceAllow"]}
    assert {"char-ttyACM", "char-ttyUSB", "char-ttyAMA", "/dev/cpu_dma_latency"} <= devices
    assert found["ProtectSystem"] == ["strict"], "leaves /dev, and so /dev/shm, writable"
    assert "@system-service" in found["SystemCallFilter"][0], "has mlockall, sched_setscheduler and ioctl"
    written = " ".join(found["Environment"])
    assert "SAFETYKIT_LOG_DIR=%S/safetykit" in written
    assert "NUMBA_CACHE_DIR=%C/safetykit" in written
    assert (found["StateDirectory"], found["CacheDirectory"]) == (["safetykit"], ["safetykit"])


def test_the_doctor_is_content_with_the_unit(tmp_path: Path) -> None:
    folder = tmp_path / doctor_rights.UNIT_FOLDERS[0]
    folder.mkdir(parents=True)
    shutil.copy(GUARD, folder)
    machine = Machine(tmp_path)
    for check in (doctor_rights.service, doctor_rights.priority_limit, doctor_rights.memory_limit):
        assert check(machine).status is Status.OK, check.__name__


def test_interrupt_threads_are_lifted_above_the_loop() -> None:
    (start,) = settings(IRQ)["ExecStart"]
    found = re.search(r"chrt -f -p (\d+)", start)
    assert found is not None
    assert int(found[1]) > PRIORITY


def test_system_user() -> None:
    lines = (SYSTEMD / "safetykit.sysusers").read_text(encoding="utf-8").splitlines()
    kinds = [line.split()[0] for line in lines if line and not line.startswith("#")]
    assert kinds == ["u", "m"]


# ------------------------------------------------------------------ udev

TERM = re.compile(r'\s*([A-Z_]+)(?:\{([\w/]+)\})?\s*(==|!=|\+=|-=|:=|=)\s*"([^"]*)"\s*(?:,|$)')
MATCHES = {"ACTION", "SUBSYSTEM", "KERNEL", "DRIVER", "ATTRS", "TEST"}
SETS = {"SYMLINK", "GROUP", "MODE", "TAG", "ENV", "GOTO", "LABEL", "ATTR"}


def rules() -> list[list[tuple[str, str, str, str]]]:
    """Terms of every rule: key, part, operator, value."""
    found = []
    text = RULES.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        terms, at = [], 0
        while at < len(line):
            term = TERM.match(line, at)
            assert term, f"cannot read: {line[at:]}"
            terms.append((term[1], term[2] or "", term[3], term[4]))
            at = term.end()
        found.append(terms)
    return found


def test_rules_parse() -> None:
    labels = {value for terms in rules() for key, _, _, value in terms if key == "LABEL"}
    for terms in rules():
        for key, _, operator, value in terms:
            allowed = MATCHES | {"ATTR"} if operator in ("==", "!=") else SETS
            assert key in allowed, (key, operator)
            assert key != "GOTO" or value in labels


def test_udev_accepts_the_rules() -> None:
    """With udev's own check where it is installed and new enough."""
    if shutil.which("udevadm") is None:
        return
    version = subprocess.run(["udevadm", "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.split()[0]) >= FIRST_VERIFY:
        subprocess.run(["udevadm", "verify", "--resolve-names=never", str(RULES)], check=True)


def test_rules_do_what_the_doctor_asks_for() -> None:
    ports = [terms for terms in rules() if any(key == "SYMLINK" for key, *_ in terms)]
    assert len(ports) == 2, "ST-LINK and FTDI"
    for terms in ports:
        assert ("SYMLINK", "", "+=", doctor_port.STABLE.removeprefix("/dev/")) in terms
        assert ("ENV", "ID_MM_DEVICE_IGNORE", "=", "1") in terms
        assert ("GROUP", "", "=", "dialout") in terms
        assert any(key == "ATTRS" and part == "serial" for key, part, *_ in terms), "by serial number"
    flat = [term for terms in rules() for term in terms]
    assert ("ATTR", "latency_timer", "=", str(doctor_port.LATENCY_MAX_MS)) in flat
    assert ("ATTR", "power/control", "=", "on") in flat
    sleep = next(terms for terms in rules() if ("KERNEL", "", "==", "cpu_dma_latency") in terms)
    assert ("GROUP", "", "=", "safetykit") in sleep


def test_page_names_the_files_there_are() -> None:
    for name in re.findall(r"hw/(?:systemd|udev)/([\w@.-]+\w)", PAGE):
        assert any((folder / name).exists() for folder in (SYSTEMD, UDEV)), name
