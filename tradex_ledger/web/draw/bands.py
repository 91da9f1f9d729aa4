"""What was expected and what it came to: a band from low to high, a bar at what is likely, a diamond at what was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from tradex_ledger.audit.draw.svg import picture, tag

WIDTH, HEIGHT = 330, 18


class Band(NamedTuple):
    """One measure, with what is said of it in the end."""

    name: str
    low: float | None
    likely: float | None
    high: float | None
    actual: float | None
    said: str


def bands(some: Sequence[Band]) -> list[tuple[Band, Markup]]:
    """A picture a measure, each over a scale of its own."""
    return [(one, _band(one)) for one in some]


def _band(one: Band) -> Markup:
    most = max(one.high or 0, one.actual or 0, 1) * 1.08

    def at(value: float) -> float:
        return 4 + value / most * (WIDTH - 8)

    drawn = [tag("rect", x=0, y=6, width=WIDTH, height=6, rx=3, class_="track")]
    if one.low is not None and one.high is not None:
        drawn.append(
            tag("rect", x=at(one.low), y=3, width=max(2.0, at(one.high) - at(one.low)), height=12, rx=3, class_="band")
        )
    if one.likely is not None:
        drawn.append(tag("rect", x=at(one.likely) - 1, y=1, width=2, height=16, class_="likely"))
    if one.actual is not None:
        x = at(one.actual)
        drawn.append(tag("path", d=f"M{x:.1f} 3l6 6-6 6-6-6Z", class_="actual"))
    return picture(WIDTH, HEIGHT, *drawn, label=f"{one.name}: {one.said}", class_="bands")
