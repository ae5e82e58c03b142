"""Message classes that look like generated ones, so that mappings are tested where no ROS 2 is installed."""

from __future__ import annotations

import sys
from array import array
from types import ModuleType
from typing import Any

PLAIN: dict[str, Any] = {"double": 0.0, "float": 0.0, "boolean": False, "string": "", "int32": 0, "uint8": 0,
                         "uint16": 0, "uint32": 0, "uint64": 0, "int64": 0}  # fmt: skip

TYPES: dict[str, dict[str, str]] = {
    "builtin_interfaces/Time": {"sec": "int32", "nanosec": "uint32"},
    "std_msgs/Header": {"stamp": "builtin_interfaces/Time", "frame_id": "string"},
    "std_msgs/Bool": {"data": "boolean"},
    "std_msgs/String": {"data": "string"},
    "demo_msgs/Vector": {"x": "double", "y": "double", "z": "double"},
    "demo_msgs/Command": {
        "header": "std_msgs/Header",
        "vector": "demo_msgs/Vector",
        "speed": "float",
        "gear": "uint8",
        "active": "boolean",
        "mode": "string",
        "data": "sequence<double>",
        "fixed": "double[3]",
        "few": "sequence<float, 2>",
        "points": "sequence<demo_msgs/Vector>",
        "names": "sequence<string>",
        "timestamp": "uint64",
    },
    "demo_msgs/Bare": {"linear": "double", "angular": "double", "command": "uint32"},
    "demo_msgs/State": {"header": "std_msgs/Header", "speed": "double", "yaw_rate": "double", "more": "double"},
}


def _default(text: str) -> Any:
    if text.startswith("sequence<"):
        item = text[9:-1].split(",")[0]
        return array("d") if item == "double" else array("f") if item == "float" else []
    if text.endswith("[3]"):
        return [0.0, 0.0, 0.0]
    if "/" in text:
        return message(text)()
    return PLAIN[text]


def message(name: str) -> Any:
    """Class of ``package/Type``."""
    package, type_name = name.split("/")
    return getattr(sys.modules[f"{package}.msg"], type_name)


def _make(name: str, fields: dict[str, str]) -> Any:
    def init(self: Any) -> None:
        for key, text in fields.items():
            setattr(self, key, _default(text))

    return type(name, (), {"__init__": init, "get_fields_and_field_types": classmethod(lambda cls: dict(fields))})


def modules() -> dict[str, ModuleType]:
    """Modules to put into ``sys.modules``, by name."""
    found: dict[str, ModuleType] = {}
    for full, fields in TYPES.items():
        package, name = full.split("/")
        found.setdefault(package, ModuleType(package))
        module = found.setdefault(f"{package}.msg", ModuleType(f"{package}.msg"))
        setattr(module, name, _make(name, fields))
    return found
