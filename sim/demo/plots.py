"""The demo's pictures: a PNG for documents, an HTML page to zoom into (self-contained, no network)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safetykit.core.vocabulary import State
from sim.autonomy import Script
from sim.demo.judge import Allowed
from sim.demo.road import RoadShow
from sim.demo.scenery import draw_map, draw_road, map_lines, road_lines

FloatArray = NDArray[np.float64]

ASKED, SENT, LIMIT, FAULT = "#d62728", "#1f5fa8", "#2e7d32", "#f4c542"
STATE_COLOURS = {
    State.BOOT: "#9e9e9e",
    State.STANDBY: "#bdbdbd",
    State.ENGAGED: "#66a266",
    State.RECOVERY: "#e6953c",
    State.PROTECTIVE_STOP: "#c0504d",
    State.EMERGENCY_STOP: "#7b1f1f",
}
CHANNELS_SHOWN = 4
HEADROOM = 0.6  # how far beyond the limits the picture reaches, as a share of their distance


@dataclass(frozen=True)
class Story:
    """All that is drawn. Times are seconds of CLOCK_MONOTONIC; the pictures count from `start_s`."""

    script: Script
    allowed: Allowed
    start_s: float
    asked: FloatArray  # rows (time_s, values...): what the pilot sent
    arrived: FloatArray  # rows (time_s, values...): what the vehicle received
    frames: Mapping[str, NDArray[Any]]
    track: FloatArray  # where the vehicle was
    contrasts: Sequence[FloatArray]  # where it would have been without the guard
    road: RoadShow
    title: str

    def states(self) -> list[tuple[float, float, State]]:
        """Stretches (from_s, to_s, state) of the guard, from the script's zero on."""
        times = np.maximum(self.frames["in_now_ns"] * 1e-9 - self.start_s, 0.0)
        states = self.frames["st_state"]
        cuts = [0, *(np.flatnonzero(np.diff(states)) + 1), len(states) - 1]
        return [(times[a], times[b], State(int(states[a]))) for a, b in itertools.pairwise(cuts) if b > a]


def _window(story: Story, channel: int) -> tuple[float, float]:
    low, high = story.allowed.low[channel], story.allowed.high[channel]
    return low - HEADROOM * (high - low), high + HEADROOM * (high - low)


def write_png(story: Story, path: Path) -> None:
    """Asked against arrived, the script's faults and the guard's state; beside them the flight and the road."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=(14, 7.2))
    grid = figure.add_gridspec(1, 2, width_ratios=[2.6, 1])
    rows = [4] * CHANNELS_SHOWN + [0.5]
    panels: Any = grid[0].subgridspec(len(rows), 1, height_ratios=rows).subplots(sharex=True)
    beside: Any = grid[1].subgridspec(2, 1, hspace=0.3).subplots()
    draw_map(beside[0], story.track, story.contrasts, story.allowed.fences)
    draw_road(beside[1], story.road)
    for channel, panel in enumerate(panels[:CHANNELS_SHOWN]):
        _draw_channel(panel, story, channel)
    for fault in story.script.faults:
        panels[0].annotate(
            fault.name, (fault.start_s, 1.02), xycoords=("data", "axes fraction"), rotation=40, fontsize=8, va="bottom"
        )
    for from_s, to_s, state in story.states():
        panels[-1].axvspan(from_s, to_s, color=STATE_COLOURS[state], lw=0)
        if to_s - from_s > 0.45 * len(state.name):
            panels[-1].text((from_s + to_s) / 2, 0.5, state.name, ha="center", va="center", fontsize=7, color="white")
    panels[-1].set_ylabel("state", rotation=0, ha="right", va="center")
    panels[-1].set(yticks=[], xlim=(0, story.script.seconds), xlabel="time in s")
    panels[0].legend(loc="lower right", fontsize=8, ncols=3, framealpha=0.9)
    figure.suptitle(story.title, x=0.01, ha="left", fontsize=10)
    figure.subplots_adjust(left=0.07, right=0.985, bottom=0.07, top=0.78, wspace=0.13)
    figure.savefig(path, dpi=90, metadata={"Software": None})
    pyplot.close(figure)


def _draw_channel(panel: Any, story: Story, channel: int) -> None:
    low, high = story.allowed.low[channel], story.allowed.high[channel]
    bottom, top = _window(story, channel)
    asked_s, asked = story.asked[:, 0] - story.start_s, story.asked[:, 1 + channel]
    for fault in story.script.faults:
        panel.axvspan(fault.start_s, fault.start_s + fault.duration_s, color=FAULT, alpha=0.25, lw=0)
    panel.axhspan(low, high, color=LIMIT, alpha=0.07, lw=0)
    for limit in (low, high):
        panel.axhline(limit, color=LIMIT, lw=0.8, ls="--")
    panel.plot(asked_s, np.clip(asked, bottom, top), color=ASKED, lw=0.9, alpha=0.8, label="asked by the autonomy")
    broken = ~np.isfinite(asked)
    panel.plot(asked_s[broken], np.full(int(broken.sum()), top * 0.93), "x", color=ASKED, ms=4)
    panel.plot(
        story.arrived[:, 0] - story.start_s,
        story.arrived[:, 1 + channel],
        color=SENT,
        lw=1.5,
        label="arrived at the vehicle",
    )
    panel.set(ylim=(bottom, top), ylabel=story.allowed.channels[channel])


def write_html(story: Story, path: Path) -> None:
    """The same, to zoom into."""
    from plotly.graph_objects import Figure, Scattergl
    from plotly.subplots import make_subplots

    count = len(story.allowed.channels)
    titles = (*story.allowed.channels, "from above (m)", "a car cuts in and brakes: distance (m) over time (s)")
    figure: Figure = make_subplots(rows=count + 2, cols=1, subplot_titles=titles)
    for channel in range(count):
        for name, rows, colour in (("asked", story.asked, ASKED), ("arrived", story.arrived, SENT)):
            line = Scattergl(
                x=rows[:, 0] - story.start_s,
                y=rows[:, 1 + channel],
                name=name,
                line={"color": colour, "width": 1.5},
                legendgroup=name,
                showlegend=channel == 0,
            )
            figure.add_trace(line, row=channel + 1, col=1)
        for limit in (story.allowed.low[channel], story.allowed.high[channel]):
            figure.add_hline(y=limit, line={"color": LIMIT, "dash": "dash", "width": 1}, row=channel + 1, col=1)
        figure.update_yaxes(range=_window(story, channel), row=channel + 1, col=1)
        figure.update_xaxes(matches="x", row=channel + 1, col=1)
    _shade(figure, story.script, count)
    drawn = map_lines(story.track, story.contrasts, story.allowed.fences), road_lines(story.road)
    for row, lines in enumerate(drawn, start=count + 1):
        for name, points, colour in lines:
            trace = Scattergl(x=points[:, 0], y=points[:, 1], name=name, line={"color": colour}, showlegend=False)
            figure.add_trace(trace, row=row, col=1)
    figure.update_layout(title=story.title, height=240 * (count + 2), hovermode="closest", template="plotly_white")
    figure.write_html(path, include_plotlyjs=True, full_html=True)


def _shade(figure: Any, script: Script, count: int) -> None:
    """Marks the faults in the first `count` panels."""
    for fault, row in itertools.product(script.faults, range(1, count + 1)):
        figure.add_vrect(
            x0=fault.start_s,
            x1=fault.start_s + fault.duration_s,
            fillcolor=FAULT,
            opacity=0.25,
            line_width=0,
            annotation_text=fault.name if row == 1 else "",
            annotation_font_size=9,
            row=row,
            col=1,
        )


def write_all(story: Story, directory: Path) -> Sequence[Path]:
    """Both pictures; returns their paths."""
    png, html = directory / "demo.png", directory / "demo.html"
    write_png(story, png)
    write_html(story, html)
    return png, html
