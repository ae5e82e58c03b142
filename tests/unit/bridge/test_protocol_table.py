"""The one table of the protocol: what is made from it is current, and its numbers keep the promises of the page."""

from __future__ import annotations

import hashlib
import itertools
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from firmware_bridge.facts import INPUT_NAMES
from firmware_bridge.wire import McuState
from safetykit.core import heartbeat as hb
from safetykit.core import protocol as p
from safetykit.core.protocol import Stage

ROOT = Path(__file__).resolve().parents[3]
TABLE: dict[str, Any] = YAML(typ="safe").load((ROOT / "hw" / "protocol.yaml").read_text(encoding="utf-8"))
HEADER = (ROOT / "hw" / "firmware" / "core" / "protocol.h").read_text(encoding="utf-8")
DEFINES = dict(re.findall(r"^#define (\w+) (.+?)(?: /\*.*)?$", HEADER, re.MULTILINE))
MADE = ("hw/firmware/core/protocol.h", "safetykit/core/protocol.py", "hw/PROTOCOL.md")
CODES = {name: code for name, (code, _) in TABLE["codes"].items()}


def c_number(name: str) -> int:
    return int(DEFINES[name].rstrip("U"), 0)


def c_list(name: str) -> list[int]:
    return [int(word, 16) for word in re.findall(r"0x([0-9A-F]{8})U", DEFINES[name])]


def check(root: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "hw" / "make_protocol.py"), "--check"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_everything_made_from_the_table_is_current() -> None:
    done = check(ROOT)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


@pytest.mark.parametrize("stale", MADE)
def test_the_check_sees_what_is_not_current(tmp_path: Path, stale: str) -> None:
    for name in (*MADE, "hw/protocol.yaml", "hw/make_protocol.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    assert check(tmp_path).returncode == 0
    path = tmp_path / stale
    number = "100000" if "100000" in path.read_text(encoding="utf-8") else "100"
    text = path.read_text(encoding="utf-8").replace("100_000", "100_001").replace(number, number[:-1] + "1")
    path.write_text(text, encoding="utf-8")
    done = check(tmp_path)
    assert done.returncode == 1
    assert stale in done.stdout


def test_any_two_codes_differ_in_at_least_four_bits() -> None:
    near = [(a, b) for a, b in itertools.combinations(CODES, 2) if (CODES[a] ^ CODES[b]).bit_count() < 4]
    assert near == []
    assert len(CODES) == 13


def test_no_code_is_the_word_of_a_dead_line_nor_one_flip_away() -> None:
    for name, code in CODES.items():
        assert code.bit_count() == 4, name  # four bits away from 0x00 and from 0xFF


def test_the_tokens_are_distinct_and_what_the_table_says() -> None:
    made = [
        int.from_bytes(hashlib.sha256(f"safetykit/{stage}".encode()).digest()[:4], "big") for stage in Stage.__members__
    ]
    assert list(p.TOKENS) == made
    assert len(set(p.TOKENS)) == len(p.TOKENS) == len(TABLE["stages"])


def test_every_cause_has_a_text_and_a_cure() -> None:
    assert list(p.CAUSE_TEXT) == list(p.CAUSE_CURE) == list(p.Cause)
    for cause in p.Cause:
        assert len(p.CAUSE_TEXT[cause]) > 10
        assert len(p.CAUSE_CURE[cause]) > 5


def test_the_causes_fit_their_place_in_the_condition_word_and_on_the_wire() -> None:
    codes = [row[0] for row in TABLE["causes"].values()]
    assert codes == list(range(1, len(codes) + 1))
    assert max(codes) < 32
    assert {row[2] for row in TABLE["causes"].values()} == {"locked", "plain"}


def test_bits_are_used_once() -> None:
    for key in ("inputs", "blockers"):
        bits = [bit for bit, _ in TABLE[key].values()]
        assert bits == list(range(len(bits)))
        assert max(bits) < 8
    assert sorted(p.BLOCKER_TEXT) == [1 << bit for bit, _ in TABLE["blockers"].values()]
    assert sorted(INPUT_NAMES) == [1 << bit for bit, _ in TABLE["inputs"].values()]


@pytest.mark.parametrize("name", CODES)
def test_c_and_python_have_the_code_of_the_table(name: str) -> None:
    assert c_number(name) == getattr(p, name) == CODES[name]


@pytest.mark.parametrize("name", [*TABLE["times"], *TABLE["counts"]])
def test_c_and_python_have_the_number_of_the_table(name: str) -> None:
    value = {**TABLE["times"], **TABLE["counts"]}[name][0]
    assert c_number(name) == getattr(p, name) == value


@pytest.mark.parametrize("name", [*TABLE["inputs"], *TABLE["blockers"]])
def test_c_and_python_have_the_bit_of_the_table(name: str) -> None:
    assert c_number(name) == getattr(p, name) == 1 << {**TABLE["inputs"], **TABLE["blockers"]}[name][0]


def test_c_and_python_have_the_same_causes_stages_pages_and_checksum() -> None:
    for cause in p.Cause:
        assert c_number(f"CAUSE_{cause.name}") == cause
    assert c_list("STAGE_TOKENS") == list(p.TOKENS)
    assert c_list("CRC_NIBBLES") == list(p.CRC_NIBBLES)
    assert list(Stage.__members__) == TABLE["stages"]
    assert c_number("STAGES") == len(Stage)
    assert c_number("PROGRESS_ROTATE") == p.PROGRESS_ROTATE
    assert c_number("PROTOCOL_VERSION") == p.VERSION == TABLE["version"]
    assert c_number("CRC_REFLECTED") == p.CRC_REFLECTED
    for name, row in TABLE["pages"].items():
        assert c_number(name) == getattr(p, name) == row[0]


def test_the_two_forms_of_the_polynomial_are_one() -> None:
    assert int(f"{TABLE['crc']['polynomial']:032b}"[::-1], 2) == TABLE["crc"]["reflected"]


def test_the_parts_that_lean_on_the_table_cover_it() -> None:
    assert sorted(McuState) == sorted(code for name, code in CODES.items() if name.startswith("STATE_"))
    assert hb.PAGE_COUNT == p.PAGE_EVENT + p.EVENTS
    assert hb.LINK_NS == p.LINK_US * 1000


def test_the_times_fit_each_other() -> None:
    """An answer may not be early in the ordinary run of things, and a lost one must not stop the vehicle."""
    assert p.EARLY_US * 1000 < hb.BEAT_NS < hb.ANSWER_NS < hb.LINK_NS / 2
    assert p.KEY_MIN_US < p.KEY_MAX_US < p.KEY_STUCK_US
    wire_us = 2 * p.FRAME_BYTES * 10 * 1_000_000 / 115_200  # a status and the heartbeat that answers it
    assert wire_us > p.EARLY_US
    assert p.GAP_US > p.FRAME_BYTES * 10 * 1_000_000 / 115_200
