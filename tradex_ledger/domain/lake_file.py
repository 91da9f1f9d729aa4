"""A file of the lake, as events name it. No I/O here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Self


@dataclass(frozen=True, slots=True)
class LakeFile:
    """A file that an event names: its path relative to the lake, bytes, rows, SHA-256 of its bytes (hex)."""

    path: str
    bytes: int
    rows: int
    sha256: str

    @classmethod
    def of(cls, facts: Mapping[str, object]) -> Self:
        """The file that an event's facts tell of; what else they say of it is passed over."""
        path, size, rows, sha256 = _facts(facts)
        assert isinstance(path, str) and isinstance(size, int) and isinstance(rows, int) and isinstance(sha256, str)
        return cls(path, size, rows, sha256)

    def to_event(self) -> dict[str, str | int]:
        """The facts as events keep them."""
        return {"path": self.path, "bytes": self.bytes, "rows": self.rows, "sha256": self.sha256}


_facts = itemgetter(*LakeFile.__slots__)
FILE_FACTS = LakeFile.__slots__
"""What events say of a file; beside it they may say what becomes of it."""
