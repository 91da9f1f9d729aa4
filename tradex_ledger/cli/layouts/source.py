"""How a look at the source is told: in a run's summary, in the status, and where late data is looked for."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from tradex_ledger.cli.show import Facts

if TYPE_CHECKING:
    from tradex_ledger.audit.documents.run import Delivered, RunDocument
    from tradex_ledger.audit.documents.source import PassedOver
    from tradex_ledger.relations.runs import SourceLook


def look_facts(document: RunDocument) -> Facts:
    """What a run found at the source and made of it, as facts of its summary."""
    run, source = document.run, document.delivered
    appended = plural(run.appended_rows - run.rejected_rows, "post")
    if run.rejected_rows:
        appended += f", and {_lines_of_none(run.rejected_rows)}"
    facts: Facts = {"appended": appended}
    if source is not None:
        told, again = plural(source.recounted, "post"), plural(source.recovered, "post")
        facts |= {
            "delivered": _delivered(source),
            "other counts": f"{told} known, delivered with other counts: the first ones stay" * bool(source.recounted),
            "read again": f"{again} of what an older reader had rejected" * bool(source.recovered),
            "other days": _moved(source),
            "not kept": _beyond(source.beyond),
            "odd fields": odd_text(source.odd),
            "messages": f"{source.controls} of a stream, no posts" * bool(source.controls),
        }
    return facts | {"passed over": passed_over_text(document.look)}


def _delivered(source: Delivered) -> str:
    return (
        f"{plural(source.files, 'file')}, {plural(source.lines, 'line')}: "
        f"{plural(source.posts, 'post')} of the range ({source.duplicates} known), "
        f"{source.outside} outside of it, {_none(source.rejected)}"
    )


def _moved(source: Delivered) -> str | None:
    """What was filed under another day than it was delivered with, or left out because that day is protected."""
    told = [f"{plural(source.moved, 'post')} filed under the day of the post's first row"] if source.moved else []
    told += [f"{plural(source.withheld, 'post')} left out: their day is protected"] if source.withheld else []
    return "; ".join(told) or None


def _beyond(count: int | None) -> str | None:
    return f"{_lines_of_none(count)}, too many in one file" if count else None


def odd_text(odd: dict[str, int]) -> str | None:
    """The fields that could not be read, by what was wrong."""
    return "; ".join(f"{count} × {what}" for what, count in sorted(odd.items())) or None


def passed_over_text(look: SourceLook | None) -> str | None:
    """What was not read, with the reasons and the first few names."""
    from tradex_ledger.audit.documents.source import passed_over

    reasons = passed_over(look) if look else []
    return "; ".join(f"{item.count} × {item.why}: {_names(item)}" for item in reasons) or None


def _names(item: PassedOver) -> str:
    more = item.count - len(item.names)
    return ", ".join(item.names) + (f" and {more} more" if more else "")


def status_lines(look: SourceLook | None) -> list[str]:
    """The last look at the source, as it was then."""
    from tradex_ledger.audit.documents.source import later

    if look is None:
        return ["source: nobody has looked at it yet"]
    who = look.run_id or f"{look.by} (propose)"
    found = (
        f"source: looked at {_moment(look.at)} by {who}: {plural(look.files, 'file')}, "
        f"{plural(look.lines, 'line')}, {_none(look.rejected)}; newest post: {look.newest or 'none'}"
    )
    lines = [found]
    if not_kept := _beyond(look.beyond):
        lines.append(f"not kept: {not_kept}")
    if ahead := later(look):
        lines.append(f"later than the clock: {plural(ahead, 'post')}, to be read again; see: tradex alerts")
    if over := passed_over_text(look):
        lines.append(f"passed over: {over}")
    if look.late_posts or look.late_rejected:
        lines.append(
            f"late: {plural(look.late_posts or 0, 'post')}, {_lines_of_none(look.late_rejected or 0)}; "
            "see: tradex backfill propose"
        )
    return lines


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}Z"


def _none(count: int) -> str:
    return f"{count} no {'post' if count == 1 else 'posts'}"


def _lines_of_none(count: int) -> str:
    return "1 line that is no post" if count == 1 else f"{count} lines that are no posts"


def plural(count: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
