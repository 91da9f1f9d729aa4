"""Definitions that are gone, or are those of other datasets, stop whatever would work with the others (N27)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tradex_ledger.datasets.definition import Definition, Pipeline
from tradex_ledger.datasets.named import LOGIC, findings, is_as_registered
from tradex_ledger.datasets.unchanged import Known, references_of
from tradex_ledger.domain.advice import Advice
from tradex_ledger.domain.dataset import Dataset, stream_of
from tradex_ledger.domain.dataset_errors import DefinitionsChangedError
from tradex_ledger.ledger.application import Ledger
from tradex_ledger.ledger.ask import events_of, of_stream


def check_named(ledger: Ledger, pipeline: Pipeline, locks: Mapping[str, Dataset]) -> None:
    """Raise `DefinitionsChangedError` unless every dataset that has data has its definition, and each is its own.

    `locks` are those that were read already. What has other logic without a version is told by `LogicChangedError`.
    """
    found = findings(pipeline, _known(ledger, pipeline, locks), logic=False)
    blocking = [(one.message, one.mend) for one in found if one.blocks]
    if blocking:
        raise DefinitionsChangedError(blocking)


def definition_proposals(ledger: Ledger, pipeline: Pipeline, locks: Mapping[str, Dataset]) -> list[Advice]:
    """What is other in the definitions than the ledger knows, as `propose` tells it (`kind` is `definition`)."""
    return [
        Advice(
            kind="definition",
            dataset=found.dataset,
            command=f'tradex dataset bump {found.dataset} --reason "…"' if found.kind == LOGIC else None,
            reason=f"{found.message}; mend: {found.mend}",
        )
        for found in findings(pipeline, _known(ledger, pipeline, locks))
    ]


def _known(ledger: Ledger, pipeline: Pipeline, locks: Mapping[str, Dataset]) -> dict[str, Known]:
    known = {}
    for stream in ledger.streams_of("dataset.registered"):
        dataset = locks.get(stream.removeprefix(stream_of(""))) or ledger.get(Dataset, stream, "dataset")
        there = dataset.name in pipeline.definitions
        known[dataset.name] = known_of(dataset, has_data=there or _has_data(ledger, dataset.name))
    return known


def check_identity(dataset: Dataset, definition: Definition) -> None:
    """Raise `DefinitionsChangedError` when a definition is that of another dataset: no version makes up for that."""
    found = is_as_registered(definition, known_of(dataset, has_data=True))
    if found is not None:
        raise DefinitionsChangedError([(found.message, found.mend)])


def check_defined(ledger: Ledger, pipeline: Pipeline, name: str) -> None:
    """Raise `DefinitionsChangedError` for a dataset that has no definition any more, `UnknownDatasetError` if it had
    none ever."""
    if name not in pipeline.definitions and ledger.version_of(stream_of(name)):
        known = known_of(ledger.get(Dataset, stream_of(name), "dataset"), has_data=_has_data(ledger, name))
        found = findings(pipeline, {name: replace(known, given_up=False)})
        raise DefinitionsChangedError([(one.message, one.mend) for one in found])
    pipeline.get(name)


def known_of(dataset: Dataset, *, has_data: bool) -> Known:
    """What a dataset's events say of it."""
    return Known(
        layer=dataset.layer,
        partition=dataset.partition_column,
        component=dataset.component,
        version=dataset.logic_version,
        text=dataset.text,
        references=references_of(dataset.references),
        reader=dataset.reader_of(dataset.logic_version),
        given_up=dataset.logic_version in dataset.deprecated,
        has_data=has_data,
    )


def _has_data(ledger: Ledger, name: str) -> bool:
    appended = f'"dataset":"{name}"'
    return bool(
        of_stream(ledger.store, stream_of(name), ["dataset.published"], limit=1)
        or events_of(ledger.store, ["run.batch_appended"], saying=appended, limit=1)
    )
