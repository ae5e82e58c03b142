"""Draws the wiring diagrams: ``python hw/wiring/make_wiring.py`` writes hw/wiring/*.svg from drawings.py."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import symbols  # noqa: E402
from drawings import DRAWINGS, Box, Drawing, Part  # noqa: E402

LABEL_PLACES = {  # of the first line: offset from the symbol's first terminal, anchor
    "right": (20, 28, "start"),
    "upper": (20, 6, "start"),
    "left": (-28, 35, "end"),
    "above": (30, -18, "middle"),
}


def picture(drawing: Drawing) -> str:
    """The whole SVG file of one diagram."""
    size = f'width="{drawing.width}" height="{drawing.height}" viewBox="0 0 {drawing.width} {drawing.height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="DejaVu Sans, Verdana, sans-serif">',
        f"<title>{drawing.title}</title>",
        f'<rect width="{drawing.width}" height="{drawing.height}" fill="#ffffff"/>',
        symbols.text(40, 40, drawing.title, size=19, style="bold"),
        *_elements(drawing),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _elements(drawing: Drawing) -> Iterator[str]:
    for box in drawing.boxes:
        yield from _device(box)
    for wire in drawing.wires:
        yield symbols.path(wire.points, wire.kind, wire.dash)
        if wire.joints in ("first", "both"):
            yield symbols.dot(*wire.points[0], wire.kind)
        if wire.joints in ("last", "both"):
            yield symbols.dot(*wire.points[-1], wire.kind)
    for part in drawing.parts:
        yield symbols.SYMBOLS[part.symbol](part.x, part.y, part.kind)
        yield from _label(part)
    yield from (symbols.ground(x, y) for x, y in drawing.grounds)
    yield from (symbols.mushroom(x, y) for x, y in drawing.mushrooms)
    yield from (symbols.key(x, y) for x, y in drawing.keys)
    for words in drawing.words:
        yield symbols.text(words.x, words.y, words.words, size=words.size, anchor=words.anchor, style=words.style)


def _label(part: Part) -> Iterator[str]:
    right, down, anchor = LABEL_PLACES[part.side]
    if part.label:
        yield symbols.text(part.x + right, part.y + down, part.label, anchor=anchor, style="bold")
    if part.note:
        yield symbols.text(part.x + right, part.y + down + 15, part.note, size=11, anchor=anchor, style="faint")


def _device(box: Box) -> Iterator[str]:
    middle = box.x + box.width / 2
    yield symbols.box(box.x, box.y, box.width, box.height)
    yield symbols.text(middle, box.y + box.title_y, box.title, anchor="middle", style="bold")
    for k, line in enumerate(box.lines, start=1):
        yield symbols.text(middle, box.y + box.title_y + 18 * k, line, size=12, anchor="middle", style="faint")


def main() -> None:
    for drawing in DRAWINGS:
        (HERE / f"{drawing.name}.svg").write_text(picture(drawing), encoding="utf-8")


if __name__ == "__main__":
    main()
