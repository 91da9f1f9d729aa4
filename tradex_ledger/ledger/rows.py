"""A row of `events` is what its entry says, or the ledger is broken.

The entry is the event; the columns beside it are an index over it, and the leaf its digest. Whoever loads an event
derives all of them from the entry again, at a few microseconds an event, and believes none that differs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TypeAlias, cast

from tradex_ledger import resources
from tradex_ledger.errors import BrokenLedgerError
from tradex_ledger.ledger.entry import Entry, NotCanonicalError, parse, quoted
from tradex_ledger.ledger.merkle import leaf_hash
from tradex_ledger.ledger.select import Store, read

_is_time = re.compile(  # as `format_time` writes it; a day of a month too many is told by who counts with it
    r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z"
).fullmatch
Row: TypeAlias = tuple[int, str, int, str, str, bytes, str]
_NAMES = ("position", "stream", "version", "topic", "at")
_TYPES = (int, str, int, str, str, bytes, str)
_MEND = "put back the last good copy of the ledger"


class BrokenRowError(BrokenLedgerError):
    """A row of the ledger is not what its entry says, or its entry is none of this ledger."""

    code = "broken-event"

    def __init__(self, position: object, reason: str) -> None:
        super().__init__(f"the event at position {position} of the ledger is not sound: {reason}", mend=_MEND)
        self.position = position


class MissingEventError(BrokenLedgerError):
    """There is no event where one must be."""

    code = "missing-event"

    def __init__(self, where: str) -> None:
        super().__init__(f"the ledger has lost an event: {where}", mend=_MEND)


def check_row(ledger: str, row: Row) -> bytes:
    """The entry of a row, as bytes, when the row is what the entry says. Raises `BrokenRowError`."""
    if tuple(map(type, row)) != _TYPES:  # a damaged file holds other kinds of values than were put into it
        raise BrokenRowError(row[0], "its columns are of other kinds than were stored")
    position, stream, version, topic, at, leaf, text = row
    entry = text.encode()
    # The form is that of `entry.compose`, so it can be told without reading the JSON, which costs three times as much.
    cut = text.rfind(',"v":') + len(',"v":')
    end = f',"version":{version}}}'
    if not (
        text.startswith(f'{{"at":"{at}","by":"')
        and ',"data":{' in text
        and text.endswith(
            f',"ledger":{quoted(ledger)},"position":{position},"stream":{quoted(stream)},"topic":{quoted(topic)},"v":',
            0,
            cut,
        )
        and text.endswith(end)
        and text[cut : -len(end)].isdecimal()
    ):
        raise BrokenRowError(position, _difference(ledger, row))
    if not _is_time(at):
        raise BrokenRowError(position, "its time is none")
    if leaf_hash(entry) != leaf:
        raise BrokenRowError(position, "its leaf is not the hash of its entry")
    return entry


def check_row_of(ledger: str, row: Row, stream: str) -> bytes:
    """The same of a row that was looked for in a stream. Raises `BrokenRowError`."""
    entry = check_row(ledger, row)
    if row[1] != stream:
        raise BrokenRowError(row[0], f"it was found under {stream}, and is of {row[1]}")
    return entry


def entry_of(ledger: str, row: Row) -> Entry:
    """What the entry of a row says, when the row is what the entry says. Raises `BrokenRowError`."""
    try:
        return parse(check_row(ledger, row))
    except NotCanonicalError as error:
        raise BrokenRowError(row[0], "what is stored there is no entry") from error


def position_in(entry: str) -> str:
    """The position that an entry names, which cannot be read as JSON."""
    return entry.rpartition(',"position":')[2].partition(",")[0]


def check_range(ledger: str, rows: Iterable[Row], first: int, last: int) -> Iterator[Row]:
    """The rows of the positions first…last, each checked. Raises: `BrokenRowError`, `MissingEventError`."""
    expected = first
    for row in rows:
        check_row(ledger, row)
        if row[0] != expected:
            break
        expected += 1
        yield row
    if expected != last + 1:
        raise MissingEventError(f"there is none at position {expected}")


def check_some(ledger: str, rows: Iterable[Row]) -> Iterator[Row]:
    """Some of the rows in the order of their positions, each checked, none twice. Raises: `BrokenRowError`."""
    before = 0
    for row in rows:
        check_row(ledger, row)
        if row[0] <= before:
            raise BrokenRowError(row[0], "it was found more than once")
        before = row[0]
        yield row


def time_at(store: Store, position: int, newest: int) -> str | None:
    """When the event at a position happened; it and the one after it are checked, since times tell them apart.

    `newest` is a last position seen before. Raises: `BrokenLedgerError`, also when two indexes end at other positions:
    both are asked by one statement, since events may be added between two.
    """
    first, last = max(position, 1), min(position + 1, newest)
    ((end, other),) = store.select(read("ends"), topics=resources.event_topics())
    if other is not None and other > end:
        raise MissingEventError(f"one index ends at position {end}, another at {other}")
    rows = cast("list[Row]", store.select(read("range"), first=first, last=last))
    found = {row[0]: row[4] for row in check_range(store.ledger, rows, first, last)}
    return found.get(position)


def _difference(ledger: str, row: Row) -> str:
    """What is other in a row than in its entry, for the person who has to find out why."""
    try:
        entry = parse(row[-1].encode())
    except NotCanonicalError:
        return "what is stored there is no entry"
    if entry.ledger != ledger:
        return f"its entry is of the ledger {entry.ledger!r}, and this is {ledger!r}"
    said = entry._asdict()
    other = [f"{n} {said[n]!r} (the column says {v!r})" for n, v in zip(_NAMES, row, strict=False) if said[n] != v]
    return f"its entry says {', '.join(other)}" if other else "its entry is not in the form that entries are written in"
