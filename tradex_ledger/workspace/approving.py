"""Approvals: of a backfill, or of several at once, on what the approver was shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from tradex_ledger.audit.documents.run import run_document
from tradex_ledger.audit.reader import Reader
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.backfill_errors import ExpiredRequestError
from tradex_ledger.domain.base import Aggregate
from tradex_ledger.domain.plan import full_digest
from tradex_ledger.domain.remark import Remark
from tradex_ledger.domain.signing import Knowledge
from tradex_ledger.errors import RefusedError, TradexError
from tradex_ledger.ledger.named import NoSuchStreamError
from tradex_ledger.views import resolve

if TYPE_CHECKING:
    from tradex_ledger.audit.documents.effects import Effects
    from tradex_ledger.workspace.approvals import Approvals, Given, Handed
    from tradex_ledger.workspace.core import Core


class StaleKnowledgeError(RefusedError):
    """What an approval is given on is not so any more, in what matters to who gives it."""

    code = "stale-knowledge"

    def __init__(self, run_id: str, seen: int, changes: Sequence[str]) -> None:
        super().__init__(
            f"{run_id} was looked at as of position {seen}, and since then: {'; '.join(changes)}",
            mend=f"look at it again (tradex backfill show {run_id}), then approve what is shown",
        )


class NotAllApprovedError(RefusedError):
    """Several backfills are approved together, or none of them is."""

    code = "not-all-approved"

    def __init__(self, refused: Mapping[str, TradexError], asked: int) -> None:
        reasons = "; ".join(error.message for error in refused.values())
        mend = next(iter(refused.values())).mend
        super().__init__(
            f"{len(refused)} of {asked} backfills cannot be approved, so none was: {reasons}",
            mend=mend if len(refused) == asked else f"leave {', '.join(refused)} out, or: {mend}",
        )


def approve(
    approvals: Approvals,
    runs: Sequence[tuple[Backfill, str | None]],
    said: Remark,
    *,
    seen: int | None,
    signed: Mapping[str, Handed],
) -> list[Backfill]:
    """Approve backfills, each with the digest that its plan must have (None: whatever it has), in one save.

    Raises: what refuses the only one; `NotAllApprovedError` where there are more.
    """
    core, unmoved = approvals.core, dict[str, Aggregate]()
    refused: dict[str, TradexError] = {}
    for backfill, digest in runs:
        given = approvals.given(signed.get(backfill.id), seen=seen)
        unmoved |= {one.id: one for one in given.unmoved}
        try:
            _approve(core, backfill, digest, said, given)
        except ExpiredRequestError as error:
            if len(runs) == 1 and given.believed:
                backfill.expire(now=given.now, policy=given.record.policy, by=core.actor)
                core.ledger.append(backfill)
            refused[backfill.id] = error
        except RefusedError as error:
            refused[backfill.id] = error
    if refused and len(runs) == 1:
        raise next(iter(refused.values()))
    if refused:
        raise NotAllApprovedError(refused, len(runs))
    core.ledger.append(*(backfill for backfill, _ in runs), unmoved=unmoved.values())
    return [backfill for backfill, _ in runs]


def _approve(core: Core, backfill: Backfill, digest: str | None, said: Remark, given: Given) -> None:
    known = backfill.plan.digest if backfill.plan else ""
    wanted = known if digest is None else full_digest(digest, known)
    backfill.approve(wanted, by=core.actor, policy=given.record.policy, now=given.now, on=given.on, said=said)
    seen = given.on.seen if isinstance(given.on, Knowledge) else given.on.said.position
    if seen is not None:
        check_still_so(core, backfill.id, seen)


def check_still_so(core: Core, run_id: str, seen: int) -> None:
    """Raise `StaleKnowledgeError` when what a plan does to readers, or stands in its way, is other than it was as of a
    position, or its plan was not there yet; `NoSuchPositionError` for one that nobody has seen."""
    if resolve(core.ledger.store, str(seen)).position == core.ledger.position():
        return
    try:
        planned = core.ledger.get(Backfill, run_id, upto=seen).plan is not None
    except NoSuchStreamError:
        planned = False
    if not planned:
        raise StaleKnowledgeError(run_id, seen, ["it was planned"])
    before, after = (_effects(core, run_id, as_of) for as_of in (str(seen), None))
    if before and after and (changes := list(before.differences(after))):
        raise StaleKnowledgeError(run_id, seen, changes)


def _effects(core: Core, run_id: str, as_of: str | None) -> Effects | None:
    with closing(Reader(core.ledger.store, as_of)) as reader:
        return run_document(reader, run_id).effects
