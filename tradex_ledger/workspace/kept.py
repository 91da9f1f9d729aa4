"""A dataset as readers have it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING

from tradex_ledger.audit.look import Look
from tradex_ledger.domain.day import date_of, day_of

if TYPE_CHECKING:
    from tradex_ledger.audit.answer import Answer
    from tradex_ledger.audit.documents.preview import PreviewDocument
    from tradex_ledger.relations.data import LogicVersion
    from tradex_ledger.workspace.previewing import Previewing


class Kept:
    """A dataset as readers have it: `workspace.datasets["gold_signals"]`."""

    def __init__(self, look: Look, name: str, preview: Callable[..., Previewing]) -> None:
        self._look = look
        self._preview = preview
        self.name = name

    def preview(self, first: date | str, last: date | str, **how: object) -> PreviewDocument:
        """Its definition as its file has it now over some days, beside what there is: see `Datasets.preview`."""
        return self._preview(self.name, first, last, **how).run()

    def at(self, day: date | str, as_of: str | None = None) -> Answer:
        """Its rows of one day, as of a position, a day or a time. Raises what a query raises."""
        column = self.held(as_of).partition_column
        return self._look.query(
            f'select * from "{self.name}" where "{column}" = date \'{date_of(day_of(day))}\' order by all', as_of=as_of
        )

    def rows(self, as_of: str | None = None) -> Answer:
        """All its rows."""
        return self._look.query(f'select * from "{self.name}" order by all', as_of=as_of)

    def held(self, as_of: str | None = None) -> LogicVersion:
        """The logic version that readers get. Raises `UnknownDatasetError`."""
        return next(one.version for one in self._look.dataset(self.name, as_of).versions if one.version.is_read)

    def __repr__(self) -> str:
        version = self.held()
        return f"<Dataset {self.name}: {version.layer}, version {version.logic_version}>"
