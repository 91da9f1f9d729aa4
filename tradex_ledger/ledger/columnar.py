"""The events as one DuckDB relation, as of a position.

What is asked decides what is read. The events above a position are at hand, all of them or those of some topics. Of
those below it, which other answers were made of, only what somebody still needs is added: few events through the
ledger's index by topic, many from the segments, which DuckDB reads column by column and only where it must.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

import duckdb

from tradex_ledger.ledger import segments
from tradex_ledger.ledger.rows import check_some
from tradex_ledger.ledger.segments import Segments
from tradex_ledger.ledger.select import Store, read
from tradex_ledger.ledger.typed import RECIPE, among, entries_of, file_of, put_pieces, scan, typed
from tradex_ledger.paths import sql_text

_NONE: Mapping[str, int] = {}
WITH_DATA = "* exclude (entry), (entry::json -> '$.data')::json as data, entry"
"""The columns of `events`, of those that are stored."""
FEW = 20_000
"""Events of some topics that are read one by one, through the index; of more, segments are."""


class Events:
    """`events` in a connection: those of the positions above…upto, and of older ones what is added.

    With `topics` only theirs. `tail` is a table that has those above the position already, and maybe more. `older` are
    the number of older events of each topic; they are not looked at until somebody wants them. Wherever rows come from
    they are the same, so that nothing that is asked of them can tell: from the files of segments, unless not `by_file`,
    and from the ledger.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        store: Store,
        upto: int,
        topics: tuple[str, ...] = (),
        *,
        above: int = 0,
        older: Mapping[str, int] = _NONE,
        by_file: bool = True,
        tail: str | None = None,
    ) -> None:
        self.connection = connection
        self.above = above
        self.files: list[str] = []
        """The files of segments that `events` reads while it is asked."""
        self._store = store
        self._segments = Segments(store, RECIPE) if by_file else None
        self._lacking = dict(older)
        self._scans: list[str] = []
        self._apart: list[str] = []
        self.large = ""
        """Where what is large of events stands that are held without it, in SQL, beside their positions."""
        self._has_table = tail is not None
        self._newer_topics: set[str] | None = None
        self.newer = self._newer()
        """The events above the position, with the columns of `events` but `data`, in SQL."""
        if tail is not None:
            connection.execute(f"create table ledger_events as from {tail} limit 0")
            rows = f"from {tail} where position <= {upto} and {among('topic', topics) if topics else 'true'}"
            self._scans.append(rows)
            self.newer = f"{rows} and position > {above}"
        else:
            self._add(above + 1, upto, topics)
        if not self._has_table:
            self._typed([])
        self._show()

    def add_older(self, topics: Sequence[str]) -> None:
        """Add the older events of some topics (none: of all), but once."""
        wanted = {topic: self._lacking.pop(topic) for topic in topics or tuple(self._lacking) if topic in self._lacking}
        count = sum(wanted.values())
        if not count:
            return
        if count < FEW:
            rows = self._store.select(read("range_of_topics"), first=1, last=self.above, topics=tuple(wanted))
            entries = [row[-1] for row in check_some(self._store.ledger, rows)]
            if len(entries) == count:
                self._typed(entries)
                return  # else the index has lost some
        self._add(1, self.above, (), among("topic", wanted))
        self._show()

    def holds(self, topic: str) -> bool:
        """Whether an event of a topic is among those above the position."""
        if self._newer_topics is None:
            found = self.connection.execute(f"select distinct topic from ({self.newer})").fetchall()
            self._newer_topics = {topic for (topic,) in found}
        return topic in self._newer_topics

    def suppose(self, entries: list[str]) -> None:
        """Have events behind the last one that did not happen. Raises `BrokenRowError`."""
        typed(self.connection, "insert into ledger_events", entries)
        self.newer, self._newer_topics = self._newer(), None

    def _newer(self) -> str:
        return f"select * exclude (data) from main.events where position > {self.above}"

    def hold_all_but(self, topic: str, held: str = "") -> None:
        """Read the events that are at hand once, but those of a topic: for who asks for the others many times.

        `held`: a relation that has them all already, with the columns of `events` but `data`.
        """
        if not self._scans:
            return
        name = sql_text(topic)
        if not held:
            rows = " union all ".join(f"{one} and topic <> {name}" for one in self._scans)
            self.connection.execute(f"create table held_events as {rows}")
        others = f"from {held} anti join ledger_events using (position) where topic <> {name}"
        # The topic as a constant: of who asks for another, DuckDB sees that there is nothing for them in the files.
        files = [f"select * replace ({name} as topic) {one} and topic = {name}" for one in self._scans]
        self._scans = [others if held else "from held_events", *files]
        self._apart = files
        self._show()

    def hold_apart(self, topic: str, large: str) -> None:
        """Read those of the topic once, too, but some columns, and `entry`: in `events` these are null from now on.

        Who needs them asks `large`.
        """
        if not self._apart:
            return
        rows = " union all ".join(f"select * exclude (topic, {large}, entry) from ({one})" for one in self._apart)
        self.connection.execute(f"create table apart_events as {rows}")
        held = [one for one in self._scans if one not in self._apart]
        self._scans = [*held, f"select *, {sql_text(topic)} as topic from apart_events"]
        self.large = " union all ".join(f"select position, {large} from ({one})" for one in self._apart)
        self._show()

    def pick(self, table: str, spans: Iterable[tuple[int, int]], condition: str) -> None:
        """Make a table of the older events of some spans of positions, those of which a condition holds.

        `condition` is SQL of ours over the columns of `events` but `data`.
        """
        self.connection.execute(f"create table {table} as from ledger_events limit 0")
        size = segments.EVENTS
        numbers = (range((first - 1) // size, (min(last, self.above) - 1) // size + 1) for first, last in spans)
        for number in sorted(set(chain.from_iterable(numbers))):
            first, last = number * size + 1, min((number + 1) * size, self.above)
            file = self._file(first)
            if file is None:
                typed(self.connection, f"insert into {table}", entries_of(self._store, first, last), condition)
            else:
                rows = f"from {scan([file])} where {condition} and position <= {last}"
                self.connection.execute(f"insert into {table} {rows}")

    def _add(self, first: int, last: int, topics: tuple[str, ...], condition: str = "") -> None:
        """Add a range, from the files of its full segments and the ledger for the rest."""
        condition = condition or (among("topic", topics) if topics else "true")
        files: list[str] = []
        for begin in self._segments.firsts(first, last) if self._segments is not None else ():
            file = self._file(begin)
            if file is None:
                break
            files.append(file)
        there = first + len(files) * segments.EVENTS
        if files:
            self.files += files
            self._scans.append(f"from {scan(files)} where position between {first} and {last} and {condition}")
        if self._segments is not None and not self._has_table:
            behind = put_pieces(self.connection, self._segments, "ledger_events", there, last, topics)
            self._has_table, there = behind > there, behind
        for start in range(there, last + 1, segments.EVENTS):
            entries = entries_of(self._store, start, min(start + segments.EVENTS - 1, last), topics)
            self._typed(entries, condition)

    def _file(self, first: int) -> str | None:
        """The file of the segment that begins there, made if need be."""
        segment = self._segments.at(first) if self._segments is not None else None
        if self._segments is None or segment is None:
            return None
        return file_of(self.connection, self._segments, segment)

    def _typed(self, entries: list[str], condition: str = "true") -> None:
        """Put entries into the table of those that no segment gives. Raises `BrokenRowError`."""
        # The first with the table itself: to plan it costs most.
        typed(
            self.connection, "insert into ledger_events" if self._has_table else "create table ledger_events as",
            entries, condition,
        )  # fmt: skip
        self._has_table = True

    def _show(self) -> None:
        parts = (" union all by name " if self.large else " union all ").join([*self._scans, "from ledger_events"])
        self.connection.execute(f"create or replace view events as select {WITH_DATA} from ({parts})")
