"""The demo's picture: speed, power, and the states of guard and board over time."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safetykit.core.vocabulary import State
from sim.demo.plots import ASKED, FAULT, LIMIT, SENT, STATE_COLOURS
from sim.demo_estop.autonomy import SPEED_MPS
from sim.demo_estop.play import Take

FloatArray = NDArray[np.float64]
Stretch = tuple[float, float, str]  # from, to (s), state

GAP_S = 0.15  # without a frame for longer, no guard was at work
BOARD_COLOURS = {"SELFTEST": "#bdbdbd", "STOPPED": "#7b1f1f", "ARMED": "#e6953c", "RUN": "#66a266"}
GUARD_COLOURS = {state.name: colour for state, colour in STATE_COLOURS.items()}
SILENT_NAMED_S = 1.5  # a shorter silence has no room for the word
LEGEND = {
    "STANDBY, SELFTEST": STATE_COLOURS[State.STANDBY],
    "ARMED": BOARD_COLOURS["ARMED"],
    "ENGAGED, RUN": BOARD_COLOURS["RUN"],
    "PROTECTIVE_STOP": STATE_COLOURS[State.PROTECTIVE_STOP],
    "EMERGENCY_STOP, STOPPED": BOARD_COLOURS["STOPPED"],
}


@dataclass(frozen=True)
class Story:
    """All that is drawn. Times are seconds of CLOCK_MONOTONIC; the picture counts from `start_s`."""

    start_s: float
    end_s: float
    driven: FloatArray  # rows (time, speed, way) of the vehicle
    power: Sequence[tuple[float, bool]]  # changes
    guard: Sequence[Stretch]
    board: Sequence[Stretch]
    takes: Sequence[Take]
    title: str


def guard_stretches(frames: Mapping[str, NDArray[Any]]) -> list[Stretch]:
    """How long the guard was in which state; nothing while it was frozen or dead."""
    times, states = frames["in_now_ns"] * 1e-9, frames["st_state"]
    cuts = np.flatnonzero((np.diff(states) != 0) | (np.diff(times) > GAP_S)) + 1
    stretches = []
    for first, after in itertools.pairwise([0, *cuts.tolist(), len(times)]):
        next_s = times[after] if after < len(times) else times[-1]
        end_s = next_s if next_s - times[after - 1] <= GAP_S else times[after - 1]
        stretches.append((float(times[first]), float(end_s), State(int(states[first])).name))
    return stretches


def board_stretches(changes: Sequence[tuple[float, str]], end_s: float) -> list[Stretch]:
    """The same of the board, from its changes of state."""
    ends = [at_s for at_s, _ in changes[1:]] + [end_s]
    return [(at_s, to_s, name) for (at_s, name), to_s in zip(changes, ends, strict=True)]


def write_png(story: Story, path: Path) -> None:
    """Draws it."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(4, 1, sharex=True, figsize=(11, 5.2), height_ratios=[5, 0.8, 0.8, 0.8])
    _draw_speed(panels[0], story)
    _draw_power(panels[1], story)
    _draw_states(panels[2], story, story.guard, GUARD_COLOURS, "guard")
    _draw_states(panels[3], story, story.board, BOARD_COLOURS, "board")
    for number, take in enumerate(story.takes, start=1):
        at_s = take.cause_s - story.start_s
        panels[0].annotate(
            f"{number} {take.scene.title}",
            (at_s, 1.02),
            xycoords=("data", "axes fraction"),
            rotation=35,
            fontsize=8,
            va="bottom",
        )
        for panel in panels:
            panel.axvline(at_s, color=ASKED, lw=0.9)
    panels[3].set(xlim=(0, story.end_s - story.start_s))
    panels[3].set_xlabel("time in s", loc="left")
    marks = [panels[3].scatter([], [], marker="s", color=colour, label=label) for label, colour in LEGEND.items()]
    panels[3].legend(handles=marks, loc="upper right", bbox_to_anchor=(1.0, -0.35), ncols=5, fontsize=7, frameon=False)
    figure.suptitle(story.title, x=0.01, ha="left", fontsize=10)
    figure.tight_layout(h_pad=0.3)
    figure.savefig(path, dpi=100, metadata={"Software": None})
    pyplot.close(figure)


def _draw_speed(panel: Any, story: Story) -> None:
    for take in story.takes:
        panel.axvspan(take.cause_s - story.start_s, take.end_s - story.start_s, color=FAULT, alpha=0.25, lw=0)
    panel.axhline(SPEED_MPS, color=ASKED, lw=0.9, ls="--", label="asked by the autonomy, all the time")
    panel.plot(story.driven[:, 0] - story.start_s, story.driven[:, 1], color=SENT, lw=1.5, label="driven")
    panel.set(ylim=(-0.05, 1.2), ylabel="speed in m/s")
    panel.legend(loc="upper right", fontsize=8, ncols=2, framealpha=0.9)


def _draw_power(panel: Any, story: Story) -> None:
    changes = [(story.start_s, False), *story.power, (story.end_s, False)]
    for (at_s, on), (to_s, _) in itertools.pairwise(changes):
        if on:
            panel.axvspan(at_s - story.start_s, to_s - story.start_s, color=LIMIT, alpha=0.8, lw=0)
    panel.set_ylabel("power", rotation=0, ha="right", va="center")
    panel.set(yticks=[])


def _draw_states(panel: Any, story: Story, stretches: Sequence[Stretch], colours: dict[str, str], who: str) -> None:
    for from_s, to_s, name in stretches:
        panel.axvspan(from_s - story.start_s, to_s - story.start_s, color=colours.get(name, "black"), lw=0)
    for (_, from_s, _), (to_s, _, _) in itertools.pairwise(stretches):
        if to_s - from_s > SILENT_NAMED_S and from_s > story.start_s:
            middle_s = (from_s + to_s) / 2 - story.start_s
            panel.text(middle_s, 0.5, "silent", ha="center", va="center", fontsize=7)
    panel.set_ylabel(who, rotation=0, ha="right", va="center")
    panel.set(yticks=[])
