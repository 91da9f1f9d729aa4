"""What applies to a run instead of what was asked of it: in its status, something else does. No I/O here."""

from __future__ import annotations

from tradex_ledger.domain.base import WrongStateError

_IS_FOR = {
    "approved": "approve is for requests that wait",
    "rejected": "reject is for requests that wait",
    "paused": "pause is for what is approved and not published yet",
    "resumed": "resume is for what is paused",
    "released": "release is for what is held before its publication",
    "cancelled": "cancel is for what is not published yet",
    "reverted": "revert is for what was published",
}
_CANCEL = "tradex backfill cancel {id} --reason …"
_INSTEAD = {
    "PLANNED": "this one waits for a decision: tradex backfill approve {id}, or reject {id} --reason …",
    "APPROVED": f"this one is approved; to end it: {_CANCEL}",
    "RUNNING": f"this one runs; to end it: {_CANCEL}",
    "FAILED": f"this one failed and can be taken up again (tradex backfill run {{id}}); to end it: {_CANCEL}",
    "PAUSED": f"this one is paused; to let it go on: tradex backfill resume {{id}}; to end it: {_CANCEL}",
    "HELD": "this one is held: look at it (tradex audit diff {id}), then: tradex backfill release {id} --reason …, "
    f"or {_CANCEL}",
    "SUCCESS": "this one is published; to take that back: tradex backfill revert {id} --reason …",
    "REJECTED": "this one was rejected; it can be requested again",
    "EXPIRED": "this one has expired; it can be requested again, on what is known today",
    "CANCELLED": "this one was cancelled; it can be requested again",
    "REVERTED": "this one is taken back already",
}


def wrong_state(run_id: str, status: str, action: str) -> WrongStateError:
    """That a backfill is in no state for that, with what that is for, and what applies to this one."""
    instead = _INSTEAD.get(status, "see what happened to it: tradex audit history {id}").format(id=run_id)
    return WrongStateError(run_id, status, action, f"{_IS_FOR[action]}; {instead}")
