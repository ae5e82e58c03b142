"""The operator's commands against the emulated board: alone on its port, and beside a guard that really runs."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_bridge.qemu_board import QemuBoard
from safetykit.core import protocol as p
from safetykit.core.vocabulary import State
from tests.unit.bridge.stand import Commands, Stand, line_with
from tests.unit.runtime.running import wait_for

KEY_S = 0.3


@pytest.fixture(scope="module")
def board(firmware: Path) -> Iterator[QemuBoard]:
    with QemuBoard(firmware / "lm3s6965evb.elf") as board:
        yield board


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bridge-commands")


@pytest.fixture(scope="module")
def alone(folder: Path, board: QemuBoard) -> Commands:
    """No guard runs yet."""
    board.wait_state(p.STATE_STOPPED)
    return Commands(folder)


@pytest.fixture(scope="module")
def beside(folder: Path, board: QemuBoard) -> Iterator[Stand]:
    """A guard runs on the board."""
    stand = Stand(folder, board.port)
    yield stand
    stand.close()


def words(text: str) -> str:
    """Without frames and line ends of a table."""
    return re.sub(r"[\s│┃]+", " ", text)


# ------------------------------------------------------------------ alone on the port


def test_status_straight_from_the_port(alone: Commands, board: QemuBoard) -> None:
    done = alone.run("bridge", "status", "--port", board.port)
    assert done.returncode == 0, done.stderr
    for text in (
        "STOPPED",
        "channel A closed, channel B closed, relay 1 released, relay 2 released",
        "1.0, protocol 1",
    ):
        assert text in words(done.stdout)
    made = alone.json("bridge", "status", "--port", board.port)
    assert (made["state"], made["alive"], made["trouble"]) == ("STOPPED", True, "")
    assert made["ident"]["boots"] == 1
    assert made["counts"]["damaged frames"] == 0


def test_events_straight_from_the_port(alone: Commands, board: QemuBoard) -> None:
    (event,) = alone.json("bridge", "events", "--port", board.port)
    assert (event["number"], event["cause"]) == (1, "POWER_UP")
    assert event["text"] == p.CAUSE_TEXT[p.Cause.POWER_UP]
    done = alone.run("bridge", "events", "--port", board.port)
    assert done.returncode == 0
    assert "every start begins stopped" in words(done.stdout)


def test_monitor_straight_from_the_port(alone: Commands, board: QemuBoard) -> None:
    started = time.monotonic()
    done = alone.run("bridge", "monitor", "--port", board.port, "--seconds", "1")
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - started > 1.0
    assert "POWER_UP" in done.stdout


def test_selftest_of_the_real_image(alone: Commands, board: QemuBoard) -> None:
    done = alone.run("bridge", "selftest", "--port", board.port)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("passed") == 13
    assert board.state("state") == p.STATE_STOPPED
    assert not board.power_changes


def test_a_pressed_button_shows_in_status_and_fails_no_selftest(alone: Commands, board: QemuBoard) -> None:
    board.press()
    made = alone.json("bridge", "status", "--port", board.port)
    assert made["inputs"] == ["relay 1 released", "relay 2 released"]
    assert any("channels are not both closed" in text for text in made["blockers"])
    board.release()


def test_the_wrong_unit_number_is_one_clear_message(alone: Commands, board: QemuBoard) -> None:
    done = alone.run("bridge", "status", "--port", board.port, "--unit", "2")
    assert (done.returncode, done.stdout) == (2, "")
    assert "frames come, but all damaged: wrong unit number" in done.stderr or "nothing answers" in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_a_guard_and_without_a_port(alone: Commands) -> None:
    for command in ("status", "events", "monitor"):
        done = alone.run("bridge", command)
        assert (done.returncode, done.stdout) == (2, "")
        assert "is the guard 'default' running?" in done.stderr


# ------------------------------------------------------------------ beside a guard


def test_status_events_and_monitor_ask_the_guard(beside: Stand) -> None:
    made = wait_for(lambda: _alive(beside))
    assert made["state"] == "STOPPED"
    assert made["events"][-1]["cause"] == "POWER_UP"
    done = beside.run("bridge", "status")
    assert done.returncode == 0
    assert "STOPPED" in done.stdout
    done = beside.run("bridge", "events")
    assert done.returncode == 0
    assert "POWER_UP" in done.stdout
    done = beside.run("bridge", "monitor", "--seconds", "0.5")
    assert done.returncode == 0, done.stderr


def _alive(stand: Commands) -> dict[str, object] | None:
    made: dict[str, object] = stand.json("bridge", "status")
    return made if made["alive"] and made["events"] else None


def test_the_port_is_the_guards(beside: Stand, board: QemuBoard) -> None:
    for command in ("status", "selftest"):
        done = beside.run("bridge", command, "--port", board.port)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"{board.port}: another program has it: " in done.stderr
        assert f"(process {beside.process.pid})" in done.stderr


def test_the_guards_own_status_names_the_device(beside: Stand, board: QemuBoard) -> None:
    done = beside.run("status")
    assert done.returncode == 0, done.stderr
    cause = p.CAUSE_TEXT[p.Cause(board.event().cause)]
    line = f"emergency stop device: microcontroller STOPPED, latest stop: {cause}"
    assert line in words(done.stdout)
    made = beside.json("status")
    assert made["device"] == {
        "kind": "MICROCONTROLLER",
        "state": "STOPPED",
        "connected": True,
        "latest_cause": cause,
    }
    assert (made["state"], made["power"]) == ("EMERGENCY_STOP", False)


def test_reset_without_the_key_gives_up_and_says_what_is_missing(beside: Stand) -> None:
    done = beside.run("reset", "--wait", "1")
    assert done.returncode == 1
    assert "now press its reset key for 0.1 to 3 s and let go" in done.stdout
    assert done.stderr == "not reset: the microcontroller is still stopped\n"
    assert beside.stopped()


def test_reset_with_the_button_pressed_says_so(beside: Stand, board: QemuBoard) -> None:
    board.press()
    done = beside.run("reset", "--wait", "2")
    assert done.returncode == 1
    assert "in the way: the emergency-stop channels are not both closed" in done.stdout
    board.release()


def test_reset_waits_for_the_key_and_then_both_run(beside: Stand, board: QemuBoard) -> None:
    reset = beside.begin("reset", "--wait", "30")
    line_with(reset.stdout, "now press its reset key")
    assert not board.power
    board.turn_key(KEY_S)
    rest = reset.communicate(timeout=30)[0]
    assert reset.returncode == 0, rest
    assert "reset: STANDBY" in rest
    assert "the microcontroller has closed its relays" in rest
    board.wait_power(True)
    assert board.state("state") == p.STATE_RUN
    assert beside.view().state == State.STANDBY
    assert "RUN" in beside.run("bridge", "status").stdout


def test_stop_opens_the_relays(beside: Stand, board: QemuBoard) -> None:
    if not board.power:  # this test alone
        _both_run(beside, board)
    done = beside.run("stop")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("stopped: ")
    board.wait_power(False)
    assert board.event().cause == p.Cause.HOST_STOP
    wait_for(beside.stopped)
    assert "STOPPED" in beside.run("status").stdout
    assert beside.json("bridge", "events")[0]["cause"] == "HOST_STOP"


def _both_run(beside: Stand, board: QemuBoard) -> None:
    reset = beside.begin("reset", "--wait", "30")
    line_with(reset.stdout, "now press its reset key")
    board.turn_key(KEY_S)
    assert reset.wait(30) == 0
    board.wait_power(True)


def test_a_killed_guard_is_silence_to_every_command(beside: Stand, board: QemuBoard) -> None:
    _both_run(beside, board)
    beside.kill()
    board.wait_power(False)
    time.sleep(1.0)  # until its page is old
    done = beside.run("bridge", "status")
    assert done.returncode == 1
    assert "guard 'default' has ended or is frozen" in words(done.stdout)
    assert beside.run("status").returncode == 1
    done = beside.run("reset", "--wait", "1")
    assert (done.returncode, done.stderr) == (1, "the guard does not run\n")
    done = beside.run("stop")
    assert (done.returncode, "the guard has not answered" in done.stderr) == (1, True)
    events = beside.json("bridge", "events", "--port", board.port)
    assert events[0]["cause"] == "HOST_SILENT"
