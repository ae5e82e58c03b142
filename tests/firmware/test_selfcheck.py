"""The checks of memory find what they are there for."""

from __future__ import annotations

import ctypes
import itertools
import mmap
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.firmware.examples import EXAMPLES
from tests.firmware.library import Selfcheck, core_folder, library
from tests.firmware.protocol import PASSED, PROGRAM, RUNNING, crc
from tests.firmware.variants import CC

SLICE = 64
STUCK, COUPLED, TRANSITION, ALIAS = 1, 2, 3, 4
WORDS = 6


class Fault(ctypes.Structure):
    """fault_t of faulty_ram.c."""

    _fields_ = [(name, ctypes.c_uint32) for name in ("kind", "aggressor", "victim", "bit", "edge", "value")]


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The march over a memory with faults."""
    folder = tmp_path_factory.mktemp("march")
    instrumented, target = folder / "selfcheck.o", folder / "libmarch.so"
    common = [CC, "-std=c11", "-O1", "-fPIC", f"-I{core_folder()}"]
    hooks = ["-fsanitize=kernel-address", "--param", "asan-instrumentation-with-call-threshold=0"]
    hooks += ["--param", "asan-globals=0", "--param", "asan-stack=0"]
    subprocess.run([*common, *hooks, "-c", core_folder() / "selfcheck.c", "-o", instrumented], check=True)
    sources = [Path(__file__).with_name("faulty_ram.c"), core_folder() / "wire.c", instrumented]
    subprocess.run([*common, "-shared", "-o", target, *sources], check=True)
    march = ctypes.CDLL(str(target))
    march.faulty_march.restype = ctypes.c_bool
    return march


def found(march: ctypes.CDLL, *fault: int, words: int = WORDS) -> bool:
    """The march says that this memory is unsound."""
    return not march.faulty_march(words, ctypes.byref(Fault(*fault)))


def test_a_sound_memory_passes(faulty: ctypes.CDLL) -> None:
    for words in range(1, 65):
        assert not found(faulty, 0, words=words)


def test_every_stuck_bit_is_found(faulty: ctypes.CDLL) -> None:
    for victim, bit, value in itertools.product(range(WORDS), range(32), (0, 1)):
        assert found(faulty, STUCK, 0, victim, bit, 0, value), (victim, bit, value)


def test_every_bit_that_cannot_change_one_way_is_found(faulty: ctypes.CDLL) -> None:
    for victim, bit, value in itertools.product(range(WORDS), range(32), (0, 1)):
        assert found(faulty, TRANSITION, 0, victim, bit, 0, value), (victim, bit, value)


def test_every_coupling_between_two_words_is_found(faulty: ctypes.CDLL) -> None:
    for a, v in itertools.permutations(range(WORDS), 2):
        for bit, edge, value in itertools.product((0, 1, 15, 16, 31), (0, 1), (0, 1)):
            assert found(faulty, COUPLED, a, v, bit, edge, value), (a, v, bit, edge, value)


def test_every_pair_of_words_that_are_one_cell_is_found(faulty: ctypes.CDLL) -> None:
    for a, v in itertools.permutations(range(WORDS), 2):
        assert found(faulty, ALIAS, a, v, 0, 0, 0), (a, v)


@pytest.fixture
def twice() -> Iterator[int]:
    """The address of two pages of memory that are one and the same page: a missing address line."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    page, both, fixed = mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_WRITE, 0x10
    file = os.memfd_create("alias")
    os.ftruncate(file, page)
    base = libc.mmap(None, 2 * page, both, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    for k in range(2):
        assert libc.mmap(base + k * page, page, both, mmap.MAP_SHARED | fixed, file, 0) == base + k * page
    yield base
    libc.munmap(base, 2 * page)
    os.close(file)


def test_a_missing_address_line_of_real_memory_is_found(twice: int) -> None:
    core, words = library(), mmap.PAGESIZE // 4
    assert core.selfcheck_ram(twice, words)
    assert not core.selfcheck_ram(twice, 2 * words)
    assert core.selfcheck_ram(twice + 4, words)
    assert not core.selfcheck_ram(twice + 4, words + 1)  # one word too many


def test_the_march_leaves_zeros_and_touches_nothing_outside() -> None:
    memory = (ctypes.c_uint32 * 12)(*[0x12345678] * 12)
    assert library().selfcheck_ram(ctypes.addressof(memory) + 4, 10)
    assert list(memory) == [0x12345678] + [0] * 10 + [0x12345678]


# ------------------------------------------------------------------------------ program


class Program:
    """An image under check."""

    def __init__(self, image: bytes) -> None:
        self.image = (ctypes.c_uint8 * (len(image) + 8))(*image, *[0xEE] * 8)
        self.length = len(image)
        self.record = Selfcheck()
        sealed = crc(image[0], image[1:])  # the unit's place is taken by the first byte
        library().selfcheck_init(ctypes.byref(self.record), ctypes.addressof(self.image), len(image), sealed)

    def slices(self, before: int, count: int) -> int:
        for _ in range(count):
            before = library().selfcheck_program(ctypes.byref(self.record), before)
        return before

    @property
    def passes(self) -> int:
        """Slices of one pass."""
        return -(-self.length // SLICE)


@EXAMPLES
@given(image=st.binary(min_size=1, max_size=400))
def test_a_sound_program_passes_at_the_end_of_the_first_pass_and_not_before(image: bytes) -> None:
    program = Program(image)
    assert program.slices(RUNNING, program.passes - 1) == RUNNING
    assert program.slices(RUNNING, 1) == PASSED
    assert program.slices(PASSED, 3 * program.passes) == PASSED


@EXAMPLES
@given(image=st.binary(min_size=1, max_size=400), data=st.data())
def test_any_damaged_bit_of_the_program_is_found_within_one_pass(image: bytes, data: st.DataObject) -> None:
    bit = data.draw(st.integers(0, 8 * len(image) - 1))
    program = Program(image)
    program.slices(RUNNING, program.passes)
    program.image[bit // 8] ^= 1 << bit % 8
    assert program.slices(PASSED, program.passes - 1) == PASSED
    assert program.slices(PASSED, 1) == PROGRAM


@pytest.mark.parametrize("length", [1, 62, 63, 64, 65, 126, 127, 128, 129, 192])
def test_a_pass_takes_as_many_slices_as_the_program_needs(length: int) -> None:
    program = Program(bytes(range(length)))
    for _ in range(3):
        for k in range(1, program.passes):
            program.slices(PASSED, 1)
            assert program.record.at == k * SLICE
        assert program.slices(PASSED, 1) == PASSED
        assert program.record.at == 0


def test_a_new_start_of_the_check_begins_at_the_first_byte() -> None:
    program = Program(bytes(range(200)))
    program.slices(RUNNING, 2)
    record = program.record
    image, length, sealed = ctypes.addressof(program.image), record.length, record.expected
    library().selfcheck_init(ctypes.byref(record), image, length, sealed)
    assert record.at == 0
    assert program.slices(RUNNING, program.passes) == PASSED


def test_a_damaged_program_never_passes_the_first_time() -> None:
    program = Program(bytes(200))
    program.image[199] = 1
    assert program.slices(RUNNING, program.passes) == PROGRAM


def test_what_lies_behind_the_image_does_not_matter() -> None:
    program = Program(bytes(130))
    program.image[130] ^= 0xFF
    assert program.slices(RUNNING, program.passes) == PASSED
    assert (program.record.at, program.record.length) == (0, 130)
