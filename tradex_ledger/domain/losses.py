"""Which files of a dataset are lost: listed by one person, confirmed by another, and on record. No I/O here.

The lake is looked at by who calls (`upkeep/lost.py`): here it is decided who may say so, and that it is said once.
"""

from __future__ import annotations

from collections.abc import Sequence

from tradex_ledger.domain import dataset_events as events
from tradex_ledger.domain.dataset_errors import LossRefusedError
from tradex_ledger.domain.digest import digest_of
from tradex_ledger.domain.engine_verdicts import EngineVerdicts
from tradex_ledger.domain.policy import Policy
from tradex_ledger.domain.reason import check_reason
from tradex_ledger.domain.waiting import FileList, ListedFile, is_own, named

RIGHT = "declare_lost"
"""Of who lists the files, and of who confirms it."""


class Losses(EngineVerdicts):
    """The part of a dataset that knows which of its files are lost."""

    LossDeclared = events.LossDeclared
    FilesLost = events.FilesLost

    def __init__(self) -> None:
        super().__init__()
        self.lost: list[str] = []
        self.loss_plan: FileList | None = None

    def declare_loss(self, files: Sequence[ListedFile], *, reason: str, by: str, policy: Policy) -> str:
        """List files that are missing or changed; returns the digest to approve.

        Raises: `NotAllowedError`, `LossRefusedError` when there is none, or one is declared lost already.
        """
        policy.check_may(RIGHT, by)
        if not files:
            raise LossRefusedError(f"no file of {self.name} is missing or changed: there is nothing to declare lost")
        known = sorted({listed.file.path for listed in files} & set(self.lost))
        if known:
            raise LossRefusedError(f"{known[0]} is declared lost already")
        listed = [file.to_event() for file in files]
        digest = digest_of([self.name, listed])
        self.trigger_event(self.LossDeclared, files=listed, digest=digest, reason=check_reason(reason), by=by)
        return digest

    def lose(self, digest: str, *, by: str, policy: Policy) -> tuple[ListedFile, ...]:
        """Confirm the loss with that digest; returns the files.

        Raises: `NotAllowedError`, `LossRefusedError`; four eyes: who listed the files does not confirm.
        """
        policy.check_may(RIGHT, by)
        plan = named(self.loss_plan, digest)
        if plan is None:
            raise LossRefusedError(
                f"{self.name} has no declared loss {digest[:12]} that waits",
                mend=f"make one: tradex lake lost {self.name} --reason …",
            )
        if is_own(plan, by):
            raise LossRefusedError(
                f"{by} declared these files lost and cannot confirm it",
                mend="ask somebody else",
                code="self-approval",
            )
        facts = {**plan.to_event(), "declared_by": plan.by, "by": by}
        self.trigger_event(self.FilesLost, **facts)
        return plan.files
