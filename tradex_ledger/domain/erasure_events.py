"""Rows of a dataset that are erased because law asks for it, event by event. No I/O here.

`Erasures` decides, these only tell. Which rows is told by digests of their keys; nothing of what is in them is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tradex_ledger.domain.base import Event
from tradex_ledger.domain.erasing import ErasurePlan, Holding
from tradex_ledger.domain.facts import Facts

if TYPE_CHECKING:
    from tradex_ledger.domain.erasures import Erasures


class ErasurePlanned(Event):
    """Somebody listed the files that hold some rows which law wants erased; nothing is, until it is approved."""

    TOPIC: ClassVar[str] = "dataset.erasure_planned"
    key: str
    keys: list[str]
    files: list[Facts]
    delivered: list[str]
    digest: str
    reason: str
    ticket: str

    def apply(self, aggregate: Erasures) -> None:
        files = tuple(map(Holding.from_event, self.files))
        told = tuple(self.keys), files, tuple(self.delivered), self.digest, self.reason, self.ticket, self.by
        aggregate.erasure_plan = ErasurePlan(self.key, *told)


class ErasureApproved(Event):
    """A second person allowed that very erasure, on what was known at position `seen`; it is carried out in one save
    with this.
    """

    TOPIC: ClassVar[str] = "dataset.erasure_approved"
    plan_digest: str
    policy_digest: str
    planned_by: str
    seen: int | None
    checkpoint: str | None
    signature: str | None
    key: str | None
    nonce: str | None
    expires: str | None


class FilesErased(Event):
    """By an approved plan files of this dataset count no more: others stand in their places, without those rows.

    It is recorded for each dataset that has such files, and for each that could take such rows in again. The files are
    removed after this event, never before.
    """

    TOPIC: ClassVar[str] = "dataset.files_erased"
    of: str
    keys: list[str]
    files: list[Facts]
    digest: str
    reason: str
    ticket: str
    planned_by: str

    def apply(self, aggregate: Erasures) -> None:
        aggregate.erased = aggregate.erased.union(self.keys)
        if self.of == aggregate.name:
            aggregate.erasing, aggregate.erasure_plan = aggregate.erasure_plan, None


class ErasureEnded(Event):
    """The files are removed. `left` counts those that hold such rows all the same: events named them since."""

    TOPIC: ClassVar[str] = "dataset.erasure_ended"
    digest: str
    removed_files: int
    erased_rows: int
    left: int

    def apply(self, aggregate: Erasures) -> None:
        aggregate.erasing = None
