"""One guard whose port leads to everything that is wrong, one thing after the other, and to the real board at last.

It never runs anything, never ends, says what is wrong, and needs no restart when the right line comes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from firmware_bridge.qemu_board import QemuBoard
from firmware_bridge.serial_port import open_port
from safetykit.core import protocol as p
from safetykit.core.vocabulary import State
from tests.unit.bridge.peer import FarEnd, Garbage, HalfFrames, Peer, Pty, echo, mute
from tests.unit.bridge.stand import Commands, Stand, line_with
from tests.unit.runtime.running import wait_for

# The owner of a file has no right to it when its mode says so; root has, unless it gives that privilege up.
WITHOUT_PRIVILEGE = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")


@dataclass
class Plug:
    """The name of the guard's port, and what it leads to."""

    name: Path
    stand: Stand = field(init=False)

    def into(self, target: str | Path | None) -> None:
        fresh = self.name.with_suffix(".new")
        if target is None:
            self.name.unlink(missing_ok=True)
            return
        fresh.symlink_to(target)
        fresh.replace(self.name)

    def heard_of(self, text: str) -> None:
        """The guard has said so since it was plugged in."""
        wait_for(lambda: text in self.stand.said())

    def stays_stopped(self, ticks: int = 20) -> None:
        """Alive and stopped for so many ticks."""
        first = self.stand.view()
        wait_for(lambda: self.stand.view().seq > first.seq + ticks)
        assert self.stand.stopped()
        assert self.stand.process.poll() is None

    @property
    def path(self) -> str:
        return str(self.name)


@pytest.fixture(scope="module")
def plug(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plug]:
    """A guard that was started with a port that is not there."""
    folder = tmp_path_factory.mktemp("bad-input")
    plug = Plug(folder / "estop")
    prefix = WITHOUT_PRIVILEGE if os.geteuid() == 0 else ()
    assert not prefix or shutil.which(prefix[0])
    plug.stand = Stand(folder, plug.path, prefix)
    yield plug
    plug.stand.close()


def words(text: str) -> str:
    return re.sub(r"[\s│┃]+", " ", text)


# ------------------------------------------------------------------ no port


def test_a_guard_starts_without_its_port_and_says_so(plug: Plug) -> None:
    plug.heard_of(
        f"bridge {plug.path}: no such port; is the microcontroller plugged in?; stopped until it can be opened"
    )
    plug.stays_stopped()
    assert {"DEVICE_SILENT", "COMMAND_MISSING"} == set(plug.stand.view().fault_names)
    made = plug.stand.json("bridge", "status")
    assert (made["alive"], "the guard could not open its port" in made["trouble"]) == (False, True)


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir], ids=["file", "folder"])
def test_something_that_is_no_port(plug: Plug, tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "thing")
    plug.into(tmp_path / "thing")
    plug.heard_of(f"bridge {plug.path}: not a serial port; stopped until it can be opened")
    plug.stays_stopped()


def test_a_device_that_is_no_port(plug: Plug) -> None:
    plug.into(None)
    wait_for(
        lambda: (
            plug.stand.said()
            .rstrip()
            .endswith("no such port; is the microcontroller plugged in?; stopped until it can be opened")
        )
    )
    before = plug.stand.said()
    plug.into("/dev/null")
    wait_for(lambda: "not a serial port" in plug.stand.said()[len(before) :])
    plug.stays_stopped()


def test_no_rights(plug: Plug) -> None:
    with Pty() as pty:
        os.chmod(pty.device, 0)
        plug.into(pty.device)
        plug.heard_of(f"bridge {plug.path}: no right to use it; ")
        plug.stays_stopped()
        assert pty.received() == b""


def test_a_busy_port_and_then_a_free_one(plug: Plug) -> None:
    with Pty(mute) as pty:
        other = open_port(pty.device)
        plug.into(pty.device)
        plug.heard_of(f"bridge {plug.path}: another program has it: ")
        assert f"(process {os.getpid()})" in plug.stand.said()
        plug.stays_stopped()
        assert pty.received() == b""  # the other program's conversation is not disturbed
        other.close()
        plug.heard_of(f"bridge {plug.path}: open, unit 1")
        plug.stays_stopped()


# ------------------------------------------------------------------ another program on the port

STRANGERS: dict[str, tuple[Callable[[], FarEnd], str]] = {
    "mute": (lambda: mute, "nothing answers"),
    "echo": (lambda: echo, "bytes come, none of them a frame"),
    "garbage": (Garbage, "frames come, but all damaged"),
    "half frames": (HalfFrames, "frames come, but all damaged"),
    "another unit": (lambda: Peer(unit=2), "frames come, but all damaged: wrong unit number"),
    "another version": (lambda: Peer(version=p.VERSION + 1), f"speaks version {p.VERSION + 1} of the protocol"),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_a_stranger_on_the_port(plug: Plug, name: str) -> None:
    """It may even say RUN: nothing of it is believed, and all that it ever hears is STOP."""
    make, says = STRANGERS[name]
    far_end = make()
    if isinstance(far_end, Peer):
        far_end.be(p.STATE_RUN)  # type: ignore[arg-type]
    opened, gone = (plug.stand.said().count(text) for text in (": open, unit 1", "the line is gone"))
    with Pty(far_end) as pty:
        plug.into(pty.talk().device)
        wait_for(lambda: plug.stand.said().count(": open, unit 1") > opened)
        plug.stays_stopped(30)
        made = plug.stand.json("bridge", "status")
        assert not made["alive"]
        assert says in made["trouble"]
        plug.stays_stopped(1)
    if isinstance(far_end, Peer):
        assert {beat.command for beat in far_end.beats} == {p.COMMAND_STOP}
    wait_for(lambda: plug.stand.said().count("the line is gone") > gone)


def test_commands_on_the_port_of_a_stranger_say_what_is_there(tmp_path: Path) -> None:
    """One clear message for each, all at the same time."""
    commands, ptys, running = Commands(tmp_path), [], {}
    for name, (make, says) in STRANGERS.items():
        pty = Pty(make()).talk()
        ptys.append(pty)
        command = ("events", "--port", pty.device) if name == "echo" else ("status", "--port", pty.device)
        running[name] = (says, _begin(commands, "bridge", *command))
    for name, (says, process) in running.items():
        out, error = process.communicate(timeout=60)
        if name == "another version":  # it did answer, and the table shows what
            assert (process.returncode, says in words(out)) == (1, True), out + error
        else:
            assert (process.returncode, out) == (2, ""), out + error
            assert says in error
            assert error.count("\n") == 1
    for pty in ptys:
        pty.unplug()


def _begin(commands: Commands, *arguments: str) -> subprocess.Popen[str]:
    command = commands._command(arguments)
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=commands.environment, stdout=pipe, stderr=pipe, text=True)


# ------------------------------------------------------------------ the right line at last


def test_the_right_line_needs_no_restart_but_key_and_reset(plug: Plug, board: QemuBoard) -> None:
    process = plug.stand.process.pid
    plug.into(board.port)
    wait_for(lambda: plug.stand.json("bridge", "status")["alive"])
    plug.stays_stopped()
    assert not board.power_changes
    reset = plug.stand.begin("reset", "--wait", "30")
    line_with(reset.stdout, "now press its reset key")
    plug.stays_stopped(5)
    board.turn_key(0.3)
    assert reset.wait(30) == 0
    board.wait_power(True)
    assert plug.stand.view().state == State.STANDBY
    assert plug.stand.process.pid == process

    plug.into(None)  # unplugged: the name goes first, the board itself is still there
    board.wait_power(False)
    wait_for(plug.stand.stopped)
    plug.into(board.port)
    wait_for(lambda: plug.stand.json("bridge", "status")["alive"])
    plug.stays_stopped()
    assert not board.power


def test_nothing_was_lost(plug: Plug) -> None:
    """Last: the guard ends as it should, and its black box is whole."""
    assert plug.stand.end() == 0
    done = plug.stand.run("log", "verify", str(plug.stand.log))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "whole: every entry follows from the one before" in done.stdout
    assert " lost" not in done.stdout
