"""A definition over some days as it would be, beside what there is: nothing of it is on record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tradex_ledger.audit.diff import Differing
from tradex_ledger.audit.documents.form import IF_ANY
from tradex_ledger.domain.plan import Range


@dataclass(frozen=True, slots=True)
class Expected:
    """What building the days of a dataset takes: rows and seconds, by what its versions had and took; None: nobody
    knows."""

    dataset: str
    days: int
    rows: int | None
    seconds: Range | None


@dataclass(frozen=True, slots=True)
class Previewed:
    """A dataset over the days that were built: its rows there now, and as they would be; what it took, in milliseconds.

    `version` is the one that readers get, `newest` the last one (None: there is none). `what` are the parts of the
    logic that differ from the text of that one, `columns` its names that are gone (`-`), new (`+`) or of another type,
    `same_as` the versions whose very text it has.
    """

    dataset: str
    version: int | None
    newest: int | None
    days: int
    rows_before: int
    rows_after: int
    took_ms: int
    what: list[str] = field(default_factory=list, metadata=IF_ANY)
    columns: dict[str, str] = field(default_factory=dict, metadata=IF_ANY)
    same_as: list[int] = field(default_factory=list, metadata=IF_ANY)


@dataclass(frozen=True, slots=True)
class PreviewDocument:
    """The named dataset, and those downstream if they were asked for; where partitions differ, and in what.

    `rows` are the first of a dataset that there is not yet.
    """

    position: int
    first: str
    last: str
    expected: list[Expected]
    datasets: list[Previewed]
    differing: list[Differing]
    rows: Sequence[Mapping[str, object]] = field(default=(), metadata=IF_ANY)
    notes: list[str] = field(default_factory=list, metadata=IF_ANY)
