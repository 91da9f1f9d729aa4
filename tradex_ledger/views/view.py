"""Projections as tables of one connection, as of one position: from zero, or from what is kept of them.

Each is worked out by its own statement. What differs is what that statement finds under the name `events` (or under
that of another projection): DuckDB looks for names in the schemas of its search path, in order.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from tradex_ledger import lifecycle
from tradex_ledger.ledger import segments
from tradex_ledger.ledger.columnar import WITH_DATA, Events, among, scan, typed
from tradex_ledger.ledger.rows import check_some
from tradex_ledger.ledger.select import Store, read
from tradex_ledger.ledger.tail import Use
from tradex_ledger.views import projected
from tradex_ledger.views.kept import COUNTS, Generation
from tradex_ledger.views.projected import LIFECYCLE, By, How

HISTORY = "partition_history"
_RUNS = "runs"
_NEW = "new"
_TOUCHED = "touched"
_BEHIND = "behind"
_MERGED = "merged"
_OF_TOUCHED = f"run_id in (select run_id from {_TOUCHED}.run_ids)"
_OF_BEHIND = f"(dataset, partition) in (select (dataset, partition) from {_TOUCHED}.keys)"
_REBUILT = "run.partition_rebuilt"
BUILT = f"topic = '{_REBUILT}'"
LARGE = "files, inputs"
"""What of a build is as its event has it, and large: it is looked up for the few builds that are needed after all."""
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
        counts = generation.file(COUNTS) if generation is not None else None
        self._generation = generation if counts is not None else None
        self.above = generation.position if generation is not None and counts is not None else 0
        found = connection.execute(f"select topic, events from {scan([str(counts)])}").fetchall() if counts else []
        self._older = {str(topic): int(count) for topic, count in found}
        tail = use.table(store, self.above, upto, topics) if use is not None else None
        self.events = Events(connection, store, upto, topics, above=self.above, older=self._older, tail=tail)
        self._files: dict[str, Path | None] = {COUNTS: counts}
        self.present = {projected.EVENTS}
        self.prepared: set[str] = set()
        self._parts: set[str] = set()
        """Those that are views of files, and of what is not in them."""
        self._is_bare = False
        self._is_near = upto - self.above <= segments.EVENTS
        """So few events are new that they are copied: to plan a statement takes the longer, the more parts `events` has."""

    def add(self, name: str) -> None:
        """Work a projection out, and what it is written over, where it is not there yet."""
        try:
            self._add(name)
        except duckdb.IOException:
            if self._is_bare:
                raise
            self._do_without()
            self._add(name)

    def hold(self, held: str = "") -> None:
        """Have the events that are at hand in memory, but the builds, nine in ten; or in what is `held` already."""
        try:
            self.events.hold_all_but(_REBUILT, held)
        except duckdb.IOException:
            self._do_without()

    def _do_without(self) -> None:
        """Read the ledger alone: somebody has just taken the files of the caches away."""
        self._is_bare, self._generation, self.above, self._older, self._files = True, None, 0, {}, {}
        for name in self._parts:
            self.connection.execute(f'drop view "{name}"')
        for schema in self.prepared:
            self.connection.execute(f"drop schema if exists {schema} cascade")
        self.present -= self._parts
        self._parts.clear()
        self.connection.execute("drop view events; drop table ledger_events")
        self.events = Events(self.connection, self.store, self.upto, self._topics, by_file=False)

    def _add(self, name: str) -> None:
        if name in self.present:
            return
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
        return [*self.events.files, *(str(self._files[name]) for name in sorted(self._parts))]

    def _add_whole(self, name: str) -> None:
        """From all events that it follows from."""
        topic = projected.rare(name)
        if topic and not self._older.get(topic) and not self.events.holds(topic):
            self.connection.execute(f'create table "{name}" ({projected.columns(name)})')
            return
        self._add_others(name)
        if (topics := projected.own_topics(name)) is not None:
            self.events.add_older(topics)
        statement = projected.sql(name)
        if kept := projected.kept(name):
            statement = f"select * from ({statement}) order by {kept.order}"
        self.connection.execute(f'create table "{name}" as {statement}')

    def _add_others(self, name: str, *but: str) -> None:
        for other in projected.written_over(name):
            if other not in but:
                self._add(other)

    def _add_kept(self, name: str) -> bool:
        """From what is kept of it and the events since; False where nothing is kept of it."""
        how, file = projected.kept(name), self._file(name)
        if how is None or file is None:
            return False
        old, order, again = scan([str(file)]), how.order, f"select * from ({projected.sql(name)})"
        if how.by is By.EVENT:
            self._prepare_new()
            statement, schema = f"from {old} union all by name {again}", _NEW
        elif how.by is By.SUM:
            self._prepare_new()
            both = f"from {old} union all by name {again}"
            sums = f"select * exclude ({how.of}), sum({how.of})::bigint as {how.of} from ({both}) group by all"
            statement, schema = f"select {projected.column_names(name)} from ({sums})", _NEW
        elif self._file(_RUNS) is None:
            return False
        elif how.by is By.RUN:
            self._prepare_touched(how.wide)
            statement, schema = f"from {old} where not {_OF_TOUCHED} union all by name {again}", _TOUCHED
        elif how.of == HISTORY:
            self._add_part(name, how, old)
            return True
        else:
            return self._add_over(name, how, old)
        self._add_others(name)
        self.create(f'main."{name}"', f"select * from ({statement}) order by {order}", schema)
        return True

    def _file(self, name: str) -> Path | None:
        """The file of what is kept of a projection; it is looked at before anything of it is believed."""
        if self._generation is None or not projected.kept(name):
            return None
        if name not in self._files:
            self._files[name] = self._generation.file(name)
        return self._files[name]

    def old(self, name: str) -> str | None:
        """The rows of a projection as of the generation, in SQL; None where nothing is kept of it."""
        file = self._file(name)
        return None if file is None else scan([str(file)])

    def create(self, table: str, statement: str, schema: str) -> None:
        """Make a table of what a statement says within a schema, and with the tables of all schemas behind it."""
        self.connection.execute(f"set search_path = '{schema},main'")
        try:
            self.connection.execute(f"create table {table} as {statement}")
        finally:
            self.connection.execute("set search_path = 'main'")

    def _prepare_new(self) -> None:
        """The events above the generation."""
        if _NEW not in self.prepared:
            self.prepared.add(_NEW)
            self.connection.execute(f"create schema {_NEW}")
            self.connection.execute(f"create view {_NEW}.events as select {WITH_DATA} from ({self.events.newer})")

    def _prepare_touched(self, wide: tuple[str, ...]) -> None:
        """The events of all runs that have one above the generation, older ones, too; and those of some topics."""
        if _TOUCHED not in self.prepared:
            self.prepared.add(_TOUCHED)
            self.connection.execute(f"create schema {_TOUCHED}")
            self.connection.execute(
                f"create table {_TOUCHED}.run_ids as select distinct run_id from main.events "
                f"where position > {self.above} and run_id is not null"
            )
            runs = self._file(_RUNS)
            assert runs is not None
            spans = self.connection.execute(
                f"select position, last_position from {scan([str(runs)])} where {_OF_TOUCHED}"
            ).fetchall()
            self.events.pick(f"{_TOUCHED}.older", spans, _OF_TOUCHED)
            if self._is_near:
                self.connection.execute(f"insert into {_TOUCHED}.older {self.events.newer}")
        if wide:
            self.events.add_older(wide)
        parts = [f"select {WITH_DATA} from {_TOUCHED}.older"]
        if not self._is_near:
            parts.append(f"from main.events where position > {self.above}")
        if any(self._older.get(topic) for topic in wide):
            others = f"{among('topic', wide)} and (run_id is null or not {_OF_TOUCHED})"
            parts.append(f"from main.events where position <= {self.above} and {others}")
        self.connection.execute(f"create or replace view {_TOUCHED}.events as {' union all '.join(parts)}")

    def _add_over(self, name: str, how: How, old: str) -> bool:
        """A view of what is kept of a projection over such a part; False where it has to be worked out anew."""
        self._add(how.of)
        if how.of not in self._parts or any(self.events.holds(topic) for topic in how.anew):
            return False
        self._add_others(name)
        if (topics := projected.own_topics(name)) is not None:
            self.events.add_older(topics)
        schema = f"over_{name}"
        self.prepared.add(schema)
        self.connection.execute(f"create schema {schema}")
        self.connection.execute(f'create view {schema}."{how.of}" as from {_MERGED}.part')
        self.create(f"{schema}.again", projected.sql(name), schema)
        self.connection.execute(
            f'create view main."{name}" as select * from {old} where not {_alike(how.alike)} '
            f"union all by name from {schema}.again"
        )
        self._parts.add(name)
        return True

    def _add_part(self, name: str, how: How, old: str) -> None:
        """A view of what is kept of a part of a projection, but for what is like rows that are worked out again."""
        self._prepare_touched(())
        self._add_others(name, how.of)
        self._add_others(how.of)
        self.prepared.add(_MERGED)
        self.connection.execute(f"create schema {_MERGED}")
        rest, schema = f"select * exclude ({LARGE}) from {old} where not {_OF_TOUCHED}", _TOUCHED
        if self._prepare_behind(old):
            rest, schema = f"{rest} and not {_OF_BEHIND}", _BEHIND
        self.create(f"{_MERGED}.again", f"select * exclude ({LARGE}) from ({projected.sql(how.of)})", schema)
        # All that those runs ever wrote there is among it, so that what is kept of them has no others.
        self.connection.execute(f"create table {_MERGED}.alike as select distinct {how.alike} from {_MERGED}.again")
        is_alike = _alike(how.alike)
        self.connection.execute(
            f'create table {_MERGED}."{how.of}" as {rest} and {is_alike} union all by name from {_MERGED}.again'
        )
        self.create(f"{_MERGED}.needed", projected.sql(name), _MERGED)
        # What is large is carried along by these few alone.
        self.connection.execute(
            f"create table {_MERGED}.part as from {_MERGED}.needed join ("
            f"select position, {LARGE} from {old} where position in "
            f"(select position from {_MERGED}.needed anti join {_MERGED}.again using (position)) union all by name "
            f"select position, files, case when {BUILT} then inputs end as inputs from {schema}.events where position in (select position from {_MERGED}.again)) using (position)"
        )
        self.connection.execute(
            f'create view main."{name}" as select * from {old} where not {is_alike} '
            f"union all by name from {_MERGED}.part"
        )
        self._parts.add(name)

    def gather(self, schema: str, spans: list[tuple[int, int]], condition: str) -> None:
        """Older builds, of some spans of positions, and what decides whether readers see what their runs built."""
        self.prepared.add(schema)
        self.connection.execute(f"create schema {schema}")
        self.events.pick(f"{schema}.older", spans, condition)
        runs = [run for (run,) in self.connection.execute(f"select distinct run_id from {schema}.older").fetchall()]
        for begin in range(0, len(runs), _STREAMS):
            some = runs[begin : begin + _STREAMS]
            rows = self.store.select(read("streams_of_topics"), streams=some, topics=_ends())
            entries = [row[-1] for row in check_some(self.store.ledger, rows)]
            typed(self.connection, f"insert into {schema}.older", entries, f"position <= {self.above}")

    def _prepare_behind(self, old: str) -> bool:
        """What stood behind what was reverted since: all that was ever built of those partitions, by whichever run."""
        self.connection.execute(
            f"create table {_TOUCHED}.keys as select distinct dataset, partition from {old} "
            "where layer <> 'bronze' and run_id in (select run_id from main.events "
            f"where topic = 'backfill.reverted' and position > {self.above})"
        )
        if not self.connection.execute(f"from {_TOUCHED}.keys limit 1").fetchall():
            return False
        self._add("run_datasets")
        spans = self.connection.execute(
            "select distinct d.first_position, d.last_position from run_datasets d "
            f"join {_TOUCHED}.keys k on k.dataset = d.dataset and k.partition between d.first and d.last"
        ).fetchall()
        self.gather(_BEHIND, spans, f"{BUILT} and {_OF_BEHIND} and not {_OF_TOUCHED}")
        self.connection.execute(
            f"create view {_BEHIND}.events as from {_TOUCHED}.events union all select {WITH_DATA} from {_BEHIND}.older"
        )
        return True


def _alike(columns: str) -> str:
    """The condition that a row is like one that is worked out again."""
    return f"({columns}) in (select ({columns}) from {_MERGED}.alike)"


def _ends() -> tuple[str, ...]:
    """The topics of what decides whether readers see what a run built."""
    return ("run.published", "backfill.reverted", *(step.topic for step in lifecycle.steps() if step.gives_up))
