"""The slider: one step a moment, each a link; days stand below where one begins."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from tradex_ledger.audit.draw.svg import tag
from tradex_ledger.audit.draw.words import moment as when
from tradex_ledger.audit.draw.words import short_day
from tradex_ledger.web.at import At
from tradex_ledger.web.moments import Moment

HEIGHT = 34
MOST = 240
_EDGE, _LABEL, _SPARSE, _LAST = 1.2, 5.8, 15.0, 86.0
"""All is told in percent, so that words stay words on any width: the room at each end, how far days are written from
each other, how far those that a phone has room for, and from where on they end at their moment."""


def slider(moments: Sequence[Moment], at: At, path: str, shown: int | None = None) -> Markup:
    """The moments of a ledger with a handle at a position (`shown`, else where the page is as of).

    Of so many that they could not be told apart those around the handle are drawn, the newest before it first.
    """
    position = at.position if shown is None else shown
    some = _around(moments, position)
    step = (100 - 2 * _EDGE) / max(len(some), 1)
    here = sum(1 for one in some if one.position <= position)
    drawn = [tag("line", x1="0.5%", y1=20, x2="99.5%", y2=20, class_="rail")]
    last, sparse, last_day = -_LABEL, -_SPARSE, ""
    for number, one in enumerate(some):
        x = _EDGE + step * (number + 0.5)
        drawn.append(_moment(one, x, step, at.there(path, one.position)))
        ends = x > _LAST  # with words that begin there, the last of them would be cut off
        if (label := short_day(one.at)) != last_day and x - last >= _LABEL * (1 + ends):
            is_sparse = x - sparse >= _SPARSE * (1 + ends)
            drawn.append(_day(x, label, "day" if is_sparse else "day dense", "end" if ends else None))
            last, sparse = x, x if is_sparse else sparse
        last_day = label
    x = _EDGE + step * max(here - 0.5, 0) if here < len(some) else 100 - _EDGE / 2
    handle = tag("rect", x=-4, y=3, width=8, height=20, rx=4, class_="handle")
    drawn.append(tag("svg", handle, x=f"{x:.2f}%", y=0, overflow="visible"))
    label = f"{len(some)} moments, as of position {position}"
    return tag("svg", *drawn, class_="picture slider", width="100%", height=HEIGHT, role="group", aria_label=label)


def _moment(one: Moment, x: float, step: float, href: str) -> Markup:
    told = f"position {one.position}, {when(one.at)} UTC: {one.what}"
    tick = tag("line", x1=f"{x:.2f}%", y1=6, x2=f"{x:.2f}%", y2=20, class_=f"tick t-{one.kind}")
    room = tag("rect", x=f"{x - step / 2:.2f}%", y=0, width=f"{step:.2f}%", height=24, class_="room")
    return tag("a", tag("title", told), room, tick, href=href, tabindex=-1, data_position=one.position)


def _day(x: float, said: str, class_: str, anchor: str | None) -> Markup:
    """Words below the rail."""
    return tag("text", said, x=f"{x:.2f}%", y=32, class_=class_, text_anchor=anchor)


def _around(moments: Sequence[Moment], position: int) -> Sequence[Moment]:
    if len(moments) <= MOST:
        return moments
    here = sum(1 for one in moments if one.position <= position)
    begin = min(max(0, here - MOST * 3 // 4), len(moments) - MOST)
    return moments[begin : begin + MOST]
