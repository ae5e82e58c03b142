"""`safetykit bridge` without a guard and beside one: what people and tools read, and the exit codes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from firmware_bridge import command
from firmware_bridge import session as session_module
from firmware_bridge.command import register
from firmware_bridge.serial_port import PortError
from firmware_bridge.wire import Diag
from safetykit.core import heartbeat as hb
from safetykit.core import protocol as p
from safetykit.core.vocabulary import Device
from safetykit.errors import MailboxError
from safetykit.runtime import device, paths
from safetykit.runtime.words import WordFile
from tests.unit.bridge.core_board import LiveCore
from tests.unit.bridge.peer import Peer, Pty, cause_page, mute
from tests.unit.bridge.test_serial_line import alive

app = typer.Typer()
register(app)


def run(*arguments: str) -> Any:
    """The result of the command; errors that `main` turns into exit code 2 come out as they are."""
    result = CliRunner().invoke(app, ["bridge", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def port() -> Iterator[str]:
    peer = Peer()
    peer.set_page(cause_page(0, p.Cause.POWER_UP, 1))
    peer.set_page(cause_page(1, p.Cause.CHANNEL, 2))
    peer.set_page(Diag(p.PAGE_HEALTH, p.BLOCK_KEY, 250, 1, 7000))
    with Pty(peer) as pty:
        yield pty.talk().path


def page(kind: Device, link: Any = None, *, tick_ns: int | None = None, connected: bool = True) -> WordFile:
    """The page of a guard that runs."""
    shown = WordFile.create(paths.run_dir() / paths.BRIDGE, device.PAGE_WORDS)
    device.new_device(shown.words, kind, 3)
    shown.words[device.PAGE_KIND], shown.words[device.PAGE_CONNECTED] = kind, int(connected)
    shown.words[device.PAGE_TICK_NS] = time.monotonic_ns() if tick_ns is None else tick_ns
    shown.words[device.PAGE_LINK :] = hb.new_link(3) if link is None else link
    return shown


# ------------------------------------------------------------------ straight from a port


def test_status_of_a_port(port: str) -> None:
    result = run("status", "--port", port)
    assert result.exit_code == 0
    for text in ("STOPPED", "channel A closed", "the reset key is stuck", "1.0, protocol 1", "deadbeef", "2.50 ms"):
        assert text in result.stdout


def test_status_as_json(port: str) -> None:
    made = json.loads(run("status", "--port", port, "--json").stdout)
    assert (made["state"], made["alive"], made["trouble"]) == ("STOPPED", True, "")
    assert made["ident"]["program_crc"] == 0xDEADBEEF
    assert [event["number"] for event in made["events"]] == [2, 1]


def test_events_of_a_port_newest_first(port: str) -> None:
    result = run("events", "--port", port)
    assert result.exit_code == 0
    assert result.stdout.index("CHANNEL") < result.stdout.index("POWER_UP")
    made = json.loads(run("events", "--port", port, "--json").stdout)
    assert [(event["number"], event["cause"]) for event in made] == [(2, "CHANNEL"), (1, "POWER_UP")]
    assert made[0]["cure"] == p.CAUSE_CURE[p.Cause.CHANNEL]


def test_monitor_ends_after_its_time(port: str) -> None:
    started = time.monotonic()
    result = run("monitor", "--port", port, "--seconds", "0.3")
    assert result.exit_code == 0
    assert 0.3 < time.monotonic() - started < 10.0
    assert "STOPPED" in result.stdout


def test_selftest_of_the_production_firmware() -> None:
    with Pty(LiveCore()) as pty:
        result = run("selftest", "--port", pty.talk().path)
    assert result.exit_code == 0, result.stdout
    assert "FAILED" not in result.stdout
    assert result.stdout.count("passed") == 13


def test_selftest_fails_with_1(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("selftest", "--port", port)  # the scripted one takes everything
    assert result.exit_code == 1
    assert "FAILED" in result.stdout


@pytest.mark.parametrize("name", ["status", "events", "monitor", "selftest"])
def test_a_port_without_a_microcontroller_is_an_error(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "IDENTIFIED_S", 0.2)
    with Pty(mute) as pty, pytest.raises(PortError, match="nothing answers"):
        run(name, "--port", pty.talk().path)


def test_another_version_is_shown_and_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    with Pty(Peer(version=p.VERSION + 1)) as pty:
        result = run("status", "--port", pty.talk().path)
    assert result.exit_code == 1
    assert f"speaks version {p.VERSION + 1} of the protocol" in result.stdout


def test_a_unit_that_cannot_be_is_refused(port: str) -> None:
    assert run("status", "--port", port, "--unit", "256").exit_code == 2


# ------------------------------------------------------------------ through a guard


def test_status_through_a_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hb, "LINK_NS", 60_000_000_000)  # a busy computer is not what is tested here
    monkeypatch.setattr(command, "STALE_NS", 60_000_000_000)
    page(Device.MICROCONTROLLER, alive())
    result = run("status")
    assert (result.exit_code, "STOPPED" in result.stdout) == (0, True)


@pytest.mark.parametrize("name", ["status", "events", "monitor"])
def test_no_guard(name: str) -> None:
    with pytest.raises(MailboxError, match="is the guard 'default' running"):
        run(name)


@pytest.mark.parametrize("kind", [Device.NONE, Device.BUTTON])
def test_a_guard_without_a_microcontroller(kind: Device) -> None:
    page(kind)
    with pytest.raises(MailboxError, match="runs without a microcontroller; start it with --bridge, or give --port"):
        run("status")


@pytest.mark.parametrize(
    ("made", "says"),
    [
        ({"connected": False}, "has no line: the guard could not open its port"),
        ({"tick_ns": 1}, "is not asked: guard 'default' has ended or is frozen"),
        ({"tick_ns": 2**62}, "is not asked: guard 'default' has ended or is frozen"),
        ({}, "nothing answers"),
    ],
)
def test_a_guard_that_hears_nothing(made: dict[str, Any], says: str) -> None:
    page(Device.MICROCONTROLLER, **made)
    result = run("status")
    assert result.exit_code == 1
    assert "SILENT" in result.stdout
    assert says in " ".join(result.stdout.split())
    assert says in json.loads(run("status", "--json").stdout)["trouble"]
    result = run("events")
    assert result.exit_code == 1
    assert says in result.stderr


def test_an_answer_of_a_guard_that_ended_is_no_answer() -> None:
    page(Device.MICROCONTROLLER, alive(), tick_ns=1)
    assert run("status").exit_code == 1
