"""A workspace: a ledger, a lake, a pipeline and sources that belong together, used by one actor."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import ExitStack
from datetime import date, datetime
from pathlib import Path
from shlex import quote
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

from tradex_ledger.clock import utc_now
from tradex_ledger.config import FILE, Config, load_config, open_config
from tradex_ledger.config_places import lake_place, lake_text, ledger_text, ledger_url, pipeline_folder
from tradex_ledger.datasets.built_in import BUILT_IN, PIPELINE
from tradex_ledger.datasets.definition import load_pipeline
from tradex_ledger.datasets.intake import intakes
from tradex_ledger.domain.day import day_of, last_before, start_of
from tradex_ledger.domain.pipeline_state import PipelineState
from tradex_ledger.domain.pipeline_state import stream_of as state_stream
from tradex_ledger.domain.policy_record import PolicyRecord
from tradex_ledger.errors import RefusedError
from tradex_ledger.fresh import write_config
from tradex_ledger.lake.identity import settle
from tradex_ledger.lake.identity_errors import LakeIdentityError
from tradex_ledger.lake.open import open_lake
from tradex_ledger.lake.storage import translate
from tradex_ledger.ledger.application import Ledger, ledger_in
from tradex_ledger.ledger.ask import PAGE, events_of
from tradex_ledger.ledger.entry import Entry
from tradex_ledger.ledger.moved import LedgerMovedError
from tradex_ledger.ledger.rows import entry_of
from tradex_ledger.modes import OWNER_WRITES, make_file
from tradex_ledger.paths import check_name, current_folder, resolved, written
from tradex_ledger.planning.words import words_in
from tradex_ledger.sealing.heads import HeadError
from tradex_ledger.sources.called import check_begins
from tradex_ledger.sources.files import FilesPlace
from tradex_ledger.sources.places import Places, chosen, open_place
from tradex_ledger.trust import check_trusted
from tradex_ledger.workspace.alerts import Alerts
from tradex_ledger.workspace.audit import Audit
from tradex_ledger.workspace.backfills import Backfills
from tradex_ledger.workspace.core import Core, Options
from tradex_ledger.workspace.datasets import Datasets
from tradex_ledger.workspace.feeds import Feeds
from tradex_ledger.workspace.incremental import Incremental
from tradex_ledger.workspace.lake import LakeRoom
from tradex_ledger.workspace.making import check_lake, ledger_at, make_ledger
from tradex_ledger.workspace.mirrors import Mirrors, standing
from tradex_ledger.workspace.policy import Policies
from tradex_ledger.workspace.projection import Projections
from tradex_ledger.workspace.runs import Runs
from tradex_ledger.workspace.seals import Seals
from tradex_ledger.workspace.spending import Spending
from tradex_ledger.workspace.store import StoreRoom

if TYPE_CHECKING:
    from tradex_ledger.audit.answer import Answer
    from tradex_ledger.audit.diff import Differing
    from tradex_ledger.audit.documents.calendar import Calendar
    from tradex_ledger.audit.documents.status import StatusDocument
    from tradex_ledger.audit.query import QueryOptions
    from tradex_ledger.workspace.audit import DiffOptions


class WorkspaceExistsError(RefusedError):
    """The folder is a workspace already."""

    code = "workspace-exists"

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} is a workspace already", mend=f"use it: tradex -C {quote(str(folder))} status")


def copy_built_in(folder: Path) -> None:
    """The built-in definitions as files of one's own; all of them, or none."""
    half_made = folder.with_name(f".{folder.name}.new")
    try:
        half_made.mkdir(parents=True, exist_ok=True)
        for file in sorted((*BUILT_IN.glob("*.sql"), *BUILT_IN.glob("*.csv"))):
            shutil.copy(file, half_made)
        half_made.rename(folder)
    except OSError as error:
        raise translate(error, f"copying the built-in definitions to {folder}") from error


def _written_place(uri: str, root: Path) -> str:
    """A place, given relative to the current folder, as the settings of a workspace have it; it is looked at."""
    found = open_place(uri, current_folder())
    found.look(())
    return FilesPlace(found.folder, root).describe() if isinstance(found, FilesPlace) else found.describe()


class Workspace:
    """A ledger, a lake, a pipeline and its sources that belong together, used by one actor; a room a noun of the shell.

    `core` is what the rooms work with.
    """

    def __init__(self, config: Config, **options: Unpack[Options]) -> None:
        self.core = core = Core(config, **options)
        self.policy = Policies(core)
        self.datasets = Datasets(core)
        self.lake = LakeRoom(core, self.datasets)
        self.seals = Seals(core)
        self.store = StoreRoom(core, self.lake)
        self.incremental = Incremental(core, self.datasets)
        self.runs = Runs(core, self.incremental)
        self.backfills = Backfills(core, self.datasets)
        self.alerts = Alerts(core)
        self.spending = Spending(core)
        self.projections = Projections(core)
        self.mirrors = Mirrors(core)
        self.feeds = Feeds(core)
        self.audit = Audit(core, self.backfills, self.policy)

    @classmethod
    def open(cls, path: str | Path = ".", *, tolerates: Container[str] = (), **options: Unpack[Options]) -> Self:
        """Open the workspace in a folder, or the nearest one above it; with `reading`, nothing can be written there.

        Raises `LakeIdentityError` unless ledger and lake belong together, where something may be written; `tolerates`
        names the codes for what is a step out of just that, and touches only the ledger.
        """
        opened = cls(open_config(path), **options)
        with ExitStack() as stack:
            stack.callback(opened.close)
            if not opened.core.lake.reading:
                try:
                    opened.core.settle()
                except (LakeIdentityError, LedgerMovedError, HeadError) as error:
                    if error.code not in tolerates:
                        raise
            stack.pop_all()
        return opened

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, KeyboardInterrupt | RuntimeError):  # DuckDB's Ctrl-C is that
            self.core.kill()
        self.close()

    def close(self) -> None:
        """End worker processes and database connections."""
        self.core.close()

    @property
    def config(self) -> Config:
        """The settings that it was opened with."""
        return self.core.config

    @property
    def actor(self) -> str:
        """On whose behalf everything is done."""
        return self.core.actor

    @property
    def ledger(self) -> Ledger:
        """The ledger: aggregates by their id, and the position that it has come to."""
        return self.core.ledger

    @property
    def state(self) -> PipelineState:
        """The pipeline's state as it is."""
        return self.core.state

    def query(self, sql: str, **options: Unpack[QueryOptions]) -> Answer:
        """Answer one SELECT over datasets and projections, as `audit.query.query` does."""
        return self.audit.look.query(sql, **options)

    def status(self, as_of: str | None = None) -> StatusDocument:
        """Where things stand, and what needs attention."""
        mirrors = standing(self.config, self.ledger.store)
        return self.audit.look.status(as_of, now=self.core.clock(), mirrors=mirrors)

    def calendar(
        self,
        *datasets: str,
        first: date | None = None,
        last: date | None = None,
        as_of: str | None = None,
        older: bool = False,
    ) -> Calendar:
        """What readers get of each day, and what is going on: of datasets (all, where none is named), from one day to
        another; without them the newest days. `older`: of versions that are neither read nor the newest, too."""
        return self.audit.look.calendar(*datasets, as_of=as_of, first=first, last=last, older=older)

    def diff(self, run_id: str, **how: Unpack[DiffOptions]) -> list[Differing]:
        """What a run changed, or would change: see `Audit.diff`."""
        return self.audit.diff(run_id, **how)

    def __repr__(self) -> str:
        cursor = self.state.cursor
        where = f"pipeline {self.core.pipeline_name} {f'to {last_before(cursor)}' if cursor else 'at the beginning'}"
        return f"<Workspace {self.config.folder}: {where}, {self.ledger.position()} events, as {self.actor}>"

    def events(self, since: int = 0, topics: Sequence[str] = ()) -> Iterator[Entry]:
        """The stored events after a position, of the topics (none: of all), oldest first, as far as there are any now;
        who follows asks again.

        Each is held against its row. Raises `BrokenRowError`.
        """
        while found := events_of(self.ledger.store, topics, after=since, limit=PAGE):
            yield from (entry_of(self.ledger.id, row) for row in found)
            since = found[-1].position

    @classmethod
    def create(  # noqa: PLR0913 — a setting each
        cls,
        folder: str | Path,
        *,
        source: str | Sequence[str],
        ledger: str = "sqlite:///ledger.db",
        lake: str = "lake",
        pipeline: str | None = None,
        name: str | None = None,
        start: date | None = None,
        actor: str | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> Self:
        """Make a workspace: ledger, datasets, state, and last its settings: a broken attempt can be seen as one.

        `source` says where its one source delivers to (`files:PATH`), or one text a source (`NAME=files:PATH`).
        `pipeline` is a folder of definitions in it; a new one begins with copies of the built-in. `name` is what the
        pipeline is called.
        """
        root = resolved(str(folder), "the workspace")
        check_name(root, "the workspace")
        if (root / FILE).exists():
            raise WorkspaceExistsError(root)
        places = chosen([source] if isinstance(source, str) else source, current_folder())
        given = {one: _written_place(uri, root) for one, uri in places.named.items()}
        default = _written_place(places.default, root) if places.default is not None else None
        place = open_lake(lake_place(lake, root))
        own = pipeline_folder(pipeline, root) if pipeline else None
        url = ledger_url(ledger, root)
        check_trusted(root, own)
        sources = intakes(load_pipeline(own if own and own.exists() else BUILT_IN, name or PIPELINE))
        half_made = root / f".{FILE}.new"  # what a broken attempt left: it is finished, not refused
        finish = half_made.exists()
        check_lake(place, ledger_at(url) if finish else None)
        root.mkdir(parents=True, exist_ok=True)
        place.check_writable()
        half_made.unlink(missing_ok=True)
        make_file(half_made, OWNER_WRITES)
        write_config(
            half_made,
            ledger=ledger_text(url, root),
            lake=lake_text(place.name, root),
            source=default,
            sources=given,
            name=name,
            pipeline=written(own, root) if own else None,
            row=words_in(sources).row(),
        )
        config = load_config(half_made)
        if config.pipeline and not config.pipeline.exists():
            copy_built_in(config.pipeline)
        opened = Places(config.sources, config.source, root).open([intake.source for intake in sources])
        if start is None:
            check_begins(opened)
        engine = make_ledger(config.ledger_url, half_made, finish=finish, clock=clock)
        workspace = cls(config, actor=actor, clock=clock, ledger=ledger_in(engine, clock, root))
        workspace._begin(start)
        half_made.rename(root / FILE)
        return workspace

    def _begin(self, start: date | None) -> None:
        """The first events of a ledger, as far as they are not there yet, and the first marker of its lake."""
        cursor = start_of(day_of(start)) if start else None
        if self.ledger.position() == 0:  # by what follows, this ledger is one with a policy
            self.ledger.append(PolicyRecord.record(self.config.policy, by=self.actor))
        name = self.core.pipeline_name
        if self.ledger.version_of(state_stream(name)) == 0:
            self.ledger.append(PipelineState.open(name, cursor=cursor, by=self.actor))
        self.datasets.register()
        self.seals.begin()
        settle(self.ledger.store, self.core.lake)  # from its first day on the lake says whose it is
