"""An answer to a query, as the libraries that people work with have it."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from tradex_ledger.audit.documents.form import BARE, HIDDEN, IF_ANY
from tradex_ledger.errors import EnvironmentFault

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

    from tradex_ledger.views import AsOf

_SHOWN = 20


class MissingLibraryError(EnvironmentFault):
    """A library that was to take the rows is not installed."""

    code = "missing-library"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not installed", mend=f"pip install {name}; or take the rows as .rows or .arrow()")


class Then(NamedTuple):
    """A table as of another position than the rest, as the statement names it."""

    table: str
    position: int
    at: str | None


class Rows(list[tuple[Any, ...]]):
    """The rows of an answer: a list, which one may also call."""

    def __call__(self) -> list[tuple[Any, ...]]:
        """The same rows."""
        return self


@dataclass(frozen=True, slots=True)
class Answer:
    """Columns (names, and what DuckDB calls their types), rows (plain values), the position they are an answer as of,
    and what to know about them; `then` are the tables that were meant as of others."""

    columns: list[str]
    rows: Rows = field(metadata=BARE)
    as_of: AsOf
    warnings: list[str] = field(default_factory=list, metadata=IF_ANY)
    types: list[str] = field(default_factory=list, metadata=HIDDEN)
    then: list[Then] = field(default_factory=list, metadata=IF_ANY)

    def arrow(self) -> pyarrow.Table:
        """A table of Arrow: numbers, days and times (UTC, microseconds) as such."""
        from tradex_ledger.audit.arrow import table

        return table(self.columns, self.rows, _text, self.types)

    def pandas(self) -> pandas.DataFrame:
        """A data frame of pandas. Raises `MissingLibraryError`."""
        try:
            import pandas  # noqa: F401 - Arrow loads it, and has other words for its absence
        except ImportError:
            raise MissingLibraryError("pandas") from None
        return self.arrow().to_pandas()

    def polars(self) -> polars.DataFrame:
        """A data frame of polars. Raises `MissingLibraryError`."""
        try:
            import polars
        except ImportError:
            raise MissingLibraryError("polars") from None
        found = polars.from_arrow(self.arrow())
        assert isinstance(found, polars.DataFrame)
        return found

    def __repr__(self) -> str:
        return f"<Answer: {len(self.rows)} rows of {', '.join(self.columns)}, as of position {self.as_of.position}>"

    def _repr_html_(self) -> str:
        """The first rows, for a notebook; what they hold is text and nothing else."""
        head = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape('' if value is None else _text(value))}</td>" for value in row) + "</tr>"
            for row in self.rows[:_SHOWN]
        )
        more = f", the first {_SHOWN} are shown" if len(self.rows) > _SHOWN else ""
        said = f"{len(self.rows)} rows as of position {self.as_of.position}{more}"
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><p>{escape(said)}</p>"


def _text(value: object) -> str:
    if isinstance(value, list | tuple | dict):
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    return str(value)
