"""Units that a policy may use, spelled as they stand at the end of a name, and how they read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

UNITS: dict[str, str] = {
    "m": "m",
    "mps": "m/s",
    "mps2": "m/s^2",
    "mps3": "m/s^3",
    "rad": "rad",
    "radps": "rad/s",
    "radps2": "rad/s^2",
    "radpm": "1/m",  # path curvature
    "n": "N",
    "nm": "N m",
    "kg": "kg",
    "s": "s",
    "hz": "1/s",
    "v": "V",
    "a": "A",
    "w": "W",
    "pa": "Pa",
    "k": "K",
    "ratio": "1",  # a share, normally 0 to 1
    "count": "1",  # a whole number of something
    "flag": "",  # a switch; the only unit that a name need not end with
}

_KEY_SUFFIXES = {
    "ms": "ms",
    "s2pm2": "s^2/m^2",
    **{name: text for name, text in UNITS.items() if name not in ("flag", "ratio", "count", "k", "a", "v", "w")},
}
_CHANNEL_VALUE_KEYS = frozenset(
    {"min", "max", "neutral", "stop", "emergency", "delta", "error", "allowance", "norm", "floor", "deadband"}
)


def named_after(name: str, unit: str) -> bool:
    """Whether `name` ends with its unit; switches may be called anything."""
    return unit == "flag" or name.endswith(f"_{unit}")


def unit_text(unit: str) -> str:
    """How the unit reads, for example ``m/s`` for ``mps``."""
    return UNITS.get(unit, unit)


def unit_at(path: Sequence[str | int], document: Any) -> str:
    """The unit of the value at `path` of a (possibly broken) policy document; empty when there is none."""
    keys = [part for part in path if isinstance(part, str)]
    if not keys:
        return ""
    key = keys[-1]
    declared = _declared_unit(keys, document)
    if key.endswith(("_per_s2", "_per_s")):
        power = "^2" if key.endswith("2") else ""
        return f"{declared or 'unit'}/s{power}"
    if key in _CHANNEL_VALUE_KEYS:
        return declared
    suffix = key.rsplit("_", 1)[-1]
    return _KEY_SUFFIXES.get(suffix, "") if "_" in key and keys[0] not in ("reactions", "functions") else ""


def _declared_unit(keys: Sequence[str], document: Any) -> str:
    """The unit that the channel or input on the way to `keys` declares for itself."""
    node = document
    found = ""
    for key in keys:
        if not isinstance(node, Mapping):
            break
        unit = node.get("unit")
        found = unit_text(unit) if isinstance(unit, str) else found
        node = node.get(key)
    if isinstance(node, Mapping) and isinstance(node.get("unit"), str):
        found = unit_text(node["unit"])
    return found
