"""Every line, every branch and every condition by itself (MC/DC) of the core is driven."""

from __future__ import annotations

import mcdc
import pytest
from mcdc import Covered, Share

from tests.firmware_static.conftest import Breaker


def test_everything_is_driven() -> None:
    found = mcdc.measure(mcdc.build())
    assert {name: covered for name, covered in found.items() if not covered.whole} == {}


def test_code_that_nobody_drives_is_noticed(broken: Breaker) -> None:
    dead = "    bool dropped = wire->count > 0U;\n    if (wire->count == 99U) {\n        dropped = false;\n    }"
    found = mcdc.measure(mcdc.build(broken("wire.c", "    bool dropped = wire->count > 0U;", dead)))
    assert not found["wire.c"].whole
    assert found["estop.c"].whole


@pytest.mark.parametrize("share", [Share(3, 4), Share(0, 0)])
def test_whole_means_all_and_not_nothing(share: Share) -> None:
    assert Covered(Share(4, 4), Share(4, 4), Share(4, 4)).whole
    assert not Covered(Share(4, 4), share, Share(4, 4)).whole
