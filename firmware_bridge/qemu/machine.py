"""One QEMU process that runs a firmware image, and the two sockets to it.

QMP stops, continues and resets the machine and tells of resets. qtest reads and writes its memory, sets levels on its
input pins and, once asked to, tells of every edge of its output pins.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from safetykit.errors import SafetykitError

PROGRAM = "qemu-system-arm"
START_S = 20.0
ANSWER_S = 10.0
UART_DATA = 0x4000_C000

# QEMU ends with this process, however it ends: when the pipe to the shell closes, QEMU is killed.
SHELL = (
    'exec 3<&0; "$@" <&- & board=$!; { read -r _ <&3; kill -9 $board; } & watch=$!; exec 3<&-; wait $board; kill $watch'
)


class BoardError(SafetykitError):
    """The emulated board cannot be started, or no longer answers."""


class Lines:
    """Lines over a Unix socket."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(str(path))
        self._rest = b""

    def send(self, text: str) -> None:
        """Sends lines."""
        try:
            self._socket.sendall(text.encode())
        except OSError as error:
            raise BoardError(f"the emulated board no longer listens: {error}") from error

    def receive(self, wait: bool) -> list[str]:
        """Whole lines that have come; waits for the first bytes if asked to."""
        if not select.select([self._socket], [], [], ANSWER_S if wait else 0.0)[0]:
            if wait:
                raise BoardError(f"the emulated board has not answered for {ANSWER_S:g} s")
            return []
        try:
            block = self._socket.recv(65536)
        except OSError as error:
            raise BoardError(f"the emulated board does not answer: {error}") from error
        if not block:
            raise BoardError("the emulated board has ended")
        *lines, self._rest = (self._rest + block).split(b"\n")
        return [line.decode() for line in lines]

    def close(self) -> None:
        """Closes the socket."""
        self._socket.close()


class Machine:
    """QEMU with one image, stopped before its first instruction. Every method may be called from any thread."""

    def __init__(self, image: Path) -> None:
        if shutil.which(PROGRAM) is None:
            raise BoardError(f"{PROGRAM} is missing; install Debian's package qemu-system-arm")
        if not image.is_file():
            raise BoardError(f"{image} is missing; build it with: make -C hw/firmware lm3s6965evb")
        self._edges: list[int] = []  # output pins that changed their level
        self._resets = 0
        self._line: int | None = None
        self._lock = threading.RLock()
        self._directory = Path(tempfile.mkdtemp(prefix="safetykit-board-"))
        self._process = self._spawn(image)
        try:
            self._control = self._connect("qmp.sock")
            self._test = self._connect("qtest.sock")
            self._await_reply()  # the greeting
            self.control("qmp_capabilities")
            devices = self.control("query-chardev")
            names = {device["label"]: device["filename"] for device in devices}
            self.port = str(names["link"]).removeprefix("pty:")
            self.process_id = int((self._directory / "qemu.pid").read_text())
            self._hold_line()
        except BaseException:
            self.close()
            raise

    def _spawn(self, image: Path) -> subprocess.Popen[bytes]:
        listen = "server=on,wait=off"
        command = [PROGRAM, "-M", "lm3s6965evb", "-display", "none", "-monitor", "none", "-S", "-kernel", str(image)]
        command += ["-chardev", "pty,id=link", "-serial", "chardev:link", "-accel", "tcg"]
        command += ["-qmp", f"unix:{self._directory / 'qmp.sock'},{listen}"]
        command += ["-qtest", f"unix:{self._directory / 'qtest.sock'},{listen}", "-qtest-log", "/dev/null"]
        command += ["-pidfile", str(self._directory / "qemu.pid")]
        with (self._directory / "output").open("wb") as output:
            return subprocess.Popen(
                ["sh", "-c", SHELL, "sh", *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C at the terminal is not for QEMU
            )

    def _connect(self, name: str) -> Lines:
        latest = time.monotonic() + START_S
        while time.monotonic() < latest and self._process.poll() is None:
            try:
                return Lines(self._directory / name)
            except OSError:
                time.sleep(0.005)
        said = (self._directory / "output").read_text(errors="replace").strip()
        raise BoardError(f"{PROGRAM} does not start: {said or 'it says nothing'}")

    def _hold_line(self) -> None:
        """Holds the far end of the line open, so that QEMU always sees it connected, as a UART does.

        Otherwise it looks only once in a second whether somebody has opened it. It looks when the UART sends, too: one
        byte gets it going.
        """
        self._line = os.open(self.port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self.write(UART_DATA, 0)
        if not select.select([self._line], [], [], ANSWER_S)[0]:
            raise BoardError("QEMU does not connect the serial line")
        os.read(self._line, 1)

    def control(self, command: str) -> Any:
        """One QMP command; returns what it returns."""
        with self._lock:
            self._control.send(json.dumps({"execute": command}) + "\n")
            reply = self._await_reply()
        if "error" in reply:
            raise BoardError(f"QEMU refuses {command}: {reply['error'].get('desc')}")
        return reply.get("return")

    def _await_reply(self) -> dict[str, Any]:
        while True:
            replies = [message for message in self._messages(wait=True) if "event" not in message]
            if replies:
                return replies[-1]

    def _messages(self, wait: bool) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = [json.loads(line) for line in self._control.receive(wait)]
        self._resets += sum(message.get("event") == "RESET" for message in messages)
        return messages

    def look_for_resets(self) -> int:
        """How often the machine was reset since its start, those included that it did itself."""
        with self._lock:
            self._messages(wait=False)
            return self._resets

    def test(self, *commands: str) -> list[str]:
        """qtest commands; returns what follows the OK of each."""
        with self._lock:
            self._test.send("".join(command + "\n" for command in commands))
            replies: list[str] = []
            while len(replies) < len(commands):
                for line in self._test.receive(wait=True):
                    word, _, rest = line.partition(" ")
                    if word == "IRQ":
                        self._edges.append(int(rest.split()[1]))  # "raise 1" or "lower 1"
                    elif word == "OK":
                        replies.append(rest)
                    else:
                        raise BoardError(f"qtest: {line}")
            return replies

    def take_edges(self) -> list[int]:
        """The output pins that changed their level since the last call, one entry for each edge."""
        with self._lock:
            edges, self._edges = self._edges, []
            return edges

    def read(self, *addresses: int) -> list[int]:
        """Words of memory or registers."""
        return [int(reply, 16) for reply in self.test(*(f"readl {address:#x}" for address in addresses))]

    def write(self, address: int, value: int) -> None:
        """One word of memory or of a register."""
        self.test(f"writel {address:#x} {value & 0xFFFFFFFF:#x}")

    def signal(self, number: signal.Signals) -> None:
        """A signal to QEMU itself."""
        os.kill(self.process_id, number)

    def close(self) -> None:
        """Ends QEMU. May be called twice."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(ANSWER_S)
        if self._line is not None:
            os.close(self._line)
            self._line = None
        for name in ("_control", "_test"):
            lines: Lines | None = getattr(self, name, None)
            if lines is not None:
                lines.close()
        shutil.rmtree(self._directory, ignore_errors=True)
