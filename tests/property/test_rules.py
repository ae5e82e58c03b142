"""Rules over the recent past: knowing less never un-breaks a rule, one rule never changes another."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from safetykit.core import rules
from safetykit.core.bounds import RULE_CATCH_UP_MAX
from safetykit.core.layout import new_frames
from safetykit.core.vocabulary import Action, Fault
from safetykit.policy.compile import compile_document
from tests.drive import PERIOD_NS
from tests.oracle.past_logic import NAMES, Formula, Past, Row, document_of, fits, formulas

rows = st.tuples(*[st.sampled_from([0, 1, 1, None])] * len(NAMES))
traces = st.lists(rows, min_size=1, max_size=30)
gaps = st.lists(st.sampled_from([1.0, 1.0, 1.0, 0.4, 1.6, 3.0, 17.0, 18.0, 500.0]), min_size=30, max_size=30)
several = st.lists(formulas(leaves=4), min_size=2, max_size=4)


def broken(found: list[Formula], trace: list[Row], late: list[float]) -> list[tuple[int, int]]:
    past = Past(compile_document(document_of(found)))
    return [past.tick(row, round(gap * PERIOD_NS)) for row, gap in zip(trace, late, strict=False)]


@given(found=several, trace=traces, late=gaps, data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_value_that_goes_missing_never_unbreaks_a_rule(
    found: list[Formula], trace: list[Row], late: list[float], data: st.DataObject
) -> None:
    assume(fits(found))
    less = [tuple(None if data.draw(st.booleans()) else value for value in row) for row in trace]
    for (sure, may), (less_sure, less_may) in zip(broken(found, trace, late), broken(found, less, late), strict=True):
        assert may & ~less_may == 0, "still broken, or possibly so"
        assert less_sure & ~sure == 0, "nothing is surer than before"
        assert sure & ~may == 0


@given(found=several, trace=traces, late=gaps)
@settings(max_examples=150, deadline=None)
def test_a_rule_is_judged_the_same_alone_and_in_any_company(
    found: list[Formula], trace: list[Row], late: list[float]
) -> None:
    assume(fits(found))
    forward, backward = broken(found, trace, late), broken(found[::-1], trace, late)
    for number, formula in enumerate(found):
        alone, place = broken([formula], trace, late), len(found) - 1 - number
        for one, two, three in zip(alone, forward, backward, strict=True):
            assert one == tuple(bits >> number & 1 for bits in two) == tuple(bits >> place & 1 for bits in three)


@given(found=several, trace=traces, late=gaps)
@settings(max_examples=100, deadline=None)
def test_a_tick_of_several_periods_says_no_less_than_the_periods_one_by_one(
    found: list[Formula], trace: list[Row], late: list[float]
) -> None:
    """Missed periods count with what was last known; the same values ticked one by one break the same rules."""
    assume(fits(found))
    counts = [max(round(gap), 1) for gap in late]
    one_by_one = Past(compile_document(document_of(found)))
    for k, (may, count) in enumerate(zip(broken(found, trace, [float(n) for n in counts]), counts, strict=False)):
        held = [trace[max(k - 1, 0)]] * (count - 1) if k else []
        seen = [one_by_one.tick(row)[1] for row in (*held, trace[k])]
        union = seen[-1]
        for bits in seen if count - 1 <= RULE_CATCH_UP_MAX else ():
            union |= bits
        assert union & ~may[1] == 0
        if max(counts) - 1 <= RULE_CATCH_UP_MAX:
            assert union == may[1]


@given(raw=st.binary(min_size=8, max_size=8), seed=st.integers(0, 2**32 - 1), found=several)
@settings(max_examples=100, deadline=None)
def test_damaged_memory_is_survived_and_leaves_a_verdict(raw: bytes, seed: int, found: list[Formula]) -> None:
    assume(fits(found))
    policy = compile_document(document_of(found))
    frame = new_frames().view(np.recarray)[0]
    noise = np.random.default_rng(seed)
    frame.st_rule_left[:] = noise.integers(-(2**63), 2**63 - 1, len(frame.st_rule_left))
    frame.st_rule_line[:] = noise.integers(-(2**63), 2**63 - 1, frame.st_rule_line.shape)
    frame.st_rule_periods = int.from_bytes(raw, "little", signed=True) // 2
    frame.st_rule_certain, frame.st_rule_possible = noise.integers(0, 2**48, 2)
    frame.st_rule_clock_ns = frame.in_now_ns = 10**12
    for _ in range(5):
        frame.in_now_ns += PERIOD_NS
        why, action = rules.check(policy.limits, policy.timing, frame)
        assert 0 <= frame.st_rules < 1 << len(found)
        assert (why, action) in ((0, 0), (1 << Fault.RULE, Action.RECOVER))
