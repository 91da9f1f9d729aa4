"""What is strange about a run: volumes outside their bounds, other rows of the same inputs, and its time (N35)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tradex_ledger.domain.anomaly import SERIES_MIN, judge
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.by_rule import NOTHING, Beyond
from tradex_ledger.domain.day import Day
from tradex_ledger.domain.pipeline_state import PipelineState, stream_of
from tradex_ledger.domain.plan import Window, count_partitions
from tradex_ledger.domain.run import Run
from tradex_ledger.domain.state_read import check_still_before
from tradex_ledger.driving.fence import DrivenRun
from tradex_ledger.planning.catalog import Catalog
from tradex_ledger.planning.overlap import others_of_group
from tradex_ledger.planning.scope import Scope

DAYS_A_WEEK = 7


def detect_anomalies(scope: Scope, driven: DrivenRun, published: Catalog) -> None:
    """Judge each written candidate against what it replaces and against the same weekday of its series.

    A dataset that reads other days than its own grows with its history: it is judged against what it replaces only.
    """
    before = len(driven.run.pending_events)
    for name, definition in scope.pipeline.definitions.items():
        candidates = driven.run.candidates.get(name, {})
        daily = all(read.first == read.last == 0 for read in definition.reads)
        rows = {day: count for day, (count, _) in published.sizes(name).items()}
        own = {day: candidate.rows for day, candidate in candidates.items()}
        for day, candidate in sorted(candidates.items()):
            current = published.get(name, day)
            if not candidate.is_written or (current is not None and current.rows == candidate.rows):
                continue
            # By what was there before: the days of a long outage, all in one run, would find each other normal.
            series = _same_weekday(rows, day) if daily else []
            if daily and len(series) < SERIES_MIN:
                series = _same_weekday({**rows, **own}, day)
            for anomaly in judge(candidate.rows, current.rows if current else None, series, scope.policy):
                driven.run.detect_anomaly(name, definition.layer, day, anomaly, by=scope.by)
    if len(driven.run.pending_events) > before:
        driven.append()


def _same_weekday(rows: Mapping[Day, int], day: Day) -> list[int]:
    return [n for other, n in rows.items() if other != day and (other - day) % DAYS_A_WEEK == 0]


def check_sla(scope: Scope, driven: DrivenRun) -> None:
    """Record, once, that a backfill takes longer from its approval on than the policy allows."""
    if isinstance(driven.run, Backfill):
        driven.run.note_sla(now=scope.clock(), policy=scope.policy, by=scope.by)
        if driven.run.pending_events:
            driven.append()


def check_state_read(scope: Scope, run: Backfill) -> list[PipelineState]:
    """Raise `StatePutBackError` where the state that bounds its plan was put back behind days of it.

    Looked at before a drive and right before publication. Returns the state that it stands on, if any: a publication
    is saved only as long as that one has not moved.
    """
    if run.bound is None:
        return []
    state = scope.ledger.get(PipelineState, stream_of(scope.pipeline.name), "pipeline")
    check_still_before(run, state.cursor)
    return [state]


def reason_for_a_person(scope: Scope, driven: DrivenRun, added: Sequence[Window]) -> str | None:
    """Why what a rule approved must not take more partitions in, with what the other parts of its request took; None:
    it may.

    The policy may have changed since the drive began: raises `ApprovalOutdatedError` unless it allows the run today.
    """
    run = driven.run
    if not isinstance(run, Backfill):
        return None
    policy = scope.policy_of_now()
    run.check_still_allowed(policy)
    more = count_partitions(added) + _grown_beside(scope, run).partitions
    why = run.why_a_person(policy, Beyond(more, 0)) if more else None
    named = ", ".join(sorted({window.dataset for window in added}))
    return why and f"{why} ({f'{named}: {what_came_in(run, added)}' if named else 'other parts of its request'})"


def what_came_in(run: Run, added: Sequence[Window]) -> str:
    """What partitions are that came into a plan after it was made: days after all that it knew, or others."""
    last = max([window.last for window in run.windows], default=0)
    newer = any(window.last > last for window in added)
    others = any(window.first <= last for window in added)
    told = ["newer days"] if newer else []
    told += [f"{'other ' if newer else ''}days that follow from what was appended or published since"] if others else []
    return ", and ".join(told)


def _grown_beside(scope: Scope, run: Backfill) -> Beyond:
    """What the other parts of its request have beyond their plans, where the same rule stands for them."""
    if run.approved_rule is None or run.released_by:
        return NOTHING
    grown = [other.grown() for other in others_of_group(scope.ledger, run)]
    return Beyond(sum(each.partitions for each in grown), sum(each.rows for each in grown))


def _too_many_rows(scope: Scope, run: Backfill) -> str | None:
    """Why a rule that was held against estimates does not reach as far as what was built; None: it does."""
    beside, own = _grown_beside(scope, run), run.grown()
    return run.why_a_person(scope.policy_of_now(), Beyond(beside.partitions, beside.rows + own.rows))


def reason_to_hold(scope: Scope, driven: DrivenRun) -> str | None:
    """Why the run must not publish yet: a look at it was asked for (with the request, or with the approval), it has
    more rows than the rule that approved it allows, or its volumes are strange. None: it may."""
    run = driven.run
    if run.is_released():
        return None
    again = " (its inputs moved since it was released)" if run.released_candidates else ""
    if isinstance(run, Backfill) and run.request.review:
        return f"review was asked for{again}"
    if isinstance(run, Backfill) and run.is_to_be_held:
        return f"{run.approved_by}, who approved it, wants to look before it is published{again}"
    if isinstance(run, Backfill) and (why := _too_many_rows(scope, run)) is not None:
        return f"{why}{again}"
    if ambiguous := run.ambiguous():  # whatever the policy: what was computed does not follow from what it was made of
        count = len(ambiguous)
        partitions = "1 partition came" if count == 1 else f"{count} partitions came"
        return f"{partitions} out otherwise than before from the same inputs, {ambiguous[0]} first{again}"
    if scope.policy.hold_on_anomaly and run.anomalies:
        return f"{len(run.anomalies)} volume anomalies{again}"
    return None
