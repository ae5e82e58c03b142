"""The mutation gate of the core in short: a sample of mutants, all of which a test must notice, and the gate itself.

``make mutation`` takes every mutant.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.campaigns import mutants as changes
from tests.campaigns import mutation
from tests.campaigns.mutants import ROOT, Mutant, files, mutants
from tests.campaigns.mutation_trial import ENDLESS, NOTICED, SURVIVED, Verdict
from tests.campaigns.reach import Reach

SOURCE = """
def f(x, frame):
    if 0 <= x < 3 and not x == 2:
        frame.y = x + 1
        return
    for k in range(2):
        frame.y += min(x, -k)  # it counts
"""


@pytest.mark.slow
def test_the_sample_is_noticed() -> None:
    """In a process of its own: it is interpreted, and the trials fork."""
    command = [sys.executable, "-m", "tests.campaigns.mutation", "--short", "--workers", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(mutation.short()) >= 40
    assert f"{len(mutation.short())} of {len(mutation.short())} mutants noticed" in done.stdout


def test_the_sample_takes_most_files() -> None:
    taken = {key[0] for key in mutation.short()}
    assert taken <= set(files())
    assert len(taken) >= 20


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Mutant]]:
    """The mutants of a core of one small function."""
    (tmp_path / "small.py").write_text(SOURCE, encoding="utf-8")
    monkeypatch.setattr(changes, "CORE", tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(changes.importlib, "import_module", lambda name: __import__("small"))
    yield mutants("small.py")
    sys.modules.pop("small", None)


def test_every_kind_of_change_is_made_once(small: list[Mutant]) -> None:
    assert {(mutant.first, mutant.what) for mutant in small} == {
        (3, "negated"),
        (3, "and -> or"),
        (3, "0 <= x -> 0 < x"),
        (3, "x < 3 -> x <= 3"),
        (3, "0 -> 1"),
        (3, "3 -> 4"),
        (3, "x == 2 -> x != 2"),
        (3, "not x == 2 -> x == 2"),
        (3, "2 -> 3"),
        (4, "x + 1 -> x - 1"),
        (4, "1 -> 2"),
        (4, "removed"),
        (5, "removed"),
        (6, "2 -> 3"),
        (7, "frame.y += min(x, -k) -> frame.y -= min(x, -k)"),
        (7, "min -> max"),
        (7, "-k -> k"),
        (7, "removed"),
    }
    assert len({mutant.key for mutant in small}) == len(small)
    assert {mutant.text for mutant in small if mutant.first == 7} == {"frame.y += min(x, -k)"}


def test_a_mutant_is_in_force_once_it_is_installed(small: list[Mutant]) -> None:
    class Frame:
        y = 0

    frame, f = Frame(), sys.modules["small"].f
    f(1, frame)
    assert frame.y == 2
    next(mutant for mutant in small if mutant.what == "x + 1 -> x - 1").install()
    f(1, frame)
    assert frame.y == 0


def test_only_tests_that_reach_the_statement_are_tried(small: list[Mutant]) -> None:
    reach = Reach({"a": {"small.py": 1 << 3 | 1 << 4}, "b": {"small.py": 1 << 3}, "c": {"other.py": 1 << 4}})
    tried = {mutant.first: reach.of(mutant) for mutant in small}
    assert tried == {3: {"a", "b"}, 4: {"a"}, 5: set(), 6: set(), 7: set()}


def test_the_gate_fails_for_an_unnamed_survivor_and_for_a_name_without_one(
    small: list[Mutant], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = small[0], small[-1]
    monkeypatch.setattr(mutation, "named", lambda: {second.key: "argued"})
    lives = [Verdict(mutant, SURVIVED, "", 1.0) for mutant in (first, second)]
    dead = [Verdict(second, NOTICED, "test", 1.0)]
    assert mutation.problems(lives, whole=True) == [f"unnamed survivor: {first}"]
    assert not mutation.problems(lives[1:], whole=True)
    assert len(mutation.problems(dead, whole=False)) == 1
    assert len(mutation.problems([], whole=True)) == 1
    assert not mutation.problems([], whole=False)
    assert not mutation.problems([Verdict(first, ENDLESS, "", 9.0)], whole=False)
    assert mutation.report([*lives, *dead]).startswith("1 of 3 mutants noticed (0 of them")


def test_every_named_survivor_exists_and_is_argued() -> None:
    """Compiled functions have no code to change: the names are looked up in a process of its own."""
    program = (
        "from tests.campaigns import mutation\n"
        "keys = {m.key for file in mutation.files() for m in mutation.mutants(file)}\n"
        "assert len(keys) > 5000\n"
        "print([key for key, why in mutation.named().items() if key not in keys or len(why) < 30])"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, cwd=ROOT, env={"NUMBA_DISABLE_JIT": "1"}, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.stdout == "[]\n", done.stdout + done.stderr
