"""What is asked of the whole ledger beside its parts, by whatever process has nothing else to do."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.ledger.select import Found, Store, open_store, read

STRANGE = "strange_positions"
BY_STREAM, BY_TOPIC, BY_BOTH = "by_stream_index", "by_topic_index", "by_stream_topic_index"
INDEXES = (BY_BOTH, BY_STREAM, BY_TOPIC)
"""In SQLite; what takes longest is first."""


@dataclass(frozen=True, slots=True)
class Question:
    """A statement of `schema/ledger/reads.sql` over the ledger at a URL, up to a size."""

    url: str
    name: str
    size: int


def answered(question: Question) -> bytes | None:
    """The rows, packed; None where they cannot be read: who asks again is told why."""
    try:
        return orjson.dumps(open_store(question.url).select(read(question.name), size=question.size))
    except (EnvironmentFault, TypeError):  # the latter: of what no index of a sound ledger holds
        return None


def rows(store: Store, question: Question, answer: bytes | None) -> Found:
    """The rows of an answer; asked for now where there is none. Raises: `StoreFault`."""
    if answer is None:
        return store.select(read(question.name), size=question.size)
    return [tuple(row) for row in orjson.loads(answer)]
