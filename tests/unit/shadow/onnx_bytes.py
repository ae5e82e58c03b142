"""A real ONNX network written byte by byte: y = x W + b, so that no further package is needed.

Field numbers are those of onnx.proto (opset 13, IR version 8).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

FLOAT = 1


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _tensor(name: str, dims: Sequence[int], values: Sequence[float]) -> bytes:
    sizes = b"".join(_number(1, size) for size in dims)
    return sizes + _number(2, FLOAT) + _bytes(8, name) + _bytes(9, struct.pack(f"<{len(values)}f", *values))


def _value(name: str, dims: Sequence[int | str], kind: int = FLOAT) -> bytes:
    shape = b"".join(_bytes(1, _bytes(2, d) if isinstance(d, str) else _number(1, d)) for d in dims)
    return _bytes(1, name) + _bytes(2, _bytes(1, _number(1, kind) + _bytes(2, shape)))


def linear(weights: Sequence[Sequence[float]], bias: Sequence[float], kind: int = FLOAT) -> bytes:
    """A model with input x (batch, n), output y (batch, m); `weights` n rows of m. `kind`: declared type of x."""
    rows, columns = len(weights), len(bias)
    flat = [value for row in weights for value in row]
    node = _bytes(1, "x") + _bytes(1, "w") + _bytes(1, "b") + _bytes(2, "y") + _bytes(4, "Gemm")
    graph = _bytes(1, node) + _bytes(2, "linear")
    graph += _bytes(5, _tensor("w", (rows, columns), flat)) + _bytes(5, _tensor("b", (columns,), bias))
    graph += _bytes(11, _value("x", ("batch", rows), kind)) + _bytes(12, _value("y", ("batch", columns)))
    return _number(1, 8) + _bytes(7, graph) + _bytes(8, _number(2, 13))
