"""Light look-ups in the ledger, by topic, stream and position: the one door for whoever has no need of a projection.

What is asked here is bounded, or read page by page. What adds up many events is a projection (`projections/*.sql`).
It passes the door to any database: see `select.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tradex_ledger.domain.facts import Facts
from tradex_ledger.ledger.entry import parse, quoted
from tradex_ledger.ledger.named import RUNS
from tradex_ledger.ledger.select import Found, Store, Value, read

END = 1 << 62
"""A position behind every other."""
PAGE = 2000
"""Events at once, of those that may be many."""
_WIDE = """(
    /*+ entry glob '*[^ -~]*' -- */ octet_length(entry) > length(entry)
)"""
"""An entry has a letter outside of ASCII. SQLite, whose older releases do not count the bytes of a text, passes over
what stands behind the dashes."""
_SPECIAL, _ESCAPED = re.compile(r"([\\%_])"), r"\\\1"


class Told(NamedTuple):
    """A row of the ledger as it lies there, as `rows.check_row` takes it; whoever decides by it checks it first."""

    position: int
    stream: str
    version: int
    topic: str
    at: str
    leaf: bytes
    entry: str

    @property
    def data(self) -> Facts:
        """The facts of the event."""
        return parse(self.entry).data


class About(NamedTuple):
    """What events are about, and whose they are: of a stream, or naming that run; of the stream of a dataset, or naming
    it; by somebody who may be meant by a name, whose spelling is to be compared yet."""

    stream: str = ""
    dataset: str = ""
    by: str = ""


ANY = About()


class _Where:
    """Conditions on events, and the values bound in them."""

    def __init__(self) -> None:
        self.conditions: list[str] = []
        self.values: dict[str, Value] = {}

    def add(self, condition: str, *values: Value) -> None:
        """A condition with a `{}` for each value."""
        names = [f":v{len(self.values) + n}" for n in range(len(values))]
        self.values |= {name[1:]: value for name, value in zip(names, values, strict=True)}
        self.conditions.append(condition.format(*names))

    def among(self, column: str, values: Sequence[str | int]) -> None:
        """The column has one of the values; without any it is not asked."""
        if values:
            self.add(f"{column} in {{}}", tuple(values))

    def select(self, store: Store, name: str, tail: str = "") -> Found:
        """What a statement by that name finds under these conditions."""
        where = f"where {' and '.join(self.conditions)}" if self.conditions else ""
        return store.select(f"{read(name)} {where} {tail}", **self.values)


def _says(*texts: str) -> str:
    """The pattern of entries that hold some texts, one after the other. They are canonical JSON: a field and its value
    have one spelling."""
    return f"%{'%'.join(_SPECIAL.sub(_ESCAPED, text) for text in texts)}%"


def _by(name: str) -> str:
    """The pattern of entries by somebody whose name is written in ASCII, in either case and with any blanks."""
    first, *rest = (quoted(word)[1:-1] for word in name.lower().split())
    return _says(f'"by":"{first}', *rest).removesuffix("%") + '"%'


def last_position(store: Store, topics: Sequence[str] = (), *, upto: int = END, at: str | None = None) -> int:
    """The last position up to one, of an event of the topics (none: of any), not later than the time `at`; else 0."""
    where = _Where()
    where.among("topic", topics)
    if upto != END:
        where.add("position <= {}", upto)
    if at is not None:
        where.add("at <= {}", at)
    ((position,),) = where.select(store, "last_position")
    return int(position)


def tracked(store: Store, follower: str) -> int | None:
    """How far a follower of the ledger has come; None: it has never begun."""
    found = store.select(read("tracked"), application=follower)
    return int(found[0][0]) if found else None


def has_topic(store: Store, *topics: str, upto: int = END) -> bool:
    """Whether there is an event of one of the topics up to a position."""
    return bool(events_of(store, topics, upto=upto, limit=1))


def has_moved(store: Store, topics: Sequence[str], after: int, upto: int) -> bool:
    """Whether there is an event of the topics after a position, up to another."""
    return bool(events_of(store, topics, after=after, upto=upto, limit=1))


def has_stream(store: Store, stream: str) -> bool:
    """Whether there is a stream of that name."""
    return bool(of_stream(store, stream, limit=1))


def of_stream(store: Store, stream: str, topics: Sequence[str] = (), *, limit: int = END) -> list[Told]:
    """The events of a stream, of the topics (none: of all), the newest first."""
    where = _Where()
    where.add("stream = {}", stream)
    where.among("topic", topics)
    return _told(where.select(store, "events", f"order by version desc limit {limit}"))


def events_of(
    store: Store, topics: Sequence[str], *, after: int = 0, upto: int = END, saying: str = "", limit: int = END
) -> list[Told]:
    """The events of the topics (none: of all) after a position, oldest first; only those with a text in their entry."""
    where = _Where()
    where.among("topic", topics)
    where.add("position > {}", after)
    where.add("position <= {}", upto)
    if saying:
        where.add("entry like {} escape '\\'", _says(saying))
    return _told(where.select(store, "events", f"order by position limit {limit}"))


def newest_first(
    store: Store,
    topics: Sequence[str] = (),
    *,
    before: int = END,
    after: int = 0,
    lacking: str = "",
    about: About = ANY,
    page: int = PAGE,
) -> Iterator[Told]:
    """The events of the topics (none: of all) before a position and after another, page by page: who has found what he
    wants, stops. `lacking`: without that text in their entry.
    """
    page = min(page, PAGE)  # who asks for more than there can be asks for all: no database counts so far
    while True:
        where = _Where()
        where.among("topic", topics)
        where.add("position < {}", before)
        if after:
            where.add("position > {}", after)
        if about.dataset:
            named = _says(f'"dataset":"{about.dataset}"')
            listed = _says('"datasets":[', f'"{about.dataset}"', '],"reason":"')  # a reversal names all it touched
            either = "(stream = {} or entry like {} escape '\\' or entry like {} escape '\\')"
            where.add(either, f"dataset-{about.dataset}", named, listed)
        if about.by:
            # A letter outside of ASCII may stand for one within it: who asks compares the name that it spells.
            plain = "lower(entry) like {} escape '\\' or " if about.by.isascii() else ""
            where.add(f"({plain}{_WIDE})", *([_by(about.by)] if plain else []))
        if lacking:
            where.add("entry not like {} escape '\\'", _says(lacking))
        if about.stream:
            # A run's id is a text like no other: whatever says it names that run (as overlapped, as the earlier one).
            named = _says(f'"{about.stream}"' if about.stream.startswith(RUNS) else f'"run":"{about.stream}"')
            where.add("(stream = {} or entry like {} escape '\\')", about.stream, named)
        found = _told(where.select(store, "events", f"order by position desc limit {page}"))
        yield from found
        if len(found) < page:
            return
        before, page = found[-1].position, PAGE


def newest(store: Store, topics: Sequence[str] = (), *, before: int = END, lacking: str = "") -> Told | None:
    """The newest event of the topics (none: of all) before a position, without a text in its entry; None: no such."""
    return next(newest_first(store, topics, before=before, lacking=lacking, page=1), None)


def at_positions(store: Store, positions: Sequence[int]) -> list[Told]:
    """The events at some positions, as far as there are any; so many at once as a statement can name."""
    found: list[Told] = []
    for begin in range(0, len(positions), PAGE):
        where = _Where()
        where.among("position", positions[begin : begin + PAGE])
        found += _told(where.select(store, "events"))
    return found


def times_after(store: Store, position: int, *, but: str) -> list[tuple[int, str]]:
    """Each time (as it is stored) of the events after a position, of all topics `but` one, with its first position."""
    where = _Where()
    where.add("position > {}", position)
    where.add("topic <> {}", but)
    return [(int(first), str(at)) for first, at in where.select(store, "first_positions", "group by at order by 1")]


def _told(rows: Found) -> list[Told]:
    return [Told(*row) for row in rows]
