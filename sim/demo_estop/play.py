"""Plays one scene and measures it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from firmware_bridge.qemu_board import QemuBoard
from sim.demo_estop import mcu
from sim.demo_estop.outcome import Outcome, guard_reaction, judge, limit_ms, microcontroller_ms, not_played
from sim.demo_estop.scenes import Scene
from sim.demo_estop.stage import Mark, NotDriving, Stage, StageError

STILL_S = 0.5  # how long power must stay off after the cause is gone and engage was pressed
MOVED_M = 0.01
UNASKED_MAX = 20  # stops that nobody caused; a host that busy cannot show anything


@dataclass(frozen=True)
class Take:
    """When a scene was: monotonic seconds of its cause and of its end."""

    scene: Scene
    cause_s: float
    end_s: float


def play(stage: Stage, scene: Scene) -> tuple[Outcome, Take]:
    """Drives, lets it happen, looks on, takes the cause away, looks on again."""
    board = stage.board
    try:
        number_before, mark = _begin(stage, scene)
    except StageError as error:
        outcome = not_played(scene, str(error))
        stage.say(f"  [bold red]{outcome.problems[0]}[/]")
        return outcome, Take(scene, time.monotonic(), time.monotonic())
    off_ns, rest_ns, problems = _until_rest(stage, mark)
    stage.watch(scene.settle_s)
    events = mcu.events(board, number_before)
    edge_us = None if mark.mcu_us is None else mcu.elapsed_us(mark.mcu_us, mcu.relays_changed_us(board))
    mcu_ms, since = microcontroller_ms(events[0] if events else None, edge_us)
    limit, locked = limit_ms(since, board.state("cycle_max_us")), bool(board.state("locked"))
    silent_from_ns = stage.heard_ns() if scene.silent else None
    way_m = None if rest_ns is None else stage.vehicle.way_at(rest_ns) - stage.vehicle.way_at(mark.at_ns)
    relay_ms = None if off_ns is None else (off_ns - mark.at_ns) / 1e6
    _tell(stage, relay_ms, way_m, [event.cause for event in events])
    try:
        scene.undo(stage)
        stage.press_engage()
        stage.watch(STILL_S)
    except StageError as error:
        problems.append(str(error))
    reaction = guard_reaction(stage.trace.columns(), mark.at_ns, silent_from_ns)
    outcome = Outcome(
        scene.name,
        scene.title,
        tuple(event.cause for event in events),
        locked,
        mcu_ms,
        since,
        limit,
        relay_ms,
        scene.guard,
        None if reaction.stopped_ns is None else (reaction.stopped_ns - mark.at_ns) / 1e6,
        reaction.ticks,
        reaction.late,
        way_m,
        tuple(_restarts(stage, off_ns, rest_ns, reaction.left)),
    )
    outcome = replace(outcome, problems=(*judge(outcome, scene), *problems))
    stage.say("  [bold red]" + "; ".join(outcome.problems) + "[/]" if outcome.problems else "  power stays off")
    return outcome, Take(scene, mark.at_ns * 1e-9, time.monotonic())


def _begin(stage: Stage, scene: Scene) -> tuple[int, Mark]:
    """Number of the last stop event before the cause, and when the cause was."""
    while True:
        stage.drive()
        stage.say(f"  driving at {stage.vehicle.body.speed_mps:.2f} m/s")
        number = stage.board.state("event_number")
        try:
            return number, scene.do(stage)
        except NotDriving as error:
            stage.say(f"  [yellow]again[/]: {error}")
            stage.unasked.append(str(error))
            if len(stage.unasked) > UNASKED_MAX:
                raise


def _until_rest(stage: Stage, mark: Mark) -> tuple[int | None, int | None, list[str]]:
    """When power was off and when the vehicle was at rest; what did not happen in time."""
    off_ns = rest_ns = None
    try:
        stage.wait(lambda: not stage.board.power, "loss of power")
        off_ns = power_off_ns(stage.board, mark)
        stage.wait(lambda: stage.at_rest, "vehicle at rest")
        rest_ns = time.monotonic_ns()
    except StageError as error:
        return off_ns, rest_ns, [str(error)]
    return off_ns, rest_ns, []


def power_off_ns(board: QemuBoard, mark: Mark) -> int:
    """When the circuit opened first after the cause."""
    off = [change.at_ns for change in board.power_changes if change.at_ns >= mark.at_ns and not change.on]
    if not off:
        raise StageError("power was off before the cause")
    return off[0]


def _restarts(stage: Stage, off_ns: int | None, rest_ns: int | None, guard_left: str) -> list[str]:
    """What came back although nobody has reset anything."""
    found = []
    if off_ns is not None and any(change.on and change.at_ns > off_ns for change in stage.board.power_changes):
        found.append("power came back")
    if off_ns is not None and any(at_s > off_ns * 1e-9 and name in ("ARMED", "RUN") for at_s, name in stage.mcu_states):
        found.append("the microcontroller left its stop")
    if rest_ns is not None and stage.vehicle.way_at(time.monotonic_ns()) - stage.vehicle.way_at(rest_ns) > MOVED_M:
        found.append("the vehicle moved again")
    if guard_left:
        found.append(f"the guard left its stop for {guard_left}")
    return found


def _tell(stage: Stage, relay_ms: float | None, way_m: float | None, causes: list[str]) -> None:
    off = "[bold red]power stayed on[/]" if relay_ms is None else f"power off after {relay_ms:.0f} ms"
    rest = "[bold red]no rest[/]" if way_m is None else f"at rest after {way_m:.2f} m"
    stage.say(f"  {off}, {rest}; the microcontroller wrote down {', '.join(causes) or 'nothing'}")
