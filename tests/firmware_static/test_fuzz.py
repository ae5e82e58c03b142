"""A fixed number of libFuzzer runs over the decoder and the step, and proof that both notice a broken core."""

from __future__ import annotations

from pathlib import Path

import fuzz
import pytest
import toolchain

from tests.firmware_static.conftest import Breaker


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(fuzz.TARGETS))
def test_nothing_breaks_the_invariant(name: str, tmp_path: Path) -> None:
    target = fuzz.TARGETS[name]
    said = fuzz.attack(target, fuzz.build(target, tmp_path), tmp_path / "corpus")
    assert said.startswith(f"Done {target.runs} runs")


@pytest.mark.parametrize("name", sorted(fuzz.TARGETS))
def test_a_source_begins_with_its_invariant(name: str) -> None:
    first = (toolchain.HERE / f"fuzz_{name}.c").read_text(encoding="utf-8").split("\n", 1)[0]
    assert first.startswith("/* Invariant: ")


@pytest.mark.parametrize(
    ("name", "file", "old", "new"),
    [
        ("wire", "wire.c", "if (wire->count == FRAME_BYTES) {", "if (wire->count > FRAME_BYTES) {"),
        ("wire", "wire.c", "slide(wire);\n", "slide(wire);\n            wire->count = 0U;\n"),
        ("wire", "wire.c", "wire->byte[1] == TYPE_HEARTBEAT", "wire->byte[1] != TYPE_STATUS"),
        ("step", "estop.c", "flag(!(in->channel_a && in->channel_b))", "flag(!(in->channel_a || in->channel_b))"),
        ("step", "estop.c", "(s->host_rest == REST_YES) ?", "(s->host_rest != 0U) ?"),
    ],
)
def test_a_broken_core_is_noticed(broken: Breaker, tmp_path: Path, name: str, file: str, old: str, new: str) -> None:
    target = fuzz.TARGETS[name]
    program = fuzz.build(target, tmp_path, broken(file, old, new))
    with pytest.raises(toolchain.Failed, match=r"deadly signal|AddressSanitizer|runtime error"):
        fuzz.attack(target, program, tmp_path / "corpus")
