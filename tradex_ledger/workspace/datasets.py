"""Commands on datasets: versions, protection, pruning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from tradex_ledger.audit.lineage import Lineage, recorded_lineage
from tradex_ledger.audit.look import Look
from tradex_ledger.audit.reader import Reader
from tradex_ledger.datasets.definition import Definition, Pipeline
from tradex_ledger.datasets.fingerprint import describe_all, fingerprint
from tradex_ledger.datasets.intake import check_intakes
from tradex_ledger.datasets.tokens import SCHEME
from tradex_ledger.domain.dataset import Dataset, Logic, stream_of
from tradex_ledger.domain.dataset_errors import (
    LogicChangedError,
    NoEngineRefusedError,
    NothingChangedError,
    SameLogicError,
)
from tradex_ledger.domain.dataset_events import DIFFERENT
from tradex_ledger.domain.day import date_of, day_of
from tradex_ledger.domain.reason import check_reason
from tradex_ledger.planning.logic import changed_logic, differs, reference_facts
from tradex_ledger.planning.named import check_defined, check_identity, check_named
from tradex_ledger.sources.registry import reader_version
from tradex_ledger.views import Asked, is_past
from tradex_ledger.workspace.core import Core
from tradex_ledger.workspace.edges import downstream, indirectly, lineage
from tradex_ledger.workspace.kept import Kept

if TYPE_CHECKING:
    from tradex_ledger.audit.documents.texts import TextsDocument
    from tradex_ledger.driving.execution import Progress
    from tradex_ledger.workspace.previewing import Previewing


class HowToLook(TypedDict, total=False):
    """How a preview is made: with what follows `downstream`, of rows for which `where` holds, with so many samples."""

    downstream: bool
    where: str | None
    samples: int
    trusting: bool
    progress: Progress


class Datasets:
    """Commands on datasets; by its name in brackets, a dataset as readers have it."""

    def __init__(self, core: Core) -> None:
        self.core = core

    def __getitem__(self, name: str) -> Kept:
        look = Look(self.core.ledger.store, self.core.config, self.core.lake)
        look.dataset(name)
        return Kept(look, name, self.preview)

    def __iter__(self) -> Iterator[str]:
        look = Look(self.core.ledger.store, self.core.config, self.core.lake)
        return iter([held.dataset for held in look.datasets()])

    def get(self, name: str, upto: int | None = None) -> Dataset:
        """A dataset's aggregate, by a name that the pipeline knows, where that can be trusted; else, and as of a
        position, the ledger.

        Raises: `UnknownDatasetError`, `NoSuchStreamError`, `DefinitionsChangedError`.
        """
        if upto is None and self.core.is_trusted:
            check_defined(self.core.ledger, self.core.pipeline, name)
        return self.core.ledger.get(Dataset, stream_of(name), "dataset", upto=upto)

    def days(self) -> tuple[date, date] | None:
        """The first and the last day there is of the pipeline; None: there is none yet."""
        found = self.core.scope().base().catalog.days()
        return (date_of(found[0]), date_of(found[-1])) if found else None

    def filled_with(self, name: str) -> list[str]:
        """The datasets of Bronze that one extraction fills, the named one among them; none of another layer."""
        return [dataset.name for intake in self.core.scope().asked(name) for dataset in intake.datasets]

    def register(self) -> list[str]:
        """Make datasets known that the ledger has not seen yet, as version 1. Returns their names."""
        new = self.unregistered()
        if new:  # or a definition that has another name now would be taken for a new dataset
            check_named(self.core.ledger, self.core.pipeline, {})
        self.core.ledger.append(*new.values())
        return list(new)

    def unregistered(self) -> dict[str, Dataset]:
        """The datasets that the ledger has not seen yet, as version 1, not recorded."""
        pipeline = self.core.pipeline
        new = [d for d in pipeline.definitions.values() if self.core.ledger.version_of(stream_of(d.name)) == 0]
        columns = describe_all(pipeline) if new else {}
        if new:
            check_intakes(pipeline, columns)
        datasets: dict[str, Dataset] = {}
        policy = self.core.policy_to_look  # a first version needs no right
        for d in new:
            dataset = Dataset.register(
                d.name,
                pipeline=pipeline.name,
                layer=d.layer,
                partition_column=d.partition,
                component=d.component,
                by=self.core.actor,
            )
            logic = logic_of(d, columns[d.name], engine=self.core.engine)
            dataset.version_logic(logic, reason="first version", by=self.core.actor, policy=policy)
            datasets[d.name] = dataset
        return datasets

    def bump(self, name: str, *, reason: str) -> dict[str, int]:
        """Give a dataset's changed logic a version, and those downstream whose numbers change one, too (indirect).

        Returns the new versions. Raises: `SameLogicError` when the logic is that of the current version;
        `LogicChangedError` when one downstream has changed, too: that would pass under this one's reason;
        `NotAllowedError` before a dataset is made known.
        """
        self.core.policy.check_may("bump", self.core.actor)
        self.register()
        pipeline = self.core.pipeline
        check_defined(self.core.ledger, pipeline, name)
        locks = self._locks(pipeline)
        changed = changed_logic(pipeline, locks)
        if name not in changed and locks[name].engine_verdict(self.core.engine) != DIFFERENT:
            raise SameLogicError(name, locks[name].logic_version)
        touched = indirectly(pipeline, [name])
        if any(other in changed for other in touched):
            own = {n: (locks[n].logic_version, changed[n]) for n in (name, *touched) if n in changed}
            raise LogicChangedError(own)
        return self._version(pipeline, locks, [name], touched, reason)

    def bump_changed(self, *, reason: str) -> dict[str, int]:
        """Give every dataset whose logic has changed a version, and those downstream one as indirect, in one save.

        Each gets one. Changed is also what this engine gives other rows of. Raises: `NothingChangedError`,
        `NotAllowedError`.
        """
        self.core.policy.check_may("bump", self.core.actor)
        self.register()
        pipeline = self.core.pipeline
        locks = self._locks(pipeline)
        engine = self.core.engine
        refused = {name for name, lock in locks.items() if lock.engine_verdict(engine) == DIFFERENT}
        changed = changed_logic(pipeline, locks).keys() | refused
        if not changed:
            raise NothingChangedError(len(locks))
        own = [name for name in pipeline.definitions if name in changed]
        return self._version(pipeline, locks, own, indirectly(pipeline, own), reason)

    def _locks(self, pipeline: Pipeline) -> dict[str, Dataset]:
        return {name: self.get(name) for name in pipeline.definitions}

    def _version(
        self, pipeline: Pipeline, locks: dict[str, Dataset], own: list[str], touched: dict[str, str], reason: str
    ) -> dict[str, int]:
        """Number the datasets of changed logic, then those that they touch, in one save."""
        text, policy = check_reason(reason), self.core.policy
        columns = describe_all(pipeline)
        check_intakes(pipeline, columns)
        bumped = [*own, *(name for name in touched if name not in own)]
        for name in bumped:
            definition = pipeline.definitions[name]
            check_identity(locks[name], definition)
            locks[name].version_logic(
                logic_of(definition, columns[name], engine=self.core.engine),
                reason=text,
                by=self.core.actor,
                policy=policy,
                differs=differs(definition),
                indirect=None if name in own else touched[name],
            )
        self.core.ledger.append(*(locks[name] for name in bumped))
        return {name: locks[name].logic_version for name in bumped}

    def roots(self, bumped: Iterable[str]) -> list[str]:
        """Of datasets with new versions those that follow from none of the others: backfill them, and all follow."""
        pipeline, names = self.core.pipeline, list(bumped)
        below = {other for name in names for other in downstream(pipeline, name)}
        return [name for name in names if name not in below]

    def lineage(self, name: str, as_of: Asked = None) -> list[Lineage]:
        """What a dataset reads, directly and through others, and what reads it: by the definitions of today, or as of
        before by the logic on record. Raises `UnknownDatasetError`."""
        if is_past(as_of):
            return recorded_lineage(Reader(self.core.ledger.store, as_of), name)
        return lineage(self.core.pipeline, name)

    def accept_engine(self, name: str | None = None, *, reason: str) -> list[str]:
        """Let this engine go on where it was refused: for one dataset, or for all. Returns their names."""
        pipeline, engine, policy = self.core.pipeline, self.core.engine, self.core.policy
        names = [name] if name else list(pipeline.definitions)
        locks = [self.get(one) for one in names]
        waiting = locks if name else [lock for lock in locks if lock.engine_verdict(engine) == DIFFERENT]
        if not waiting:
            raise NoEngineRefusedError(engine)
        for lock in waiting:
            lock.accept_engine(engine, reason=reason, by=self.core.actor, policy=policy)
        self.core.ledger.append(*waiting)
        return [lock.name for lock in waiting]

    def deprecate(self, name: str, version: int, *, reason: str) -> Dataset:
        """Mark a version: readable with a warning, written no more. So is given up what has no definition any more."""
        dataset = self._known(name)
        dataset.deprecate(version, reason=reason, by=self.core.actor, policy=self.core.policy)
        self.core.ledger.append(dataset)
        return dataset

    def restore(self, name: str, version: int, *, reason: str) -> Dataset:
        """Take a deprecation back."""
        dataset = self._known(name)
        dataset.restore(version, reason=reason, by=self.core.actor, policy=self.core.policy)
        self.core.ledger.append(dataset)
        return dataset

    def compare(self, name: str, versions: tuple[int, int] | None = None) -> TextsDocument:
        """The file of a dataset beside its current version, or two versions of it (older, newer).

        Raises: `UnknownDatasetError`, `NoSuchVersionError`, `DefinitionError`.
        """
        from tradex_ledger.workspace.texts import compare

        return compare(self.core, name, versions)

    def preview(
        self,
        name: str,
        first: date | str,
        last: date | str,
        *,
        file: str | Path | None = None,
        **how: Unpack[HowToLook],
    ) -> Previewing:
        """The definition of a dataset as its file has it now (or `file`, also of a new dataset) over some days, both
        included: `.expected` says what it takes, `.run()` builds it and holds it against what there is. Nothing is
        recorded.

        Raises: `UnknownDatasetError`, `DefinitionError`, `NoSuchFileError`; what stands in the way of it, `run` says.
        """
        from tradex_ledger.workspace.previewing import Previewing

        days = date_of(day_of(first)), date_of(day_of(last))
        pipeline = Previewing.pipeline_of(self.core, name, None if file is None else Path(file))
        return Previewing(self.core, name, pipeline, *days, **how)

    def _known(self, name: str) -> Dataset:
        """A dataset that the ledger knows, whether it still has a definition or not."""
        known = self.core.ledger.version_of(stream_of(name)) > 0
        return self.core.ledger.get(Dataset, stream_of(name), "dataset") if known else self.get(name)

    def protect(self, name: str, first: date, last: date, *, reason: str) -> Dataset:
        """Keep days of a dataset as they are: planning over them is refused, and so is publishing or reverting."""
        dataset, policy = self.get(name), self.core.policy
        dataset.protect(day_of(first), day_of(last), reason=reason, by=self.core.actor, policy=policy)
        self.core.ledger.append(dataset)
        return dataset

    def unprotect(self, name: str, first: date, last: date, *, reason: str, protection: str | None = None) -> str:
        """Lift a protection, named by its very range (and its reason, if there are several); returns its reason."""
        dataset, policy = self.get(name), self.core.policy
        span = day_of(first), day_of(last)
        lifted = dataset.unprotect(*span, reason=reason, by=self.core.actor, protection=protection, policy=policy)
        self.core.ledger.append(dataset)
        return lifted


def logic_of(definition: Definition, columns: list[tuple[str, str]], *, engine: str) -> Logic:
    """A definition as its version has it on record."""
    return Logic(
        fingerprint=fingerprint(definition),
        scheme=SCHEME,
        definition=definition.text,
        references=reference_facts(definition),
        key=list(definition.key),
        columns=[{"name": name, "type": kind} for name, kind in columns],
        reads=[{"dataset": r.dataset, "first": r.first, "last": r.last} for r in definition.reads],
        engine=engine,
        reader=reader_version(definition.read_by),
    )
