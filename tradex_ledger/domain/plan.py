"""A plan: which partitions a run will rebuild, on which knowledge, bound by one digest. No I/O here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, TypedDict

import orjson

from tradex_ledger.errors import RefusedError


class Window(TypedDict):
    """Consecutive partitions of one dataset, first and last included (days, `YYYY-MM-DD`)."""

    dataset: str
    layer: str
    logic_version: int
    first: str
    last: str
    partitions: int


LAYERS = ("bronze", "silver", "gold")
SHORTEST_DIGEST = 12
"""Digits of a digest that are enough to name it."""

Estimate = dict[str, dict[str, int] | None]
"""Of rows, bytes, seconds and source calls: `low`, `likely` and `high`, or None where nothing is known."""


class Plan(TypedDict):
    """What an approver allows. `digest` covers everything else in it, and the request.

    `source` is what Bronze will be filled from; None when Bronze is left alone.
    """

    base: int
    windows: list[Window]
    definitions: dict[str, dict[str, Any]]
    estimate: Estimate
    policy_digest: str
    source: str | None
    digest: str


class Judged(TypedDict):
    """What a rule was applied to: the partitions of all plans that pass together, the most that they may cost."""

    partitions: int
    rows: int | None
    source_calls: int | None


class NotInPlanError(RefusedError):
    """A partition that nobody planned cannot be rebuilt."""

    code = "not-in-plan"

    def __init__(self, run_id: str, dataset: str, partition: str) -> None:
        super().__init__(
            f"{run_id} has no {dataset} of {partition} in its plan",
            mend=f"see the plan: tradex backfill show {run_id}",
        )


def digest_of(value: object) -> str:
    """SHA-256 (hex) of the canonical JSON of a value (RFC 8785; the values here carry no floats)."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


def plan_digest(request: dict[str, Any], plan: dict[str, Any]) -> str:
    """The digest that an approval is bound to: of the request and of the plan without its own digest."""
    # Plans of version 1 said nothing of the source: without one, the digest is what it was then.
    content = {n: v for n, v in plan.items() if n != "digest" and not (n == "source" and v is None)}
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


def covers(windows: Iterable[Window], dataset: str) -> list[tuple[str, str]]:
    """The ranges (first, last) that the windows hold of a dataset."""
    return [(w["first"], w["last"]) for w in windows if w["dataset"] == dataset]


def check_in_plan(run_id: str, windows: Iterable[Window], dataset: str, partitions: Sequence[str]) -> None:
    """Raise unless each partition lies in a window of the dataset. ISO days compare as text."""
    ranges = covers(windows, dataset)
    for partition in partitions:
        if not any(first <= partition <= last for first, last in ranges):
            raise NotInPlanError(run_id, dataset, partition)


def sum_estimates(estimates: Sequence[Estimate]) -> Estimate:
    """Of several plans what one would be; None where one of them knows nothing."""
    found: Estimate = {}
    for name in sorted({name for estimate in estimates for name in estimate}):
        known = [estimate.get(name) for estimate in estimates]
        ranges = [one for one in known if one is not None]
        whole = len(ranges) == len(known)
        found[name] = {end: sum(one[end] for one in ranges) for end in ("low", "likely", "high")} if whole else None
    return found


def judged_of(plans: Sequence[Plan]) -> Judged:
    """What a rule is applied to: of a request that was split, all plans together."""
    estimate = sum_estimates([plan["estimate"] for plan in plans])
    rows, calls = estimate.get("rows"), estimate.get("source_calls")
    return {
        "partitions": sum(count_partitions(plan["windows"]) for plan in plans),
        "rows": rows["high"] if rows else None,
        "source_calls": calls["high"] if calls else None,
    }


def count_partitions(windows: Iterable[Window]) -> int:
    """Number of partitions over all windows (windows of a plan do not overlap)."""
    return sum(w["partitions"] for w in windows)
