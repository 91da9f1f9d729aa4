"""Definitions of today and of then, beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import orjson

from tradex_ledger.audit.documents.texts import FILE, Side, TextsDocument, texts
from tradex_ledger.audit.reader import Reader
from tradex_ledger.datasets.definition import Definition, UnknownDatasetError, parse_definition
from tradex_ledger.datasets.fingerprint import describe_all, difference, fingerprint
from tradex_ledger.datasets.unchanged import Reference
from tradex_ledger.domain.dataset_errors import NoSuchVersionError
from tradex_ledger.relations.data import DEFINITIONS, LOGIC_VERSIONS
from tradex_ledger.workspace.core import Core


class _Column(NamedTuple):
    name: str
    type: str


class _Text(NamedTuple):
    """A version of a definition, as the ledger has it."""

    number: int
    text: str
    references: dict[str, str]
    columns: dict[str, str]
    fingerprint: str


def compare(core: Core, dataset: str, versions: tuple[int, int] | None = None) -> TextsDocument:
    """The file of a dataset beside its current version, or two versions of it.

    Raises: `UnknownDatasetError`, `NoSuchVersionError`, `DefinitionError`.
    """
    known = _on_record(core, dataset)
    if versions is not None:
        for number in versions:
            if number not in known:
                raise NoSuchVersionError(dataset, number, max(known))
        older, newer = (known[number] for number in versions)
        return _document(known, older, _side(newer), _parsed(dataset, newer))
    pipeline = core.pipeline
    return compare_with(core, pipeline.get(dataset), describe_all(pipeline)[dataset])


def compare_with(core: Core, definition: Definition, columns: Sequence[tuple[str, str]]) -> TextsDocument:
    """A definition with its columns beside the newest version of its dataset.

    Raises: `UnknownDatasetError`, `DefinitionError`.
    """
    known = _on_record(core, definition.name)
    after = Side(FILE, definition.text, dict(definition.references), dict(columns), fingerprint(definition))
    return _document(known, known[max(known)], after, definition)


def _document(known: Mapping[int, _Text], older: _Text, after: Side, definition: Definition) -> TextsDocument:
    references = tuple(Reference(name, text) for name, text in older.references.items())
    what = difference(definition, older.text, references)
    told = {one.number: (one.text, one.references) for one in known.values()}
    return texts(definition.name, _side(older), after, [what] if what else [], told)


def _on_record(core: Core, dataset: str) -> dict[int, _Text]:
    reader = Reader(core.ledger.store)
    prints = {one.logic_version: one.fingerprint for one in reader.read(LOGIC_VERSIONS, "dataset = ?", dataset)}
    found = {}
    for one in reader.read(DEFINITIONS, "dataset = ? order by logic_version", dataset):
        references = {told["name"].removesuffix(".csv"): told["text"] for told in orjson.loads(one.references)}
        columns = {told.name: told.type for told in (_Column(**raw) for raw in orjson.loads(one.columns))}
        number = one.logic_version
        found[number] = _Text(number, one.definition, references, columns, prints[number])
    if not found:
        raise UnknownDatasetError(dataset, sorted({one.dataset for one in reader.read(LOGIC_VERSIONS)}))
    return found


def _side(one: _Text) -> Side:
    return Side(f"version {one.number}", one.text, one.references, one.columns, one.fingerprint)


def _parsed(dataset: str, one: _Text) -> Definition:
    return parse_definition(dataset, one.text, {f"{name}.csv": text for name, text in one.references.items()})
