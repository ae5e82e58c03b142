"""A long random life of the core and the test board under the sanitizers, and proof that they are on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sanitizers
import toolchain

from tests.firmware_static.conftest import Breaker


def test_a_random_life_is_sound(tmp_path: Path) -> None:
    said = sanitizers.live(tmp_path)
    lived = re.search(r"steps=(\d+) runs=(\d+)", said)
    assert lived is not None
    assert int(lived[1]) == sanitizers.STEPS
    assert int(lived[2]) > sanitizers.STEPS // 20, "the life was hardly ever in RUN"
    assert said.endswith("sound\n")


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (
            "estop.c",
            "(s->event_slot + 1U) % EVENTS",
            "(s->event_slot + 1U)",
            "global-buffer-overflow|index 8 out of bounds",
        ),
        ("wire.c", "(from < wire->count)", "(from <= wire->count)", "index 16 out of bounds|overflow"),
        ("estop.c", "on == 1U;", "s->state != STATE_STOPPED;", "wrong: relays on"),
    ],
)
def test_a_broken_core_is_noticed(broken: Breaker, tmp_path: Path, file: str, old: str, new: str, said: str) -> None:
    core = broken(file, old, new)
    with pytest.raises(toolchain.Failed, match=said):
        sanitizers.live(tmp_path, core, steps=200_000)
