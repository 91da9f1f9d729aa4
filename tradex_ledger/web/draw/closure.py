"""What a plan touches and why, as boxes in the order of the data: an arrow an edge, arcs for those that skip boxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from tradex_ledger.audit.draw.svg import picture, tag, text

WIDTH, GAP, BOX, ARC = 152, 64, 44, 40


class Box(NamedTuple):
    """A dataset: what stands below its name, and whether it is the one that is asked about."""

    name: str
    layer: str
    said: str
    is_asked: bool = False


class Arrow(NamedTuple):
    """An edge from one dataset to one that reads it, with the days that it reads."""

    source: str
    target: str
    said: str


def closure(boxes: Sequence[Box], arrows: Sequence[Arrow], label: str) -> Markup:
    """The picture; what an arrow skips it goes over, the further the higher."""
    place = {box.name: number for number, box in enumerate(boxes)}
    known = [one for one in arrows if one.source in place and one.target in place]
    furthest = max((abs(place[one.target] - place[one.source]) for one in known), default=1)
    top = 6 if furthest < 2 else 6 + ARC + 14 * (furthest - 2)
    drawn = [_head(), *(_arrow(one, place, top) for one in known)]
    drawn += [_box(box, 2 + number * (WIDTH + GAP), top) for number, box in enumerate(boxes)]
    width = len(boxes) * (WIDTH + GAP) - GAP + 4
    return picture(width, top + BOX + 6, *drawn, label=label, class_="closure")


def _head() -> Markup:
    point = tag("path", d="M0 0 8 4 0 8Z", class_="point")
    return tag(
        "defs",
        tag(
            "marker",
            point,
            id="point",
            markerWidth=8,
            markerHeight=8,
            refX=7,
            refY=4,
            orient="auto",
            markerUnits="userSpaceOnUse",
        ),
    )


def _box(box: Box, x: float, top: float) -> Markup:
    name = box.name if len(box.name) <= 22 else f"{box.name[:21]}…"
    asked = " asked" if box.is_asked else ""
    return tag(
        "g",
        tag("title", f"{box.name}: {box.said}"),
        tag("rect", x=x, y=top, width=WIDTH, height=BOX, rx=6, class_=f"box l-{box.layer}{asked}"),
        text(x + 12, top + 19, name, "name"),
        text(x + 12, top + 34, box.said, "said"),
    )


def _arrow(one: Arrow, place: dict[str, int], top: float) -> Markup:
    begin, end = place[one.source], place[one.target]
    left, right = 2 + begin * (WIDTH + GAP) + WIDTH, 2 + end * (WIDTH + GAP)
    if end - begin == 1:
        line = tag("path", d=f"M{left} {top + BOX / 2}H{right - 1}", class_="edge", marker_end="url(#point)")
        return tag("g", line, text((left + right) / 2, top + BOX / 2 - 6, one.said, "on", "middle"))
    high = max(8, top - ARC + 10 - 14 * (abs(end - begin) - 2))
    begin_x, end_x = left - WIDTH / 3, right + WIDTH / 4
    curve = f"M{begin_x} {top}C{begin_x + 20} {high} {end_x - 20} {high} {end_x} {top - 1}"
    return tag(
        "g",
        tag("path", d=curve, class_="edge", marker_end="url(#point)"),
        text((begin_x + end_x) / 2, (top + 3 * high) / 4 - 3, one.said, "on", "middle"),
    )
