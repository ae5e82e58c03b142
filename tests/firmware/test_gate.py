"""The mutation gate in short: a sample of mutants of the C sources, all of which these tests must notice.

``python -m tests.campaigns.firmware_mutation`` takes every mutant.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.campaigns import firmware_mutation
from tests.campaigns.firmware_mutants import FILES, Mutant, masked, mutants
from tests.campaigns.firmware_trial import DEAD, EQUAL, STILLBORN, SURVIVED, Verdict
from tests.firmware.library import core_folder

SAMPLE, SEED, WORKERS = 30, 3, 2


@pytest.fixture(scope="module")
def every() -> list[Mutant]:
    return mutants(core_folder())


@pytest.mark.slow
def test_a_sample_of_mutants_is_noticed() -> None:
    """In a process of its own: the trials fork, which a process with threads must not."""
    command = [sys.executable, "-m", "tests.campaigns.firmware_mutation"]
    options = ("--sample", str(SAMPLE), "--seed", str(SEED), "--workers", str(WORKERS))
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    noticed, tried = map(int, re.findall(r"^(\d+) of (\d+) mutants noticed", done.stdout, re.MULTILINE)[0])
    assert noticed == tried > SAMPLE / 2


def test_every_file_and_every_kind_of_change_has_mutants(every: list[Mutant]) -> None:
    assert {mutant.file for mutant in every} == set(FILES)
    kinds = {mutant.kind for mutant in every}
    assert {
        "constant",
        "removed",
        "negated condition",
        "&& to ||",
        "|| to &&",
        "== to !=",
        "<= to <",
        "+ to -",
    } <= kinds
    assert len(every) > 1_000


def test_a_mutant_changes_its_line_and_nothing_else(every: list[Mutant]) -> None:
    texts = {name: (core_folder() / name).read_text(encoding="utf-8") for name in FILES}
    for mutant in every:
        before, after = texts[mutant.file].split("\n"), mutant.source(texts[mutant.file]).split("\n")
        assert before[: mutant.line - 1] == after[: mutant.line - 1]
        assert before[mutant.line - 1] != after[mutant.line - 1]
        assert mutant.function != "file" or "#define" in mutant.old_text or "static const" in mutant.old_text


def test_comments_are_no_code() -> None:
    text = "int a; /* x = 1U;\n && */ b == 2U;\n#include <a.h>\n#define N 4U\n"
    code = masked(text)
    assert len(code) == len(text)
    assert "&&" not in code
    assert "include" not in code
    assert "4U" in code
    assert "b == 2U" in code


def test_the_gate_fails_for_an_unnamed_survivor_and_for_a_name_without_one(
    every: list[Mutant], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = every[0], every[-1]
    monkeypatch.setattr(firmware_mutation, "named", lambda: {second.key: "argued"})
    dead = [Verdict(second, DEAD)]
    assert firmware_mutation.problems([Verdict(first, SURVIVED), Verdict(second, SURVIVED)], whole=True) == [
        f"unnamed survivor: {first}"
    ]
    assert not firmware_mutation.problems([Verdict(second, SURVIVED)], whole=True)
    assert not firmware_mutation.problems(dead, whole=False)
    assert len(firmware_mutation.problems(dead, whole=True)) == 1
    assert not firmware_mutation.problems([Verdict(first, code) for code in (EQUAL, STILLBORN, -9)], whole=False)


def test_every_named_survivor_exists_and_is_argued(every: list[Mutant]) -> None:
    keys = {mutant.key for mutant in every}
    for key, why in firmware_mutation.named().items():
        assert key in keys, key
        assert len(why) > 30, key
    assert Path(firmware_mutation.SURVIVORS).exists()
