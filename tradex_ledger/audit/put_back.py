"""Definitions that were put back to the text of an older version: files of today beside the texts on record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import orjson

from tradex_ledger.audit.reader import Reader
from tradex_ledger.datasets.unchanged import References, has_text, references_of
from tradex_ledger.relations.data import DEFINITIONS


class _Text(NamedTuple):
    number: int
    text: str
    references: References


class PutBack(NamedTuple):
    """A dataset whose file has the very text of an older version than its newest one."""

    dataset: str
    version: int
    newest: int

    def __str__(self) -> str:
        """What to say of it."""
        return (
            f"the file of {self.dataset} has the very text of version {self.version}; its newest version is "
            f"{self.newest}: tradex dataset diff {self.dataset}"
        )


def put_back(reader: Reader, folder: Path, dataset: str | None = None) -> Iterator[PutBack]:
    """Each dataset (or the named one) of a pipeline's folder of which that is so. What cannot be read is passed over:
    whoever runs it says so."""
    texts: dict[str, list[_Text]] = {}
    for one in reader.read(DEFINITIONS, "dataset = ? or ? is null order by logic_version desc", dataset, dataset):
        told = _Text(one.logic_version, one.definition, references_of(orjson.loads(one.references)))
        texts.setdefault(one.dataset, []).append(told)
    for name, (newest, *older) in texts.items():
        file = folder / f"{name}.sql"
        if older and not has_text(file, newest.text, newest.references):
            found = next((one.number for one in older if has_text(file, one.text, one.references)), None)
            if found is not None:
                yield PutBack(name, found, newest.number)
