"""The protocol's table and the line, in plain Python from hw/protocol.yaml: what the tests hold the firmware to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

PROTOCOL: dict[str, Any] = YAML(typ="safe").load(
    (Path(__file__).resolve().parents[2] / "hw" / "protocol.yaml").read_text(encoding="utf-8")
)
CODE: dict[str, int] = {name: row[0] for name, row in PROTOCOL["codes"].items()}
CAUSE: dict[str, int] = {name.removeprefix("CAUSE_"): row[0] for name, row in PROTOCOL["causes"].items()}
CAUSE_NAME: dict[int, str] = {code: name for name, code in CAUSE.items()}
LOCKING = {name.removeprefix("CAUSE_") for name, row in PROTOCOL["causes"].items() if row[2] == "locked"}
BLOCK: dict[str, int] = {name.removeprefix("BLOCK_"): 1 << row[0] for name, row in PROTOCOL["blockers"].items()}
INPUT: dict[str, int] = {name.removeprefix("IN_"): 1 << row[0] for name, row in PROTOCOL["inputs"].items()}
PAGE: dict[str, int] = {name.removeprefix("PAGE_"): row[0] for name, row in PROTOCOL["pages"].items()}
TIME: dict[str, int] = {name: row[0] for name, row in PROTOCOL["times"].items()}
COUNT: dict[str, int] = {name: row[0] for name, row in PROTOCOL["counts"].items()}
TOKENS = [int.from_bytes(hashlib.sha256(f"safetykit/{s}".encode()).digest()[:4], "big") for s in PROTOCOL["stages"]]
ROTATE: int = PROTOCOL["rotate"]
POLYNOMIAL: int = PROTOCOL["crc"]["reflected"]
STOP, RUN = CODE["COMMAND_STOP"], CODE["COMMAND_RUN"]
YES, NO = CODE["REST_YES"], CODE["REST_NO"]
RUNNING, PASSED, RAM, PROGRAM = range(4)  # results of the self-check
WORD = 0xFFFFFFFF


def crc(unit: int, data: bytes) -> int:
    """CRC-32/AUTOSAR over the number of the unit and the bytes, one bit after the other."""
    register = WORD
    for byte in (unit & 0xFF, *data):
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ POLYNOMIAL if register & 1 else register >> 1
    return register ^ WORD


def answer(unit: int, challenge: int, session: int, seq: int) -> int:
    """What a guard that ran all stages in order answers."""
    progress = challenge
    for token in TOKENS:
        progress = (progress << ROTATE | progress >> 32 - ROTATE) & WORD ^ token
    return crc(unit, progress.to_bytes(4, "little") + session.to_bytes(2, "little") + seq.to_bytes(2, "little"))


def heartbeat(unit: int, command: int, rest: int, session: int, seq: int, reply: int) -> bytes:
    """A frame of the host."""
    body = bytes((CODE["SYNC_HOST"], CODE["TYPE_HEARTBEAT"], command, rest))
    body += session.to_bytes(2, "little") + seq.to_bytes(2, "little") + reply.to_bytes(4, "little")
    return body + crc(unit, body).to_bytes(4, "little")


@dataclass
class Receiver:
    """Finds heartbeats in a stream of bytes."""

    unit: int
    waiting: bytes = b""

    def push(self, byte: int) -> bytes | str | None:
        """The whole frame that this byte ends, "damaged", or nothing yet."""
        self.waiting += bytes((byte,))
        self._to_sync()
        if len(self.waiting) < COUNT["FRAME_BYTES"]:
            return None
        frame, body = self.waiting, self.waiting[: COUNT["BODY_BYTES"]]
        if frame[1] == CODE["TYPE_HEARTBEAT"] and crc(self.unit, body).to_bytes(4, "little") == frame[-4:]:
            self.waiting = b""
            return frame
        self.waiting = self.waiting[1:]
        self._to_sync()
        return "damaged"

    def _to_sync(self) -> None:
        while self.waiting and self.waiting[0] != CODE["SYNC_HOST"]:
            self.waiting = self.waiting[1:]

    def silence(self) -> bool:
        """The line fell silent; true if that cut a frame."""
        cut, self.waiting = bool(self.waiting), b""
        return cut
