"""What may be asked for: the four kinds of backfill, and what each must declare. No I/O, no clock here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime

from tradex_ledger.domain.day import Cursor, Day, date_of, day_of, exact_day, iso
from tradex_ledger.domain.facts import Facts
from tradex_ledger.domain.layers import LAYERS
from tradex_ledger.domain.person import person
from tradex_ledger.domain.policy import KINDS
from tradex_ledger.domain.reason import check_reason, check_text
from tradex_ledger.errors import RefusedError, UsageError

IGNORE, READ, OVERRIDE = STATE_USES = ("ignore", "read", "override")
"""What a backfill does with the pipeline's state: nothing, stay before its cursor, or move it (N21)."""
PRIORITIES = ("low", "normal", "high", "urgent")
STORED_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Declared:
    """What every request declares about itself. `override_state` has no default on purpose (N22).

    `cursor` is named if, and only if, the state is to be overridden. `allow_overlap` are active backfills that may
    share partitions. The parts of a request that was split have a `group` in common.
    """

    kind: str
    dataset: str
    override_state: bool
    reason: str
    ticket: str | None = None
    priority: str = "low"
    cursor: Cursor | None = None
    review: bool = False
    allow_overlap: Sequence[str] = ()
    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(_Declared):
    """What somebody asks for: a kind of backfill of a dataset (or of a layer), over first..last (both included).

    Where an end is None, all days there are on that side are meant; a day may be given as its ISO text. `state_use` is
    one of `STATE_USES`; None is what `override_state` says: override, or ignore.

    >>> Request(kind="temporal", dataset="bronze", first="2014-02-03", last="2014-02-08", override_state=False,
    ...         reason="X API outage, INC-4211").first
    datetime.date(2014, 2, 3)

    Raises `RangeError` for a text that is no day.
    """

    first: date | None = None
    last: date | None = None
    state_use: str | None = None

    def __post_init__(self) -> None:
        for name in ("first", "last"):
            if isinstance(said := getattr(self, name), str):
                object.__setattr__(self, name, _day(said))

    @property
    def uses_state(self) -> str:
        """What the request does with the pipeline's state (N21)."""
        return self.state_use or (OVERRIDE if self.override_state else IGNORE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRequest(_Declared):
    """A request as it is on record: with its very days, and the layers that its run goes through."""

    first: Day
    last: Day
    layers: tuple[str, ...]
    state_use: str
    mode: str = "backfill"

    def to_event(self) -> Facts:
        """As events carry it: days as text."""
        return {
            "kind": self.kind,
            "dataset": self.dataset,
            "first": iso(self.first),
            "last": iso(self.last),
            "layers": list(self.layers),
            "mode": self.mode,
            "override_state": self.override_state,
            "state_use": self.state_use,
            "cursor": self.cursor,
            "reason": self.reason,
            "ticket": self.ticket,
            "priority": self.priority,
            "review": self.review,
            "allow_overlap": list(self.allow_overlap),
            "group": self.group,
        }

    @staticmethod
    def from_event(facts: Facts) -> RecordedRequest:
        """Of an event's."""
        days = {end: day_of(facts[end]) for end in ("first", "last")}
        return RecordedRequest(
            **{**facts, **days, "layers": tuple(facts["layers"]), "allow_overlap": tuple(facts["allow_overlap"])}
        )


def _day(text: str) -> date:
    try:
        return date_of(exact_day(text))
    except ValueError:
        raise RangeError(f"{text!r} is no day; write it as YYYY-MM-DD") from None


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


class StateUseError(UsageError):
    """What is said of the use of the state is no use of it, or not what is said of overriding it (N21, N22)."""

    code = "state-use"

    def __init__(self, use: str, override_state: bool) -> None:
        said = "--override-state" if override_state else "--no-override-state"
        super().__init__(
            f"the state cannot be used so: {use}, with {said}",
            mend=f"with --override-state: {OVERRIDE}; with --no-override-state: {IGNORE}, or {READ}",
        )


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


def check_order(first: Day, last: Day) -> None:
    """Raise `RangeError` when first..last (both included) ends before it starts."""
    if last < first:
        raise RangeError(
            f"the range {iso(first)}..{iso(last)} is reversed: it ends before it starts",
            mend=f"did you mean --from {iso(last)} --to {iso(first)}?",
        )


def check_range(first: Day, last: Day, *, today: Day) -> None:
    """Raise `RangeError` unless first..last (both included) is a range of past days. `today` is UTC."""
    check_order(first, last)
    if last > today:
        raise RangeError(
            f"the range {iso(first)}..{iso(last)} reaches into the future: today is {iso(today)} (UTC)",
            mend=f"end it on a past day, for example --to {iso(today)}",
        )


def before(asked: Request, cursor: Cursor | None) -> Request:
    """The request without the days at or after the cursor that it reads. Raises `RangeError` when none is left."""
    assert asked.first is not None and asked.last is not None  # its days are named by now
    if cursor is None or day_of(asked.first) >= day_of(cursor):
        stands = "nothing has been processed yet" if cursor is None else f"the cursor stands at {cursor}"
        raise RangeError(
            f"the range {asked.first}..{asked.last} holds no day before the state that it reads: {stands}",
            mend="name earlier days, run first (tradex run), or leave the state alone: --state-use ignore",
        )
    return replace(asked, last=min(asked.last, date_of(Day(day_of(cursor) - 1))))


def check_state_declaration(asked: Request) -> None:
    """Raise unless what is said of the state fits the kind: see N13, N20, N21, N22."""
    if asked.kind not in KINDS:
        raise UnknownKindError(asked.kind)
    if asked.override_state and asked.kind != "forced":
        raise StateOverrideRefusedError(asked.kind)
    if asked.uses_state not in ((OVERRIDE,) if asked.override_state else (IGNORE, READ)):
        raise StateUseError(asked.uses_state, asked.override_state)
    if asked.override_state and asked.cursor is None:
        raise CursorError("the state is to be overridden, and no cursor is named", mend="name it: --cursor 2014-02-01")
    if asked.cursor is not None and not asked.override_state:
        raise CursorError("a cursor is named, and the state is not to be overridden", mend="leave out --cursor")
    if asked.kind == "forced" and not (asked.ticket or "").strip():
        raise ForcedNeedsTicketError


def check_cursor(cursor: Cursor, *, today: Day) -> None:
    """Raise `CursorError` unless the cursor is a stored time (UTC) that the source may have reached."""
    try:
        moment = datetime.fromisoformat(cursor) if STORED_TIME.fullmatch(cursor) else None
    except ValueError:
        moment = None
    if moment is None:
        raise CursorError(f"{cursor!r} is no cursor", mend="a time, UTC, with six digits of a second, ending in Z")
    if day_of(moment.date()) > today:
        raise CursorError(
            f"the cursor {cursor} lies in the future: today is {iso(today)} (UTC)", mend="name a past day"
        )


def recorded(asked: Request, *, layers: Sequence[str], today: Day) -> RecordedRequest:
    """The request as it goes on record, checked. Both of its days are named; `layers` are those of its run."""
    check_state_declaration(asked)
    if asked.cursor is not None:
        check_cursor(asked.cursor, today=today)
    if asked.priority not in PRIORITIES:
        raise UsageError(f"unknown priority {asked.priority!r}", mend=f"one of {', '.join(PRIORITIES)}")
    if asked.first is None or asked.last is None:
        raise RangeError(f"the request for {asked.dataset} names no days", mend="name them: --from … --to …")
    first, last = day_of(asked.first), day_of(asked.last)
    check_range(first, last, today=today)
    declared = {field.name: getattr(asked, field.name) for field in fields(_Declared)}
    declared |= {"reason": check_reason(asked.reason), "allow_overlap": tuple(sorted(asked.allow_overlap))}
    return RecordedRequest(
        **{**declared, "ticket": None if asked.ticket is None else check_ticket(asked.ticket)},
        first=first,
        last=last,
        layers=tuple(layer for layer in LAYERS if layer in layers),
        state_use=asked.uses_state,
    )
