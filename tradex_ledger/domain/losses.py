"""Which files of a dataset are lost: listed by one person, confirmed by another, and on record. No I/O here.

The lake is looked at by who calls (`upkeep/lost.py`): here it is decided who may say so, and that it is said once.
"""

from __future__ import annotations

from typing import Any

from tradex_ledger.domain import dataset_events as events
from tradex_ledger.domain.dataset_errors import LossRefusedError
from tradex_ledger.domain.engine_verdicts import EngineVerdicts
from tradex_ledger.domain.person import person
from tradex_ledger.domain.plan import digest_of
from tradex_ledger.domain.policy import Policy
from tradex_ledger.domain.reason import check_reason

RIGHT = "declare_lost"
"""Of who lists the files, and of who confirms it."""


class Losses(EngineVerdicts):
    """The part of a dataset that knows which of its files are lost."""

    LossDeclared = events.LossDeclared
    FilesLost = events.FilesLost

    def __init__(self) -> None:
        super().__init__()
        self.lost: list[str] = []
        self.loss_plan: dict[str, Any] | None = None

    def declare_loss(self, files: list[dict[str, Any]], *, reason: str, by: str, policy: Policy) -> str:
        """List files (as `LossDeclared` has them) that are missing or changed; returns the digest to approve.

        Raises: `NotAllowedError`, `LossRefusedError` when there is none, or one is declared lost already.
        """
        policy.check_may(RIGHT, by)
        if not files:
            raise LossRefusedError(f"no file of {self.name} is missing or changed: there is nothing to declare lost")
        known = sorted({file["path"] for file in files} & set(self.lost))
        if known:
            raise LossRefusedError(f"{known[0]} is declared lost already")
        digest = digest_of([self.name, files])
        self.trigger_event(self.LossDeclared, files=files, digest=digest, reason=check_reason(reason), by=by)
        return digest

    def lose(self, digest: str, *, by: str, policy: Policy) -> list[dict[str, Any]]:
        """Confirm the loss with that digest; returns the files.

        Raises: `NotAllowedError`, `LossRefusedError`; four eyes: who listed the files does not confirm.
        """
        policy.check_may(RIGHT, by)
        plan = self.loss_plan
        if plan is None or plan["digest"] != digest:
            raise LossRefusedError(
                f"{self.name} has no declared loss {digest[:12]} that waits",
                mend=f"make one: tradex lake lost {self.name} --reason …",
            )
        if person(by) == person(plan["by"]):
            raise LossRefusedError(
                f"{by} declared these files lost and cannot confirm it",
                mend="ask somebody else",
                code="self-approval",
            )
        facts = {"files": plan["files"], "digest": digest, "reason": plan["reason"], "declared_by": plan["by"]}
        self.trigger_event(self.FilesLost, **facts, by=by)
        files: list[dict[str, Any]] = plan["files"]
        return files
