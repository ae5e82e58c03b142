"""A reader takes any bytes; a writer's message arrives whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from safetykit.runtime import mailbox
from safetykit.runtime.mailbox import MailboxReader, MailboxWriter, create_mailbox

int64 = st.integers(-(2**63), 2**63 - 1)
REUSE = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def box(tmp_path: Path) -> Path:
    create_mailbox(tmp_path / "command").close()
    return tmp_path / "command"


@given(data=st.binary(min_size=mailbox.WORDS * 8, max_size=mailbox.WORDS * 8))
@REUSE
def test_any_bytes_read_as_none(box: Path, data: bytes) -> None:
    box.write_bytes(data)
    assert MailboxReader(box).read() is None


@given(
    edits=st.lists(st.tuples(st.integers(2, mailbox.WORDS - 1), int64), min_size=1, max_size=20),
    lock=st.integers(1, 2**62),
)
@REUSE
def test_sealed_bytes_of_any_content_give_a_bounded_message(box: Path, edits: list[tuple[int, int]], lock: int) -> None:
    words = np.zeros(mailbox.WORDS, np.int64)
    for word, value in edits:
        words[word] = value
    words[mailbox.MAGIC_AT], words[mailbox.LOCK] = mailbox.MAGIC, lock * 2 % 2**62 + 2
    words[mailbox.CHECKSUM] = mailbox.checksum(words, 0)
    box.write_bytes(words.tobytes())
    message = MailboxReader(box).read()
    assert message is not None
    assert message.count == words[mailbox.COUNT]
    assert message.values.size == min(max(message.count, 0), mailbox.PAYLOAD_MAX)


@given(
    values=st.lists(st.floats(width=64), max_size=mailbox.PAYLOAD_MAX),
    stamp=int64,
    seq=int64,
    count=int64,
    bits=int64,
    aux=int64,
)
@REUSE
def test_what_is_published_is_read(
    box: Path, values: list[float], stamp: int, seq: int, count: int, bits: int, aux: int
) -> None:
    writer = MailboxWriter(box)
    writer.publish(values, stamp_ns=stamp, seq=seq, count=count, bits=bits, aux=aux)
    message = MailboxReader(box).read()
    writer.close()
    assert message is not None
    assert (message.stamp_ns, message.seq, message.count, message.bits, message.aux) == (stamp, seq, count, bits, aux)
    padded = np.zeros(mailbox.PAYLOAD_MAX)
    padded[: len(values)] = values
    assert message.values.tobytes() == padded[: message.values.size].tobytes()


@given(word=st.integers(2, mailbox.WORDS - 1), flip=st.integers(1, 2**63 - 1))
@REUSE
def test_one_changed_word_is_torn(box: Path, word: int, flip: int) -> None:
    if word in (mailbox.REFUSED, mailbox.OWNER) or mailbox.OWNER < word < mailbox.PAYLOAD:
        return  # not part of the message
    writer = MailboxWriter(box)
    writer.publish([1.0, 2.0, 3.0])
    writer.close()
    words = np.frombuffer(box.read_bytes(), np.int64).copy()
    words[word] ^= flip
    box.write_bytes(words.tobytes())
    assert MailboxReader(box).read() is None
