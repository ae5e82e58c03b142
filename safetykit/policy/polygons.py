"""Plane geometry of zones, exact enough for a handful of corners: simple polygons, and whether space is left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, pairwise

Points = Sequence[Sequence[float]]
Interval = tuple[float, float]

AREA_MIN_M2 = 1e-3  # smaller is a typing mistake
_THIN = 1e-9  # m


def area(points: Points) -> float:
    """Unsigned area, m^2."""
    total = 0.0
    for (x0, y0), (x1, y1) in _edges(points):
        total += x0 * y1 - x1 * y0
    return abs(total) / 2


def crosses_itself(points: Points) -> bool:
    """Whether two edges that are not neighbours meet.

    Neighbours that fold back, and corners given twice, make others meet too; a triangle that does has no area.
    """
    edges = _edges(points)
    last = len(edges) - 1
    for (i, first), (j, second) in combinations(enumerate(edges), 2):
        neighbours = j - i == 1 or (i == 0 and j == last)
        if not neighbours and _meet(first, second):
            return True
    return False


def space_left(inside: Points, outside_all: Sequence[Points]) -> bool:
    """Whether there is area inside the first polygon and outside all of the others."""
    for x in _strips([inside, *outside_all]):
        taken = _union(span for polygon in outside_all for span in _spans(polygon, x))
        if any(high - low > _THIN for low, high in _minus(_spans(inside, x), taken)):
            return True
    return False


def shares_area(first: Points, second: Points) -> bool:
    """Whether two polygons overlap."""
    for x in _strips([first, second]):
        for low, high in _spans(first, x):
            if any(min(high, top) - max(low, bottom) > _THIN for bottom, top in _spans(second, x)):
                return True
    return False


def _strips(polygons: Sequence[Points]) -> Iterator[float]:
    """Middle x of each vertical strip between neighbouring corners and crossings.

    Within a strip no edges cross, so its middle line decides for all of it.
    """
    cuts = sorted(set(_cuts(polygons)))
    for left, right in pairwise(cuts):
        if right - left > _THIN:
            yield (left + right) / 2


def _edges(points: Points) -> list[tuple[Sequence[float], Sequence[float]]]:
    return [(points[k], points[(k + 1) % len(points)]) for k in range(len(points))]


def _turn(a: Sequence[float], b: Sequence[float], c: Sequence[float]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _between(a: Sequence[float], b: Sequence[float], c: Sequence[float]) -> bool:
    """Whether c, on the line through a and b, lies between them."""
    return min(a[0], b[0]) <= c[0] <= max(a[0], b[0]) and min(a[1], b[1]) <= c[1] <= max(a[1], b[1])


def _meet(first: tuple[Sequence[float], ...], second: tuple[Sequence[float], ...]) -> bool:
    a, b = first
    c, d = second
    t1, t2, t3, t4 = _turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b)
    if ((t1 > 0) != (t2 > 0)) and ((t3 > 0) != (t4 > 0)) and 0 not in (t1, t2, t3, t4):
        return True
    touches = ((t1, a, b, c), (t2, a, b, d), (t3, c, d, a), (t4, c, d, b))
    return any(turn == 0 and _between(p, q, r) for turn, p, q, r in touches)


def _cuts(polygons: Iterable[Points]) -> Iterable[float]:
    """x of every corner and of every crossing of two edges."""
    edges = [edge for polygon in polygons for edge in _edges(polygon)]
    for (x, _), _ in edges:
        yield x
    for (a, b), (c, d) in combinations(edges, 2):
        across = (b[0] - a[0]) * (d[1] - c[1]) - (b[1] - a[1]) * (d[0] - c[0])
        if across != 0:
            share = ((c[0] - a[0]) * (d[1] - c[1]) - (c[1] - a[1]) * (d[0] - c[0])) / across
            if 0 <= share <= 1:
                yield a[0] + share * (b[0] - a[0])


def _spans(polygon: Points, x: float) -> list[Interval]:
    """Where the vertical line at `x` is inside."""
    heights = sorted(
        y0 + (y1 - y0) * (x - x0) / (x1 - x0) for (x0, y0), (x1, y1) in _edges(polygon) if (x0 > x) != (x1 > x)
    )
    return list(zip(heights[::2], heights[1::2], strict=True))


def _union(intervals: Iterable[Interval]) -> list[Interval]:
    merged: list[Interval] = []
    for low, high in sorted(intervals):
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged


def _minus(free: list[Interval], taken: list[Interval]) -> list[Interval]:
    for low, high in taken:
        free = [
            piece
            for start, end in free
            for piece in ((start, min(end, low)), (max(start, high), end))
            if piece[1] > piece[0]
        ]
    return free
