"""How looks at the sources are told: in a run's summary, in the status, and where late data is looked for."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from tradex_ledger.cli.show import Facts

if TYPE_CHECKING:
    from tradex_ledger.audit.documents.run import Delivered, RunDocument
    from tradex_ledger.audit.documents.source import Looks, Seen
    from tradex_ledger.domain.not_read import NotRead
    from tradex_ledger.relations.runs import SourceLook


def look_facts(document: RunDocument) -> Facts:
    """What a run found at its sources and made of it, as facts of its summary."""
    run, source, noun = document.run, document.delivered, document.looks.noun
    appended = plural(run.appended_rows - run.rejected_rows, noun)
    if run.rejected_rows:
        appended += f", and {_lines_of_none(run.rejected_rows, noun)}"
    facts: Facts = {"appended": appended}
    if source is not None:
        told, again = plural(source.recounted, noun), plural(source.recovered, noun)
        facts |= {
            "delivered": _delivered(source, noun),
            "other counts": f"{told} known, delivered with other counts: the first ones stay" * bool(source.recounted),
            "read again": f"{again} of what an older reader had rejected" * bool(source.recovered),
            "other days": _moved(source, noun),
            "not kept": _beyond(source.beyond, noun),
            "odd fields": odd_text(source.odd),
            "messages": f"{source.controls} of a stream, no {noun}s" * bool(source.controls),
        }
    if len(document.looks.of_each) > 1:
        return facts | {f"source {seen.name}": _found(seen) for seen in document.looks.of_each}
    return facts | {"passed over": passed_over_text(document.look)}


def _found(seen: Seen) -> str:
    """What a run found at one of several sources."""
    look, noun = seen.look, seen.noun
    over = passed_over_text(look)
    return (
        f"{plural(look.files, 'file')}, {plural(look.lines, 'line')}: {plural(look.posts, noun)} of the range, "
        f"{look.outside} outside of it, {_none(look.rejected, noun)}" + (f"; passed over: {over}" if over else "")
    )


def _delivered(source: Delivered, noun: str) -> str:
    return (
        f"{plural(source.files, 'file')}, {plural(source.lines, 'line')}: "
        f"{plural(source.posts, noun)} of the range ({source.duplicates} known), "
        f"{source.outside} outside of it, {_none(source.rejected, noun)}"
    )


def _moved(source: Delivered, noun: str) -> str | None:
    """What was filed under another day than it was delivered with, or left out because that day is protected."""
    first = f"the {noun}'s first row" if noun != "row" else "the first row of the same"
    told = [f"{plural(source.moved, noun)} filed under the day of {first}"] if source.moved else []
    told += [f"{plural(source.withheld, noun)} left out: their day is protected"] if source.withheld else []
    return "; ".join(told) or None


def _beyond(count: int | None, noun: str) -> str | None:
    return f"{_lines_of_none(count, noun)}, too many in one file" if count else None


def odd_text(odd: dict[str, int]) -> str | None:
    """The fields that could not be read, by what was wrong."""
    return "; ".join(f"{count} × {what}" for what, count in sorted(odd.items())) or None


def passed_over_text(look: SourceLook | None) -> str | None:
    """What was not read, with the reasons and the first few names."""
    from tradex_ledger.audit.documents.source import passed_over

    reasons = passed_over(look) if look else []
    return "; ".join(f"{item.count} × {item.why}: {_names(item)}" for item in reasons) or None


def _names(item: NotRead) -> str:
    more = item.count - len(item.names)
    return ", ".join(item.names) + (f" and {more} more" if more else "")


def status_lines(looks: Looks) -> list[str]:
    """The last look at each source, as it was then."""
    return [text for seen in looks.of_each for text in _lines(seen)] or ["source: nobody has looked at it yet"]


def _lines(seen: Seen) -> list[str]:
    from tradex_ledger.audit.documents.source import later

    look, noun, of = seen.look, seen.noun, f"{seen.name}: " if seen.name else ""
    who = look.run_id or f"{look.by} (propose)"
    found = (
        f"source{f' {seen.name}' if seen.name else ''}: looked at {_moment(look.at)} by {who}: "
        f"{plural(look.files, 'file')}, {plural(look.lines, 'line')}, {_none(look.rejected, noun)}; "
        f"newest {noun}: {look.newest or 'none'}"
    )
    lines = [found]
    if not_kept := _beyond(look.beyond, noun):
        lines.append(f"{of}not kept: {not_kept}")
    if ahead := later(look):
        lines.append(f"{of}later than the clock: {plural(ahead, noun)}, to be read again; see: tradex alerts")
    if over := passed_over_text(look):
        lines.append(f"{of}passed over: {over}")
    if look.late_posts or look.late_rejected:
        lines.append(
            f"{of}late: {plural(look.late_posts or 0, noun)}, {_lines_of_none(look.late_rejected or 0, noun)}; "
            "see: tradex backfill propose"
        )
    return lines


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}Z"


def _none(count: int, noun: str) -> str:
    return f"{count} no {noun if count == 1 else f'{noun}s'}"


def _lines_of_none(count: int, noun: str) -> str:
    return f"1 line that is no {noun}" if count == 1 else f"{count} lines that are no {noun}s"


def plural(count: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
