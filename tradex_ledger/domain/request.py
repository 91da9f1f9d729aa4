"""What may be asked for: the four kinds of backfill, and what each must declare. No I/O, no clock here."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

from tradex_ledger.domain.person import person
from tradex_ledger.domain.plan import LAYERS
from tradex_ledger.domain.policy import KINDS
from tradex_ledger.domain.reason import check_reason, check_text
from tradex_ledger.errors import RefusedError, UsageError

PRIORITIES = ("low", "normal", "high", "urgent")
REQUEST_FIELDS = (
    "kind",
    "dataset",
    "first",
    "last",
    "layers",
    "mode",
    "override_state",
    "state_use",
    "cursor",
    "reason",
    "ticket",
    "priority",
    "review",
    "allow_overlap",
    "group",
)
OPTIONS = ("ticket", "priority", "cursor", "review", "allow_overlap", "group")
STORED_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


class RangeError(UsageError):
    """The range of days cannot be backfilled."""

    code = "range"


class UnknownKindError(UsageError):
    """There are four kinds of backfill."""

    code = "kind"

    def __init__(self, kind: str) -> None:
        super().__init__(f"{kind!r} is no kind of backfill", mend=f"one of {', '.join(KINDS)}")


class StateOverrideRefusedError(RefusedError):
    """The state is protected: only a forced backfill may override it (N8, N13, N20, N21)."""

    code = "state-protected"

    def __init__(self, kind: str) -> None:
        super().__init__(
            f"a {kind} backfill cannot override the pipeline state",
            mend="declare --no-override-state; only a forced backfill may move the state",
        )


class CursorError(UsageError):
    """A cursor is named if, and only if, the state is to be overridden."""

    code = "cursor"


class ForcedNeedsTicketError(UsageError):
    """What is exceptional is traceable (N13)."""

    code = "ticket"

    def __init__(self) -> None:
        super().__init__("a forced backfill needs a ticket", mend="name it: --ticket INC-4211")


class TicketError(UsageError):
    """A ticket is there to be looked up."""

    code = "ticket"

    def __init__(self, ticket: str) -> None:
        super().__init__(
            f"the ticket {ticket!a} names nothing: there is no letter or digit to be seen in it",
            mend="write it as it is called where tickets are kept: --ticket INC-4211",
        )


def check_ticket(ticket: str) -> str:
    """Return the ticket. Raises: `TicketError`, and what `check_text` raises."""
    text = check_text("ticket", ticket)
    if text.strip() and not re.search(r"[^\W_]", person(text)):
        raise TicketError(ticket)
    return text


def check_order(first: date, last: date) -> None:
    """Raise `RangeError` when first..last (both included) ends before it starts."""
    if last < first:
        raise RangeError(
            f"the range {first}..{last} is reversed: it ends before it starts",
            mend=f"did you mean --from {last} --to {first}?",
        )


def check_range(first: date, last: date, *, today: date) -> None:
    """Raise `RangeError` unless first..last (both included) is a range of past days. `today` is UTC."""
    check_order(first, last)
    if last > today:
        raise RangeError(
            f"the range {first}..{last} reaches into the future: today is {today} (UTC)",
            mend=f"end it on a past day, for example --to {today}",
        )


def check_state_declaration(kind: str, *, override_state: bool, cursor: str | None, ticket: str | None) -> None:
    """Raise unless what is said of the state fits the kind: see N13, N20, N21, N22."""
    if kind not in KINDS:
        raise UnknownKindError(kind)
    if override_state and kind != "forced":
        raise StateOverrideRefusedError(kind)
    if override_state and cursor is None:
        raise CursorError("the state is to be overridden, and no cursor is named", mend="name it: --cursor 2014-02-01")
    if cursor is not None and not override_state:
        raise CursorError("a cursor is named, and the state is not to be overridden", mend="leave out --cursor")
    if kind == "forced" and not (ticket or "").strip():
        raise ForcedNeedsTicketError


def check_cursor(cursor: str, *, today: date) -> None:
    """Raise `CursorError` unless the cursor is a stored time (UTC) that the source may have reached."""
    try:
        moment = datetime.fromisoformat(cursor) if STORED_TIME.fullmatch(cursor) else None
    except ValueError:
        moment = None
    if moment is None:
        raise CursorError(f"{cursor!r} is no cursor", mend="a time, UTC, with six digits of a second, ending in Z")
    if moment.date() > today:
        raise CursorError(f"the cursor {cursor} lies in the future: today is {today} (UTC)", mend="name a past day")


def request_facts(
    *,
    kind: str,
    dataset: str,
    first: date,
    last: date,
    layers: list[str],
    override_state: bool,
    reason: str,
    today: date,
    **options: Any,
) -> dict[str, Any]:
    """The facts of `Requested`, checked. Options: ticket, priority, cursor, review, allow_overlap, group; no others."""
    if unknown := sorted(set(options) - set(OPTIONS)):
        raise TypeError(f"a request has no {', '.join(unknown)}")
    cursor, ticket = options.get("cursor"), options.get("ticket")
    check_state_declaration(kind, override_state=override_state, cursor=cursor, ticket=ticket)
    if cursor is not None:
        check_cursor(cursor, today=today)
    priority = options.get("priority") or "low"
    if priority not in PRIORITIES:
        raise UsageError(f"unknown priority {priority!r}", mend=f"one of {', '.join(PRIORITIES)}")
    check_range(first, last, today=today)
    return {
        "kind": kind,
        "dataset": dataset,
        "first": first.isoformat(),
        "last": last.isoformat(),
        "layers": [layer for layer in LAYERS if layer in layers],
        "mode": "backfill",
        "override_state": override_state,
        "state_use": "override" if override_state else "ignore",
        "cursor": cursor,
        "reason": check_reason(reason),
        "ticket": None if ticket is None else check_ticket(ticket),
        "priority": priority,
        "review": bool(options.get("review", False)),
        "allow_overlap": sorted(options.get("allow_overlap") or ()),
        "group": options.get("group"),
    }
