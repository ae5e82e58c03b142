"""The noise campaign in short: what it must count, what it must find, and that it can find something."""

from __future__ import annotations

import random
import shutil
import sys
from pathlib import Path

import pytest

from tests.campaigns import line_noise
from tests.campaigns.line_noise import ANSWER_PERIODS, FIRMWARE, Case, Count, build, cases, run

SHORT = 1_000_000
FRAME_BITS, LINE_BITS, SYNC_BITS = 128, 160, 8
SIGMAS = 5.0
RANDOM_BYTES = 9  # answer, checksum, low byte of the number: any of them may look like the first byte of a frame


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(out=tmp_path_factory.mktemp("noise"))


@pytest.fixture(scope="module")
def short(program: Path) -> list[tuple[Case, Count]]:
    return [(case, run(program, case)) for case in cases(SHORT, seed=3)]


def within(count: int, trials: int, chance: float) -> bool:
    """A count of independent trials is where it should be."""
    return abs(count - trials * chance) <= SIGMAS * (trials * chance * (1.0 - chance)) ** 0.5 + 1.0


def test_the_short_campaign_accepts_nothing_wrong(short: list[tuple[Case, Count]]) -> None:
    assert sum(count.frames for _, count in short) >= SHORT
    for case, count in short:
        assert count.sound, (case, count)
        assert count.spoilt or float(case.rate) < 1e-4, f"{case}: no noise at all"


def test_there_is_as_much_noise_as_asked_for(short: list[tuple[Case, Count]]) -> None:
    for case, count in short:
        rate, bits = float(case.rate), LINE_BITS if case.kind == "line" else FRAME_BITS
        if case.kind != "bursts":
            assert within(count.flipped, count.frames * bits, rate), (case, count)
            assert within(count.spoilt, count.frames, 1.0 - (1.0 - rate) ** bits), (case, count)
        elif rate > 1e-4:  # enough bursts for a mean
            assert count.flipped == pytest.approx(count.frames * bits * rate, rel=0.15), (case, count)
            assert count.flipped / count.spoilt > 15.0, f"{case}: bursts hit many bits of few frames"


def test_damage_never_costs_more_than_the_frame_it_hit(short: list[tuple[Case, Count]]) -> None:
    """Every undamaged frame is found at once, back to back with damaged ones too."""
    for case, count in short:
        if case.kind != "line":
            assert count.delivered == count.frames - count.spoilt, (case, count)
        else:  # a lost start bit reaches into the next frame
            assert count.frames - 2 * count.spoilt <= count.delivered <= count.frames - count.spoilt, (case, count)


def test_availability_is_that_of_independent_losses(program: Path) -> None:
    count = run(program, Case("stream", "flips", "1e-2", 2_000_000, 5))
    lost = 1.0 - 0.99**FRAME_BITS
    assert 1.0 - count.availability == pytest.approx(lost**10, rel=0.03)
    clean = run(program, Case("stream", "flips", "1e-5", 100_000, 5))
    assert clean.availability == 1.0


def naive_stops(rate: float, beats: int, seed: int) -> tuple[float, float]:
    """(periods between stops by the counter, share of right answers): the link in a few lines, without any bytes."""
    dice = random.Random(seed)
    whole, sync_whole = (1.0 - rate) ** FRAME_BITS, (1.0 - rate) ** SYNC_BITS
    false_start = 1.0 - (255 / 256) ** RANDOM_BYTES
    bad = waited = since = stops = right = sent = periods = 0
    knows, awaiting, resync, partial = True, False, False, False
    while sent < beats:
        periods, waited, since = periods + 1, waited + 1, since + 1
        if awaiting and not resync and waited < ANSWER_PERIODS:
            bad, partial = bad + partial, False  # the pause ends what had begun like a frame
        else:
            sent, waited, awaiting, resync = sent + 1, 0, True, False
            if dice.random() < whole:
                right, since, bad = (right + 1, 0, max(bad - 1, 0)) if knows else (right, since, bad + 1)
                answered = dice.random() < whole
                awaiting, resync = awaiting and not (answered and knows), answered and not knows
                knows = answered
            elif dice.random() < (sync_whole - whole) / (1.0 - whole):
                bad, partial = bad + 1, dice.random() < false_start
        if bad >= 3 or since > 10:
            stops += bad >= 3
            bad = since = 0
            knows, awaiting, resync, partial = True, False, False, False
    return periods / stops, right / sent


@pytest.mark.parametrize("rate", ["1e-3", "1e-2"])
def test_stops_are_as_frequent_as_in_a_naive_model(program: Path, rate: str) -> None:
    count = run(program, Case("link", "flips", rate, SHORT, 11))
    between, right = naive_stops(float(rate), 300_000, 7)
    assert count.answers / count.frames == pytest.approx(right, rel=0.02)
    assert count.periods / count.bad_trips == pytest.approx(between, rel=0.06)


def test_a_seed_says_everything(program: Path) -> None:
    case = Case("link", "line", "1e-2", 20_000, 17)
    assert run(program, case) == run(program, case)
    assert run(program, case) != run(program, Case("link", "line", "1e-2", 20_000, 18))


def weakened(folder: Path, old: str, new: str) -> Path:
    """The campaign's program, built from a copy of the firmware with one line changed."""
    copy = folder / "firmware"
    for part in ("core", "ports/host"):
        shutil.copytree(FIRMWARE / part, copy / part)
    wire = copy / "core" / "wire.c"
    text = wire.read_text(encoding="utf-8")
    assert text.count(old) == 1
    wire.write_text(text.replace(old, new), encoding="utf-8")
    return build(copy, folder / "out")


def test_a_weak_checksum_is_found_out(tmp_path: Path) -> None:
    program = weakened(tmp_path, "return wire_crc_end(crc);", "return wire_crc_end(crc) & 0xFFU;")
    for kind in line_noise.KINDS:
        count = run(program, Case("stream", kind, "1e-2", 200_000, 1))
        assert count.wrong > 3, kind
        assert not count.sound


def test_a_decoder_that_drops_too_much_is_found_out(tmp_path: Path) -> None:
    program = weakened(tmp_path, "wire->count -= from;", "wire->count = 0U;")
    count = run(program, Case("stream", "flips", "1e-2", 200_000, 1))
    assert count.delivered < count.frames - count.spoilt


def test_the_command_prints_both_tables(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["line_noise", "--frames", "24000"])
    assert line_noise.main() == 0
    text = capsys.readouterr().out
    for words in ("stream: ", "link: ", "bursts", "1e-5", "24000 frames", "no wrong frame accepted"):
        assert words in text


def test_a_wrong_frame_is_an_error(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["line_noise", "--frames", "24"])
    monkeypatch.setattr(line_noise, "run", lambda program, case: Count(1, 1, 1, 0, 1, 0, periods=1, wrong_answers=1))
    assert line_noise.main() == 1
    assert "WRONG FRAMES ACCEPTED in 24 cases" in capsys.readouterr().out


def test_no_compiler_is_one_clear_message(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["line_noise"])
    monkeypatch.setenv("CC", "no-such-compiler")
    assert line_noise.main() == 2
    assert "no C compiler 'no-such-compiler'" in capsys.readouterr().out
