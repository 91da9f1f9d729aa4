"""A source that is called: fetched page by page before it is read, each page kept and on record before the next (N14).

The order for each page is: the budgets, the call, the file, the event. A crash before the file loses one page that may
have been paid for; one between file and event loses nothing, since the page is taken from its file; after the event the
run goes on with the next page. A driver that was taken over is fenced off by the event: it has fetched one page at most
that nobody asked it for.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from tradex_ledger.datasets.intake import Intake
from tradex_ledger.domain.day import day_of, start_of
from tradex_ledger.domain.extraction import Extraction
from tradex_ledger.domain.fetched import FetchedPage, span_name
from tradex_ledger.domain.spending import Spent, budgets
from tradex_ledger.driving.execution import Execution
from tradex_ledger.driving.fence import DrivenRun
from tradex_ledger.ledger.entry import format_time
from tradex_ledger.relations.calls import spent_in
from tradex_ledger.sources.called import (
    Asking,
    Called,
    CursorRefused,
    CursorRepeatedError,
    NoBeginningError,
    Page,
    Pages,
    Span,
    spans,
)


def fetch(ex: Execution, driven: DrivenRun, intake: Intake, extraction: Extraction) -> bool:
    """Fetch what a source that is called has of the days asked for, as far as the run has not; whether it is called.

    Raises: `NoBeginningError`, `BudgetSpentError`, `CursorRepeatedError`, what `Asking` raises, and
    `WriterConflictError` for who was fenced off.
    """
    place = ex.scope.sources[intake.source].place
    if not isinstance(place, Called):
        return False
    if extraction.cursor_from is None or extraction.cursor_to is None:
        raise NoBeginningError(intake.source)
    todo = spans(day_of(extraction.cursor_from), day_of(extraction.cursor_to))
    with place.asking() as asking:
        for span in todo:
            _Fetch(ex, driven, intake.source, place, asking, Pages(place.kept, driven.id, span)).run()
    return True


@dataclass(frozen=True, slots=True)
class _Fetch:
    """One span of days on its way to the folder of its pages."""

    ex: Execution
    driven: DrivenRun
    source: str
    place: Called
    asking: Asking
    pages: Pages

    @property
    def span(self) -> Span:
        return self.pages.span

    def run(self) -> None:
        """From the last page on; where the source knows its cursor no more, once more from the first."""
        try:
            self._from_first(anew=False)
        except CursorRefused:
            self.ex.progress(f"{self.source} knows the last cursor no more: its pages are fetched anew", 0, 1)
            self._from_first(anew=True)

    def _from_first(self, *, anew: bool) -> None:
        """Past the pages that are there; one that is known and not there any more is fetched again, and all behind it.

        So is a page that was asked for with another cursor than the page before it gives now.
        """
        begun, until = start_of(self.span.first), start_of(self.span.until)
        pages = self.driven.run.fetched.get(span_name(self.source, begun, until), {})
        cursor: str | None = None
        number = 1
        asked = set[str]()
        while True:
            body, known = None if anew else self.pages.read(number), None if anew else pages.get(number)
            is_there = known is not None and body is not None and _digest(body) == known.sha256
            if known is not None and is_there and known.cursor == cursor:
                following = known.next
            else:
                anew = anew or known is not None
                following = self._take(number, cursor, None if anew else body, asked)
            if following is None:
                return
            cursor, number = following, number + 1
            asked.add(cursor)

    def _take(self, number: int, cursor: str | None, body: bytes | None, asked: set[str]) -> str | None:
        """Fetch a page (or take it from its file, where a crash left it), put it on record; the cursor of the next.

        `asked` are the cursors that the pages up to this one were asked for with.
        """
        if body is None:
            page = self.asking.page(self.span, cursor, self._most(), self.ex.progress)
            if page.next in asked:  # nothing of it is kept, so that it is asked for again
                raise CursorRepeatedError(self.source, number)
            self.pages.keep(number, page.body)
        else:
            page = Page(body, *self.asking.read(body), 1)
        spent = Spent(page.rows, page.calls, page.rows * self.place.prices.row)
        fetched = FetchedPage(
            source=self.source,
            cursor_from=start_of(self.span.first),
            cursor_to=start_of(self.span.until),
            number=number,
            cursor=cursor,
            next=page.next,
            file=self.pages.name(number),
            bytes=len(page.body),
            sha256=_digest(page.body),
            spent=spent,
        )
        self.driven.run.fetch_page(fetched, by=self.ex.scope.by)
        self.driven.append()
        rows = self.driven.run.spent.rows
        self.ex.progress(f"fetch from {self.source}: page {number}, rows", rows, rows)
        return page.next

    def _most(self) -> int:
        """How many rows the next page may have. Raises: `BudgetSpentError`."""
        fewest, most = self.place.page_rows
        price, scope = self.place.prices.row, self.ex.scope
        month = format_time(scope.clock())[:7]
        for budget in (one for one in budgets(scope.policy_of_now(), self.driven.id, month) if one.is_bound):
            spent = self.driven.run.spent if budget.of == self.driven.id else spent_in(scope.ledger.store, month)
            budget.check(spent, Spent(fewest, 1, fewest * price))
            left = budget.rows_left(spent, price)
            most = most if left is None else min(most, left)
        return most


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
