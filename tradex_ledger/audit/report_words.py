"""How a report says a value: on one line, to the second, in the units that it is long in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

Fact = dict[str, Any]
"""Names and values as the template asks for them."""
_LONG = frozenset(
    {"definition", "text", "signature", "references", "definitions", "inputs", "columns", "key", "checkpoint"}
)
"""What of an event's facts stands elsewhere in a report, or says nothing to a reader."""
_MOST, _NAMED = 300, 3
SAMPLED = 8
"""Rows of a dataset that are told one by one."""


def text_of(value: object) -> str:
    """A value as a text; nothing where there is none."""
    return "" if value is None else str(value)


def moment(at: str) -> str:
    """A time of an event, to the second."""
    return f"{at[:10]} {at[11:19]} UTC"


def day(value: object) -> str:
    """The day of a cursor."""
    return text_of(value)[:10] or "the beginning"


def days(first: object, last: object) -> str:
    """Two days, or the one that both are."""
    return str(first) if first == last else f"{first} to {last}"


def said(value: object) -> str:
    """A value on one line, cut where it would run on."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        if all(isinstance(item, str | int) for item in value):
            return said(", ".join(map(str, value)))
        return f"{len(value)} entries"
    if isinstance(value, dict):
        return said(", ".join(f"{name} {said(item)}" for name, item in value.items()))
    text = " ".join(text_of(value).split())
    return text if len(text) <= _MOST else f"{text[:_MOST]}…"


def named(data: Mapping[str, Any], *but: str) -> list[tuple[str, str]]:
    """Facts with their names, without those that say nothing."""
    return [
        (name.replace("_", " "), said(value))
        for name, value in data.items()
        if name not in but and name not in _LONG and value not in (None, "", [], {})
    ]


def long(span: timedelta) -> str:
    """A duration, in its two largest units."""
    seconds = int(span.total_seconds())
    units = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
    told = [f"{seconds // size % limit} {name}" for (size, name), limit in zip(units, (10**9, 24, 60, 60), strict=True)]
    kept = [text for text in told if not text.startswith("0 ")]
    return " ".join(kept[:2]) or "0 s"


def begins(some: Iterable[tuple[Iterable[str], bool]]) -> str:
    """Of windows, each with its workers and whether its begin is told: who worked, and whence it is known when each was
    begun."""
    known = [(list(workers), is_told) for workers, is_told in some]
    names = sorted({worker for workers, _ in known for worker in workers})
    rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    by = f"built by {', '.join(names[:_NAMED])}{rest}; " if names else ""
    guessed = sum(not is_told for _, is_told in known)
    if not guessed:
        return f"{by}windows begin when their workers say that they did"
    return f"{by}where {guessed} of {len(known)} windows begin is worked out: the end less the work in it"


def changed(found: Iterable[Any], problem: str | None = None) -> Fact:
    """What a comparison of rows came to (`audit.diff.Differing`), or why there is none."""
    partitions, samples = [], []
    for one in found:
        partitions.append(
            Fact(
                dataset=one.dataset,
                day=one.partition,
                before=one.rows_before,
                after=one.rows_after,
                gone=one.rows_gone,
                new=one.rows_new,
                changed="" if one.rows_changed is None else one.rows_changed,
                columns=", ".join(f"{name} ({n})" for name, n in one.columns.items()),
            )
        )
        samples += [_sample(one, sample) for sample in one.samples]
    return {"partitions": partitions, "samples": samples, "problem": problem}


def _sample(one: Any, sample: Any) -> Fact:
    columns = sample.changed.items()
    return Fact(
        dataset=one.dataset,
        day=one.partition,
        key=said(sample.key),
        what=sample.kind,
        before=", ".join(f"{name} {said(values[0])}" for name, values in columns),
        after=", ".join(f"{name} {said(values[-1])}" for name, values in columns),
    )
