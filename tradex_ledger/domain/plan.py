"""A plan: which partitions a run will rebuild, on which knowledge, bound by one digest. No I/O here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from tradex_ledger.domain.day import Cursor, Day, day_of, iso, span
from tradex_ledger.domain.digest import digest_of
from tradex_ledger.domain.facts import Facts
from tradex_ledger.errors import RefusedError

SHORTEST_DIGEST = 12
"""Digits of a digest that are enough to name it."""


@dataclass(frozen=True, slots=True)
class Window:
    """Consecutive partitions (days) of one dataset, first and last included, and the logic version they get."""

    dataset: str
    layer: str
    logic_version: int
    first: Day
    last: Day

    @property
    def partitions(self) -> int:
        """How many there are."""
        return self.last - self.first + 1

    def to_event(self) -> Facts:
        """As events carry it: days as text."""
        return {
            "dataset": self.dataset,
            "layer": self.layer,
            "logic_version": self.logic_version,
            "first": iso(self.first),
            "last": iso(self.last),
            "partitions": self.partitions,
        }

    @staticmethod
    def from_event(facts: Facts) -> Window:
        """Of an event's. Raises `ValueError` for another number of partitions than it has days."""
        return _window(**facts)


def _window(dataset: str, layer: str, logic_version: int, *, first: str, last: str, partitions: int) -> Window:
    found = Window(dataset, layer, logic_version, day_of(first), day_of(last))
    if found.partitions != partitions:
        raise ValueError(found)
    return found


@dataclass(frozen=True, slots=True)
class Range:
    """An estimate: what is likely, with the least and the most it may be (whole numbers)."""

    low: int
    likely: int
    high: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a plan is expected to cost: rows, bytes, seconds of work, calls of the source. None: nobody knows."""

    rows: Range | None
    bytes: Range | None
    seconds: Range | None
    source_calls: Range | None

    def to_event(self) -> Facts:
        """As events carry it."""
        return asdict(self)

    @staticmethod
    def from_event(facts: Facts) -> Estimate:
        """Of an event's."""
        return Estimate(**{name: found and Range(**found) for name, found in facts.items()})


@dataclass(frozen=True, slots=True)
class Pin:
    """The logic of a dataset that a plan was made for: its version, and the fingerprint on record."""

    logic_version: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What an approver allows. `digest` covers everything else in it, and the request; "" until it is bound to one.

    `state_read` is the cursor that bounds it, where the request reads the state: no day at or after it is in it.
    `base` is the position it was worked out at. `source` is what Bronze will be filled from; None when Bronze is left
    alone.
    """

    base: int
    windows: tuple[Window, ...]
    definitions: Mapping[str, Pin]
    estimate: Estimate
    policy_digest: str
    source: str | None
    digest: str = ""
    state_read: Cursor | None = None

    @property
    def bound(self) -> Day | None:
        """The first day that is not for it to build; None: it is not bounded."""
        return None if self.state_read is None else day_of(self.state_read)

    @property
    def partitions(self) -> int:
        """How many partitions it rebuilds."""
        return count_partitions(self.windows)

    def bound_to(self, request: Facts) -> Plan:
        """The plan with the digest of it and of a request, as events carry that."""
        return replace(self, digest=plan_digest(request, self.to_event()))

    def to_event(self) -> Facts:
        """As events carry it."""
        return {
            "base": self.base,
            "windows": [window.to_event() for window in self.windows],
            "definitions": {name: asdict(pin) for name, pin in self.definitions.items()},
            "estimate": self.estimate.to_event(),
            "policy_digest": self.policy_digest,
            "source": self.source,
            "state_read": self.state_read,
            "digest": self.digest,
        }

    @staticmethod
    def from_event(facts: Facts) -> Plan:
        """Of an event's."""
        return _plan(**facts)


def _plan(
    *,
    base: int,
    windows: Sequence[Facts],
    definitions: Mapping[str, Facts],
    estimate: Facts,
    policy_digest: str,
    source: str | None,
    digest: str,
    state_read: Cursor | None = None,
) -> Plan:
    return Plan(
        base=base,
        windows=tuple(map(Window.from_event, windows)),
        definitions={name: Pin(**pin) for name, pin in definitions.items()},
        estimate=Estimate.from_event(estimate),
        policy_digest=policy_digest,
        source=source,
        digest=digest,
        state_read=state_read,
    )


ASKED = "asked for"


@dataclass(frozen=True, slots=True)
class Edge:
    """Why a dataset is in a plan: `ASKED` for, or because it reads one that is, over those relative days."""

    dataset: str
    because: str
    first: int | None = None
    last: int | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """What a rule was applied to: the partitions of all plans that pass together, the most that they may cost."""

    partitions: int
    rows: int | None
    source_calls: int | None

    def to_event(self) -> Facts:
        """As events carry it."""
        return asdict(self)

    @staticmethod
    def from_event(facts: Facts) -> Judged:
        """Of an event's."""
        return Judged(**facts)


class NotInPlanError(RefusedError):
    """A partition that nobody planned cannot be rebuilt."""

    code = "not-in-plan"

    def __init__(self, run_id: str, dataset: str, partition: str) -> None:
        super().__init__(
            f"{run_id} has no {dataset} of {partition} in its plan",
            mend=f"see the plan: tradex backfill show {run_id}",
        )


def plan_digest(request: Facts, plan: Facts) -> str:
    """The digest that an approval is bound to: of the request and of the plan without its own digest."""
    # Older plans said nothing of the source, or of a state that was read: without, the digest is what it was then.
    content = {n: v for n, v in plan.items() if n != "digest" and not (n in ("source", "state_read") and v is None)}
    return digest_of({"plan": content, "request": request})


def full_digest(given: str, known: str) -> str:
    """The known digest when a beginning of it (12 digits or more) is given; else what is given."""
    beginning = given.strip().lower()
    return known if len(beginning) >= SHORTEST_DIGEST and known.startswith(beginning) else given


def told_apart(known: str, given: str) -> str:
    """`known, not given`, each as far as is needed to see that they differ, and at least 12 digits of them."""
    same = next((n for n, (a, b) in enumerate(zip(known, given, strict=False)) if a != b), 0)
    shown = max(SHORTEST_DIGEST, same + 4)
    return f"{known[:shown]}, not {given[:shown]}"


def check_in_plan(run_id: str, windows: Iterable[Window], dataset: str, days: Iterable[Day]) -> None:
    """Raise `NotInPlanError` unless each day lies in a window of the dataset."""
    given = list(days)
    first, last = min(given, default=Day(0)), max(given, default=Day(0))
    planned = {
        day
        for window in windows
        if window.dataset == dataset and window.first <= last and window.last >= first
        for day in span(window.first, window.last)
    }
    for day in given:
        if day not in planned:
            raise NotInPlanError(run_id, dataset, iso(day))


def sum_estimates(estimates: Sequence[Estimate]) -> Estimate:
    """Of several plans what one would be; None where one of them knows nothing."""

    def total(ranges: Sequence[Range | None]) -> Range | None:
        known = [one for one in ranges if one is not None]
        if len(known) < len(ranges):
            return None
        return Range(sum(one.low for one in known), sum(one.likely for one in known), sum(one.high for one in known))

    return Estimate(
        rows=total([estimate.rows for estimate in estimates]),
        bytes=total([estimate.bytes for estimate in estimates]),
        seconds=total([estimate.seconds for estimate in estimates]),
        source_calls=total([estimate.source_calls for estimate in estimates]),
    )


def judged_of(plans: Sequence[Plan]) -> Judged:
    """What a rule is applied to: of a request that was split, all plans together."""
    estimate = sum_estimates([plan.estimate for plan in plans])
    rows, calls = estimate.rows, estimate.source_calls
    return Judged(
        partitions=sum(plan.partitions for plan in plans),
        rows=rows.high if rows else None,
        source_calls=calls.high if calls else None,
    )


def count_partitions(windows: Iterable[Window]) -> int:
    """Number of partitions over all windows (windows of a plan do not overlap)."""
    return sum(window.partitions for window in windows)
