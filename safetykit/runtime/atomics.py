"""Ordered access to words shared with another process, for use inside compiled code.

x86 orders plain loads and stores well enough by accident; ARM does not, and LLVM may reorder both. So every shared
word goes through a real LLVM atomic instruction. Functions take a one-dimensional contiguous ``int64`` array and an
index (not checked: the caller passes constants or clamped values).

A reader or writer of a seqlock needs (Boehm, "Can seqlocks get along with programming language memory models?", 2012):

* reader: ``load_acquire(lock)``, ``load``..., ``fence_acquire()``, ``load(lock)``
* writer: ``store(lock, odd)``, ``fence_release()``, ``store``..., ``store_release(lock, even)``

With ``NUMBA_DISABLE_JIT=1`` these are plain Python: the interpreter's own locking gives more order than needed.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

INTERPRETED = bool(numba.config.DISABLE_JIT)  # type: ignore[attr-defined]

Words = np.ndarray[Any, np.dtype[np.int64]]
_WORD_BYTES = 8


def _is_words(array: Any, index: Any) -> bool:
    return (
        isinstance(array, types.Array)
        and array.ndim == 1
        and array.layout == "C"
        and array.dtype == types.int64
        and isinstance(index, types.Integer)
    )


def _pointer(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    """Address of ``array[index]`` without wrap-around or bounds check."""
    array = context.make_array(signature.args[0])(context, builder, args[0])
    index = context.cast(builder, args[1], signature.args[1], types.intp)
    return builder.gep(array.data, [index])


def _loader(name: str, ordering: str) -> Any:
    def typer(typing_context: Any, words: Any, index: Any) -> Any:
        if not _is_words(words, index):
            return None

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.load_atomic(_pointer(context, builder, signature, args), ordering, _WORD_BYTES)

        return types.int64(words, index), generate

    typer.__name__ = typer.__qualname__ = name
    return intrinsic(typer)


def _storer(name: str, ordering: str) -> Any:
    def typer(typing_context: Any, words: Any, index: Any, value: Any) -> Any:
        if not (_is_words(words, index) and isinstance(value, types.Integer) and words.mutable):
            return None

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            value64 = context.cast(builder, args[2], signature.args[2], types.int64)
            builder.store_atomic(value64, _pointer(context, builder, signature, args), ordering, _WORD_BYTES)
            return context.get_dummy_value()

        return types.void(words, index, value), generate

    typer.__name__ = typer.__qualname__ = name
    return intrinsic(typer)


def _fencer(name: str, ordering: str) -> Any:
    def typer(typing_context: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            builder.fence(ordering)
            return context.get_dummy_value()

        return types.void(), generate

    typer.__name__ = typer.__qualname__ = name
    return intrinsic(typer)


@intrinsic
def _fetch_add(typing_context: Any, words: Any, index: Any, value: Any) -> Any:
    """Atomically add; returns the value before."""
    if not (_is_words(words, index) and isinstance(value, types.Integer) and words.mutable):
        return None

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value64 = context.cast(builder, args[2], signature.args[2], types.int64)
        return builder.atomic_rmw("add", _pointer(context, builder, signature, args), value64, "seq_cst")

    return types.int64(words, index, value), generate


@intrinsic
def _address(typing_context: Any, words: Any) -> Any:
    """Address of the first word, for system calls."""
    if not (isinstance(words, types.Array) and words.layout == "C"):
        return None

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        return builder.ptrtoint(array.data, ir.IntType(64))

    return types.int64(words), generate


def _plain_load(words: Words, index: int) -> int:
    return int(words[index])


def _plain_store(words: Words, index: int, value: int) -> None:
    words[index] = value


def _plain_fence() -> None:
    return None


def _plain_fetch_add(words: Words, index: int, value: int) -> int:
    before = int(words[index])
    words[index] = before + value
    return before


def _plain_address(words: Words) -> int:
    return int(words.ctypes.data)


load: Any
load_acquire: Any
store: Any
store_release: Any
fence_acquire: Any
fence_release: Any
fetch_add: Any
address: Any

if INTERPRETED:
    load = load_acquire = _plain_load
    store = store_release = _plain_store
    fence_acquire = fence_release = _plain_fence
    fetch_add = _plain_fetch_add
    address = _plain_address
else:
    load = _loader("load", "monotonic")
    load_acquire = _loader("load_acquire", "acquire")
    store = _storer("store", "monotonic")
    store_release = _storer("store_release", "release")
    fence_acquire = _fencer("fence_acquire", "acquire")
    fence_release = _fencer("fence_release", "release")
    fetch_add = _fetch_add
    address = _address
