"""The scenes: what happens to a vehicle that drives, and what is done about it then. The reset by a person comes later.

Whatever `undo` does, power must stay off: it takes the cause away and tries what must not help.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from safetykit.core import protocol as p
from sim.demo_estop import mcu
from sim.demo_estop.stage import KEY_S, Mark, Stage

LINE_BYTES_PER_S = 11_520  # all that a line of 115 200 baud carries
TRY_S = 0.3  # how long a try that must not help is watched
DISCREPANCY_S = p.DISCREPANCY_US * 1e-6 + 0.2
FEEDBACK_S = 0.4  # the emulated build gives its relays 250 ms to follow
HELD_S = p.KEY_MAX_US * 1e-6 + 0.2


class Guard(Enum):
    """What becomes of the guard in a scene."""

    LIVES = "lives"
    FREEZES = "freezes"
    DIES = "dies"


@dataclass(frozen=True)
class Scene:
    """One way to stop. `causes`: what the event memory may hold then, place by place."""

    name: str
    title: str
    causes: tuple[tuple[str, ...], ...]
    do: Callable[[Stage], Mark]
    undo: Callable[[Stage], None]
    guard: Guard = Guard.LIVES
    silent: bool = False  # the guard hears nothing at all from the cause on
    settle_s: float = 0.0  # until all causes are in the event memory


def _press(stage: Stage) -> Mark:
    stage.say("  somebody hits the button")
    return stage.press()


def _release(stage: Stage) -> None:
    stage.say("  the button is released")
    stage.release()


def _cut_wire(stage: Stage) -> Mark:
    stage.say("  the wire of channel A breaks")
    return stage.press(b=False)


def _mend_wire(stage: Stage) -> None:
    stage.say("  the wire is mended; the key is tried before anybody has tested the button")
    stage.release()
    stage.try_key(KEY_S, TRY_S)


def _cut_cable(stage: Stage) -> Mark:
    stage.say("  the cable between guard and board is pulled out")
    return stage.cut_cable()


def _mend_cable(stage: Stage) -> None:
    stage.say("  the cable is plugged in again")
    stage.mend_cable()
    stage.wait(lambda: stage.facts().alive, "answer after the cable is back")


def _freeze(stage: Stage) -> Mark:
    stage.say("  SIGSTOP: the guard's process is frozen in the middle of whatever it does")
    return stage.strike_guard(signal.SIGSTOP)


def _thaw(stage: Stage) -> None:
    stage.say("  SIGCONT: it goes on as if nothing had been")
    stage.wake_guard()
    stage.wait(lambda: stage.facts().alive, "answer after the guard is back")


def _kill(stage: Stage) -> Mark:
    stage.say("  SIGKILL: the guard's process is gone")
    return stage.strike_guard(signal.SIGKILL)


def _start_anew(stage: Stage) -> None:
    stage.say("  a new guard is started")
    stage.start_guard()
    stage.wait(lambda: stage.facts().alive, "answer to the new guard")


def _flood(stage: Stage) -> Mark:
    stage.say(f"  the line is flooded: {LINE_BYTES_PER_S} random bytes a second each way, every tenth byte damaged")
    return stage.spoil_cable(LINE_BYTES_PER_S)


def _calm(stage: Stage) -> None:
    damaged, found = stage.board.state("damaged"), stage.facts().counts["damaged frames"]
    stage.say(f"  the noise ends; false frames that were found out: {damaged} at the board, {found} at the guard")
    stage.calm_cable()
    stage.wait(lambda: stage.facts().alive, "answer after the noise")


def _weld_and_press(stage: Stage) -> Mark:
    stage.say("  the contact of relay 1 has welded, which nobody has noticed; somebody hits the button")
    return stage.press(welded=1)


def _repair(stage: Stage) -> None:
    stage.say("  the button is released, the key tried: the board is locked")
    stage.release()
    stage.try_key(KEY_S, TRY_S)
    stage.say("  relay 1 is replaced, the key tried again: still locked")
    stage.board.repair(1)
    stage.try_key(KEY_S, TRY_S)
    stage.say("  the board is switched off and on")
    stage.board.power_cycle()
    stage.wait(lambda: mcu.state_name(stage.board) == "STOPPED", "self-test of the board")


def _ask_to_stop(stage: Stage) -> Mark:
    stage.say("  safetykit stop: the guard brakes under power, then takes the power away (stop category 1)")
    return stage.ask_to_stop()


def _nothing(stage: Stage) -> None:
    stage.say("  there is no cause left to take away")


def _wrong_keys(stage: Stage) -> None:
    stage.say("  the key is turned while the button is still pressed")
    stage.try_key(KEY_S, TRY_S)
    stage.say(f"  the button is released, the key held for {HELD_S:.1f} s, as if taped")
    stage.release()
    stage.try_key(HELD_S, TRY_S)


_CHANNEL, _SILENT = ("CHANNEL",), ("HOST_SILENT",)

SCENES = (
    Scene("press", "button, both channels", (_CHANNEL,), _press, _release),
    Scene(
        "wire",
        "one channel only",
        (_CHANNEL, ("DISCREPANCY",)),
        _cut_wire,
        _mend_wire,
        settle_s=DISCREPANCY_S,
    ),
    Scene("cable", "cable cut", (_SILENT,), _cut_cable, _mend_cable, silent=True),
    Scene("freeze", "guard frozen", (_SILENT,), _freeze, _thaw, Guard.FREEZES),
    Scene("kill", "guard killed", (_SILENT,), _kill, _start_anew, Guard.DIES),
    Scene("noise", "line flooded", (("HOST_BAD", "HOST_SILENT"),), _flood, _calm),
    Scene(
        "weld",
        "relay welded, button",
        (_CHANNEL, ("RELAY_STUCK",)),
        _weld_and_press,
        _repair,
        settle_s=FEEDBACK_S,
    ),
    Scene("stop", "safetykit stop", (("HOST_STOP",),), _ask_to_stop, _nothing),
    Scene("key", "button, key misused", (_CHANNEL,), _press, _wrong_keys),
)
