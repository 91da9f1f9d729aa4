"""Where an answer stands: in which ledger, as of which position, under which root over all events up to it."""

from __future__ import annotations

from dataclasses import dataclass, field

from tradex_ledger.audit.documents.form import IF_ANY, to_json
from tradex_ledger.audit.documents.sealing import sealing
from tradex_ledger.config import Config
from tradex_ledger.errors import BrokenLedgerError
from tradex_ledger.ledger.roots import root_of
from tradex_ledger.ledger.select import Store
from tradex_ledger.views import AsOf

__all__ = ["AsOf", "Head", "Stated", "head_of"]


@dataclass(frozen=True, slots=True)
class Head:
    """A position, the time (UTC) of its event, and the root (hex) over all events up to it.

    `sealed`: whether the newest signed checkpoint covers it; None where nobody can say. `problem`: why no root is told.
    """

    position: int
    at: str | None
    ledger: str
    root: str | None
    sealed: bool | None = None
    problem: str | None = field(default=None, metadata=IF_ANY)

    @property
    def in_words(self) -> str:
        """For people, in one line."""
        when = f" ({self.at})" if self.at else ""
        sealed = "" if self.sealed is None else ", sealed" if self.sealed else ", not sealed"
        root = f"root {self.root[:16]}…" if self.root else f"no root can be told: {self.problem}"
        return f"as of position {self.position}{when} of the ledger {self.ledger}, {root}{sealed}"


@dataclass(frozen=True, slots=True)
class Stated:
    """An answer, and where it stands."""

    found: object
    head: Head

    def as_json(self) -> object:
        """The answer's own document, with the field `as_of`; of an answer that is a list, that is the `rows`."""
        document = to_json(self.found)
        if isinstance(document, list):
            document = {"rows": document}
        return {**(document or {}), "as_of": to_json(self.head)}


def head_of(store: Store, config: Config, as_of: AsOf) -> Head:
    """Where an answer as of a position stands; a tree that is broken is told, and ends no answer."""
    try:
        root, problem = root_of(store, as_of.position).hex(), None
    except BrokenLedgerError as error:
        root, problem = None, error.message
    return Head(as_of.position, as_of.at, store.ledger, root, _is_sealed(store, config, as_of.position), problem)


def _is_sealed(store: Store, config: Config, position: int) -> bool | None:
    """Whether a signed head covers a position; None where no place tells of one, and one of them cannot."""
    found = sealing(store, config, position, None)
    return None if found.unsealed and found.unreached else not found.unsealed
