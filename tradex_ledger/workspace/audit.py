"""What can be asked of a workspace: what the ledger says, and what definitions and policy of today say beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from tradex_ledger.audit.documents.plan import Move, PlanDocument, shares
from tradex_ledger.audit.documents.run import UNTRUSTED, Judgement, RunDocument, driver_of, run_document
from tradex_ledger.audit.hidden import hidden_days
from tradex_ledger.audit.lineage import recorded_edges
from tradex_ledger.audit.look import Look
from tradex_ledger.audit.reader import Reader
from tradex_ledger.datasets.definition import UnknownDatasetError
from tradex_ledger.domain.approval import approval_of
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.day import iso
from tradex_ledger.domain.plan import Plan
from tradex_ledger.errors import EnvironmentFault, NotFoundError, RefusedError, UsageError
from tradex_ledger.lake.verified import NOT_VERIFIED
from tradex_ledger.ledger.named import NoSuchStreamError
from tradex_ledger.planning.catalog import Catalogs
from tradex_ledger.relations.runs import RUNS, Run
from tradex_ledger.views import is_past
from tradex_ledger.workspace.nothing_built import check_built

if TYPE_CHECKING:
    from tradex_ledger.audit.diff import Differing
    from tradex_ledger.audit.documents.evidence import ReportDocument
    from tradex_ledger.audit.log import Log, LogOptions
    from tradex_ledger.audit.report_words import Fact
    from tradex_ledger.driving.execution import Progress
    from tradex_ledger.views import Asked, AsOf
    from tradex_ledger.workspace.backfills import Backfills
    from tradex_ledger.workspace.core import Core
    from tradex_ledger.workspace.policy import Policies
    from tradex_ledger.workspace.reproducing.reproducer import Reproducer


class RevertedError(RefusedError):
    """What a run published is taken back."""

    code = "reverted"

    def __init__(self, run_id: str) -> None:
        super().__init__(
            f"what {run_id} published was taken back",
            mend=f"see when: tradex audit history {run_id}; then tradex audit diff DATASET --between BEFORE AFTER",
        )


class TwoSidesError(UsageError):
    """A dataset is to be compared, and nothing says which two states of it."""

    def __init__(self, dataset: str) -> None:
        super().__init__(
            f"{dataset} is a dataset: two states of it can be compared",
            mend=f"tradex audit diff {dataset} --versions OLDER NEWER, or --between BEFORE AFTER",
        )


class DiffOptions(TypedDict, total=False):
    """How two sides are held against each other: see `audit.diff.Differ`."""

    as_of: Asked
    trusting: bool
    where: str | None
    samples: int


class Audit:
    """Questions; nothing is recorded by them. `as_of` is a position, a day or a time; None: now."""

    def __init__(self, core: Core, backfills: Backfills, policy: Policies) -> None:
        self.core = core
        self._backfills = backfills
        self._policy = policy
        self.look = Look(core.ledger.store, core.config, core.lake)

    def run(self, prefix: str, as_of: Asked = None, *, over: Reader | None = None) -> RunDocument:
        """The run whose id begins so, whole: a backfill with why each dataset is in it, and the approval it needs;
        `over` a reader as of that position, where one is open.

        Raises: `ShortIdError`, `NoSuchStreamError` (also where it was not asked for yet), `AmbiguousIdError`.
        """
        run_id = self.core.ledger.find_run(prefix)
        reader = over or Reader(self.core.ledger.store, as_of)
        if not reader.read(RUNS, "run_id = ?", run_id):
            raise NoSuchStreamError(f"{run_id} as of position {reader.as_of.position}")
        found = run_document(reader, run_id)
        if found.status == "RUNNING" and not is_past(as_of):
            found = replace(found, driver=driver_of(self.core.ledger.store, run_id))
        if found.plan is None:
            return found
        return replace(found, judgement=self._then(found, reader) if is_past(as_of) else self._judgement(found, over))

    def _judgement(self, found: RunDocument, over: Reader | None) -> Judgement:
        """The definitions of today say why a dataset is in a plan; where the one asked for is no more, nothing does."""
        if not self.core.is_trusted:  # neither its definitions nor its settings are asked
            return Judgement([], found.shares([]), [UNTRUSTED], None)
        backfill = self.core.ledger.get(Backfill, found.id)
        catalogs = self._catalogs(over)
        try:
            edges = self._backfills.edges(backfill, catalogs=catalogs)
        except UnknownDatasetError:
            edges = []
        warnings = self._backfills.warnings(backfill, catalogs=catalogs) if found.status == "PLANNED" else []
        needed = None
        if backfill.plan is not None:
            whole = replace(backfill.plan, windows=found.planned)
            needed = approval_of(self.core.policy_to_look, backfill.request, [whole], found.run.requested_by)
            needed = replace(needed, rule=found.run.approved_rule)  # a rule decides at the request, or never
        return Judgement(edges, found.shares(edges), [*warnings, *self._policy.changes_of(backfill)], needed)

    def _catalogs(self, over: Reader | None) -> Catalogs | None:
        return Catalogs(self.core.ledger.store, (over.connection, over.as_of.position)) if over is not None else None

    def _then(self, found: RunDocument, reader: Reader) -> Judgement:
        """The same as of before, by the logic and the policy on record then: no definition of today is asked."""
        upto = reader.as_of.position
        backfill = self.core.ledger.get(Backfill, found.id, upto=upto)
        edges = recorded_edges(reader, backfill.request.dataset, {window.dataset for window in found.planned})
        needed = None
        if backfill.plan is not None and self.core.is_trusted:
            whole = replace(backfill.plan, windows=found.planned)
            needed = approval_of(self.core.policy_then(upto), backfill.request, [whole], found.run.requested_by)
            needed = replace(needed, rule=found.run.approved_rule)
        hidden = hidden_days(reader, found.planned) if found.status == "PLANNED" else []
        return Judgement(edges, found.shares(edges), [*hidden, *self._policy.changes_of(backfill, upto)], needed)

    def planned(self, parts: Sequence[Backfill]) -> list[PlanDocument]:
        """Backfills with their plans, as they would be recorded or just were: all parts of a request that was split."""
        plans = [backfill.plan for backfill in parts if backfill.plan is not None]
        return [self._planned(backfill, plan, plans) for backfill, plan in zip(parts, plans, strict=True)]

    def _planned(self, backfill: Backfill, plan: Plan, plans: Sequence[Plan]) -> PlanDocument:
        """They are allowed as one: an approval is for all `plans`."""
        asked = backfill.request
        edges = self._backfills.edges(backfill)
        state = self.core.state if asked.override_state else None
        return PlanDocument(
            request=asked,
            plan=plan,
            edges=edges,
            by_dataset=shares(plan.windows, iso(asked.first), iso(asked.last), edges),
            approval=approval_of(self.core.policy_to_look, asked, plans, backfill.requested_by),
            state=Move(state.pipeline, state.cursor, asked.cursor) if state and asked.cursor else None,
            warnings=self._backfills.warnings(backfill),
        )

    def log(
        self,
        *,
        limit: int | None = None,
        as_of: Asked = None,
        **wanted: Unpack[LogOptions],
    ) -> Log:
        """The newest events of all streams, oldest first: of topics, by a person, of a run or a dataset and what names
        them, from a position, day, time or run until another, both included. Raises what `audit.log.log` raises.
        """
        from tradex_ledger.audit.log import log

        return log(self.core.ledger, limit=limit, as_of=as_of, **wanted)

    def history(self, subject: str, as_of: Asked = None) -> Log:
        """The whole story of a run (by a beginning of its id), of a dataset, or of a pipeline's state.

        Raises: what `find_run` raises; `NoSuchStreamError` of what began after the position.
        """
        from tradex_ledger.audit.log import log

        ledger = self.core.ledger
        named = [s for s in (f"dataset-{subject}", f"pipeline-{subject}", subject) if ledger.version_of(s)]
        found = log(ledger, stream=named[0] if named else ledger.find_run(subject), as_of=as_of)
        if not found.events:
            noun = "stream" if named and named[0] != subject else "run"
            raise NoSuchStreamError(f"{subject} as of position {found.as_of.position}", noun)
        return found

    def report_of(
        self, run_id: str, as_of: Asked = None, *, rows: bool = True, trusting: bool = False
    ) -> tuple[str, bytes]:
        """The report of a run as of a position (None: of the newest head), as one HTML file.

        `rows`: with what it changed in them, by the files of the lake. Returns the run's id, too: see `audit.prove`.
        """
        from tradex_ledger.audit.prove import report

        asked = partial(self._changed, trusting=trusting) if rows else None
        return report(self.core.ledger.store, self.core.config, run_id, as_of, rows=asked)

    def report(
        self, run_id: str, file: Path, *, as_of: Asked = None, rows: bool = True, trusting: bool = False
    ) -> ReportDocument:
        """Lay that in a new file."""
        from tradex_ledger.audit.prove import lay_report

        found, content = self.report_of(run_id, as_of, rows=rows, trusting=trusting)
        return lay_report(content, found, file)

    def _changed(self, run_id: str, as_of: AsOf, *, trusting: bool) -> Fact:
        from tradex_ledger.audit.report_words import SAMPLED, changed

        try:
            return changed(self.diff(run_id, as_of=as_of, trusting=trusting, samples=SAMPLED))
        except (RefusedError, NotFoundError, EnvironmentFault) as error:
            return changed((), error.message)

    @property
    def not_verified(self) -> str:
        """What to say of an answer that believed the files of the lake."""
        return NOT_VERIFIED

    def diff(self, run_id: str, **how: Unpack[DiffOptions]) -> list[Differing]:
        """What a run has changed, or, where it is not published, what its candidates would change.

        Raises: `RevertedError` where what it published is taken back, `NothingBuiltError` where there is nothing yet,
        `TwoSidesError` for the name of a dataset.
        """
        from tradex_ledger.audit.diff import Differ

        if self.core.ledger.version_of(f"dataset-{run_id}"):
            raise TwoSidesError(run_id)
        found = self._compared(run_id, how.get("as_of"))
        if found.status == "REVERTED":
            raise RevertedError(found.run_id)
        differ = Differ(self.core.ledger, self.core.lake, **how)
        is_published = found.published_position is not None
        return differ.published(found.run_id) if is_published else differ.candidate(found.run_id)

    def _compared(self, prefix: str, as_of: Asked) -> Run:
        """A run that has built something. Raises: `NoSuchStreamError`, `NothingBuiltError`."""
        run_id = self.core.ledger.find_run(prefix)
        reader = Reader(self.core.ledger.store, as_of)
        run = next(iter(reader.read(RUNS, "run_id = ?", run_id)), None)
        if run is None:
            raise NoSuchStreamError(f"{run_id} as of position {reader.as_of.position}")
        check_built(run)
        return run

    def diff_candidate(self, run_id: str, **how: Unpack[DiffOptions]) -> list[Differing]:
        """What the candidates of a run would change. Raises: `NothingBuiltError`."""
        from tradex_ledger.audit.diff import Differ

        run = self._compared(run_id, how.get("as_of"))
        return Differ(self.core.ledger, self.core.lake, **how).candidate(run.run_id)

    def diff_versions(self, dataset: str, older: int, newer: int, **how: Unpack[DiffOptions]) -> list[Differing]:
        """The days on which two logic versions of a dataset differ."""
        from tradex_ledger.audit.diff import Differ

        return Differ(self.core.ledger, self.core.lake, **how).versions(dataset, older, newer)

    def diff_positions(self, dataset: str, earlier: str, later: str, **how: Unpack[DiffOptions]) -> list[Differing]:
        """The days of a dataset that readers had otherwise as of one position, day or time than of another."""
        from tradex_ledger.audit.diff import Differ

        return Differ(self.core.ledger, self.core.lake, **how).positions(dataset, earlier, later)

    def reproducer(self, as_of: str | None = None, *, progress: Progress | None = None) -> Reproducer:
        """What builds again what is on record, by the texts and the inputs of then. Raises `UntrustedError`: it runs
        definitions, if those of the ledger."""
        from tradex_ledger.clock import this_executor
        from tradex_ledger.driving.execution import silent
        from tradex_ledger.sources.places import Places
        from tradex_ledger.workspace.reproducing.means import Means
        from tradex_ledger.workspace.reproducing.reproducer import Reproducer

        core, config = self.core, self.core.settings
        means = Means(
            store=core.ledger.store,
            lake=core.lake,
            places=Places(config.sources, config.source, config.folder, config.prices),
            pool=core.here,
            executor=this_executor(),
            memory_mb=config.task_memory_mb,
            minutes=config.task_minutes,
            progress=progress or silent,
        )
        return Reproducer(means, as_of)

    @staticmethod
    def new_seed() -> str:
        """A seed that nobody chose."""
        from tradex_ledger.clock import new_token

        return new_token()
