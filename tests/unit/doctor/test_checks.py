"""Every check of the doctor, on machines that are fine and on machines that are not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from safetykit.runtime import doctor_kernel, doctor_port, doctor_rights
from safetykit.runtime.doctor import examine
from safetykit.runtime.doctor_machine import Machine, Status, cpu_list, free_bytes, timer_resolution_ns
from tests.unit.doctor.cases import BAD, CASES, OK, UNKNOWN, WARN
from tests.unit.doctor.machines import build, process

NAMES = [
    name
    for checks in (doctor_kernel.CHECKS, doctor_kernel.CPU_CHECKS, doctor_rights.CHECKS, doctor_port.CHECKS)
    for name, _ in checks
]


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda n: f"{CASES[n][0]}-{CASES[n][2].value}-{n}")
def test_finding(tmp_path: Path, number: int) -> None:
    item, options, status, words = CASES[number]
    found = {row.item: row for row in examine(build(tmp_path, **options))}[item]
    assert (found.status, words in found.finding) == (status, True), found
    assert (found.cure != "") >= (found.status in (WARN, BAD)), "says how to mend it"


def test_the_good_machine_is_good(tmp_path: Path) -> None:
    items = examine(build(tmp_path))
    assert [item for item in items if item.status is not OK] == []
    assert [item.item for item in items] == NAMES


def test_every_check_is_shown_both_ways() -> None:
    """The good machine shows `ok`; each check has a case that is not, here or in a test of its own."""
    spoiled = {item for item, _, status, _ in CASES if status in (WARN, BAD)}
    assert set(NAMES) - spoiled == {"deep CPU sleep", "port rights"}


# ------------------------------------------------------------------ rights depend on who owns the files


@pytest.mark.parametrize(
    ("mode", "owner", "member", "status"),
    [
        (0o600, True, False, OK),
        (0o400, True, False, BAD),
        (0o660, False, True, OK),
        (0o640, False, True, BAD),
        (0o660, False, False, BAD),
        (0o666, False, False, OK),
    ],
)
def test_rights_of_port_and_cpu_sleep(tmp_path: Path, mode: int, owner: bool, member: bool, status: Status) -> None:
    me = os.getuid()
    groups = frozenset([os.stat(tmp_path).st_gid]) if member else frozenset()
    machine = build(tmp_path, uid=(me or 1) if owner else me + 1, groups=groups)
    for path in ("dev/ttyACM0", "dev/cpu_dma_latency"):
        (tmp_path / path).chmod(mode)
        if owner and me == 0:
            os.chown(tmp_path / path, 1, -1)
    found = {row.item: row for row in examine(machine)}
    assert found["port rights"].status is status
    assert found["deep CPU sleep"].status is (OK if status is OK else WARN)
    if status is BAD:
        assert "dialout" in found["port rights"].cure


def test_root_may_use_any_port(tmp_path: Path) -> None:
    machine = build(tmp_path, uid=0)
    (tmp_path / "dev" / "ttyACM0").chmod(0)
    assert {row.item: row.status for row in examine(machine)}["port rights"] is OK


def test_nobody_is_told_to_join_the_group_of_root(tmp_path: Path) -> None:
    machine = build(tmp_path, {"etc/group": f"root:x:{os.getgid()}:\n"}, uid=os.getuid() + 1)
    for path in ("dev/ttyACM0", "dev/cpu_dma_latency"):
        (tmp_path / path).chmod(0o600)
    found = {row.item: row for row in examine(machine)}
    for item in ("port rights", "deep CPU sleep"):
        assert found[item].status is not OK
        assert "root" not in found[item].cure
        assert "60-safetykit.rules" in found[item].cure


def test_a_group_without_a_name_is_a_number(tmp_path: Path) -> None:
    machine = build(tmp_path, {"etc/group": "odd line\n"})
    assert machine.group_of("dev/ttyACM0") == str(os.stat(tmp_path / "dev" / "ttyACM0").st_gid)


def test_processes_of_others_hide_what_they_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = build(tmp_path, process(500, "secret"), links={"proc/500/fd/4": "/dev/null"}, uid=os.getuid() + 1)
    plain = Path.iterdir

    def closed(self: Path) -> Any:
        if self.parts[-2:] == ("500", "fd"):
            raise PermissionError
        return plain(self)

    monkeypatch.setattr(Path, "iterdir", closed)
    found = {row.item: row for row in examine(machine)}["port in use"]
    assert (found.status, "as root" in found.cure) == (UNKNOWN, True)


def test_no_shared_memory_at_all(tmp_path: Path) -> None:
    machine = build(tmp_path, {"dev/shm/.here": None}, free_bytes=free_bytes)
    assert {row.item: row.status for row in examine(machine)}["shared memory"] is BAD


# ------------------------------------------------------------------ what is looked at


def test_without_a_port_the_line_is_not_looked_at(tmp_path: Path) -> None:
    names = [row.item for row in examine(build(tmp_path, {"dev/ttyACM0": None}, port=None))]
    assert not {name for name, _ in doctor_port.CHECKS} & set(names)


def test_a_board_under_its_stable_name_is_found(tmp_path: Path) -> None:
    found = {row.item: row for row in examine(build(tmp_path, port=None))}
    assert found["port"].finding == "/dev/safetykit-estop is /dev/ttyACM0"


def test_a_port_that_is_not_there_makes_the_rest_unknown(tmp_path: Path) -> None:
    items = examine(build(tmp_path, {"dev/ttyACM0": None}))[-len(doctor_port.CHECKS) :]
    assert [item.status for item in items] == [BAD, *[UNKNOWN] * (len(doctor_port.CHECKS) - 1)]


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    machine = build(tmp_path, links={"dev/a": "b", "dev/b": "a"}, port="/dev/a")
    assert {row.item: row.status for row in examine(machine)}["port"] is BAD


def test_a_torn_process_table_is_no_error(tmp_path: Path) -> None:
    machine = build(tmp_path, {"proc/77/stat": "77 half", "proc/78/stat": "78 (short) S 1"})
    assert [item for item in examine(machine) if item.status is not OK] == []


def test_nothing_of_the_machine_is_changed(tmp_path: Path) -> None:
    machine = build(tmp_path)
    before = {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")}
    examine(machine)
    assert {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_this_machine_can_be_examined() -> None:
    items = examine(Machine(cpu=0, port="/dev/null"))
    assert [item.item for item in items] == NAMES
    assert not [item for item in items if "cannot be told" in item.finding]


def test_real_numbers_of_this_machine() -> None:
    assert free_bytes(Path("/dev/shm")) > 0
    assert 0 < timer_resolution_ns() < 1_000_000


@pytest.mark.parametrize(("text", "cpus"), [("", set()), ("0", {0}), ("1,3-5", {1, 3, 4, 5}), ("0-3\n", {0, 1, 2, 3})])
def test_cpu_list(text: str, cpus: set[int]) -> None:
    assert cpu_list(text) == cpus
