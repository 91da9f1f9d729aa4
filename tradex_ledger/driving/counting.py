"""Sources that are called count what they have, before anybody asks them for it: a cent, and not a fortune (N9)."""

from __future__ import annotations

from datetime import UTC, timedelta

from tradex_ledger.clock import new_id
from tradex_ledger.datasets.intake import Intake
from tradex_ledger.domain.counted import SourceCount
from tradex_ledger.domain.day import Day, later, start_of
from tradex_ledger.domain.spending import Spent, budgets
from tradex_ledger.driving.execution import Progress
from tradex_ledger.ledger.entry import format_time
from tradex_ledger.planning.counted import called, counts
from tradex_ledger.planning.scope import Scope
from tradex_ledger.relations.calls import spent_in
from tradex_ledger.sources.called import Called, Span, spans

_FRESH = timedelta(days=1)
"""A count is good for so long: who plans again, after a dry run say, does not pay again."""


def count_sources(scope: Scope, intakes: list[Intake], first: Day, last: Day, told: Progress) -> None:
    """Put on record what sources that are called have of the days first..last, as far as no fresh count is there.

    Who may only read has nothing counted: it would be on no record. A crash between the answer and its event costs a
    cent. Raises: `BudgetSpentError`, and what `Asking` raises.
    """
    for intake, place in () if scope.ledger.reading else called(scope, intakes):
        known = counts(scope, place.describe(), scope.ledger.position())
        now = scope.clock().astimezone(UTC).replace(tzinfo=None)
        todo = [
            span
            for span in spans(first, later(last, 1))
            if (found := known.get((start_of(span.first), start_of(span.until)))) is None or now - found[1] >= _FRESH
        ]
        if todo:
            _count(scope, intake, place, todo, told)


def _count(scope: Scope, intake: Intake, place: Called, todo: list[Span], told: Progress) -> None:
    month = format_time(scope.clock())[:7]
    _, of_month = budgets(scope.policy, "", month)
    with place.asking() as asking:
        for number, span in enumerate(todo, start=1):
            if of_month.is_bound:
                of_month.check(spent_in(scope.ledger.store, month), Spent(0, 1, place.prices.count))
            found = asking.count(span, told)
            taken = SourceCount.take(
                new_id("count", scope.clock()),
                pipeline=scope.pipeline.name,
                source=place.describe(),
                days=(start_of(span.first), start_of(span.until)),
                spent=Spent(found.rows, found.calls, place.prices.count),
                by=scope.by,
            )
            scope.ledger.append(taken)
            told(f"count at {intake.source}", number, len(todo))
