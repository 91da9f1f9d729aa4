"""SQLite's indexes against the rows: who reads through one that lost or gained entries reads another ledger.

What an index says is added up, by stream and by topic, and held against the same sums over the rows. PostgreSQL's
indexes are no part of what one can write to with SQL.
"""

from __future__ import annotations

from collections.abc import Iterator

from tradex_ledger.ledger.select import Found, Store
from tradex_ledger.verifying.finding import INDEX_CHANGED, Finding
from tradex_ledger.verifying.ledger import Whole
from tradex_ledger.verifying.questions import BY_BOTH, BY_STREAM, BY_TOPIC, Question, rows

_BY_STREAM = "sqlite_autoindex_events_1"
_BY_TOPIC = "events_by_topic"
_BY_BOTH = "events_by_stream_topic"


def sqlite_indexes(store: Store, whole: Whole) -> Iterator[Finding]:
    """What the three indexes say otherwise than the rows."""
    there = {name for (name,) in store.select("select name from sqlite_master where type = 'index'")}
    if _BY_STREAM in there:
        yield from _by_stream(store, whole)
    if _BY_TOPIC in there:
        yield from _by_topic(store, whole)
    if _BY_BOTH in there:
        yield from _by_both(store, whole)


def _found(store: Store, whole: Whole, name: str) -> Found:
    return rows(store, Question("", name, whole.size), whole.answers.pop(name, None))


def _by_stream(store: Store, whole: Whole) -> Iterator[Finding]:
    found = _found(store, whole, BY_STREAM)
    wrong = {stream for stream, last, count, _ in found if [last, count] != [whole.streams.get(stream, [0])[0]] * 2}
    wrong |= whole.streams.keys() - {row[0] for row in found}
    yield from _told(_BY_STREAM, wrong)
    if not wrong and sum(row[3] for row in found) != whole.versions:
        yield Finding(INDEX_CHANGED, f"the index {_BY_STREAM} leads to other events than those of the rows")


def _by_topic(store: Store, whole: Whole) -> Iterator[Finding]:
    found = {topic: total for topic, total in _found(store, whole, BY_TOPIC)}
    topics = found.keys() | whole.topics.keys()
    yield from _told(_BY_TOPIC, {topic for topic in topics if found.get(topic) != whole.topics.get(topic)})


def _by_both(store: Store, whole: Whole) -> Iterator[Finding]:
    found = _found(store, whole, BY_BOTH)
    wrong = {row[0] for row in found if [*row[1:]] != whole.streams.get(row[0])}
    yield from _told(_BY_BOTH, wrong | whole.streams.keys() - {row[0] for row in found})


def _told(index: str, wrong: set[str]) -> Iterator[Finding]:
    for name in sorted(wrong):
        yield Finding(INDEX_CHANGED, f"the index {index} has other events of {name} than the rows")
