"""How a plan looks: what would be rebuilt, why, what that is expected to cost, and who has to allow it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tradex_ledger.cli.show import Facts, Show
from tradex_ledger.cli.words import bytes_text

if TYPE_CHECKING:
    from tradex_ledger.audit.documents.plan import Move, PlanDocument, Share
    from tradex_ledger.domain.plan import Edge, Estimate, Range
    from tradex_ledger.domain.request import RecordedRequest

COLUMNS = ("dataset", "logic_version", "first", "last", "partitions", "windows", "why")


def planned(show: Show, document: PlanDocument) -> None:
    """A plan before it is recorded, or just then."""
    from tradex_ledger.domain.approval import in_words

    asked, plan = document.request, document.plan
    show.facts(
        {
            "plan": plan.digest,
            "as of position": plan.base,
            "policy": plan.policy_digest,
            "reason": asked.reason,
            **request_facts(asked, document.state, plan.state_read),
            "partitions": plan.partitions,
            **cost_facts(plan.estimate),
            "approval": in_words(document.approval),
        }
    )
    by_dataset(show, document.by_dataset, document.edges)


def request_facts(asked: RecordedRequest, state: Move | None, read: str | None) -> Facts:
    """What a request declares beside its kind, days and reason."""
    from tradex_ledger.domain.day import iso

    return {
        "fetch": f"created from {iso(asked.first)} to {iso(asked.last)}" if "bronze" in asked.layers else None,
        "state": state_text(state, read),
        "priority": asked.priority,
        "review": asked.review,
        "allow overlap": ", ".join(asked.allow_overlap),
    }


def cost_facts(estimate: Estimate) -> Facts:
    """What a plan is expected to cost, with the range."""
    unknown = "unknown: nothing like it was built before"
    return {
        "rows": _range(estimate.rows, str) or unknown,
        "bytes": _range(estimate.bytes, bytes_text) or unknown,
        "seconds of work": _range(estimate.seconds, str) or unknown,
        "source calls": _range(estimate.source_calls, str) or "unknown",
    }


def state_text(state: Move | None, read: str | None) -> str:
    """Where the state goes: cursor now -> cursor after; or the cursor that was read."""
    if state is None:
        return f"stays where it is; read at {read}: no day at or after it is built" if read else "stays where it is"
    before, after = state.cursor_before or "", state.cursor_after
    told = f"{state.pipeline} moves: {before or 'the beginning'} -> {after}"
    return f"{told} (forward: no run will process what lies between)" if after > before else told


def by_dataset(show: Show, shares: Sequence[Share], edges: Sequence[Edge]) -> None:
    """The partitions of a plan, a line a dataset, and why they are in it."""
    from tradex_ledger.audit.documents.plan import reasons

    why = reasons(edges)
    show.line()
    show.rows(shares, COLUMNS, why=[why.get(share.dataset, "") for share in shares])


def _range(estimate: Range | None, text: Callable[[int], str]) -> str | None:
    """An estimate for people: about so many, with its range where it has one."""
    if estimate is None:
        return None
    likely = f"about {text(estimate.likely)}"
    return likely if estimate.low == estimate.high else f"{likely} ({text(estimate.low)} to {text(estimate.high)})"
