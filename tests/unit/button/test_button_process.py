"""`safetykit button` as a real process beside a guard that really runs: press, kill, freeze, refusals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from safetykit.core.vocabulary import Fault, State
from safetykit.policy import load_policy
from safetykit.runtime import paths
from safetykit.runtime.mailbox import CONTROL_BUTTON, MailboxReader, create_mailbox
from tests.unit.button.contacts import FAKE, Contacts
from tests.unit.runtime.running import ANSWER_S, Running, wait_for

ROOT = Path(__file__).resolve().parents[3]
ENTRY = "firmware_bridge.button_command:register"

# The command line with the button's entry point, whether or not the installed package has been refreshed.
COMMAND_LINE = f"""
from importlib.metadata import EntryPoint
from safetykit.adapters import cli
cli.entry_points = lambda group: [EntryPoint("button", "{ENTRY}", group)]
cli.main()
"""


class Button:
    """One `safetykit button` with the fake gpiod."""

    def __init__(self, contacts: Contacts, folder: Path) -> None:
        self.stderr = folder / "button-stderr"
        arguments = ["button", "--chip", str(contacts.chip), "--lines", "17,27"]
        environment = {**os.environ, "PYTHONPATH": str(FAKE), "PYTHONUNBUFFERED": "1"}
        with self.stderr.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-c", COMMAND_LINE, *arguments], stderr=stderr, env=environment
            )

    def says(self, text: str) -> None:
        wait_for(lambda: text in self.stderr.read_text() or self.process.poll() is not None, 120.0)
        assert text in self.stderr.read_text()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()


@pytest.fixture
def button(contacts: Contacts, tmp_path: Path) -> Iterator[Button]:
    started = Button(contacts, tmp_path)
    yield started
    started.close()


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Callable[[], Running]]:
    """A guard whose policy wants to hear the button."""
    preset = files("safetykit.policy").joinpath("presets", "quadrotor.yaml").read_text(encoding="utf-8")
    assert preset.count("\nstop:\n") == 1
    policy = tmp_path / "policy.yaml"
    policy.write_text(preset.replace("\nstop:\n", "\nstop:\n  device: button\n"), encoding="utf-8")
    running: list[Running] = []

    def start() -> Running:
        folder = tmp_path / f"guard{len(running)}"
        folder.mkdir()
        running.append(Running(folder, "--policy", str(policy)))
        return running[-1].ready()

    yield start
    for started in running:
        started.close()


def engaged(start: Callable[[], Running], button: Button) -> Running:
    """A guard that is ENGAGED. The button is heard before its first tick, so it never had to stop."""
    create_mailbox(paths.run_dir() / paths.control_name("bridge")).close()
    button.says("released: both lines are closed")
    guard = start()
    wait_for(lambda: guard.view().state == State.STANDBY)
    guard.engage(load_policy("quadrotor"))
    return guard


def stopped(guard: Running, fault: Fault) -> None:
    wait_for(lambda: guard.view().state == State.EMERGENCY_STOP, 5.0)
    view = guard.view()
    assert not view.power
    assert view.faults >> fault & 1, view.fault_names


def test_a_press_stops_the_real_guard(guard: Callable[[], Running], button: Button, contacts: Contacts) -> None:
    running = engaged(guard, button)
    contacts.set(1, 0)
    stopped(running, Fault.STOP_BUTTON)
    button.says("pressed: line B is open")


def test_sigterm_of_the_button_stops_the_real_guard(guard: Callable[[], Running], button: Button) -> None:
    running = engaged(guard, button)
    button.process.send_signal(signal.SIGTERM)
    assert button.process.wait(ANSWER_S) == 0
    stopped(running, Fault.STOP_BUTTON)
    button.says("ended: the guard was told that the button is pressed")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
def test_a_button_that_is_silent_stops_the_real_guard(
    guard: Callable[[], Running], button: Button, number: signal.Signals
) -> None:
    running = engaged(guard, button)
    button.process.send_signal(number)
    stopped(running, Fault.DEVICE_SILENT)


def test_the_button_may_start_first_and_waits(button: Button, guard: Callable[[], Running]) -> None:
    button.says("waiting for the guard: ")
    running = guard()
    button.says("released: both lines are closed")
    wait_for(lambda: not running.view().faults >> Fault.DEVICE_SILENT & 1)


def test_without_the_button_the_real_guard_never_leaves_its_stop(guard: Callable[[], Running]) -> None:
    stopped(guard(), Fault.DEVICE_SILENT)


def test_a_button_that_is_pressed_from_the_start_never_counts_as_released(contacts: Contacts, button: Button) -> None:
    contacts.set(0, 0)
    box = create_mailbox(paths.run_dir() / paths.control_name("bridge"))
    button.says("pressed: both lines are open")
    reader = MailboxReader(box.path)
    wait_for(lambda: (message := reader.read()) and message.published > 20)
    message = reader.read()
    assert message is not None
    assert message.bits & CONTROL_BUTTON
    box.close()


# ------------------------------------------------------------------ refusals


def refused(*arguments: str, module: str | None = str(FAKE)) -> str:
    environment = {**os.environ, **({"PYTHONPATH": module} if module else {})}
    done = subprocess.run(
        [sys.executable, "-c", COMMAND_LINE, "button", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        check=False,
    )
    assert done.returncode == 2, done
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, "one clear message"
    return lines[0]


def test_bad_input_is_one_message_and_exit_code_2(contacts: Contacts, tmp_path: Path) -> None:
    chip = str(contacts.chip)
    assert "no such chip" in refused("--chip", str(tmp_path / "gpiochip7"), "--lines", "17,27")
    assert "no such chip" in refused("--chip", str(tmp_path / "gpiochip7"), "--lines", "17,27", module=None)
    assert "expected two line numbers" in refused("--chip", chip, "--lines", "17")
    assert "the chip has 58" in refused("--chip", chip, "--lines", "17,99")
    contacts.mark("user-17", "another program")
    assert "line 17 is in use by 'another program'" in refused("--chip", chip, "--lines", "17,27")
    contacts.mark("denied")
    assert "no right to use it" in refused("--chip", chip, "--lines", "17,27")


def test_the_old_gpiod_is_one_message_and_exit_code_2(contacts: Contacts, tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    (old / "gpiod.py").write_text("__version__ = '1.6.3'\n", encoding="ascii")
    text = refused("--chip", str(contacts.chip), "--lines", "17,27", module=str(old))
    assert "is the old interface" in text
    assert "install safetykit[gpio]" in text


def test_a_second_button_is_one_message_and_exit_code_2(contacts: Contacts, button: Button) -> None:
    box = create_mailbox(paths.run_dir() / paths.control_name("bridge"))
    button.says("guard found")
    environment = {**os.environ, "PYTHONPATH": str(FAKE)}
    arguments = ["button", "--chip", str(contacts.chip), "--lines", "17,27"]
    done = subprocess.run(
        [sys.executable, "-c", COMMAND_LINE, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        check=False,
    )
    assert done.returncode == 2
    assert "has a writer already" in done.stderr.splitlines()[-1]
    assert button.process.poll() is None
    box.close()


def test_the_command_is_registered_in_the_project() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'button = "{ENTRY}"' in text
    assert 'gpio = ["gpiod>=2.1' in text
