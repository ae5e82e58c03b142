"""docs/policy.md says what the code does: its example loads, its tables are complete."""

from __future__ import annotations

import re
from pathlib import Path

from safetykit.core.vocabulary import Action
from safetykit.policy import PRESETS, load_policy
from safetykit.policy.reactions import DEFAULT, FIXED, FLOOR
from safetykit.policy.schema_parts import Part
from safetykit.policy.units import UNITS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "policy.md").read_text()


def test_the_example_is_a_policy(tmp_path: Path) -> None:
    example = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    file = tmp_path / "cart.yaml"
    file.write_text(example[1])
    assert load_policy(file).channels == ("speed_mps",)


def test_every_key_is_described() -> None:
    """Keys of every part of a policy; one that is a Python word has its name with an underscore."""
    words = set(re.findall(r"[a-z0-9_]+", PAGE))
    missing = {key.rstrip("_") for model in _parts(Part) for key in model.model_fields} - words
    assert not missing


def _parts(part: type[Part]) -> list[type[Part]]:
    return [part, *(below for kind in part.__subclasses__() for below in _parts(kind))]


def test_units_and_presets_are_named() -> None:
    for word in (*UNITS, *PRESETS):
        assert f"`{word}`" in PAGE


def test_the_table_of_reactions() -> None:
    rows = {row[0]: row[1:] for row in re.findall(r"^\| `([A-Z_]+)` \| ([A-Z_]+) \| ([A-Z_]+) \|$", PAGE, re.MULTILINE)}
    expected = {fault.name: (DEFAULT[fault].name, FLOOR[fault].name) for fault in DEFAULT if fault not in FIXED}
    assert rows == expected
    assert " < ".join(action.name for action in Action) in PAGE
