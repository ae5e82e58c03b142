"""What is on the wiring diagrams: parts, wires and words, as data. `make_wiring.py` draws them."""

from __future__ import annotations

from dataclasses import dataclass, field

Point = tuple[float, float]


@dataclass(frozen=True)
class Part:
    """A symbol with its first terminal at (x, y); the label stands beside it."""

    symbol: str
    x: float
    y: float
    label: str = ""
    note: str = ""
    kind: str = "control"
    side: str = "right"  # of the label: right, upper, left, above


@dataclass(frozen=True)
class Box:
    """A device that is not drawn in detail."""

    x: float
    y: float
    width: float
    height: float
    title: str
    lines: tuple[str, ...] = ()
    title_y: float = 22


@dataclass(frozen=True)
class Wire:
    """A wire through all points; the first and the last can be marked as joints."""

    points: tuple[Point, ...]
    kind: str = "control"
    joints: str = ""  # "first", "last", "both"
    dash: str = ""


@dataclass(frozen=True)
class Words:
    """One line of text."""

    x: float
    y: float
    words: str
    size: float = 13
    anchor: str = "start"
    style: str = ""


@dataclass(frozen=True)
class Drawing:
    """One diagram."""

    name: str
    title: str
    width: int
    height: int
    parts: tuple[Part, ...] = ()
    boxes: tuple[Box, ...] = ()
    wires: tuple[Wire, ...] = ()
    words: tuple[Words, ...] = ()
    grounds: tuple[Point, ...] = ()
    mushrooms: tuple[Point, ...] = ()
    keys: tuple[Point, ...] = field(default=())


RAIL, BOTTOM = 90, 800
INPUTS = {  # x of each input: signal, pin
    650: ("CHANNEL_B", "A4 / PC1"),
    732: ("CHANNEL_A", "A0 / PA0"),
    824: ("KEY", "A2 / PA4"),
    916: ("RELEASED_1", "D9 / PC7"),
    1008: ("RELEASED_2", "D12 / PA6"),
}

CATEGORY_0 = Drawing(
    "category-0",
    "Stop category 0: button and microcontroller each open both relays",
    1490,
    850,
    parts=(
        Part("opener", 140, 115, "S1.1", "channel A", side="upper"),
        Part("opener", 340, 115, "S1.2", "channel B", side="upper"),
        Part("coil", 140, 250, "K1", side="left"),
        Part("clamp", 205, 250),
        Part("coil", 340, 250, "K2", side="left"),
        Part("clamp", 405, 250),
        Part("switch", 140, 640, "T1", side="left"),
        Part("resistor", 230, 680, "10 k"),
        Part("resistor across", 470, 670, "100 R", side="above"),
        Part("switch", 340, 500, "T2", side="left"),
        Part("capacitor", 408, 540, "C2", side="left"),
        Part("resistor", 456, 540, "R"),
        Part("diode across", 462, 530, "", side="above"),
        Part("diode up", 530, 540, ""),
        Part("capacitor across", 536, 530, "C1", side="above"),
        Part("closer", 824, 115, "S2", "reset key"),
        Part("opener", 916, 115, "K1", "mirror"),
        Part("opener", 1008, 115, "K2", "mirror"),
        Part("fuse", 1210, 110, "F1", kind="power"),
        Part("closer", 1210, 210, "K1", kind="power"),
        Part("closer", 1210, 280, "K2", kind="power"),
    ),
    boxes=(
        Box(605, 290, 450, 46, "input isolators, 24 V to 3.3 V; a broken wire reads 0", title_y=28),
        Box(
            605,
            420,
            450,
            320,
            "NUCLEO-F103RB",
            ("emergency-stop firmware",),
            title_y=150,
        ),
        Box(1150, 540, 220, 84, "computer", ("the guard: safetykit run",), title_y=34),
        Box(1130, 368, 160, 52, "motor drives", title_y=32),
        Box(1310, 205, 150, 76, "DC/DC", ("24 V control supply", "and computer"), title_y=24),
    ),
    wires=(
        Wire(((60, RAIL), (1055, RAIL))),
        Wire(((60, BOTTOM), (1055, BOTTOM))),
        Wire(((84, 145), (343, 145)), dash="5 4"),
        # channel A
        Wire(((140, RAIL), (140, 115)), joints="first"),
        Wire(((140, 175), (140, 250))),
        Wire(((140, 195), (732, 195), (732, 290)), "signal", "first"),
        Wire(((140, 240), (205, 240), (205, 250)), joints="first"),
        Wire(((205, 310), (205, 325), (140, 325)), joints="last"),
        Wire(((140, 310), (140, 640))),
        Wire(((140, 700), (140, BOTTOM)), joints="last"),
        # channel B
        Wire(((340, RAIL), (340, 115)), joints="first"),
        Wire(((340, 175), (340, 250))),
        Wire(((340, 215), (650, 215), (650, 290)), "signal", "first"),
        Wire(((340, 240), (405, 240), (405, 250)), joints="first"),
        Wire(((405, 310), (405, 325), (340, 325)), joints="last"),
        Wire(((340, 310), (340, 500))),
        Wire(((340, 560), (340, BOTTOM)), joints="last"),
        # static driver
        Wire(((170, 670), (230, 670), (230, 680)), "signal"),
        Wire(((230, 670), (470, 670)), "signal", "first"),
        Wire(((530, 670), (605, 670)), "signal"),
        Wire(((230, 740), (230, 752))),
        # charge pump
        Wire(((370, 530), (462, 530)), "signal"),
        Wire(((408, 530), (408, 540)), "signal", "first"),
        Wire(((456, 530), (456, 540)), "signal", "first"),
        Wire(((522, 530), (536, 530)), "signal"),
        Wire(((530, 530), (530, 540)), "signal", "first"),
        Wire(((596, 530), (605, 530)), "signal"),
        # contacts to the microcontroller
        *(Wire(((x, RAIL), (x, 115)), joints="first") for x in (824, 916, 1008)),
        *(Wire(((x, 175), (x, 290)), "signal") for x in (824, 916, 1008)),
        *(Wire(((x, 336), (x, 420)), "signal") for x in INPUTS),
        Wire(((1055, 582), (1150, 582)), "signal"),
        # power
        Wire(((1210, RAIL), (1210, 110)), "power"),
        Wire(((1210, 170), (1210, 210)), "power"),
        Wire(((1210, 190), (1385, 190), (1385, 205)), "power", "first"),
        Wire(((1210, 270), (1210, 280)), "power"),
        Wire(((1210, 340), (1210, 368)), "power"),
        Wire(((1210, 420), (1210, 458)), "power"),
        Wire(((1385, 281), (1385, 300))),
    ),
    words=(
        Words(60, 80, "+24 V control supply, always on", style="faint"),
        Words(60, 820, "0 V", style="faint"),
        Words(40, 178, "emergency-", size=12),
        Words(40, 193, "stop device", size=12),
        *(Words(x, 440, signal, size=11.5, anchor="middle", style="bold") for x, (signal, _) in INPUTS.items()),
        *(Words(x, 455, pin, size=11, anchor="middle", style="faint") for x, (_, pin) in INPUTS.items()),
        Words(613, 526, "RELAY_2", size=11.5, style="bold"),
        Words(613, 541, "D10 / PB6, pulses", size=11, style="faint"),
        Words(613, 666, "RELAY_1", size=11.5, style="bold"),
        Words(613, 681, "D7 / PA8, static", size=11, style="faint"),
        Words(1047, 578, "USB", size=11.5, anchor="end", style="bold"),
        Words(1047, 593, "serial port", size=11, anchor="end", style="faint"),
        Words(1210, 80, "+ battery", anchor="middle", style="faint"),
        Words(1210, 478, "- battery", anchor="middle", style="faint"),
        Words(1225, 360, "actuator supply", size=12, style="faint"),
        Words(372, 492, "charge pump: a steady level,", size=11.5, style="faint"),
        Words(372, 507, "high or low, is off", size=11.5, style="faint"),
        Words(246, 660, "static driver", size=11.5, style="faint"),
        Words(1150, 660, "Contacts are drawn without power and", size=12, style="faint"),
        Words(1150, 677, "with the button released.", size=12, style="faint"),
        Words(1150, 702, "S1 takes the coil current itself: it", size=12, style="faint"),
        Words(1150, 719, "works with a dead microcontroller.", size=12, style="faint"),
        Words(1150, 744, "Not certified.", size=12, style="faint"),
    ),
    grounds=((230, 752), (408, 600), (456, 600), (530, 600), (1385, 300)),
    mushrooms=((70, 145),),
    keys=((790, 145),),
)

CATEGORY_1 = Drawing(
    "category-1",
    "Stop category 1: the drives brake, then a timer removes their supply",
    1180,
    610,
    parts=(
        Part("closer", 140, 120, "K1"),
        Part("closer", 240, 120, "K2"),
        Part("opener", 340, 120, "Q1", "mirror"),
        Part("opener", 340, 190, "Q2", "mirror"),
        Part("closer", 560, 120, "K3", "at once"),
        Part("closer", 680, 120, "K3", "delayed"),
        Part("closer", 800, 120, "K3", "delayed"),
        Part("coil", 680, 300, "Q1", side="left"),
        Part("clamp", 735, 300),
        Part("coil", 800, 300, "Q2", side="left"),
        Part("clamp", 855, 300),
        Part("fuse", 1040, 100, "F1", kind="power"),
        Part("closer", 1040, 180, "Q1", kind="power"),
        Part("closer", 1040, 250, "Q2", kind="power"),
    ),
    boxes=(
        Box(90, 290, 330, 90, "K3", ("delay-off safety relay", "t fixed, longer than the longest braking"), title_y=28),
        Box(960, 350, 160, 110, "motor drives", ("", "quick-stop input"), title_y=32),
    ),
    wires=(
        Wire(((60, 90), (880, 90))),
        Wire(((60, 500), (880, 500))),
        *(Wire(((x, 90), (x, 120)), joints="first") for x in (140, 240, 340, 560, 680, 800)),
        Wire(((140, 180), (140, 290)), "signal"),
        Wire(((240, 180), (240, 290)), "signal"),
        Wire(((340, 180), (340, 190))),
        Wire(((340, 250), (340, 290)), "signal"),
        Wire(((255, 380), (255, 500)), joints="last"),
        Wire(((560, 180), (560, 435), (960, 435)), "signal"),
        *(Wire(((x, 180), (x, 300))) for x in (680, 800)),
        *(Wire(((x, 360), (x, 500)), joints="last") for x in (680, 800)),
        *(Wire(((x, 288), (x + 55, 288), (x + 55, 300)), joints="first") for x in (680, 800)),
        *(Wire(((x + 55, 360), (x + 55, 376), (x, 376)), joints="last") for x in (680, 800)),
        Wire(((1040, 80), (1040, 100)), "power"),
        Wire(((1040, 160), (1040, 180)), "power"),
        Wire(((1040, 240), (1040, 250)), "power"),
        Wire(((1040, 310), (1040, 350)), "power"),
        Wire(((1040, 460), (1040, 490)), "power"),
    ),
    words=(
        Words(60, 80, "+24 V control supply, always on", style="faint"),
        Words(60, 520, "0 V", style="faint"),
        Words(1040, 72, "+ battery", anchor="middle", style="faint"),
        Words(1040, 510, "- battery", anchor="middle", style="faint"),
        Words(132, 278, "input 1", size=11.5, anchor="end", style="faint"),
        Words(232, 278, "input 2", size=11.5, anchor="end", style="faint"),
        Words(348, 278, "start", size=11.5, style="faint"),
        Words(
            60,
            552,
            "K1 and K2 are the relays of the first diagram, with coils, drivers and button as there.",
            12,
            style="faint",
        ),
        Words(
            60,
            569,
            "Any stop opens them; K3 tells the drives to brake and, whatever they do, opens Q1 and Q2.",
            12,
            style="faint",
        ),
        Words(60, 586, "Not certified.", 12, style="faint"),
    ),
)

GPIO_BUTTON = Drawing(
    "gpio-button",
    "Button on two GPIO lines, for a vehicle without the microcontroller",
    1000,
    600,
    parts=(
        Part("opener", 140, 120, "S1.1", side="upper"),
        Part("opener", 280, 120, "S1.2", side="upper"),
        Part("opener", 520, 120, "S1.3", side="upper"),
        Part("resistor across", 160, 220, "1 k", side="above"),
        Part("resistor across", 300, 260, "1 k", side="above"),
        Part("resistor", 140, 260, "10 k", side="left"),
        Part("resistor", 280, 300, "10 k"),
        Part("coil", 520, 240, "K1", side="left"),
        Part("clamp", 580, 240),
        Part("fuse", 840, 110, "F1", kind="power"),
        Part("closer", 840, 200, "K1", kind="power"),
    ),
    boxes=(
        Box(60, 420, 370, 84, "computer, GPIO header", ("line A and line B: 1 while closed, 0 is stop",), title_y=34),
        Box(760, 300, 160, 52, "motor drives", title_y=32),
    ),
    wires=(
        Wire(((84, 150), (523, 150)), dash="5 4"),
        Wire(((100, 90), (320, 90)), "signal"),
        Wire(((480, 90), (660, 90))),
        *(Wire(((x, 90), (x, 120)), "signal", "first") for x in (140, 280)),
        Wire(((520, 90), (520, 120)), joints="first"),
        Wire(((140, 180), (140, 260)), "signal"),
        Wire(((140, 220), (160, 220)), "signal", "first"),
        Wire(((220, 220), (236, 220), (236, 420)), "signal"),
        Wire(((280, 180), (280, 300)), "signal"),
        Wire(((280, 260), (300, 260)), "signal", "first"),
        Wire(((360, 260), (376, 260), (376, 420)), "signal"),
        Wire(((140, 320), (140, 334))),
        Wire(((280, 360), (280, 374))),
        Wire(((520, 180), (520, 240))),
        Wire(((520, 228), (580, 228), (580, 240)), joints="first"),
        Wire(((580, 300), (580, 316), (520, 316)), joints="last"),
        Wire(((520, 300), (520, 334))),
        Wire(((840, 90), (840, 110)), "power"),
        Wire(((840, 170), (840, 200)), "power"),
        Wire(((840, 260), (840, 300)), "power"),
        Wire(((840, 352), (840, 384)), "power"),
    ),
    words=(
        Words(100, 80, "3.3 V of the header", style="faint"),
        Words(480, 80, "+24 V or battery", style="faint"),
        Words(840, 78, "+ battery", anchor="middle", style="faint"),
        Words(840, 404, "- battery", anchor="middle", style="faint"),
        Words(244, 410, "line A", size=11.5, style="bold"),
        Words(384, 410, "line B", size=11.5, style="bold"),
        Words(480, 440, "The third contact stops the vehicle by wire alone.", size=12, style="faint"),
        Words(480, 457, "The two lines only tell the guard why.", size=12, style="faint"),
        Words(480, 482, "Nothing here opens K1 when the guard dies: the drives", size=12, style="faint"),
        Words(480, 499, "must stop by themselves when it falls silent.", size=12, style="faint"),
        Words(480, 524, "Not certified.", size=12, style="faint"),
    ),
    grounds=((140, 334), (280, 374), (520, 334)),
    mushrooms=((70, 150),),
)

DRAWINGS = (CATEGORY_0, CATEGORY_1, GPIO_BUTTON)
