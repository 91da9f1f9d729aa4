"""What asking a source costs: prices, what was spent, and the budgets that end it. No I/O here.

Money is counted in whole millionths of a dollar (`micros`): half a cent a row is 5,000 of them, and sums are exact.
"""

from __future__ import annotations

from dataclasses import dataclass

from tradex_ledger.domain.facts import Facts
from tradex_ledger.domain.policy import Policy
from tradex_ledger.errors import RefusedError

DOLLAR = 1_000_000
CENT = DOLLAR // 100
_MOST = 1_000


def dollars(micros: int) -> str:
    """Money for a sentence: `$6.00`, or `$0.005` where cents do not tell it."""
    whole, part = divmod(micros, DOLLAR)
    digits = f"{part:06}".rstrip("0").ljust(2, "0")
    return f"${whole:,}.{digits}"


@dataclass(frozen=True, slots=True)
class Prices:
    """What a source takes, in millionths of a dollar: for a row that it delivers, for a call that counts rows."""

    row: int
    count: int


def prices_of(row: object, count: object) -> Prices | None:
    """Prices as settings say them, in dollars; None where they say none. Raises `ValueError` with what is wrong."""
    said = [value for value in (row, count) if value is not None]
    numbers = [
        round(value * DOLLAR)
        for value in said
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _MOST
    ]
    if not said:
        return None
    if len(numbers) < 2:
        raise ValueError(f"must both be numbers of dollars from 0 to {_MOST:,}, or both be left out")
    return Prices(*numbers)


@dataclass(frozen=True, slots=True)
class Spent:
    """Rows that were delivered, calls that were answered, and what both cost in millionths of a dollar."""

    rows: int = 0
    calls: int = 0
    micros: int = 0

    def plus(self, other: Spent) -> Spent:
        """Both together."""
        return Spent(self.rows + other.rows, self.calls + other.calls, self.micros + other.micros)

    def to_event(self) -> Facts:
        """As events carry it."""
        return {"rows": self.rows, "calls": self.calls, "micros": self.micros}


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent over some time, `of` whom: rows, calls, millionths of a dollar. 0 is no bound."""

    of: str
    rows: int
    calls: int
    micros: int
    mend: str

    @property
    def is_bound(self) -> bool:
        """Whether it bounds anything."""
        return bool(self.rows or self.calls or self.micros)

    def check(self, spent: Spent, more: Spent) -> None:
        """Raise `BudgetSpentError` where `more` would go beyond it, with what was `spent` before."""
        after = spent.plus(more)
        for name, bound, now, then in (
            ("rows", self.rows, spent.rows, after.rows),
            ("calls", self.calls, spent.calls, after.calls),
            ("money", self.micros, spent.micros, after.micros),
        ):
            if bound and then > bound:
                raise BudgetSpentError(self, name, bound, now)

    def rows_left(self, spent: Spent, price: int) -> int | None:
        """How many rows may still come at that price; None: there is no bound."""
        left = [self.rows - spent.rows] if self.rows else []
        left += [(self.micros - spent.micros) // price] if self.micros and price else []
        return max(0, min(left)) if left else None


class BudgetSpentError(RefusedError):
    """A source may be asked no more for now: what is there stays, and the same command goes on once it may."""

    code = "budget-spent"

    def __init__(self, budget: Budget, what: str, bound: int, spent: int) -> None:
        said = [dollars(n) if what == "money" else f"{n:,} {what}" for n in (bound, spent)]
        super().__init__(
            f"the budget of {budget.of} is {said[0]} at the source, and {said[1]} are spent: it is asked no further",
            mend=budget.mend,
        )


def budgets(policy: Policy, run: str, month: str) -> tuple[Budget, Budget]:
    """That of a run, and that of a calendar month (`2026-11`, UTC), for all runs of the workspace."""
    again = "the same command goes on where it stopped"
    of_run = Budget(
        run,
        policy.run_max_source_rows,
        policy.run_max_source_calls,
        policy.run_max_source_cents * CENT,
        f"raise it (run_max_source_… in tradex.toml, then tradex policy set --reason …): {again}",
    )
    of_month = Budget(
        month,
        policy.month_max_source_rows,
        policy.month_max_source_calls,
        policy.month_max_source_cents * CENT,
        f"wait for the next month, or raise it (month_max_source_… in tradex.toml, then tradex policy set --reason …): "
        f"{again}",
    )
    return of_run, of_month
