"""An aggregate from its events, and from nothing else.

There are no snapshots: one would have to be held against the events to be believed, and to read the events that count
costs no more. Of a long stream (a dataset's 100,000 publications, a pipeline's moves) only those events are read that
assign something, by the index over (stream, topic), and the last one; two indexes that must agree tell that none is
missing. Every event that is read is held against its entry.
"""

from __future__ import annotations

from collections import Counter
from typing import cast

from tradex_ledger.domain.base import EVENTS, Aggregate
from tradex_ledger.ledger.entry import state_of
from tradex_ledger.ledger.event import event_of
from tradex_ledger.ledger.rows import BrokenRowError, MissingEventError, Row, check_row_of
from tradex_ledger.ledger.select import Ask, Found, Store, read

ALL_EVENTS = 256
"""A stream of at most so many events is read whole: that costs about a millisecond."""

_MISFITS = (AssertionError, AttributeError, LookupError, TypeError, ValueError)


def load(store: Store, stream: str, upto: int | None = None) -> Aggregate | None:
    """The aggregate of a stream, as of a position if one is given; None when it has no event by then.

    Raises: `BrokenLedgerError`, `UnknownEventError`.
    """
    aggregate: Aggregate | None = None
    for row in store.ask(lambda ask: _rows(ask, stream) if upto is None else _rows_upto(ask, stream, upto)):
        event = event_of(state_of(check_row_of(store.ledger, row, stream)), row[1], row[2], row[3])
        if aggregate is not None:
            aggregate.version = row[2] - 1  # those between are passed over
        try:
            aggregate = event.mutate(aggregate)
        except _MISFITS as error:
            raise BrokenRowError(row[0], f"it does not fit the events of {stream} before it") from error
    return aggregate


def _rows(ask: Ask, stream: str) -> list[Row]:
    """The rows that the state follows from, in the order of their versions. Raises `MissingEventError`."""
    ((count, newest),) = ask(read("stream_counted"), stream=stream)
    topics = ask(read("stream_by_topic"), stream=stream)
    whole = count * (count + 1) // 2  # of the versions 1, 2, 3 … each once
    if (count, whole) != (sum(t[1] for t in topics), sum(t[2] for t in topics)) or newest != (count or None):
        raise MissingEventError(f"the indexes over {stream} do not tell of the versions 1 to {newest}, each once")
    if count > ALL_EVENTS and all(t[0] in EVENTS for t in topics):
        return _rows_that_count(ask, stream, topics, newest)
    rows = cast("list[Row]", ask(read("stream"), stream=stream))
    if [row[2] for row in rows] != list(range(1, count + 1)):
        raise MissingEventError(f"{stream} has not the versions 1 to {count}, each once")
    return rows


def _rows_upto(ask: Ask, stream: str, upto: int) -> list[Row]:
    """All rows up to a position: which of them count is known of a whole stream only. Raises `MissingEventError`."""
    rows = [row for row in cast("list[Row]", ask(read("stream"), stream=stream)) if row[0] <= upto]
    if [row[2] for row in rows] != list(range(1, len(rows) + 1)):
        raise MissingEventError(f"{stream} has not the versions 1 to {len(rows)}, each once")
    return rows


def _rows_that_count(ask: Ask, stream: str, topics: Found, newest: int) -> list[Row]:
    wanted, versions = _that_count(topics, newest)
    rows = ask(read("stream_of_topics"), stream=stream, topics=wanted)
    rows += ask(read("stream_of_versions"), stream=stream, versions=list(versions))
    found = {row[2]: cast("Row", row) for row in rows}
    there = Counter(row[3] for row in found.values())
    if any(there[topic] != count for topic, count, _, _ in topics if topic in wanted) or any(
        version not in found or (topic and found[version][3] != topic) for version, topic in versions.items()
    ):
        raise MissingEventError(f"the index over {stream} tells of other events than there are")
    return [found[version] for version in sorted(found)]


def _that_count(topics: Found, newest: int) -> tuple[list[str], dict[int, str]]:
    """The topics of which every event is needed, and the versions that are needed beside them (with their topic)."""
    wanted, versions = [], {1: "", newest: ""}
    for topic, _, _, last in topics:
        event = EVENTS[topic]
        if event.SUPERSEDES:
            versions[last] = topic
        elif event.changes_state():
            wanted.append(topic)
    return wanted, versions
