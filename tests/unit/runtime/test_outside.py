"""The edges of the process: paths, output descriptors, the supervisor's socket, real-time rights, the status page."""

from __future__ import annotations

import os
import pty
import resource
import socket
import threading
from pathlib import Path

import numpy as np
import pytest

from safetykit.core.vocabulary import Action, State
from safetykit.errors import MailboxError
from safetykit.runtime import mailbox, paths, realtime, status
from safetykit.runtime.actuator import ActuatorReader, ActuatorView
from safetykit.runtime.mailbox import MailboxWriter, Message, create_mailbox
from safetykit.runtime.notify import Notifier, alive_period_s
from safetykit.runtime.ports import open_output
from safetykit.runtime.wiring import ring_slots

# ---------------------------------------------------------------------- paths


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "a b", "x" * 33, "-x"])
def test_bad_instance_names_are_refused(name: str) -> None:
    with pytest.raises(MailboxError, match="instance"):
        paths.run_dir(name)


def test_a_missing_run_directory_is_named() -> None:
    with pytest.raises(MailboxError, match="is the guard 'ghost' running"):
        paths.run_dir("ghost", create=False)


def test_a_base_that_others_may_write_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = tmp_path / "base"
    base.mkdir()
    base.chmod(0o777)
    monkeypatch.setenv(paths.RUN_DIR_VARIABLE, str(base))
    with pytest.raises(MailboxError, match="mode 0777 lets others write"):
        paths.run_dir("x")
    base.chmod(0o1777)  # sticky, as /tmp: nobody can rename what is ours
    assert paths.run_dir("x") == base / "x"


def test_a_link_or_a_file_is_no_run_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(paths.RUN_DIR_VARIABLE, str(tmp_path))
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(MailboxError, match="not a directory"):
        paths.run_dir("link")
    (tmp_path / "file").touch()
    with pytest.raises(MailboxError):
        paths.run_dir("file")


def test_a_directory_of_somebody_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    directory = paths.run_dir("x")
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(MailboxError, match="belongs to user"):
        paths._check_own(directory)


def test_unknown_clients_and_sources_are_refused() -> None:
    with pytest.raises(MailboxError, match="expected one of cli, ros, console, bridge"):
        paths.control_name("somebody")
    with pytest.raises(MailboxError, match="file name"):
        paths.input_name("../x")


@pytest.mark.parametrize(
    ("text", "message"), [(None, "is the guard running"), ("{", "cannot read"), ("[]", "not a JSON")]
)
def test_guard_info_is_one_message_when_it_cannot_be_read(text: str | None, message: str) -> None:
    directory = paths.run_dir("x")
    if text is not None:
        (directory / paths.GUARD_INFO).write_text(text)
    with pytest.raises(MailboxError, match=message):
        paths.guard_info(directory)


def test_json_is_written_for_our_eyes_only() -> None:
    directory = paths.run_dir("x")
    paths.write_json(directory / paths.GUARD_INFO, {"pid": 1})
    assert paths.guard_info(directory) == {"pid": 1}
    assert (directory / paths.GUARD_INFO).stat().st_mode & 0o777 == 0o600
    assert len(list(directory.iterdir())) == 1


# ---------------------------------------------------------------------- output descriptor


@pytest.mark.parametrize("target", ["udp://", "udp://host", "udp://:5", "udp://127.0.0.1:99999", "/nowhere/x", "/"])
def test_bad_outputs_are_refused(target: str) -> None:
    with pytest.raises(MailboxError, match=f"output {target}"):
        open_output(target)


def test_a_pipe_without_reader_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(MailboxError, match="No such device"):
        open_output(str(tmp_path / "pipe"))


def test_outputs_never_block_and_a_new_file_is_ours_alone(tmp_path: Path) -> None:
    for target in ("udp://127.0.0.1:9", "udp://[::1]:9", str(tmp_path / "file")):
        fd = open_output(target)
        assert not os.get_blocking(fd)
        os.close(fd)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


def test_a_terminal_passes_bytes_unchanged() -> None:
    here, there = pty.openpty()
    fd = open_output(os.ttyname(there))
    os.write(fd, b"\n\r\x03\x04")
    assert os.read(here, 10) == b"\n\r\x03\x04"
    for each in (fd, here, there):
        os.close(each)


# ---------------------------------------------------------------------- supervisor


def test_notifications_reach_a_supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notifier = Notifier()
        notifier.ready("running")
        notifier.alive()
        notifier.stopping()
        heard = [supervisor.recv(4096).decode() for _ in range(3)]
    assert heard == [f"READY=1\nMAINPID={os.getpid()}\nSTATUS=running", "WATCHDOG=1", "STOPPING=1"]
    notifier.alive()  # the supervisor is gone: no error
    notifier.close()


def test_without_a_supervisor_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    Notifier().ready("running")


@pytest.mark.parametrize(("given", "period_s"), [("2000000", 0.5), ("", 1.0), ("soon", 1.0), ("-4000000", 0.0)])
def test_the_watchdog_is_fed_four_times_as_often_as_needed(
    monkeypatch: pytest.MonkeyPatch, given: str, period_s: float
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", given)
    assert alive_period_s() == period_s


# ---------------------------------------------------------------------- real-time rights


def test_what_is_not_granted_is_reported_and_nothing_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    monkeypatch.setattr(realtime, "_DMA_LATENCY", "/nonexistent/latency")
    monkeypatch.setattr(realtime, "_lock_memory", refuse)
    process = realtime.prepare_process()
    found: list[realtime.Grant] = []
    thread = threading.Thread(target=lambda: found.extend(realtime.prepare_thread(80, 10_000)))
    thread.start()
    thread.join()
    said = [str(grant) for grant in (*process, *found)]
    assert said == [
        "memory locked: not granted (Operation not permitted)",
        "no deep CPU sleep: not granted (No such file or directory)",
        "exact timers: granted",
        "CPU 10000 only: not granted (Invalid argument)",
        "FIFO priority 80: not granted (Operation not permitted)",
    ]
    assert found[1].as_json() == {"what": "CPU 10000 only", "granted": False, "reason": "Invalid argument"}


def test_future_memory_is_locked_only_without_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Library:
        def mlockall(self, flags: int) -> int:
            asked.append(flags)
            return 0

    monkeypatch.setattr(realtime, "_libc", Library)
    for limit, capable in ((4096, False), (4096, True), (resource.RLIM_INFINITY, False)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, limit=limit: (limit, limit))
        monkeypatch.setattr(realtime, "_capable", lambda _, capable=capable: capable)
        realtime._lock_memory()
    assert asked == [1, 3, 3]


# ---------------------------------------------------------------------- status page


def test_percentiles_are_upper_edges_of_buckets() -> None:
    histogram = np.zeros(status.WAKE_FINE + status.WAKE_COARSE, np.int64)
    assert status.percentile_us(histogram, 0.5) == 0.0
    for late_us, count in ((3, 90), (50, 9), (5000, 1)):
        histogram[status.bucket_of(late_us * 1000)] += count
    assert [status.percentile_us(histogram, share) for share in (0.5, 0.99, 0.999)] == [4.0, 51.0, 8000.0]


@pytest.mark.parametrize("late_ns", [-5, 0, 999, 999_999, 1_000_000, 3_999_999, 10**9, 2**62])
def test_every_latency_has_a_bucket_that_holds_it(late_ns: int) -> None:
    bucket = status.bucket_of(late_ns)
    assert 0 <= bucket < status.WAKE_FINE + status.WAKE_COARSE
    if bucket < status.WAKE_FINE + status.WAKE_COARSE - 1:
        assert late_ns < status.bucket_top_us(bucket) * 1000.0
        assert bucket == 0 or late_ns >= status.bucket_top_us(bucket - 1) * 1000.0


def test_a_page_remembers_only_the_latch_and_the_controls(tmp_path: Path) -> None:
    file, latched = status.create_status(tmp_path / "status")
    assert not latched
    file.words[[status.TICKS, status.STATE, status.CONTROL_SEEN + 2]] = 5, State.EMERGENCY_STOP, 9
    again, latched = status.create_status(tmp_path / "status")
    assert latched
    assert (again.words[status.TICKS], again.words[status.CONTROL_SEEN + 2]) == (0, 9)
    again.words[status.STATE] = 77  # a state that cannot be counts as a stop
    assert status.create_status(tmp_path / "status")[1]
    again.words[status.MAGIC_AT] = 0
    with pytest.raises(MailboxError, match="not a status page"):
        status.read_status(tmp_path / "status")
    assert not status.create_status(tmp_path / "status")[1]


@pytest.mark.parametrize(("period_ms", "slots"), [(1, 4096), (4, 1024), (10, 512), (100, 512), (0, 4096)])
def test_the_ring_holds_seconds(period_ms: int, slots: int) -> None:
    assert ring_slots(period_ms * 1_000_000) == slots


# ---------------------------------------------------------------------- actuator


@pytest.mark.parametrize("aux", [7, 6 << 8, -1, 0xFF])
def test_an_action_or_state_without_a_name_is_an_emergency_stop(aux: int) -> None:
    message = Message(np.zeros(2), 0, 0, 2, 1 << 32, aux, 0, 1)
    view = ActuatorView.decode(message, np.zeros(mailbox.PAYLOAD_MAX, np.int64))
    assert (view.action, view.state, view.power) == (Action.EMERGENCY_STOP, State.EMERGENCY_STOP, False)


def test_a_sink_knows_the_age_of_what_it_reads(tmp_path: Path) -> None:
    create_mailbox(tmp_path / "actuator").close()
    reader = ActuatorReader(tmp_path / "actuator")
    assert reader.read() is None
    writer = MailboxWriter(tmp_path / "actuator")
    writer.publish([1.0, 2.0], stamp_ns=1000, bits=1 << 32, aux=2 << 8)
    view = reader.read()
    assert view is not None
    assert (view.age_ns(5000), view.power, view.state, view.sent.tolist()) == (4000, True, State.ENGAGED, [1.0, 2.0])
    assert view.age_ns() > 4000
    assert (view.fault_names, view.reason_names(1), reader.torn) == ((), (), 0)
