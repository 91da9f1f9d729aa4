"""The moments of a ledger as a slider shows them: each of a kind, told in words."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from tradex_ledger.audit.look import Look
from tradex_ledger.views import AsOf

_KINDS = {
    "decided": ("approved", "rejected", "expired", "held", "released", "paused", "resumed"),
    "failed": ("failed", "attempt failed", "cancelled", "reverted", "lost", "erased", "pruned"),
    "published": ("published",),
    "version": ("versioned", "deprecated", "restored", "protected", "unprotected"),
}
_KIND = {moment: kind for kind, moments in _KINDS.items() for moment in moments}


class Moment(NamedTuple):
    """An event at which somebody may want to stop: its kind, and what happened, in words."""

    position: int
    at: datetime
    kind: str
    what: str


def moments_of(look: Look, as_of: AsOf) -> list[Moment]:
    """All of them up to a position, oldest first."""
    found = []
    for one in look.moments(as_of):
        subject = one.dataset if one.moment in _KINDS["version"] else one.run_id
        what = " ".join(said for said in (subject or one.dataset, one.moment, f"by {one.by}") if said)
        found.append(Moment(one.position, one.at, _KIND.get(one.moment, "other"), what))
    return found
