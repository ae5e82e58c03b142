"""The OPEN entry: everything a reader elsewhere needs to show and replay a segment."""

from __future__ import annotations

import base64
import json
import platform
import zlib
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from safetykit.core.layout import FRAME, LAYOUT_VERSION, LIMITS_SIZE, TIMING_SIZE
from safetykit.runtime.blackbox.frame_codec import WORDS_MAX

if TYPE_CHECKING:
    from safetykit.policy import Policy

_KINDS = {"<i8", "<f8"}
_ARRAY_SIZE_MAX = 1 << 24  # bytes; bounds what a hostile file can make the reader allocate
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def policy_record(policy: Policy) -> dict[str, Any]:
    """Everything of a policy that a log needs to be read and replayed elsewhere, as a JSON object."""
    sources = [{"name": source.name, "first": source.first, "count": source.count} for source in policy.sources]
    return {
        "name": policy.name,
        "version": policy.version,
        "digest": policy.digest,
        "period_ns": int(policy.period_ns),
        "channels": list(policy.channels),
        "inputs": list(policy.inputs),
        "sources": sources,
        "functions": list(policy.functions),
        "conditions": list(policy.conditions),
        "zones": list(policy.zones),
        "document": json.loads(policy.to_json()),
        "limits": pack_array(policy.limits),
        "timing": pack_array(policy.timing),
    }


def layout_record() -> dict[str, Any]:
    """The frame's fields in order: name, kind (<i8 or <f8), shape."""
    fields = [[name, FRAME[name].base.str, list(FRAME[name].shape)] for name in FRAME.names or ()]
    return {"version": LAYOUT_VERSION, "frame_size": FRAME.itemsize, "fields": fields}


def software_record() -> dict[str, str]:
    """Versions that could change what a replay computes."""
    record = {"python": platform.python_version(), "machine": platform.machine(), "system": platform.system()}
    for name in ("safetykit", "numpy", "numba", "llvmlite"):
        try:
            record[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            record[name] = "unknown"
    return record


def boot_id() -> str:
    """Identity of this boot: CLOCK_MONOTONIC times compare only within one."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


def pack_array(array: np.ndarray) -> str:
    """A flat array of 8-byte numbers as text: base64 of zlib of little-endian bytes."""
    return base64.b64encode(zlib.compress(np.ascontiguousarray(array).tobytes(), 9)).decode("ascii")


def unpack_array(text: Any, dtype: type[np.generic], size: int) -> np.ndarray | None:
    """The read-only array behind :func:`pack_array`, or None when it is not one of `size` numbers."""
    if not isinstance(text, str):
        return None
    try:
        inflater = zlib.decompressobj()
        data = inflater.decompress(base64.b64decode(text, validate=True), _ARRAY_SIZE_MAX)
    except (ValueError, zlib.error):
        return None
    return np.frombuffer(data, dtype) if len(data) == size * 8 and inflater.eof else None


def policy_arrays(opening: dict[str, Any]) -> tuple[NDArray[np.float64], NDArray[np.int64]] | None:
    """(limits, timing) exactly as the guard used them, or None when they are missing or of another layout."""
    policy = mapping(opening, "policy")
    limits = unpack_array(policy.get("limits"), np.float64, LIMITS_SIZE)
    timing = unpack_array(policy.get("timing"), np.int64, TIMING_SIZE)
    return None if limits is None or timing is None else (limits, timing)


def frame_dtype(opening: dict[str, Any]) -> np.dtype[np.void] | None:
    """The frame's dtype as recorded, so that logs of older layouts stay readable; None when malformed."""
    layout = mapping(opening, "layout")
    try:
        fields = [(str(name), str(kind), tuple(int(n) for n in shape)) for name, kind, shape in layout["fields"]]
        if any(kind not in _KINDS or any(n < 1 for n in shape) for _, kind, shape in fields):
            return None
        dtype = np.dtype([field if field[2] else field[:2] for field in fields])
    except (KeyError, TypeError, ValueError, OverflowError, MemoryError):
        return None
    return dtype if dtype.itemsize == layout.get("frame_size") and dtype.itemsize <= WORDS_MAX * 8 else None


def is_present_layout(opening: dict[str, Any]) -> bool:
    """Whether frames of this segment have the layout that this software computes with."""
    return mapping(opening, "layout").get("version") == LAYOUT_VERSION and frame_dtype(opening) == FRAME


def mapping(document: dict[str, Any], key: str) -> dict[str, Any]:
    """A nested object, or an empty one."""
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def names(opening: dict[str, Any], key: str) -> tuple[str, ...]:
    """A list of names in the recorded policy (channels, inputs, functions, ...), or an empty one."""
    value = mapping(opening, "policy").get(key)
    return tuple(str(name) for name in value) if isinstance(value, list) else ()
