"""The wiring diagrams are current, tidy, and connect what they say."""

from __future__ import annotations

import importlib.util
import re
import sys
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from safetykit.core.protocol import FEEDBACK_US
from tests.hw.nucleo import pin_table

HERE = Path(__file__).resolve().parents[2] / "hw" / "wiring"
README = HERE.parent / "README.md"
RELEASE_MS = 20.0  # of the relay itself, with its clamp
Point = tuple[float, float]


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"wiring_{name}", HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


make_wiring, charge_pump = load("make_wiring"), load("charge_pump")
DRAWINGS = {drawing.name: drawing for drawing in make_wiring.DRAWINGS}


@pytest.fixture(params=DRAWINGS)
def drawing(request: pytest.FixtureRequest) -> Any:
    return DRAWINGS[request.param]


def test_file_is_current(drawing: Any) -> None:
    text = (HERE / f"{drawing.name}.svg").read_text(encoding="utf-8")
    assert text == make_wiring.picture(drawing), "run: python hw/wiring/make_wiring.py"


def test_every_file_has_a_source_and_is_in_the_readme() -> None:
    files = {path.stem for path in HERE.glob("*.svg")}
    assert files == set(DRAWINGS)
    assert files == set(re.findall(r"wiring/([\w-]+)\.svg", README.read_text(encoding="utf-8")))


def test_everything_is_inside_the_picture(drawing: Any) -> None:
    root = ET.fromstring(make_wiring.picture(drawing))
    points = [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+),(-?[\d.]+)", " ".join(lines(root)))]
    assert points
    assert all(0 <= x <= drawing.width and 0 <= y <= drawing.height for x, y in points)
    for words in drawing.words:
        width = len(words.words) * words.size * 0.62
        left = {"start": 0.0, "middle": width / 2, "end": width}[words.anchor]
        assert words.x - left >= 0, words.words
        assert words.x - left + width <= drawing.width, words.words


def lines(root: ET.Element) -> list[str]:
    """Points of all wires that are not inside a turned symbol."""
    return [line.get("points", "") for line in root if line.tag.endswith("polyline")]


# ------------------------------------------------------------------ nets


def terminals(part: Any) -> list[Point]:
    right = part.symbol.endswith("across")
    ends = [(part.x, part.y), (part.x + 60, part.y) if right else (part.x, part.y + 60)]
    return [*ends, (part.x + 30, part.y + 30)] if part.symbol == "switch" else ends


def touches(point: Point, wire: Any) -> bool:
    return any(between(point, first, last) for first, last in pairwise(wire.points))


def between(point: Point, first: Point, last: Point) -> bool:
    (x, y), (x1, y1), (x2, y2) = point, first, last
    return (
        min(x1, x2) <= x <= max(x1, x2)
        and min(y1, y2) <= y <= max(y1, y2)
        and (x2 - x1) * (y - y1) == (x - x1) * (y2 - y1)
    )


class Nets:
    """What is connected: wires, and everything that touches one of them."""

    def __init__(self, drawing: Any) -> None:
        self.wires = [wire for wire in drawing.wires if not wire.dash]
        self.net = list(range(len(self.wires)))
        for one, first in enumerate(self.wires):
            for two, second in enumerate(self.wires):
                if one != two and any(touches(end, second) for end in (first.points[0], first.points[-1])):
                    self._join(one, two)

    def _join(self, one: int, two: int) -> None:
        old, new = self.net[one], self.net[two]
        self.net = [new if net == old else net for net in self.net]

    def at(self, *point: float) -> int:
        """Net of a point. A symbol that touches another one without a wire has a net of its own."""
        here = {self.net[k] for k, wire in enumerate(self.wires) if touches((point[0], point[1]), wire)}
        assert len(here) == 1, (point, here)
        return here.pop()


def test_every_terminal_is_connected(drawing: Any) -> None:
    wires = [wire for wire in drawing.wires if not wire.dash]
    for part in drawing.parts:
        for point in terminals(part):
            assert any(touches(point, wire) for wire in wires) or point in drawing.grounds, (part, point)
    for ground in drawing.grounds:
        others = [point for part in drawing.parts for point in terminals(part)]
        assert any(touches(ground, wire) for wire in wires) or ground in others, ground


def test_wires_that_meet_in_the_middle_of_another_have_a_dot(drawing: Any) -> None:
    wires = [wire for wire in drawing.wires if not wire.dash]
    parts = {point for part in drawing.parts for point in terminals(part)}
    for wire in wires:
        for end, name in ((wire.points[0], "first"), (wire.points[-1], "last")):
            inside = [other for other in wires if other is not wire and touches(end, other) and end not in other.points]
            if inside and end not in parts:
                assert wire.joints in (name, "both"), (wire, name)


def find(drawing: Any, symbol: str, label: str) -> Any:
    return next(part for part in drawing.parts if part.symbol == symbol and part.label == label)


@pytest.mark.parametrize(
    ("contact", "coil", "switch", "signal"), [("S1.1", "K1", "T1", "CHANNEL_A"), ("S1.2", "K2", "T2", "CHANNEL_B")]
)
def test_each_coil_hangs_on_one_contact_of_the_button(contact: str, coil: str, switch: str, signal: str) -> None:
    drawing = DRAWINGS["category-0"]
    nets = Nets(drawing)
    button, relay, driver = (
        find(drawing, symbol, label) for symbol, label in (("opener", contact), ("coil", coil), ("switch", switch))
    )
    rail = nets.at(60, 90)
    assert nets.at(button.x, button.y) == rail
    assert nets.at(button.x, button.y + 60) == nets.at(relay.x, relay.y) != rail
    assert nets.at(relay.x, relay.y + 60) == nets.at(driver.x, driver.y) != nets.at(relay.x, relay.y)
    assert nets.at(driver.x, driver.y + 60) == nets.at(60, 800)
    inputs = {name: x for x, (name, _) in load("drawings").INPUTS.items()}
    assert nets.at(inputs[signal], 290) == nets.at(relay.x, relay.y), "the channel is seen behind the contact"


def test_both_contacts_lie_in_series_in_the_actuator_supply() -> None:
    drawing = DRAWINGS["category-0"]
    nets = Nets(drawing)
    one, two = (
        next(part for part in drawing.parts if part.kind == "power" and part.label == label) for label in ("K1", "K2")
    )
    assert {one.symbol, two.symbol} == {"closer"}
    battery, between_them, drives = nets.at(one.x, one.y), nets.at(one.x, one.y + 60), nets.at(two.x, two.y + 60)
    assert nets.at(two.x, two.y) == between_them
    assert len({battery, between_them, drives}) == 3
    supply = next(box for box in drawing.boxes if box.title == "DC/DC")
    assert nets.at(supply.x + supply.width / 2, supply.y) == battery, "the control supply is in front of the relays"


def test_static_level_does_not_reach_the_gate_of_relay_2() -> None:
    drawing = DRAWINGS["category-0"]
    nets = Nets(drawing)
    driver, block = find(drawing, "switch", "T2"), find(drawing, "capacitor across", "C1")
    pin = nets.at(block.x + 60, block.y)
    assert nets.at(605, 530) == pin
    assert nets.at(driver.x + 30, driver.y + 30) != pin
    touching = [part for part in drawing.parts for point in terminals(part) if point in ((596, 530), (605, 530))]
    assert touching == [block], "only a capacitor leads on from the pin"


def test_pins_are_those_of_the_table() -> None:
    inputs = dict(load("drawings").INPUTS.values())
    drawn = " ".join(words.words for words in DRAWINGS["category-0"].words)
    for pin in pin_table():
        place = f"{pin.header} / P{pin.port}{pin.bit}"
        if pin.signal in inputs:
            assert inputs[pin.signal] == place
        elif pin.signal.startswith("RELAY"):
            assert pin.signal in drawn
            assert place in drawn


# ------------------------------------------------------------------ charge pump


def test_the_pump_holds_while_pulsing_and_lets_go_in_time() -> None:
    pump = charge_pump.Pump()
    found = charge_pump.figures(pump)
    assert found.lowest_v > pump.threshold_max_v + 0.4, "every switch of the class carries the coil"
    assert found.peak_v < pump.high_v
    assert found.off_min_s > 2 * pump.half_period_s, "one late edge does not open it"
    assert found.off_max_s * 1000 + RELEASE_MS < FEEDBACK_US / 1000, "the MCU would call the relay stuck"
    assert found.one_edge_s < 0.020


def test_a_slow_clock_lets_go() -> None:
    assert charge_pump.figures(charge_pump.Pump(half_period_s=20e-3)).lowest_v < charge_pump.Pump().threshold_min_v


def test_the_readme_has_the_computed_figures() -> None:
    found = charge_pump.figures(charge_pump.Pump())
    text = re.sub(r"\s+", " ", README.read_text(encoding="utf-8"))
    off = f"off {found.off_min_s * 1e3:.0f} to {found.off_max_s * 1e3:.0f} ms"
    assert f"held after {found.on_s * 1e3:.0f} ms" in text
    assert off in text
    assert off.removeprefix("off ") in charge_pump.report(charge_pump.Pump())
    for value in ("100 nF, 100 nF, 150 k",):
        assert value in text
