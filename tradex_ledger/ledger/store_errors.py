"""Which ledger a database holds, and why one cannot be opened or made there."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import URL

from tradex_ledger.errors import EnvironmentFault, NotFoundError, RefusedError
from tradex_ledger.ledger.faults import shown
from tradex_ledger.ledger.select import FORMAT


@dataclass(frozen=True)
class StoreInfo:
    """Which ledger a database holds."""

    id: str
    format: int
    created_at: str


class NoLedgerError(NotFoundError):
    """The database, or the ledger in it, is not there."""

    code = "no-ledger"

    def __init__(self, url: URL) -> None:
        super().__init__(f"there is no ledger in {shown(url)}", mend="tradex init DIR")


class LedgerExistsError(RefusedError):
    """A database holds one ledger, and never a second."""

    code = "ledger-exists"

    def __init__(self, url: URL, info: StoreInfo) -> None:
        super().__init__(
            f"{shown(url)} already holds the ledger {info.id}, created at {info.created_at}",
            mend="open that ledger, or name another database",
        )


class FormatTooNewError(EnvironmentFault):
    """The ledger was written by a later release."""

    code = "format-too-new"

    def __init__(self, info: StoreInfo) -> None:
        super().__init__(
            f"the ledger {info.id} has format {info.format}; this release knows formats up to {FORMAT}",
            mend="install a newer tradex-ledger",
        )


class TablesTakenError(RefusedError):
    """A database without a ledger that has tables of the names that a ledger's have: they are somebody else's."""

    code = "tables-taken"

    def __init__(self, url: URL, names: Collection[str]) -> None:
        super().__init__(
            f"{shown(url)} holds no ledger, and has tables of its names: {', '.join(sorted(names))}",
            mend="name a database, or a schema (?options=-csearch_path%3DNAME), that is empty",
        )
