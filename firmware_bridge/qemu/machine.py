"""One QEMU process that runs a firmware image, and the two sockets to it.

QMP stops, continues and resets the machine and tells of resets. qtest reads and writes its memory, sets levels on its
input pins and, once asked to, tells of every edge of its output pins.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import termios
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetykit.errors import SafetykitError

PROGRAM = "qemu-system-arm"
START_S = 20.0
ANSWER_S = 10.0
LOCKS = Path("/proc/locks")

# QEMU and its folder end with this process, however it ends: the pipe to the shell closes then.
SHELL = (
    'folder=$1; shift; exec 3<&0; "$@" <&- & board=$!; '
    '{ read -r _ <&3; rm -rf "$folder"; kill -9 $board; } & watch=$!; exec 3<&-; wait $board; kill $watch'
)


class BoardError(SafetykitError):
    """The emulated board cannot be started, or no longer answers."""


def go_first(*threads: int) -> None:
    """Lets threads (0: the calling one) go before other programs where that is allowed: they stand for hardware, which
    nobody takes away. Below the guard's own loop."""
    with suppress(PermissionError):
        for thread in threads:
            os.sched_setscheduler(thread, os.SCHED_RR, os.sched_param(1))


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
        self._lock = threading.RLock()
        self._directory = Path(tempfile.mkdtemp(prefix="safetykit-board-"))
        # A pty of our own, its far end held open: QEMU's own ptys notice only a second later that somebody opened them.
        line, self._far_end = os.openpty()
        self._line = fcntl.fcntl(line, fcntl.F_DUPFD_CLOEXEC, 10)  # the shell has the first ten for itself
        os.close(line)
        # The kernel gives the number of a pty away again. This name ends with the board: whoever goes on trying to
        # reconnect to it never meets somebody else's pty.
        self.port = str(self._directory / "port")
        os.symlink(os.ttyname(self._far_end), self.port)
        self._process = self._spawn(image)
        try:
            self._control = self._connect("qmp.sock")
            self._test = self._connect("qtest.sock")
            self._await_reply()  # the greeting
            self.control("qmp_capabilities")
            self.process_id = int((self._directory / "qemu.pid").read_text())
            go_first(*(int(thread.name) for thread in Path(f"/proc/{self.process_id}/task").iterdir()))
        except BaseException:
            self.close()
            raise

    def _spawn(self, image: Path) -> subprocess.Popen[bytes]:
        listen = "server=on,wait=off"
        command = [PROGRAM, "-M", "lm3s6965evb", "-display", "none", "-monitor", "none", "-S", "-kernel", str(image)]
        command += ["-add-fd", f"fd={self._line},set=1", "-chardev", "serial,id=link,path=/dev/fdset/1"]
        command += ["-serial", "chardev:link", "-accel", "tcg"]
        command += ["-qmp", f"unix:{self._directory / 'qmp.sock'},{listen}"]
        command += ["-qtest", f"unix:{self._directory / 'qtest.sock'},{listen}", "-qtest-log", "/dev/null"]
        command += ["-pidfile", str(self._directory / "qemu.pid")]
        with (self._directory / "output").open("wb") as output:
            return subprocess.Popen(
                ["sh", "-c", SHELL, "sh", str(self._directory), *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                pass_fds=[self._line],
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

    def free_line(self) -> None:
        """Ends an exclusive use of the line (TIOCEXCL) that outlived its owner because we hold the far end open.

        Whoever really uses it has locked it, too, as pyserial does; the kernel lists all locks.
        """
        of_file = os.fstat(self._far_end)
        device = f"{os.major(of_file.st_dev):02x}:{os.minor(of_file.st_dev):02x}:{of_file.st_ino}"
        if f" {device} " not in LOCKS.read_text():
            fcntl.ioctl(self._far_end, termios.TIOCNXCL)

    def signal(self, number: signal.Signals) -> None:
        """A signal to QEMU itself."""
        os.kill(self.process_id, number)

    def close(self) -> None:
        """Ends QEMU. May be called twice."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(ANSWER_S)
        for end in (self._line, self._far_end):
            os.close(end)
        for name in ("_control", "_test"):
            lines: Lines | None = getattr(self, name, None)
            if lines is not None:
                lines.close()
        shutil.rmtree(self._directory, ignore_errors=True)
