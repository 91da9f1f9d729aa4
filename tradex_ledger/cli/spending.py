"""`tradex spending`: what sources that are called took."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tradex_ledger.cli.common import Call, as_of_option, command, rows_options
from tradex_ledger.domain.spending import dollars

if TYPE_CHECKING:
    from tradex_ledger.cli.show import Show
    from tradex_ledger.domain.spending import Budget
    from tradex_ledger.relations.calls import MonthOfRun

MONTHS = ("month", "run_id", "rows", "calls", "cost")
DAYS = ("day", "on_record", "at_the_source", "unknown")
_top = click.Group()


@command(_top, "spending", example="tradex spending\ntradex spending --as-of 2026-11-01\ntradex spending --usage 7")
@click.option(
    "--usage",
    "days",
    type=click.IntRange(1, 90),
    help="Ask the source what it counted on the last so many days, beside the ledger. Exit 1 if it counted more.",
)
@as_of_option
@rows_options
def spending(call: Call, days: int | None, as_of: str | None) -> int:
    """What each run took of sources that are called, by month (UTC); without a run: what was counted for plans."""
    with call.open(reading=True) as workspace:
        if days is not None:
            with call.show.progress() as progress:
                used = workspace.spending.usage(days, progress)
            call.result(used, lambda show, rows: show.rows(rows, DAYS))
            return 1 if any(day.unknown for day in used) else 0
        look = workspace.audit.look
        call.answer(look, as_of, workspace.spending.months, _months)
        _tell(call.show, workspace.spending.budgets(as_of))
    return 0


def _months(show: Show, rows: list[MonthOfRun]) -> None:
    show.rows(rows, MONTHS, cost=[dollars(row.micros) for row in rows])


def _tell(show: Show, bounds: tuple[Budget, Budget]) -> None:
    for budget in bounds:
        parts = [f"{budget.rows:,} rows"] * bool(budget.rows) + [f"{budget.calls:,} calls"] * bool(budget.calls)
        parts += [dollars(budget.micros)] * bool(budget.micros)
        show.note(f"the budget of {budget.of}: {', '.join(parts) or 'no bound (see tradex policy show)'}")
