"""What is to be erased: which rows, by digests of their keys, and the files that hold them. No I/O here."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from tradex_ledger.domain.facts import Facts
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.domain.waiting import ListedFile

SEPARATOR = "\n"
"""Between the ledger's id and a key, in what is digested: a ledger's digests are of no use for another's."""
_OWN = ("dataset", "layer", "run", "erased")


def key_digest(ledger: str, key: str) -> str:
    """What events say of a row that is erased, in the place of its key: SHA-256 (hex) over the ledger's id and that."""
    return hashlib.sha256(f"{ledger}{SEPARATOR}{key}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Holding:
    """A file of a dataset that holds `rows` rows to be erased, and by which run it was written."""

    dataset: str
    layer: str
    run: str
    listed: ListedFile
    rows: int

    def to_event(self) -> Facts:
        """As a plan has it."""
        own = {"dataset": self.dataset, "layer": self.layer, "run": self.run, "erased": self.rows}
        return {**self.listed.to_event(), **own}

    def replaced(self, by: LakeFile | None) -> Facts:
        """As it was carried out: with the file that stands in its place, where a row is left."""
        return {**self.to_event(), "into": None if by is None else by.to_event()}

    @staticmethod
    def from_event(facts: Facts) -> Holding:
        """Of a plan's."""
        listed = ListedFile.from_event({name: said for name, said in facts.items() if name not in _OWN})
        return _holding(listed, **{name: said for name, said in facts.items() if name in _OWN})


def _holding(listed: ListedFile, *, dataset: str, layer: str, run: str, erased: int) -> Holding:
    return Holding(dataset, layer, run, listed, erased)


@dataclass(frozen=True, slots=True)
class ErasurePlan:
    """An erasure that somebody planned.

    `keys` are digests, `key` is the column that has the keys, `delivered` names what was delivered with them.
    """

    key: str
    keys: tuple[str, ...]
    files: tuple[Holding, ...]
    delivered: tuple[str, ...]
    digest: str
    reason: str
    ticket: str
    by: str

    @property
    def paths(self) -> set[str]:
        """The names of the files in the lake."""
        return {holding.listed.file.path for holding in self.files}

    @property
    def erased(self) -> int:
        """How many rows go, of all files."""
        return sum(holding.rows for holding in self.files)

    def to_event(self) -> Facts:
        """As events and documents have it, with who planned it."""
        return {
            "key": self.key,
            "keys": list(self.keys),
            "files": [holding.to_event() for holding in self.files],
            "delivered": list(self.delivered),
            "digest": self.digest,
            "reason": self.reason,
            "ticket": self.ticket,
            "by": self.by,
        }
