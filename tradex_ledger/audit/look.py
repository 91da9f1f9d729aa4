"""What a ledger says to who only asks: it needs no workspace, and loads neither what runs things nor SQLAlchemy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from tradex_ledger.audit.reader import Reader
from tradex_ledger.config import Config, open_config
from tradex_ledger.lake.open import open_lake
from tradex_ledger.lake.port import Lake
from tradex_ledger.ledger.ask import END
from tradex_ledger.ledger.select import Store, open_store
from tradex_ledger.views import Asked, AsOf, is_past, resolve

if TYPE_CHECKING:
    from tradex_ledger.audit.answer import Answer
    from tradex_ledger.audit.documents.calendar import Calendar
    from tradex_ledger.audit.documents.dataset import DatasetDocument
    from tradex_ledger.audit.documents.evidence import EvidenceDocument, ProofDocument, TilesDocument
    from tradex_ledger.audit.documents.held import Held
    from tradex_ledger.audit.documents.listed import Listed
    from tradex_ledger.audit.documents.mirrors import MirrorDocument
    from tradex_ledger.audit.documents.status import StatusDocument
    from tradex_ledger.audit.documents.timeline import Timeline
    from tradex_ledger.audit.documents.verify import VerifyDocument
    from tradex_ledger.audit.documents.why import WhyDocument
    from tradex_ledger.audit.head import Head, Stated
    from tradex_ledger.audit.metrics import Follower, Metric
    from tradex_ledger.audit.put_back import PutBack
    from tradex_ledger.audit.query import QueryOptions
    from tradex_ledger.audit.rebuilt import Rebuilt
    from tradex_ledger.relations.data import Engine, TwoContents
    from tradex_ledger.relations.days import Moment
    from tradex_ledger.relations.messages import Message
    from tradex_ledger.relations.runs import Alert, PipelineState, StateMove


@dataclass(frozen=True, slots=True)
class Look:
    """A ledger to be asked, the settings beside it, and its lake. `as_of` is a position, a day, a time, a run, or what
    `at` made of it; None: now."""

    store: Store
    config: Config
    lake: Lake

    @staticmethod
    def open(folder: str | Path = ".") -> Look:
        """The ledger of the workspace in a folder, or of the nearest one above it."""
        config = open_config(folder)
        lake = open_lake(config.lake, reading=True)  # first: where it is refused, no ledger was opened
        return Look(open_store(config.ledger_url, config.folder), config, lake)

    def at(self, as_of: Asked) -> AsOf:
        """The position that is meant. Raises: `NoSuchPositionError`, `UsageError`."""
        return resolve(self.store, as_of)

    def head(self, at: AsOf) -> Head:
        """Where an answer as of a position stands."""
        from tradex_ledger.audit.head import head_of

        return head_of(self.store, self.config, at)

    def stated(self, found: object, at: AsOf) -> Stated:
        """An answer with where it stands."""
        from tradex_ledger.audit.head import Stated

        return Stated(found, self.head(at))

    def strange(self) -> Iterator[str]:
        """Whether ledger and lake do not belong together, and the ledger is not what its heads say that it was."""
        from tradex_ledger.lake.identity import problem
        from tradex_ledger.sealing.heads import problem as other_head
        from tradex_ledger.sealing.places import places_of

        places = places_of(self.config.folder, self.store.ledger, self.config.checkpoints.sinks)
        for found in (problem(self.store, self.lake), other_head(self.store, places.all)):
            if found is not None:
                yield f"{found.message}; {found.mend}"

    def prove(self, position: int, file: Path | None = None) -> ProofDocument:
        """The proof of the event at a position, laid in a new file if one is named: see `audit.prove`."""
        from tradex_ledger.audit.prove import prove

        return prove(self.store, self.config, position, file)

    def export(self, run: str, folder: Path) -> EvidenceDocument:
        """Lay the evidence of the run whose id begins so in a new folder: see `audit.prove`."""
        from tradex_ledger.audit.prove import export

        return export(self.store, self.config, run, folder)

    def tiles(self, folder: Path) -> TilesDocument:
        """Lay what a folder lacks of the ledger as a tiled log: see `audit.prove`."""
        from tradex_ledger.audit.prove import lay_tiles

        return lay_tiles(self.store, self.config, folder)

    def unrecorded(self) -> Iterator[str]:
        """Whether the settings propose another policy than the one on record: it has no effect."""
        from tradex_ledger.audit.policy import unrecorded

        if text := unrecorded(self.store, self.config.policy):
            yield text

    def verify(self, *, since: str | None = None, heads: Sequence[Path] = (), with_lake: bool = True) -> VerifyDocument:
        """Everything hashed again: see `audit/verify.py`."""
        from tradex_ledger.audit.verify import verify

        return verify(self.config, self.lake if with_lake else None, since=since, heads=heads)

    def status(self, as_of: Asked = None, *, now: datetime, mirrors: Sequence[MirrorDocument] = ()) -> StatusDocument:
        """Where things stand; definitions, the clock (`now`, UTC) and `mirrors`, as somebody has found them, are held
        against today's state only."""
        from tradex_ledger.audit.documents.status import status

        past = is_past(as_of)
        return status(Reader(self.store, as_of), self.config, None if past else now, () if past else mirrors)

    def metrics(self, *, now: datetime, mirrors: Iterable[Follower] = ()) -> list[Metric]:
        """Where things stand now, in numbers; `mirrors` are told by who knows them."""
        from tradex_ledger.audit.metrics import metrics

        return metrics(self, now, mirrors)

    def runs(
        self, as_of: Asked = None, *, kind: str | None = None, status: str | None = None, limit: int | None = None
    ) -> list[Listed]:
        """Runs, newest first: of a kind (backfill or incremental), in a status."""
        from tradex_ledger.audit.documents.listed import Listed
        from tradex_ledger.relations.runs import RUNS

        where = "(run_kind = ? or ? is null) and (status = ? or ? is null) order by position desc"
        tail = "" if limit is None else f" limit {min(limit, END):d}"
        found = Reader(self.store, as_of).read(RUNS, where + tail, kind, kind, status, status)
        return [Listed(run.run_id, run) for run in found]

    def rebuilt(self, run_id: str) -> list[Rebuilt]:
        """The partitions that a run has published, in order; of Bronze those that it appended to."""
        from tradex_ledger.audit.rebuilt import rebuilt

        return rebuilt(Reader(self.store), run_id)

    def datasets(self, as_of: Asked = None) -> list[Held]:
        """All datasets, upstream first."""
        from tradex_ledger.audit.documents.held import datasets

        return datasets(Reader(self.store, as_of))

    def dataset(self, name: str, as_of: Asked = None, *, partitions: bool = False) -> DatasetDocument:
        """One dataset whole, with its current partitions if asked for. Raises `UnknownDatasetError`."""
        from tradex_ledger.audit.documents.dataset import dataset

        return dataset(Reader(self.store, as_of), name, partitions=partitions)

    def calendar(
        self,
        *names: str,
        as_of: Asked = None,
        first: date | None = None,
        last: date | None = None,
        weeks: int | None = None,
        older: bool = False,
    ) -> Calendar:
        """What readers get of each day of datasets, and what is going on: see `documents.calendar`. `weeks`: so many
        of them, beginning with Mondays, where nobody says a first day."""
        from tradex_ledger.audit.documents.calendar import DAYS, calendar

        days = DAYS if weeks is None else 7 * (weeks - 1) + 1
        reader, aligned = Reader(self.store, as_of), weeks is not None
        return calendar(reader, names, first=first, last=last, days=days, from_monday=aligned, older=older)

    def timeline(self, run: str, as_of: Asked = None) -> Timeline:
        """The life of the run whose id begins so: its steps, and when its windows were built."""
        from tradex_ledger.audit.documents.timeline import timeline

        return timeline(Reader(self.store, as_of), run)

    def moments(self, as_of: Asked = None) -> list[Moment]:
        """The moments of the record, oldest first: where who goes through the past stops."""
        from tradex_ledger.relations.days import MOMENTS

        return Reader(self.store, as_of).read(MOMENTS, "true order by position")

    def put_back(self, as_of: Asked = None, dataset: str | None = None) -> list[PutBack]:
        """Datasets (or the named one) whose files have the text of an older version; of before, nothing is said."""
        from tradex_ledger.audit.put_back import put_back
        from tradex_ledger.datasets.built_in import BUILT_IN

        if is_past(as_of):
            return []
        return list(put_back(Reader(self.store), self.config.pipeline or BUILT_IN, dataset))

    def states(self, as_of: Asked = None) -> list[PipelineState]:
        """Where each pipeline stands."""
        from tradex_ledger.relations.runs import PIPELINE_STATE

        return Reader(self.store, as_of).read(PIPELINE_STATE, "true order by position")

    def state_moves(self, as_of: Asked = None) -> list[StateMove]:
        """Each move of a state, and the run that caused it."""
        from tradex_ledger.relations.runs import STATE_MOVES

        return Reader(self.store, as_of).read(STATE_MOVES, "true order by position")

    def engines(self, as_of: Asked = None) -> list[Engine]:
        """The verdict on each engine, by dataset and logic version."""
        from tradex_ledger.relations.data import ENGINES

        return Reader(self.store, as_of).read(ENGINES, "true order by position")

    def two_contents(self) -> list[TwoContents]:
        """The datasets of which the same inputs gave two contents."""
        from tradex_ledger.relations.data import TWO_CONTENTS

        return Reader(self.store).read(TWO_CONTENTS, "true order by dataset")

    def alerts(self, as_of: Asked = None) -> list[Alert]:
        """All alerts and notices, oldest first, with what was delivered."""
        from tradex_ledger.relations.runs import ALERTS, NOTICES

        reader = Reader(self.store, as_of)
        return sorted([*reader.read(ALERTS), *reader.read(NOTICES)], key=lambda one: (one.position, one.alert))

    def messages(self, as_of: Asked = None, *, now: datetime) -> list[Message]:
        """Alerts as they are told, the oldest first, as they stand now (UTC), or stood at the position's own time."""
        from tradex_ledger.relations.messages import messages

        reader = Reader(self.store, as_of)
        then = reader.as_of.at if is_past(as_of) else None
        return messages(reader.connection, now if then is None else datetime.fromisoformat(then))

    def why(
        self,
        table: str,
        day: date,
        key: Sequence[str] = (),
        *,
        as_of: Asked = None,
        text: bool = False,
        trusting: bool = False,
    ) -> WhyDocument:
        """Why a day of a dataset is as it is, and with a key one of its rows, as `audit.why.why` has it."""
        from tradex_ledger.audit.why import why

        reader = Reader(self.store, as_of)
        found = why(reader, table, day, text=text)
        if not key:
            return found
        from tradex_ledger.audit.behind import rows_behind

        rows = rows_behind(reader, self.lake, found, key, trusting=trusting)
        return replace(found, row=rows.found, warnings=found.warnings + rows.warnings)

    def query(self, sql: str, **options: Unpack[QueryOptions]) -> Answer:
        """Answer one SELECT, as `audit.query.query` does."""
        from tradex_ledger.audit.query import query

        return query(self.store, self.lake, sql, **options)
