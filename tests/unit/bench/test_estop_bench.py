"""The bench of the emergency stop: small runs of what needs no board, and its verdicts on made-up times."""

from __future__ import annotations

import pytest

from firmware_bridge.wire import McuState, Status
from safetykit.core import protocol as p
from tests.bench import estop, estop_round_trip, estop_tick
from tests.bench.measure import Row
from tests.hil import host


def rows_of(times: estop.Times) -> dict[str, Row]:
    sections = [*estop.press_sections(times), *estop.link_sections(times)]
    return {row.what: row for section in sections for row in section.rows}


def test_every_tick_of_the_bench_hears_and_answers() -> None:
    (section,) = estop_tick.run(20)
    assert [row.what for row in section.rows][::2] == [f"{what}, p50" for what in estop_tick.WHAT]
    assert all(row.value > 0.0 and row.reference for row in section.rows)


def test_the_heartbeats_of_the_round_trip_are_those_of_an_independent_host() -> None:
    status = Status(McuState.STOPPED, 0, 0x1234, 0xFFFF, 0x89ABCDEF)
    answered = host.answer(1, status.challenge, status.session, 0)
    expected = host.heartbeat(p.COMMAND_STOP, p.REST_YES, status.session, 0, answered)
    assert estop_round_trip.heartbeat(status) == expected


def test_the_echo_gives_back_what_it_gets() -> None:
    frame = bytes(range(p.FRAME_BYTES))
    with estop_round_trip.echo() as line:
        took_us, data = estop_round_trip.exchange(line, frame)
    assert data == frame
    assert took_us > 0.0


@pytest.mark.parametrize(("link_us", "met"), [(p.LINK_US + 2000, True), (p.LINK_US + 2001, False)])
def test_a_silence_is_judged_by_the_limit_and_the_longest_cycle(link_us: int, met: bool) -> None:
    rows = rows_of(estop.Times(silence_mcu_us=[p.LINK_US + 1, link_us], silence_power=[99.0], cycle_max=2.0))
    assert rows["right answer to relays off, its clock, max"].met is met
    assert rows["right answer to relays off, its clock, p50"].met is None


@pytest.mark.parametrize(("edge_ms", "met"), [(1.5, True), (1.51, False)])
def test_an_edge_is_judged_by_the_longest_cycle(edge_ms: float, met: bool) -> None:
    assert rows_of(estop.Times(edge_mcu=[0.2, edge_ms], cycle_max=1.5))["edge to relays off, max"].met is met


def test_rounds_that_were_all_spoilt_give_no_numbers() -> None:
    assert list(rows_of(estop.Times())) == ["longest cycle of all rounds"]


@pytest.mark.parametrize(
    ("begin_us", "end_us", "ms"), [(10.0, 1010.0, 1.0), (2.0**32 - 500, 500.0, 1.0), (5.0, 2, -0.003)]
)
def test_the_clock_of_the_microcontroller_wraps(begin_us: float, end_us: float, ms: float) -> None:
    assert estop.since_ms(begin_us, end_us) == pytest.approx(ms)
