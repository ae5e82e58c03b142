"""`safetykit button`: the process that reads an emergency stop button on this computer's pins, for the guard.

For vehicles without the microcontroller. It gives the level at least 50 times a second to the guard's mailbox
``control-bridge``. A guard whose policy says ``device: button`` stops when that ends, so nothing that happens to this
process or to the chip can hide a press. It does not replace a contact that opens the power by itself: a computer that
hangs with its outputs on has nobody here to stop it.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from firmware_bridge.button import ButtonLines, Reading, Reason
from firmware_bridge.gpio_chip import GpioError, GpioLines, load_gpiod

if TYPE_CHECKING:
    from safetykit.runtime.mailbox import ControlWriter

POLL_S = 0.02
REST_S = 0.001  # between an edge and the next look: a line that chatters cannot take the whole CPU
RETRY_S = 0.5  # between attempts to open the chip again
LOOK_S = 0.1  # between looks for the guard: a guard that starts has its mailboxes long before its first tick
CLIENT = "bridge"
PRIORITY = 70  # below the guard's loop, above ordinary programs

Say = Callable[[str], None]


class Lines(Protocol):
    """What is needed of the lines; GpioLines has it."""

    def levels(self) -> tuple[bool, bool]: ...
    def wait(self, seconds: float) -> bool: ...
    def close(self) -> None: ...


def register(app: typer.Typer) -> None:
    """Adds ``safetykit button``."""

    @app.command()
    def button(
        chip: Annotated[str, typer.Option(help="GPIO chip, for example /dev/gpiochip0.")],
        lines: Annotated[str, typer.Option(help="The two lines, for example 17,27: closed contact = high.")],
        instance: Annotated[str, typer.Option(help="Name of the guard, where several run on one machine.")] = "default",
    ) -> None:
        """Read an emergency stop button with two normally closed contacts on GPIO pins, until SIGTERM or Ctrl-C.

        An open contact, a cut wire, a lost chip and the end of this process all stop the vehicle. The policy must say
        `device: button`, else the guard does not notice a process that died.
        """
        run(chip, line_numbers(lines), instance, lambda text: typer.echo(text, err=True))


def line_numbers(text: str) -> tuple[int, int]:
    """Two different line numbers, "17,27". Raises GpioError."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() for part in parts):
        raise GpioError(f"--lines {text!r}: expected two line numbers, for example 17,27")
    first, second = int(parts[0]), int(parts[1])
    if first == second:
        raise GpioError(f"--lines {text!r}: two different lines are needed, one for each contact")
    return first, second


def run(chip: str, lines: tuple[int, int], instance: str, say: Say) -> None:
    """Until SIGTERM or SIGINT. Raises GpioError or MailboxError for what would not work at the start."""
    from safetykit.runtime import realtime

    gpiod = load_gpiod()
    process = ButtonProcess(lambda: GpioLines(gpiod, chip, lines), lambda: take_mailbox(instance), say)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, process.end)
    say(f"{chip} lines {lines[0]} (A) and {lines[1]} (B) for guard {instance!r}")
    warm_up()
    for grant in [*realtime.prepare_process(cpu_wake=False), *realtime.prepare_thread(PRIORITY)]:
        say(str(grant))
    process.run()


def warm_up() -> None:
    """Load or compile what publishing needs, before it is urgent and before it has a priority."""
    from safetykit.runtime.mailbox import ControlWriter, create_mailbox

    with TemporaryDirectory() as folder:
        box = create_mailbox(Path(folder) / "box")
        writer = ControlWriter(box.path)
        writer.button(True)
        writer.close()


def take_mailbox(instance: str) -> Mailbox:
    """The guard's control mailbox for this button. Raises MailboxError: not there yet, not ours, or has a writer."""
    from safetykit.runtime import paths
    from safetykit.runtime.mailbox import ControlWriter

    path = paths.run_dir(instance, create=False) / paths.control_name(CLIENT)
    try:
        inode = path.stat().st_ino  # before it is opened: a swap in between is seen later
    except OSError:
        inode = 0
    return Mailbox(ControlWriter(path), path, inode)


class Mailbox:
    """The control mailbox, and whether the guard still looks into the same file."""

    def __init__(self, writer: ControlWriter, path: Path, inode: int) -> None:
        self._writer, self.path, self._inode = writer, path, inode

    def give(self, pressed: bool) -> None:
        self._writer.button(pressed)

    def present(self) -> bool:
        """False when the run directory was made anew: the guard reads another file then."""
        try:
            return self.path.stat().st_ino == self._inode
        except OSError:
            return False

    def close(self) -> None:
        self._writer.close()


class ButtonProcess:
    """Reads the lines and gives the level to the guard, whatever comes and goes meanwhile."""

    def __init__(self, open_lines: Callable[[], Lines], open_mailbox: Callable[[], Mailbox], say: Say) -> None:
        """Opens the lines. Raises GpioError."""
        from safetykit.runtime.notify import Notifier, alive_period_s

        self._open_lines, self._open_mailbox, self._say = open_lines, open_mailbox, say
        self._logic = ButtonLines()
        self._reading: Reading | None = None
        self._lines: Lines | None = open_lines()
        self._mailbox: Mailbox | None = None
        self._next_lines_s = self._next_mailbox_s = self._next_alive_s = 0.0
        self._waiting_said = False
        self._ending = False
        self._notifier, self._alive_s = Notifier(), alive_period_s()

    def end(self, *_signal: Any) -> None:
        """Finish after the present turn."""
        self._ending = True

    def run(self) -> None:
        """Turn until :meth:`end`; the last word is "pressed", whatever the reason of the end."""
        try:
            while not self._ending:
                self.turn()
        finally:
            self.close()

    def close(self) -> None:
        """Say "pressed" and leave."""
        self._notifier.stopping()
        if self._mailbox is not None:
            self._mailbox.give(True)
            self._mailbox.close()
            self._mailbox = None
            self._say("ended: the guard was told that the button is pressed")
        if self._lines is not None:
            self._lines.close()
            self._lines = None
        self._notifier.close()

    def turn(self) -> None:
        """Wait for an edge, but no longer than a poll lasts; then read the levels and tell the guard."""
        edge = self._wait()
        self._tell(self._read())
        if edge:
            time.sleep(REST_S)

    # ------------------------------------------------------------------ lines

    def _wait(self) -> bool:
        if self._lines is None:
            time.sleep(POLL_S)
            self._find_lines()
            return False
        try:
            return self._lines.wait(POLL_S)
        except OSError as error:
            self._lose_lines(error)
            return False

    def _read(self) -> Reading:
        if self._lines is not None:
            try:
                a, b = self._lines.levels()
            except OSError as error:
                self._lose_lines(error)
            else:
                return self._logic.sample(time.monotonic_ns(), a, b)
        return self._logic.lost()

    def _lose_lines(self, error: OSError) -> None:
        self._say(f"the chip has gone ({error.strerror or error}); the guard is told that the button is pressed")
        if self._lines is not None:
            self._lines.close()
        self._lines = None
        self._next_lines_s = time.monotonic() + RETRY_S

    def _find_lines(self) -> None:
        if time.monotonic() < self._next_lines_s:
            return
        self._next_lines_s = time.monotonic() + RETRY_S
        try:
            self._lines = self._open_lines()
        except GpioError:
            return  # it was said when the chip went
        self._say("the chip is back")

    # ------------------------------------------------------------------ guard

    def _tell(self, reading: Reading) -> None:
        """Give the level to the guard first; then words to people, and everything that is not urgent."""
        if self._mailbox is not None:
            self._mailbox.give(reading.pressed)
        before, self._reading = self._reading, reading
        turned = before is None or reading.pressed != before.pressed
        broke = reading.reason is Reason.DISCREPANCY and before is not None and before.reason is not reading.reason
        if broke or (turned and reading.reason is not Reason.LOST):
            self._say(reading.reason.value)
        self._look_after()

    def _look_after(self) -> None:
        """See to the mailbox now and then, and feed the service supervisor."""
        now_s = time.monotonic()
        if now_s >= self._next_mailbox_s:
            self._next_mailbox_s = now_s + LOOK_S
            if self._mailbox is not None and not self._mailbox.present():
                self._mailbox.close()
                self._mailbox = None
            if self._mailbox is None:
                self._find_mailbox()
        if now_s >= self._next_alive_s:
            self._next_alive_s = now_s + self._alive_s
            self._notifier.alive()

    def _find_mailbox(self) -> None:
        """Raises MailboxError for anything but a mailbox that is not there yet."""
        from safetykit.errors import MailboxError

        try:
            self._mailbox = self._open_mailbox()
        except MailboxError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
            if not self._waiting_said:
                self._say(f"waiting for the guard: {error}")
            self._waiting_said = True
            return
        self._waiting_said = False
        self._mailbox.give(True)  # until the lines are read, which is right after
        self._say(f"guard found: {self._mailbox.path}")
        self._notifier.ready("reading an emergency stop button")
