"""Projections as tables of one connection, as of one position: from zero, or from what is kept of them.

Each is worked out by its own statement. What differs is what that statement finds under the name `events` (or under
that of another projection): DuckDB looks for names in the schemas of its search path, in order.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb

from tradex_ledger import lifecycle
from tradex_ledger.ledger import segments
from tradex_ledger.ledger.columnar import WITH_DATA, Events
from tradex_ledger.ledger.rows import check_some
from tradex_ledger.ledger.select import Store, read
from tradex_ledger.ledger.tail import Use
from tradex_ledger.ledger.typed import among, scan, typed
from tradex_ledger.views import projected
from tradex_ledger.views.kept import COUNTS, NOTHING, Generation
from tradex_ledger.views.lane import Lane, within
from tradex_ledger.views.parts import LARGE, OF_TOUCHED, REBUILT, TOUCHED, add_over, add_part, ends
from tradex_ledger.views.projected import LIFECYCLE, By
from tradex_ledger.views.since import add_of_events, add_of_runs, add_sums

HISTORY = "partition_history"
_RUNS = "runs"
_STREAMS = 400
"""Streams that are asked for in one statement."""


class View:
    """What a connection holds as of a position, and what of it was worked out."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        store: Store,
        upto: int,
        generation: Generation | None,
        topics: tuple[str, ...] = (),
        use: Use | None = None,
    ) -> None:
        self.connection = connection
        self.store, self.upto, self._topics = store, upto, topics
        counts = generation.file(COUNTS) if generation is not None and generation is not NOTHING else None
        self._generation = generation if counts is not None or generation is NOTHING else None
        self.above = self._generation.position if self._generation is not None else 0
        found = connection.execute(f"select topic, events from {scan([str(counts)])}").fetchall() if counts else []
        self._older = {str(topic): int(count) for topic, count in found}
        tail = use.table(store, self.above, upto, topics) if use is not None else None
        self.events = Events(connection, store, upto, topics, above=self.above, older=self._older, tail=tail)
        self._files: dict[str, Path | None] = {COUNTS: counts}
        self.present = {projected.EVENTS}
        self.prepared: set[str] = set()
        self.parts: set[str] = set()
        """Those that are views of files, and of what is not in them."""
        self._is_bare = False
        self._wide: tuple[str, ...] = ()
        self._touched = ""  # what the events of touched runs are, in SQL
        self._lane: Lane | None = None
        self._is_near = upto - self.above <= segments.EVENTS
        """So few events are new that they are copied: the more parts `events` has, the longer it takes to plan."""

    def add(self, name: str) -> None:
        """Work a projection out, and what it is written over, where it is not there yet."""
        if name in self.parts and (file := self._files.get(name)) is not None and not file.exists():
            self._do_without()
        try:
            self.include(name)
        except duckdb.IOException:
            if self._is_bare:
                raise
            self._do_without()
            self.include(name)

    def add_all(self, names: Iterable[str]) -> None:
        """Work several projections out, two at a time, and what they are written over, where they are not there yet."""
        wanted, is_alone = list(names), self._lane is None
        try:
            self.begin(wanted)
            for name in wanted:
                self.add(name)
        finally:
            if is_alone:
                self.close()

    def begin(self, names: Sequence[str]) -> None:
        """Have projections worked out beside what comes next; who asks for one waits for it. It is to be closed.

        Of many events the rows cost more than the planning, and two statements would be in each other's way.
        """
        wanted = [name for name in names if name not in self.present]
        if len(wanted) < 2 or not self._is_near or (os.cpu_count() or 1) < 2:
            return
        apart = [name for name in sorted(projected.closure(wanted)) if projected.is_apart(name) and name not in wanted]
        self._lane = self._lane or Lane(self.connection)
        try:
            for name in [*(name for name in wanted if projected.is_apart(name)), *apart, *wanted]:
                if name not in self.present:
                    self._begin(name)
        except duckdb.IOException:
            if self._is_bare:
                raise
            self._do_without()

    def close(self) -> None:
        """Work nothing out any more that nobody has waited for."""
        if self._lane is not None:
            undone, self._lane = self._lane.close(), None
            self.present -= undone
            self.parts -= undone

    def hold(self, held: str = "") -> None:
        """Have the events that are at hand in memory, but the builds, nine in ten; or in what is `held` already."""
        try:
            self.events.hold_all_but(REBUILT, held)
        except duckdb.IOException:
            self._do_without()

    def hold_all(self) -> None:
        """Have the events that are at hand in memory, all of them, but what is large of the builds (`parts.LARGE`): for
        who asks for what is kept, and nothing else."""
        try:
            self.events.hold_all_but(REBUILT)
            self.events.hold_apart(REBUILT, LARGE)
        except duckdb.IOException:
            self._do_without()

    def _do_without(self) -> None:
        """Read the ledger alone: somebody has just taken the files of the caches away."""
        self.close()
        self._is_bare, self._generation, self.above, self._older, self._files = True, None, 0, {}, {}
        for name in self.parts:
            self.connection.execute(f'drop view if exists "{name}"')
        for schema in self.prepared:
            self.connection.execute(f"drop schema if exists {schema} cascade")
        self.present -= self.parts
        self.parts.clear()
        self.connection.execute("drop view events; drop table ledger_events")
        self.events = Events(self.connection, self.store, self.upto, self._topics, by_file=False)

    def include(self, name: str) -> None:
        """The same for who handles what `add` does when files are gone."""
        if name not in self.present:
            self._begin(name)
        if self._lane is not None:
            self._lane.wait(name)

    def _begin(self, name: str) -> None:
        """Work a projection out, or leave its statement to the second thread: whoever needs it waits for it."""
        if name == LIFECYCLE:
            self.connection.execute(f"create table lifecycle ({lifecycle.COLUMNS}) as {lifecycle.as_values()}")
        elif not self._add_kept(name):
            self._add_whole(name)
        self.present.add(name)

    def all_events(self) -> None:
        """Have all events in `events`."""
        self.events.add_older(())

    def files(self) -> list[str]:
        """The files that are read when what there is is asked."""
        return [*self.events.files, *(str(self._files[name]) for name in sorted(self.parts & self._files.keys()))]

    def _add_whole(self, name: str) -> None:
        """From all events that it follows from."""
        topic = projected.rare(name)
        if topic and not self._older.get(topic) and not self.events.holds(topic):
            self.connection.execute(f'create table "{name}" ({projected.columns(name)})')
            return
        self.begin_others(name)
        if (topics := projected.own_topics(name)) is not None:
            self.events.add_older(topics)
        statement = projected.sql(name)
        if kept := projected.kept(name):
            statement = f"select * from ({statement}) order by {kept.order}"
        self.leave(name, "main", f'create table main."{name}" as {statement}')

    def begin_others(self, name: str) -> None:
        """Have what a projection is written over begun: what is left to be done of it waits for that."""
        for other in projected.written_over(name):
            if other not in self.present:
                self._begin(other)

    def add_others(self, name: str, *but: str) -> None:
        """Work out what a projection is written over, but some."""
        for other in projected.written_over(name):
            if other not in but:
                self.include(other)

    def _add_kept(self, name: str) -> bool:
        """From what is kept of it and the events since; False where nothing is kept of it."""
        how, old = projected.kept(name), self.old(name)
        if how is None or old is None:
            return False
        if how.by is By.EVENT:
            add_of_events(self, name, how, old)
        elif how.by is By.SUM:
            add_sums(self, name, how, old)
        elif self.old(_RUNS) is None:
            return False
        elif how.by is By.RUN:
            add_of_runs(self, name, how, old)
        elif how.of == HISTORY:
            add_part(self, name, how, old)
        else:
            return add_over(self, name, how, old)
        return True

    def old(self, name: str) -> str | None:
        """The rows of a projection as of the generation, in SQL; None where nothing is kept of it.

        Its file is looked at before anything of it is believed.
        """
        if self._generation is None or not projected.kept(name):
            return None
        if self._generation is NOTHING:
            return projected.nothing(name)
        if name not in self._files:
            self._files[name] = self._generation.file(name)
        file = self._files[name]
        return None if file is None else scan([str(file)])

    def create(self, table: str, statement: str, schema: str) -> None:
        """Make a table of what a statement says within a schema, and with the tables of all schemas behind it."""
        within(self.connection, schema, f"create table {table} as {statement}")

    def leave(self, name: str, schema: str, *statements: str) -> None:
        """Have statements run that make a projection, within a schema: by the second thread, where there is one."""
        if self._lane is None:
            within(self.connection, schema, *statements)
        else:
            needs = projected.written_over(name)
            self._lane.leave(name, needs, lambda connection: within(connection, schema, *statements))

    def prepare_touched(self, wide: tuple[str, ...]) -> None:
        """The events of all runs that have one above the generation, older ones, too; and those of some topics."""
        if TOUCHED not in self.prepared:
            self.prepared.add(TOUCHED)
            self.connection.execute(f"create schema {TOUCHED}")
            self.connection.execute(
                f"create table {TOUCHED}.run_ids as select distinct run_id from main.events "
                f"where position > {self.above} and run_id is not null"
            )
            spans = self.connection.execute(
                f"select position, last_position from {self.old(_RUNS)} where {OF_TOUCHED}"
            ).fetchall()
            self.events.pick(f"{TOUCHED}.older", spans, OF_TOUCHED)
            if self._is_near:
                both = f"from {TOUCHED}.older union all {self.events.newer}"
                self.connection.execute(f"create table {TOUCHED}.copied as {both}")
                self.connection.execute(f"drop table {TOUCHED}.older")
        elif wide == self._wide:
            return
        self._wide = wide
        if wide:
            self.events.add_older(wide)
        parts = [f"select {WITH_DATA} from {TOUCHED}.copied"]
        if not self._is_near:
            parts = [
                f"from main.events where position > {self.above} union all select {WITH_DATA} from {TOUCHED}.older"
            ]
        if any(self._older.get(topic) for topic in wide):
            others = f"{among('topic', wide)} and (run_id is null or not {OF_TOUCHED})"
            parts.append(f"from main.events where position <= {self.above} and {others}")
        if (events := " union all ".join(parts)) != self._touched:
            if self._lane is not None:
                self._lane.wait_for_all()
            self._touched = events
            self.connection.execute(f"create or replace view {TOUCHED}.events as {events}")

    def gather(self, schema: str, spans: list[tuple[int, int]], condition: str) -> None:
        """Older builds, of some spans of positions, and what decides whether readers see what their runs built."""
        self.prepared.add(schema)
        self.connection.execute(f"create schema {schema}")
        self.events.pick(f"{schema}.older", spans, condition)
        runs = [run for (run,) in self.connection.execute(f"select distinct run_id from {schema}.older").fetchall()]
        for begin in range(0, len(runs), _STREAMS):
            some = runs[begin : begin + _STREAMS]
            rows = self.store.select(read("streams_of_topics"), streams=some, topics=ends())
            entries = [row[-1] for row in check_some(self.store.ledger, rows)]
            typed(self.connection, f"insert into {schema}.older", entries, f"position <= {self.above}")
