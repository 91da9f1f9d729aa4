"""How a look at the source is told: in a run's summary, in the status, and where late data is looked for."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson

from tradex_ledger.sources.stage import LATER


def look_facts(document: dict[str, Any]) -> dict[str, Any]:
    """What a run found at the source and made of it, as facts of its summary."""
    bronze = next((layer for layer in document["layers"] if layer["layer"] == "bronze"), None)
    source = (bronze and bronze["source"]) or {}
    look = document["look"]
    appended = plural(document["appended_rows"] - document["rejected_rows"], "row")
    if document["rejected_rows"]:
        appended += f", and {_lines_of_none(document['rejected_rows'])}"
    told, recovered = source.get("recounted"), source.get("recovered")
    return {
        "appended": appended,
        "delivered": _delivered(source) if source else None,
        "other counts": f"{plural(told, 'row')} known, delivered with other counts: the first ones stay"
        if told
        else "",
        "read again": f"{plural(recovered, 'row')} of what an older reader had rejected" if recovered else "",
        "other days": _moved(source),
        "not kept": _beyond(source.get("beyond")),
        "odd fields": odd_text(source.get("odd") or {}),
        "messages": f"{source['controls']} of a stream, no rows" if source.get("controls") else None,
        "passed over": passed_over_text(look),
    }


def _delivered(source: dict[str, Any]) -> str:
    return (
        f"{plural(source['files'], 'file')}, {plural(source['lines'], 'line')}: "
        f"{plural(source['posts'], 'row')} of the range ({source['duplicates']} known), "
        f"{source['outside']} outside of it, {_none(source['rejected'])}"
    )


def _moved(source: dict[str, Any]) -> str | None:
    """What was filed under another day than it was delivered with, or left out because that day is protected."""
    moved, withheld = source.get("moved"), source.get("withheld")
    told = [f"{plural(moved, 'row')} filed under another day, that of the first row of the same"] if moved else []
    told += [f"{plural(withheld, 'row')} left out: their day is protected"] if withheld else []
    return "; ".join(told) or None


def _beyond(count: int | None) -> str | None:
    return f"{_lines_of_none(count)}, too many in one file" if count else None


def odd_text(odd: dict[str, int]) -> str | None:
    """The fields that could not be read, by what was wrong."""
    return "; ".join(f"{count} × {what}" for what, count in sorted(odd.items())) or None


def passed_over_text(look: dict[str, Any] | None) -> str | None:
    """What was not read, with the reasons and the first few names."""
    if not look or not look["passed_over"]:
        return None
    reasons = orjson.loads(look["passed_over_why"])
    return "; ".join(f"{item['count']} × {item['why']}: {_names(item)}" for item in reasons)


def _names(item: dict[str, Any]) -> str:
    more = item["count"] - len(item["names"])
    return ", ".join(item["names"]) + (f" and {more} more" if more else "")


def status_lines(look: dict[str, Any] | None) -> list[str]:
    """The last look at the source, as it was then."""
    if look is None:
        return ["source: nobody has looked at it yet"]
    who = look["run_id"] or f"{look['by']} (propose)"
    found = (
        f"source: looked at {_moment(look['at'])} by {who}: {plural(look['files'], 'file')}, "
        f"{plural(look['lines'], 'line')}, {_none(look['rejected'])}; newest row: {look['newest'] or 'none'}"
    )
    lines = [found]
    if not_kept := _beyond(look["beyond"]):
        lines.append(f"not kept: {not_kept}")
    if later := orjson.loads(look["odd"] or "{}").get(LATER):
        lines.append(f"later than the clock: {plural(later, 'row')}, to be read again; see: tradex alerts")
    if over := passed_over_text(look):
        lines.append(f"passed over: {over}")
    if look["late_posts"] or look["late_rejected"]:
        lines.append(
            f"late: {plural(look['late_posts'], 'row')}, {_lines_of_none(look['late_rejected'])}; "
            "see: tradex backfill propose"
        )
    return lines


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}Z"


def _none(count: int) -> str:
    return f"{count} no {'row' if count == 1 else 'rows'}"


def _lines_of_none(count: int) -> str:
    return "1 line that is no row" if count == 1 else f"{count} lines that are no rows"


def plural(count: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
