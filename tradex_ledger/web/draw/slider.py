"""The slider: one step a moment, each a link; days stand below where one begins."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from tradex_ledger.web.at import At
from tradex_ledger.web.draw.svg import picture, tag, text
from tradex_ledger.web.moments import Moment
from tradex_ledger.web.words import moment as when
from tradex_ledger.web.words import short_day

WIDTH, HEIGHT = 760, 34
MOST = 240
_LABEL = 44
"""Days closer than that (pixels) are not written."""


def slider(moments: Sequence[Moment], at: At, path: str, shown: int | None = None) -> Markup:
    """The moments of a ledger with a handle at a position (`shown`, else where the page is as of).

    Of so many that they could not be told apart those around the handle are drawn, the newest before it first.
    """
    position = at.position if shown is None else shown
    some = _around(moments, position)
    step = (WIDTH - 16) / max(len(some), 1)
    here = sum(1 for one in some if one.position <= position)
    drawn = [tag("line", x1=4, y1=20, x2=WIDTH - 4, y2=20, class_="rail")]
    last_label, last_day = -float(_LABEL), ""
    for number, one in enumerate(some):
        x = 8 + step * (number + 0.5)
        told = f"position {one.position}, {when(one.at)} UTC: {one.what}"
        tick = tag("line", x1=x, y1=6, x2=x, y2=20, class_=f"tick t-{one.kind}")
        room = tag("rect", x=x - step / 2, y=0, width=step, height=24, class_="room")
        drawn.append(
            tag(
                "a",
                tag("title", told),
                room,
                tick,
                href=at.there(path, one.position),
                tabindex=-1,
                data_position=one.position,
            )
        )
        if (label := short_day(one.at)) != last_day and x - last_label >= _LABEL and x < WIDTH - 24:
            drawn.append(text(x - 4, 32, label, class_="day"))
            last_label = x
        last_day = label
    x = 8 + step * max(here - 0.5, 0) if here < len(some) else WIDTH - 8.0
    drawn.append(tag("rect", x=x - 4, y=3, width=8, height=20, rx=4, class_="handle"))
    return picture(
        WIDTH,
        HEIGHT,
        *drawn,
        label=f"{len(some)} moments, as of position {position}",
        class_="slider",
        role="group",
        preserveAspectRatio="none",
    )


def _around(moments: Sequence[Moment], position: int) -> Sequence[Moment]:
    if len(moments) <= MOST:
        return moments
    here = sum(1 for one in moments if one.position <= position)
    begin = min(max(0, here - MOST * 3 // 4), len(moments) - MOST)
    return moments[begin : begin + MOST]
