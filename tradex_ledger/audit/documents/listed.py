"""A run in a list of runs."""

from __future__ import annotations

from dataclasses import dataclass, field

from tradex_ledger.audit.documents.form import SPREAD
from tradex_ledger.relations.runs import Run


@dataclass(frozen=True, slots=True)
class Listed:
    """A run among others."""

    id: str
    run: Run = field(metadata=SPREAD)
