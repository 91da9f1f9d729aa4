"""Whether definitions are what is on record, as far as that can be told without understanding them.

Nearly always they are, and whoever asks where things stand need not wait for the parser.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

from tradex_ledger.datasets.header import HEADER, fields_of, read_by
from tradex_ledger.sources.registry import reader_version


class Reference(NamedTuple):
    """Reference data of a definition: the name of its table, and its CSV text."""

    name: str
    text: str


def references_of(facts: Iterable[Mapping[str, str]]) -> tuple[Reference, ...]:
    """Reference data as an event carries it."""
    return tuple(Reference(**one) for one in facts)


References: TypeAlias = tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger says of a dataset: what it was registered as, and its current version.

    `given_up`: that version is deprecated. `has_data`: something of the dataset is in the lake.
    """

    layer: str
    partition: str
    component: str | None
    version: int
    text: str
    references: tuple[Reference, ...]
    reader: int | None
    given_up: bool
    has_data: bool


def are_unchanged(folder: Path, known: Mapping[str, Known]) -> bool:
    """Whether the files of a folder are those on record, one for one. False says no more than: look closer.

    `known`: what the ledger says of each dataset, by its name.
    """
    try:
        files = {path.stem: path for path in folder.glob("*.sql")}
        return files.keys() == known.keys() and all(_is(files[name], facts) for name, facts in known.items())
    except (OSError, ValueError, RecursionError):  # said by who looks closer
        return False


def has_text(path: Path, text: str, references: References) -> bool:
    """Whether a file has a text, and the reference data beside it those texts. What cannot be read has not."""
    try:
        return _read(path) == text and all(
            _read(path.with_name(f"{one.name.removesuffix('.csv')}.csv")) == one.text for one in references
        )
    except (OSError, ValueError):
        return False


def _is(path: Path, known: Known) -> bool:
    text = _read(path)
    header = HEADER.search(text)
    if text != known.text or header is None:
        return False
    fields = fields_of(header)
    names = fields.get("references", [])
    said = [(f"{one.name}.csv", one.text) for one in known.references]
    reader = reader_version(read_by(fields.get("source"), fields.get("reader"))) if known.layer == "bronze" else None
    return (
        (fields.get("layer"), fields.get("partition"), fields.get("component"), reader)
        == (known.layer, known.partition, known.component, known.reader)
        and names == [name for name, _ in said]
        and all(_read(path.with_name(name)) == content for name, content in said)
    )


def _read(path: Path) -> str:
    if not path.is_file():  # a pipe would be waited for
        raise FileNotFoundError(path)
    return path.read_text(encoding="utf-8-sig")
