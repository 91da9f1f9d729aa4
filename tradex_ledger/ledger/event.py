"""The domain event that an entry is. Events of an older `v` are upcast; a newer one is refused by name."""

from __future__ import annotations

import orjson

from tradex_ledger.domain.base import EVENTS, CreatedEvent, Event
from tradex_ledger.domain.facts import Facts
from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.ledger.entry import Entry, parse_time
from tradex_ledger.ledger.rows import BrokenRowError, position_in


class UnknownEventError(EnvironmentFault):
    """The ledger holds an event that this version of the program does not know."""

    code = "unknown-event"

    def __init__(self, topic: str, version: int) -> None:
        super().__init__(
            f"the ledger holds an event {topic} v{version} that this tradex-ledger does not know",
            mend="install the version of tradex-ledger that wrote it, or a newer one",
        )


def event_of(state: bytes, stream: str, version: int, topic: str) -> Event:
    """The event that an entry (`state`) is, upcast to today's version.

    Raises: `UnknownEventError` for one of a newer program; `BrokenRowError` for an entry that is not written as
    entries are, or has other facts than its class.
    """
    entry = _entry_of(state)
    cls = EVENTS.get(topic)
    if cls is None:
        raise UnknownEventError(topic, entry.v)
    facts = _upcast(cls, entry.v, entry.data, topic)
    if facts.keys() != cls.FACTS:
        other = sorted(facts.keys() ^ cls.FACTS)
        raise BrokenRowError(entry.position, f"{topic} lacks, or has too many: {', '.join(other)}")
    facts.update(originator_id=stream, originator_version=version, timestamp=parse_time(entry.at), by=entry.by)
    if issubclass(cls, CreatedEvent):
        facts.update(originator_topic=topic.partition(".")[0])
    return cls(**facts)


def _entry_of(state: bytes) -> Entry:
    """What an entry says, when it is written as entries are: otherwise two readers could read it in two ways."""
    try:
        said = orjson.loads(state)
        entry = Entry(**said)
        if orjson.dumps(said, option=orjson.OPT_SORT_KEYS) == state and type(entry.data) is dict:
            return entry
    except (orjson.JSONDecodeError, TypeError):
        pass
    raise BrokenRowError(
        position_in(state.decode(errors="replace")), "its entry is not in the form that entries are written in"
    )


def _upcast(cls: type[Event], version: int, data: Facts, topic: str) -> Facts:
    """Bring an event's data to the newest version, step by step (`upcast_vN_vM` on the event class)."""
    newest = cls.class_version
    if version > newest:
        raise UnknownEventError(topic, version)
    for step in range(version, newest):
        getattr(cls, f"upcast_v{step}_v{step + 1}")(data)
    return data
