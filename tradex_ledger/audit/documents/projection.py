"""Projections, as documents: what their columns are, and all of them in a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from tradex_ledger.errors import NotFoundError, meant
from tradex_ledger.views import AsOf, projected
from tradex_ledger.views.projected import Contract

__all__ = ["Contract", "RebuiltDocument", "RebuiltTable", "UnknownProjectionError", "contracts"]


class UnknownProjectionError(NotFoundError):
    """There is no projection of that name."""

    code = "unknown-projection"

    def __init__(self, name: str) -> None:
        names = projected.names()
        super().__init__(f"there is no projection {name!r}", mend=f"{meant(name, names)}one of: {', '.join(names)}")


class RebuiltTable(NamedTuple):
    """A table of a file, or a view, and about how many rows it has; of a view nobody has counted."""

    name: str
    is_view: bool
    rows: int | None


@dataclass(frozen=True, slots=True)
class RebuiltDocument:
    """A file that was made: of which ledger, the root (hex) over its events, where its views of the lake look."""

    file: str
    bytes: int
    ledger: str
    root: str
    lake: str | None
    tables: list[RebuiltTable]
    warnings: list[str]
    as_of: AsOf


def contracts(name: str | None = None) -> list[Contract]:
    """What is on record of all projections, or of one. Raises `UnknownProjectionError`."""
    if name is not None and name not in projected.names():
        raise UnknownProjectionError(name)
    return [projected.contract(one) for one in ([name] if name is not None else projected.names())]
