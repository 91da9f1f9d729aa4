"""Commands on datasets: versions, protection, pruning."""

from __future__ import annotations

import importlib.metadata
from datetime import date
from typing import Any

from tradex_ledger.datasets.definition import Definition, Pipeline
from tradex_ledger.datasets.fingerprint import describe_all, fingerprint
from tradex_ledger.domain.dataset import Dataset, stream_of
from tradex_ledger.domain.reason import check_reason
from tradex_ledger.executors.context import reference_facts
from tradex_ledger.workspace.core import Core


class DatasetCommands(Core):
    """One method a command."""

    def dataset(self, name: str) -> Dataset:
        """A dataset's aggregate, by a name that the pipeline knows. Raises `UnknownDatasetError`."""
        self.pipeline.get(name)
        return self.ledger.get(Dataset, stream_of(name), "dataset")

    def register_datasets(self) -> list[str]:
        """Make datasets known that the ledger has not seen yet, as version 1. Returns their names."""
        new = self.unregistered()
        self.ledger.append(*new.values())
        return list(new)

    def unregistered(self) -> dict[str, Dataset]:
        """The datasets that the ledger has not seen yet, as version 1, not recorded."""
        pipeline = self.pipeline
        new = [d for d in pipeline.definitions.values() if self.ledger.version_of(stream_of(d.name)) == 0]
        columns = describe_all(pipeline) if new else {}
        datasets = {}
        for d in new:
            dataset = Dataset.register(
                d.name,
                pipeline=pipeline.name,
                layer=d.layer,
                partition_column=d.partition,
                component=d.component,
                by=self.actor,
            )
            dataset.version_logic(logic_facts(d, columns[d.name]), reason="first version", by=self.actor)
            datasets[d.name] = dataset
        return datasets

    def bump(self, name: str, *, reason: str) -> dict[str, int]:
        """Give a dataset's changed logic a version, and those downstream that have a component one, too (indirect).

        Returns the new versions. Raises: `SameLogicError` when the logic is that of the current version;
        `LogicChangedError` when one downstream has changed, too: that one is bumped first.
        """
        self.register_datasets()
        pipeline = self.pipeline
        pipeline.get(name)
        text = check_reason(reason)
        columns = describe_all(pipeline)
        bumped = {name: self.dataset(name)}
        bumped[name].version_logic(logic_facts(pipeline.definitions[name], columns[name]), reason=text, by=self.actor)
        for other in downstream(pipeline, name):
            definition = pipeline.definitions[other]
            if definition.component is not None:
                # A change of its own would pass under this one's reason: it gets its own version first.
                bumped[other] = self.dataset(other)
                bumped[other].check_logic(fingerprint(definition), definition.text, reference_facts(definition))
                facts = logic_facts(definition, columns[other])
                bumped[other].version_logic(facts, reason=text, by=self.actor, indirect=name)
        self.ledger.append(*bumped.values())
        return {dataset: aggregate.logic_version for dataset, aggregate in bumped.items()}

    def deprecate(self, name: str, version: int, *, reason: str) -> Dataset:
        """Mark a version: readable with a warning, written no more."""
        dataset = self.dataset(name)
        dataset.deprecate(version, reason=reason, by=self.actor)
        self.ledger.append(dataset)
        return dataset

    def restore(self, name: str, version: int, *, reason: str) -> Dataset:
        """Take a deprecation back."""
        dataset = self.dataset(name)
        dataset.restore(version, reason=reason, by=self.actor)
        self.ledger.append(dataset)
        return dataset

    def protect(self, name: str, first: date, last: date, *, reason: str) -> Dataset:
        """Keep days of a dataset as they are: planning over them is refused, and so is publishing or reverting."""
        dataset, policy = self.dataset(name), self.policy
        dataset.protect(first.isoformat(), last.isoformat(), reason=reason, by=self.actor, policy=policy)
        self.ledger.append(dataset)
        return dataset

    def unprotect(self, name: str, first: date, last: date, *, reason: str, protection: str | None = None) -> str:
        """Lift a protection, named by its very range (and its reason, if there are several); returns its reason."""
        dataset, policy = self.dataset(name), self.policy
        span = first.isoformat(), last.isoformat()
        lifted = dataset.unprotect(*span, reason=reason, by=self.actor, protection=protection, policy=policy)
        self.ledger.append(dataset)
        return lifted

    def plan_prune(self, name: str, *, reason: str) -> tuple[str, list[dict[str, Any]]]:
        """List the files of old versions that could be given up; somebody else approves the digest."""
        from tradex_ledger.executors.prune import plan_prune

        self.pipeline.get(name)
        return plan_prune(self.ledger, name, reason=reason, by=self.actor)

    def prune(self, name: str, digest: str) -> list[str]:
        """Approve a plan to prune, and remove its files."""
        from tradex_ledger.executors.prune import prune

        self.pipeline.get(name)
        return prune(self.ledger, self.lake, name, digest, by=self.actor, policy=self.policy)


def logic_facts(definition: Definition, columns: list[tuple[str, str]]) -> dict[str, Any]:
    """What LogicVersioned says of a definition."""
    return {
        "fingerprint": fingerprint(definition),
        "definition": definition.text,
        "references": reference_facts(definition),
        "key": list(definition.key),
        "columns": [{"name": name, "type": kind} for name, kind in columns],
        "reads": [{"dataset": r.dataset, "first": r.first, "last": r.last} for r in definition.reads],
        "engine": f"duckdb {importlib.metadata.version('duckdb')}",
    }


def downstream(pipeline: Pipeline, name: str) -> list[str]:
    """All datasets that read the named one, directly or through others, upstream first."""
    found = {name}
    for definition in pipeline.definitions.values():
        if any(read.dataset in found for read in definition.reads):
            found.add(definition.name)
    return [other for other in pipeline.definitions if other in found and other != name]


def lineage(pipeline: Pipeline, name: str) -> list[dict[str, Any]]:
    """The edges above and below a dataset: who reads whom, over which relative days."""
    pipeline.get(name)
    above = {name}
    for definition in reversed(pipeline.definitions.values()):
        if definition.name in above:
            above |= {read.dataset for read in definition.reads}
    below = {name, *downstream(pipeline, name)}
    return [
        {
            "dataset": definition.name,
            "reads": read.dataset,
            "first": read.first,
            "last": read.last,
            "side": "upstream" if definition.name in above else "downstream",
        }
        for definition in pipeline.definitions.values()
        for read in definition.reads
        if definition.name in above or (definition.name in below and read.dataset in below)
    ]
