"""What sources that are called took, by the ledger; and what they say of it themselves."""

from __future__ import annotations

from typing import NamedTuple

from tradex_ledger.audit.reader import Reader
from tradex_ledger.domain.day import Day, day_of, iso
from tradex_ledger.domain.spending import Budget, budgets
from tradex_ledger.driving.execution import Progress, silent
from tradex_ledger.errors import UsageError
from tradex_ledger.ledger.entry import format_time
from tradex_ledger.relations.calls import BY_DAY, BY_MONTH, DayOfCalls, MonthOfRun
from tradex_ledger.sources.called import Called
from tradex_ledger.views import Asked, is_past, resolve
from tradex_ledger.workspace.core import Core

_OVER = ("source_calls",)


class NothingCalledError(UsageError):
    """No source of the workspace is called: none takes money."""

    code = "nothing-called"

    def __init__(self) -> None:
        super().__init__(
            "no source of this workspace is called: there is nobody to ask what was used",
            mend="see what each source is: [source] and [sources.…] in tradex.toml",
        )


class DayUsed(NamedTuple):
    """A day (UTC): the rows that the ledger has on record, and those that the source counts for its invoice.

    A source may bill a row once a day that it delivered twice; `unknown` are those beyond what is on record: somebody
    else asked with the same token, or answers were lost on their way.
    """

    day: str
    on_record: int
    at_the_source: int
    unknown: int


class Spending:
    """Questions about money; nothing is recorded by them."""

    def __init__(self, core: Core) -> None:
        self.core = core

    def months(self, as_of: Asked = None) -> list[MonthOfRun]:
        """What each run took in each calendar month, oldest first."""
        reader = Reader(self.core.ledger.store, as_of)
        try:
            return reader.ask(MonthOfRun, BY_MONTH, over=_OVER)
        finally:
            reader.close()

    def budgets(self, as_of: Asked = None) -> tuple[Budget, Budget]:
        """What a run may take, and what all runs may in this month; or could, as of before, in that of then."""
        if not is_past(as_of):
            return budgets(self.core.policy_to_look, "a run", format_time(self.core.clock())[:7])
        then = resolve(self.core.ledger.store, as_of)
        return budgets(self.core.policy_then(then.position), "a run", (then.at or "")[:7])

    def usage(self, days: int, progress: Progress = silent) -> list[DayUsed]:
        """Each of the last days, as the ledger has it and as the source says. It is asked, which costs nothing.

        Raises: `NothingCalledError`, and what `Asking` raises.
        """
        places = [one.place for one in self.core.scope().sources.values() if isinstance(one.place, Called)]
        if not places:
            raise NothingCalledError
        with places[0].asking() as asking:  # the token is everybody's: one of them tells of all
            told = {used.day: used.rows for used in asking.used(days, progress)}
        reader = Reader(self.core.ledger.store, None)
        try:
            found = {day_of(one.day): one.rows for one in reader.ask(DayOfCalls, BY_DAY, over=_OVER)}
        finally:
            reader.close()
        first: Day = Day(day_of(self.core.today()) - days + 1)
        wanted = sorted(day for day in {*told, *found} if day >= first)
        return [
            DayUsed(iso(day), mine, theirs, max(0, theirs - mine))
            for day in wanted
            for mine, theirs in [(found.get(day, 0), told.get(day, 0))]
        ]
