"""Today's definitions held against the texts of their versions."""

from __future__ import annotations

from collections.abc import Mapping

from tradex_ledger.datasets.definition import Definition, Pipeline
from tradex_ledger.datasets.fingerprint import check_definition, difference
from tradex_ledger.datasets.unchanged import references_of
from tradex_ledger.domain.dataset import Dataset, Difference
from tradex_ledger.sources.registry import noun_of, reader_version


def differs(definition: Definition) -> Difference:
    """Tells today's definition from the text of a version."""
    return lambda text, references: difference(definition, text, references_of(references))


def changed_logic(pipeline: Pipeline, locks: Mapping[str, Dataset]) -> dict[str, list[str]]:
    """What is other than in its current version, for each dataset of which something is. Raises `DefinitionError`."""
    found = {}
    for name, definition in pipeline.definitions.items():
        check_definition(definition)
        by = definition.read_by
        found[name] = locks[name].changes(differs(definition), reader=reader_version(by), row=noun_of(by))
    return {name: what for name, what in found.items() if what}


def reference_facts(definition: Definition) -> list[dict[str, str]]:
    """A definition's reference data as events carry it."""
    return [{"name": name, "text": text} for name, text in definition.references]
