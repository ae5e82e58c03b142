"""Circuit symbols after IEC 60617 as SVG. Contacts are drawn with power off and the button released.

Every symbol of two terminals is 60 long. `down` ones run from (x, y) to (x, y + 60), `across` ones from (x, y) to
(x + 60, y).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from xml.sax.saxutils import escape

LENGTH = 60
INK, SIGNAL, POWER, FAINT, PAPER = "#1f2933", "#1d4ed8", "#b3261e", "#6b7280", "#f3f4f6"
COLOURS = {"control": INK, "signal": SIGNAL, "power": POWER}
WIDTHS = {"control": 1.8, "signal": 1.8, "power": 3.4}

Points = Iterable[tuple[float, float]]


def path(points: Points, kind: str = "control", dash: str = "") -> str:
    """A wire through all points."""
    track = " ".join(f"{x:g},{y:g}" for x, y in points)
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    style = f'stroke="{COLOURS[kind]}" stroke-width="{WIDTHS[kind]}" stroke-linejoin="round" stroke-linecap="round"'
    return f'<polyline points="{track}" fill="none" {style}{dashes}/>'


def dot(x: float, y: float, kind: str = "control") -> str:
    """Wires that meet."""
    return f'<circle cx="{x:g}" cy="{y:g}" r="{3.4 if kind != "power" else 4.6}" fill="{COLOURS[kind]}"/>'


def text(x: float, y: float, words: str, *, size: float = 13, anchor: str = "start", style: str = "") -> str:
    """One line of text; `style` is bold or faint or both."""
    weight = ' font-weight="600"' if "bold" in style else ""
    colour = FAINT if "faint" in style else INK
    place = f'x="{x:g}" y="{y:g}" font-size="{size:g}" text-anchor="{anchor}"'
    return f'<text {place} fill="{colour}"{weight}>{escape(words)}</text>'


def box(x: float, y: float, width: float, height: float, *, rounded: float = 6, fill: str = PAPER) -> str:
    """A device that is not drawn in detail."""
    shape = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{rounded:g}"'
    return f'<rect {shape} fill="{fill}" stroke="{INK}" stroke-width="1.8"/>'


def ground(x: float, y: float) -> str:
    """0 V."""
    bars = [((x - 10 + 3 * k, y + 5 * k), (x + 10 - 3 * k, y + 5 * k)) for k in range(3)]
    return "".join(path(bar) for bar in bars)


# ------------------------------------------------------------------ two terminals, downwards


def _leads(x: float, y: float, first: float, last: float, kind: str) -> str:
    return path([(x, y), (x, y + first)], kind) + path([(x, y + last), (x, y + LENGTH)], kind)


def opener(x: float, y: float, kind: str = "control") -> str:
    """Normally closed contact: the arm lies on the far side of a hook."""
    arm = path([(x, y + 42), (x + 11, y + 15)], kind)
    hook = path([(x, y + 18), (x + 13, y + 18)], kind)
    return _leads(x, y, 18, 42, kind) + hook + arm


def closer(x: float, y: float, kind: str = "control") -> str:
    """Normally open contact."""
    return _leads(x, y, 18, 42, kind) + path([(x, y + 42), (x - 13, y + 17)], kind)


def coil(x: float, y: float, kind: str = "control") -> str:
    """Relay coil."""
    return _leads(x, y, 18, 42, kind) + box(x - 22, y + 18, 44, 24, rounded=0, fill="#ffffff")


def fuse(x: float, y: float, kind: str = "control") -> str:
    """Fuse: the wire runs through."""
    return box(x - 7, y + 14, 14, 32, rounded=0, fill="#ffffff") + path([(x, y), (x, y + LENGTH)], kind)


def resistor(x: float, y: float, kind: str = "control") -> str:
    return _leads(x, y, 14, 46, kind) + box(x - 7, y + 14, 14, 32, rounded=0, fill="#ffffff")


def capacitor(x: float, y: float, kind: str = "control") -> str:
    plates = path([(x - 13, y + 26), (x + 13, y + 26)], kind) + path([(x - 13, y + 34), (x + 13, y + 34)], kind)
    return _leads(x, y, 26, 34, kind) + plates


def _triangle(points: Points) -> str:
    track = " ".join(f"{x:g},{y:g}" for x, y in points)
    return f'<polygon points="{track}" fill="{INK}" stroke="{INK}" stroke-width="1.2" stroke-linejoin="round"/>'


def diode_up(x: float, y: float, kind: str = "control") -> str:
    """Conducts upwards."""
    bar = path([(x - 10, y + 22), (x + 10, y + 22)], kind)
    return path([(x, y), (x, y + LENGTH)], kind) + _triangle([(x - 9, y + 38), (x + 9, y + 38), (x, y + 23)]) + bar


def clamp(x: float, y: float, kind: str = "control") -> str:
    """Diode and Zener diode in series, back to back: together they limit the coil's voltage."""
    wire = path([(x, y), (x, y + LENGTH)], kind)
    diode = _triangle([(x - 8, y + 26), (x + 8, y + 26), (x, y + 13)]) + path([(x - 9, y + 12), (x + 9, y + 12)], kind)
    zener = _triangle([(x - 8, y + 34), (x + 8, y + 34), (x, y + 47)])
    bar = path([(x - 13, y + 45), (x - 9, y + 48), (x + 9, y + 48), (x + 13, y + 51)], kind)
    return wire + diode + zener + bar


def switch(x: float, y: float, kind: str = "control") -> str:
    """N-channel MOSFET: drain above, source below, gate to the right at (x + 30, y + 30)."""
    channel = path([(x, y), (x, y + 16), (x + 10, y + 16)], kind) + path(
        [(x + 10, y + 44), (x, y + 44), (x, y + 60)], kind
    )
    bars = "".join(path([(x + 10, y + a), (x + 10, y + b)], kind) for a, b in ((11, 21), (25, 35), (39, 49)))
    body = path([(x + 10, y + 30), (x, y + 30), (x, y + 44)], kind)
    arrow = _triangle([(x + 9, y + 30), (x + 2, y + 26), (x + 2, y + 34)])
    gate = path([(x + 16, y + 13), (x + 16, y + 47)], kind) + path([(x + 16, y + 30), (x + 30, y + 30)], kind)
    return channel + bars + body + arrow + gate


# ------------------------------------------------------------------ two terminals, across


def across(symbol: Callable[[float, float, str], str]) -> Callable[[float, float, str], str]:
    """The same symbol, turned so that its first terminal is on the left."""

    def turned(x: float, y: float, kind: str = "control") -> str:
        return f'<g transform="translate({x:g} {y:g}) rotate(-90)">{symbol(0, 0, kind)}</g>'

    return turned


def mushroom(x: float, y: float) -> str:
    """Actuator of an emergency-stop device, to the right of which its contacts follow."""
    head = f'<path d="M{x:g},{y - 20:g} a22,20 0 0 0 0,40 z" fill="{POWER}" stroke="{INK}" stroke-width="1.8"/>'
    return head + path([(x, y), (x + 14, y)])


def key(x: float, y: float) -> str:
    """Actuator of a push button."""
    return path([(x, y - 9), (x - 6, y - 9), (x - 6, y + 9), (x, y + 9)]) + path([(x - 6, y), (x + 12, y)], dash="4 3")


SYMBOLS: dict[str, Callable[[float, float, str], str]] = {
    "opener": opener,
    "closer": closer,
    "coil": coil,
    "fuse": fuse,
    "resistor": resistor,
    "capacitor": capacitor,
    "diode up": diode_up,
    "clamp": clamp,
    "switch": switch,
    "resistor across": across(resistor),
    "capacitor across": across(capacitor),
    "diode across": across(diode_up),
}
