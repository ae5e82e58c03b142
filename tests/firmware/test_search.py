"""Complete searches of the firmware's abstracted state space (hw/firmware/ports/host/abstraction.h says how).

Here two smaller alphabets, so that it takes seconds; ``python -m tests.campaigns.firmware_search`` takes everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.firmware.exploration import LINES, RULES, Found, follow, search
from tests.firmware.library import library
from tests.firmware.protocol import NO, PASSED, RAM, YES
from tests.firmware.scripts import Author
from tests.firmware.variants import built, exchanged

NOTHING, RIGHT_STOP, RIGHT_RUN, WRONG_RUN = (
    LINES.index(name) for name in ("nothing", "right STOP", "right RUN", "wrong RUN")
)


@dataclass(frozen=True)
class Searched:
    """A search, and how many steps of a long random run lie outside of what it reached."""

    found: Found
    outside: int


@pytest.fixture(scope="module")
def searched() -> Searched:
    found = search(library(), [NOTHING, RIGHT_STOP, RIGHT_RUN, WRONG_RUN], [PASSED, RAM], late=False)
    script = Author(77).script(100_000)
    script.lines["check"][script.lines["check"] != RAM] = PASSED
    script.lines["rest"][script.lines["rest"] == NO] = YES
    return Searched(found, follow(library(), script))


@pytest.mark.slow
def test_no_path_leads_from_a_stop_to_run_but_through_release_key_and_fresh_session(searched: Searched) -> None:
    """Fixed here: memory is sound or RAM is damaged, cycles are in time, four kinds of frames."""
    found = searched.found
    assert found.broken == "nothing", found.told()
    assert found.states > 50_000
    assert found.edges > 10_000_000
    moves = {("SELFTEST", "STOPPED"), ("STOPPED", "ARMED"), ("ARMED", "RUN"), ("ARMED", "STOPPED"), ("RUN", "STOPPED")}
    stays = {(state, state) for state in ("STOPPED", "ARMED", "RUN")}
    assert set(found.moves) == moves | stays


@pytest.mark.slow
def test_every_step_of_a_long_random_run_is_in_the_pictures_of_the_search(searched: Searched) -> None:
    """If the abstraction left anything out, real steps would fall outside of what the search reached."""
    assert searched.outside == 0


def test_a_search_that_leaves_something_out_is_noticed() -> None:
    search(library(), [NOTHING, RIGHT_STOP], [PASSED], late=False)
    script = Author(77).script(20_000)
    script.lines["check"] = PASSED
    assert follow(library(), script) > 1_000


BREAKS = {
    "(s->key_event == s->event_number);": ("(s->key_event <= s->event_number);", "ARMED without"),
    "(s->closed_us >= RELEASE_US) &&": ("", "ARMED without"),
    "(s->key_us >= KEY_MIN_US) &&": ("", "ARMED without"),
    "s->state = STATE_STOPPED;": ("", "an event that did not stop"),
    "bits |= (s->locked == 0U) ? 0U : BLOCK_LOCKED;": ("", "a locked board left STOPPED"),
    "(s->answer_us >= EARLY_US) &&": ("", "RUN without ARMED and a right RUN"),
    "flag(s->link_us > LINK_US)": ("flag(s->link_us > ARMED_US)", "went on in spite of"),
    "out->relay_1 = on == 1U;": ("out->relay_1 = s->state >= STATE_RUN;", "a relay output on without RUN"),
}


@pytest.mark.parametrize("old", BREAKS)
def test_a_broken_core_breaks_a_rule_of_the_search(old: str, tmp_path: Path) -> None:
    new, rule = BREAKS[old]
    broken = built(tmp_path, {"estop.c": exchanged(old, new)}, optimise="-O2")
    found = search(broken, [NOTHING, RIGHT_STOP, RIGHT_RUN], [PASSED, RAM], late=False)
    assert found.broken in RULES[1:]
    assert rule in found.broken, found.told()
    assert found.told()


def test_the_search_starts_again_from_nothing() -> None:
    first = search(library(), [NOTHING], [PASSED], late=False)
    again = search(library(), [NOTHING], [PASSED], late=False)
    assert (first.states, first.edges, first.broken) == (again.states, again.edges, "nothing")
    assert not {state for state in first.by_state if state in ("ARMED", "RUN")}
