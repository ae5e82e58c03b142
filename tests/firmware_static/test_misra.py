"""MISRA C:2012: nothing found in the core, every deviation argued at its line, and a checker that really checks."""

from __future__ import annotations

import misra
import pytest

from tests.firmware_static.conftest import Breaker


def test_the_core_has_no_findings() -> None:
    assert misra.findings() == []


def test_every_deviation_has_its_reason_beside_it() -> None:
    noted = misra.deviations()
    assert noted
    assert [line for line, reasoned in noted if not reasoned] == []


@pytest.mark.parametrize(
    ("rule", "old", "new"),
    [
        ("15.1", "    bool dropped = wire->count > 0U;", "    goto out;\nout:;\n    bool dropped = wire->count > 0U;"),
        ("10.4", "wire->count = 0U;\n    return dropped;", "wire->count = 0U + 1;\n    return dropped;"),
        (
            "15.6",
            "    bool dropped = wire->count > 0U;",
            "    bool dropped = false;\n    if (wire->count > 0U) dropped = true;",
        ),
        ("21.3", "    bool dropped = wire->count > 0U;", "    bool dropped = wire->count > 0U;\n    free(wire);"),
    ],
)
def test_a_planted_violation_is_found(broken: Breaker, rule: str, old: str, new: str) -> None:
    found = misra.findings(broken("wire.c", old, new))
    assert any(f"[misra-c2012-{rule}]" in line for line in found), found
