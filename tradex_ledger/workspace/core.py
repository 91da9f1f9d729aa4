"""What a workspace is made of: ledger, lake, pipeline, source and actor."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, TypedDict

from tradex_ledger.clock import login_name, new_token, this_executor, utc_now
from tradex_ledger.config import FILE, Config, load_config
from tradex_ledger.datasets.built_in import BUILT_IN, PIPELINE
from tradex_ledger.datasets.definition import Pipeline, load_pipeline
from tradex_ledger.datasets.intake import intakes
from tradex_ledger.domain.incremental import IncrementalRun, NoBackfillError
from tradex_ledger.domain.person import check_actor
from tradex_ledger.domain.pipeline_state import PipelineState
from tradex_ledger.domain.pipeline_state import stream_of as state_stream
from tradex_ledger.domain.policy import Policy
from tradex_ledger.domain.policy_errors import NoPolicyError
from tradex_ledger.domain.policy_record import STREAM as POLICY_STREAM
from tradex_ledger.domain.policy_record import PolicyRecord
from tradex_ledger.domain.words import Words
from tradex_ledger.driving.execution import Execution, Progress, silent
from tradex_ledger.lake.identity import settle
from tradex_ledger.lake.open import open_lake
from tradex_ledger.lake.port import Lake
from tradex_ledger.lake.storage import translate
from tradex_ledger.ledger.application import Ledger, open_ledger
from tradex_ledger.ledger.named import NoSuchStreamError
from tradex_ledger.planning.catalog import Catalogs
from tradex_ledger.planning.scope import Scope
from tradex_ledger.planning.words import words_in, words_of
from tradex_ledger.pool.open import open_pool
from tradex_ledger.pool.port import Pool
from tradex_ledger.pool.processes import ProcessPool
from tradex_ledger.sealing.cut import AfterSaves
from tradex_ledger.sealing.heads import check_all, newest_in
from tradex_ledger.sealing.places import Places as HeadPlaces
from tradex_ledger.sealing.places import places_of
from tradex_ledger.sources.called import Called
from tradex_ledger.sources.places import Places
from tradex_ledger.trust import UntrustedError, check_trusted

if TYPE_CHECKING:
    from tradex_ledger.mirrors.keep import AfterSaves as MirrorsAfterSaves


class Options(TypedDict, total=False):
    """How a workspace is opened: on whose behalf, and with another clock, ledger or lake than the settings say;
    `reading`: nothing can be written; without `records` nothing is put on record."""

    actor: str | None
    clock: Callable[[], datetime]
    ledger: Ledger | None
    lake: Lake | None
    reading: bool
    records: bool


class Core:
    """A ledger, a lake, a pipeline and a source that belong together, used by one actor."""

    def __init__(
        self,
        config: Config,
        *,
        actor: str | None = None,
        clock: Callable[[], datetime] = utc_now,
        ledger: Ledger | None = None,
        lake: Lake | None = None,
        reading: bool = False,
        records: bool = True,
    ) -> None:
        self.config = config
        if not reading:
            self.check_trusted()
        self.actor = check_actor(login_name() if actor is None else actor)
        self.clock = clock
        self.lake = lake or open_lake(config.lake, reading=reading, clock=clock)  # first: refused, it leaves none open
        self.ledger = ledger or open_ledger(config.ledger_url, clock, config.folder, reading=reading, records=records)
        if not reading:
            self._heads = AfterSaves(self.ledger.store, self.places, config.checkpoints.every)
            self.ledger.on_saved = self._saved
        self._mirrors: MirrorsAfterSaves | None = None
        self._here: ProcessPool | None = None
        self._pool: Pool | None = None
        self._catalogs = Catalogs(self.ledger.store)

    def _saved(self, topics: frozenset[str], position: int) -> None:
        self._heads(topics, position)
        if self.config.mirrors:  # whoever has none waits for nothing of it
            from tradex_ledger.mirrors.keep import AfterSaves as MirrorsAfterSaves

            self._mirrors = self._mirrors or MirrorsAfterSaves(
                self.ledger, self.lake, self.config.mirrors, self.config.folder, self.clock
            )
            self._mirrors(topics, position)

    def close(self) -> None:
        """End worker processes and database connections."""
        for pool in (self._pool, self._here):
            if pool is not None:
                pool.close()
        self.ledger.close()

    def kill(self) -> None:
        """End worker processes at once: nobody waits for what they do."""
        for pool in (self._here, self._pool):
            if pool is not None:
                pool.kill()

    def check_trusted(self) -> None:
        """Raise `UntrustedError` when settings or definitions are of another user, whom nobody said to trust."""
        check_trusted(self.config.folder, self.config.pipeline)

    @property
    def is_trusted(self) -> bool:
        """Whether settings and definitions may be used; without it, ledger and lake can be read, and no more."""
        try:
            self.check_trusted()
        except UntrustedError:
            return False
        return True

    @property
    def places(self) -> HeadPlaces:
        """Where heads of the ledger are kept."""
        return places_of(self.config.folder, self.ledger.id, self.config.checkpoints.sinks)

    def settle(self) -> None:
        """Check that ledger and lake belong together, as `identity.settle` does, and that the ledger is what its heads
        say that it was. Raises: `LakeIdentityError`, `LedgerMovedError`, `BrokenLedgerError`.
        """
        settle(self.ledger.store, self.lake, strict=False)
        check_all(self.ledger.store, self.places.all)

    @property
    def pipeline(self) -> Pipeline:
        """The dataset definitions, read anew each time: they are files that people edit. Raises `UntrustedError`."""
        self.check_trusted()
        return load_pipeline(self.config.pipeline or BUILT_IN, self.pipeline_name)

    @property
    def pipeline_name(self) -> str:
        """What the pipeline is called: its state is kept under that name."""
        return self.config.name or PIPELINE

    @property
    def words(self) -> Words:
        """What its rows are called, by the ledger; by the definitions, where it has none. Raises `DefinitionError`."""
        found = words_of(self.ledger.store)
        return found if found.nouns else words_in(intakes(self.pipeline))

    @property
    def settings(self) -> Config:
        """The settings as their file has them now: a worker lives for weeks. Ledger and lake stay those it opened.

        Its policy is a proposal: `policy` is what counts. Raises: `UntrustedError`.
        """
        self.check_trusted()
        return load_config(self.config.folder / FILE)

    @property
    def policy(self) -> Policy:
        """The policy on record, by which every deed is judged. Raises: `NoPolicyError`, `StrangePolicyError`."""
        return self.policy_record().policy

    @property
    def policy_to_look(self) -> Policy:
        """The same for who only looks; in a ledger of before, which has none on record, that of the settings."""
        record = self.record_if_any()
        return record.policy if record else self.settings.policy

    def policy_record(self) -> PolicyRecord:
        """The policies on record. Raises `NoPolicyError`."""
        record = self.record_if_any()
        if record is None:
            raise NoPolicyError
        return record

    def policy_then(self, upto: int) -> Policy:
        """The same as of a position."""
        record = self.record_if_any(upto)
        return record.policy if record else self.settings.policy

    def record_if_any(self, upto: int | None = None) -> PolicyRecord | None:
        """The policies on record, as of a position if one is given; None in a ledger, or at a time, of before."""
        with suppress(NoSuchStreamError):
            return self.ledger.get(PolicyRecord, POLICY_STREAM, "policy", upto=upto)
        return None

    @property
    def engine(self) -> str:
        """What computes here, as events name it."""
        return this_executor().engine

    def time_of_deed(self, policy: Policy) -> tuple[datetime, bool]:
        """The time that an event of now would bear; whether it is near enough to the last one to close anything."""
        from tradex_ledger.driving.clocks import last_at

        recorded = last_at(self.ledger) or self.clock()
        now = max(self.clock(), recorded)
        return now, not policy.clock_hours or now - recorded <= timedelta(hours=policy.clock_hours)

    def newest_checkpoint(self) -> str | None:
        """The body of the newest signed head that lies in this workspace (they were held against the ledger when it
        was opened); None where there is none. Raises: `NoteError`, `EnvironmentFault`."""
        try:
            head = newest_in(self.places.inside)
        except OSError as error:
            raise translate(error, f"reading the newest head in {self.places.inside.name}") from error
        return None if head is None else head.checkpoint.text

    def today(self) -> date:
        """The day it is, UTC."""
        return self.clock().astimezone(UTC).date()

    def scope(self) -> Scope:
        """What a plan is worked out with."""
        settings = self.settings
        return Scope(
            ledger=self.ledger,
            catalogs=self._catalogs,
            pipeline=self.pipeline,
            policy=self.policy_to_look,
            places=Places(settings.sources, settings.source, settings.folder, settings.prices),
            by=self.actor,
            clock=self.clock,
        )

    @property
    def calls_sources(self) -> bool:
        """Whether there is a source that delivers only when it is called. Raises what opening the places raises."""
        return any(isinstance(source.place, Called) for source in self.scope().sources.values())

    @property
    def here(self) -> ProcessPool:
        """The worker processes of this machine; they are kept for the next one who asks."""
        if self._here is None:
            self._here = ProcessPool(self.config.workers or os.cpu_count() or 1)
        return self._here

    def execution(self, progress: Progress = silent, *, scope: Scope | None = None) -> Execution:
        """What a drive works with, in a scope (as the workspace is now); its pools are kept for the next one."""
        if self._pool is None:
            self._pool = open_pool(self.config.pool, self.here)
        return Execution(
            scope=scope or self.scope(),
            lake=self.lake,
            here=self.here,
            pool=self._pool,
            executor=this_executor(),
            token=new_token(),
            stopwatch=time.monotonic,
            task_clock=utc_now,
            task_memory_mb=self.config.task_memory_mb,
            task_minutes=self.config.task_minutes,
            progress=progress,
        )

    @property
    def state(self) -> PipelineState:
        """The pipeline's state as it is."""
        return self.ledger.get(PipelineState, state_stream(self.pipeline_name), "pipeline")

    def find_run(self, prefix: str) -> str:
        """The run whose id begins so, to be decided on or moved."""
        return self.ledger.find_run(prefix)

    def find_backfill(self, prefix: str) -> str:
        """The backfill whose id begins so, to be decided on or moved.

        Raises: `ShortIdError`, `NoSuchStreamError`, `AmbiguousIdError`, `NoBackfillError`.
        """
        try:
            return self.ledger.find_run(prefix, kinds=("bf-",))
        except NoSuchStreamError:
            found = self.ledger.find_run(prefix, kinds=("run-",))
            run = self.ledger.get(IncrementalRun, found)
            raise NoBackfillError(run.id, run.status, run.cursor_to, self.words) from None
