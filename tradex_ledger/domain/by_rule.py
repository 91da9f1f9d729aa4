"""How far the approval of a rule reaches: over what it was applied to, and no further. No I/O here.

A request that was split is one request: its parts pass a rule together, and what they grow by is added up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from tradex_ledger.domain.day import Day
from tradex_ledger.domain.partition import PartitionVersion
from tradex_ledger.domain.plan import Judged, Plan, Window, count_partitions
from tradex_ledger.domain.policy import Policy


class Beyond(NamedTuple):
    """What there is beyond a plan: partitions that came into it, rows above the most that were estimated (below 0: it
    came out smaller)."""

    partitions: int
    rows: int


NOTHING = Beyond(0, 0)


def beyond_plan(plan: Plan, windows: list[Window], candidates: Mapping[str, Mapping[Day, PartitionVersion]]) -> Beyond:
    """What a run has beyond its plan, as far as it is built."""
    built = [candidate.rows for days in candidates.values() for candidate in days.values()]
    estimate = plan.estimate.rows
    rows = sum(built) - estimate.high if estimate else 0
    whole = len(built) == count_partitions(windows)
    return Beyond(count_partitions(windows) - plan.partitions, rows if whole else max(0, rows))


def outgrown(rule: str, kind: str, judged: Judged, beyond: Beyond, policy: Policy) -> str | None:
    """Why a rule that was applied to `judged` does not reach as far as `beyond`; None: it does."""
    partitions = judged.partitions + beyond.partitions
    # Nobody has estimated what came into the plan.
    rows = None if beyond.partitions or judged.rows is None else judged.rows + beyond.rows
    if policy.rule_for(kind, replace(judged, partitions=partitions, rows=rows)) is not None:
        return None
    now = f"{partitions} partitions" + (f" of {rows} rows" if rows is not None and beyond.rows > 0 else "")
    return f"approved by rule ({rule}), and now {now}: a person has to look"
