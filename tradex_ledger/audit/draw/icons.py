"""Signs, each a shape of its own: none of them says anything by its colour alone."""

from __future__ import annotations

from markupsafe import Markup

from tradex_ledger.audit.draw.svg import tag

_LINE = {
    "planned": "M8 3.5 12.5 8 8 12.5 3.5 8Z",
    "failed": "m4.5 4.5 7 7m0-7-7 7",
    "late": "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11M8 5v3.2l2.2 1.3",
    "held": "M6 4v8m4-8v8",
    "paused": "M6 4v8m4-8v8",
    "reverted": "M6.5 3.5 3.5 6.5l3 3M3.5 6.5h5.5a3 3 0 0 1 0 6H6.5",
    "published": "m3.5 8.5 3 3 6-7",
    "check": "m3.5 8.5 3 3 6-7",
    "approved": "m3.5 8.5 3 3 6-7",
    "cancelled": "M3.5 8h9",
    "rejected": "M3.5 8h9",
    "expired": "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11M8 5v3.2l2.2 1.3",
    "nothing": "M8 6.2a1.8 1.8 0 1 0 0 3.6a1.8 1.8 0 1 0 0-3.6",
    "elsewhere": "M4 12 12 4M4 8l4-4m0 8 4-4",
    "deprecated": "M4 12 12 4",
    "appended": "M8 4v8M4 8h8",
    "reused": "M4 6.5h8M4 9.5h8",
    "download": "M8 2.5v7m-3-3 3 3 3-3M3.5 13h9",
    "link": "M6.5 9.5 9.5 6.5M7 5l1.5-1.5a2.5 2.5 0 0 1 4 4L11 9M9 11l-1.5 1.5a2.5 2.5 0 0 1-4-4L5 7",
    "moon": "M13 9.5A5.5 5.5 0 0 1 6.5 3 5.5 5.5 0 1 0 13 9.5Z",
    "before": "M10 3.5 5.5 8l4.5 4.5",
    "after": "M6 3.5 10.5 8 6 12.5",
}
_FULL = {
    "candidate": "M8 3.5 12.5 8 8 12.5 3.5 8Z",
    "stale": "M8 3.5 13 12.5H3Z",
    "warning": "M8 3 13.5 13h-11Z",
    "running": "M5.5 4v8L12 8Z",
    "strange": "M8 5.5a2.5 2.5 0 1 0 0 5a2.5 2.5 0 1 0 0-5",
    "waiting": "M3.5 7h2v2h-2zM7 7h2v2H7zM10.5 7h2v2h-2z",
}


def shape(name: str, **attributes: object) -> Markup:
    """The path of a sign in a square of 16, to be put into a picture; nothing for a name without one."""
    if name in _FULL:
        return tag("path", d=_FULL[name], class_="full", **attributes)
    return tag("path", d=_LINE[name], class_="line", **attributes) if name in _LINE else Markup("")


def icon(name: str, title: str | None = None) -> Markup:
    """A sign within text; without a title it says nothing that the text beside it does not say."""
    told = {"role": "img", "aria_label": title} if title else {"aria_hidden": "true"}
    return tag("svg", shape(name), class_=f"icon i-{name}", width=16, height=16, viewBox="0 0 16 16", **told)
