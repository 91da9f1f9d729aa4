"""One dataset: which days have which version, its rows a day, its versions and what each changed, what is protected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import NamedTuple

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from tradex_ledger.audit.diff import Differing
from tradex_ledger.audit.documents.calendar import Calendar, calendar
from tradex_ledger.audit.documents.dataset import DatasetDocument, Version
from tradex_ledger.audit.documents.dataset import dataset as document_of
from tradex_ledger.audit.documents.held import datasets
from tradex_ledger.audit.log import Line, Log, story
from tradex_ledger.audit.reader import Reader
from tradex_ledger.errors import TradexError, UsageError
from tradex_ledger.ledger.ask import of_stream
from tradex_ledger.ledger.rows import entry_of
from tradex_ledger.relations.data import PARTITIONS, Partition
from tradex_ledger.relations.runs import RUNS
from tradex_ledger.web.at import At
from tradex_ledger.web.draw.calendar import Drawn, drawn
from tradex_ledger.web.draw.lines import Series, lines
from tradex_ledger.web.frame import Frame, page
from tradex_ledger.web.pages.datasets import graph
from tradex_ledger.web.pages.log import by_day
from tradex_ledger.web.pages.rows import Changed, changed
from tradex_ledger.web.pages.texts import TextLine, diff_of
from tradex_ledger.web.pages.until import DAY, until
from tradex_ledger.web.site import Site
from tradex_ledger.web.within import number_of

SAMPLES = 20
_HELD = "status = 'HELD' and list_contains(datasets, ?) order by position desc"
EVENTS = 60


class Change(NamedTuple):
    """What a version changed in the definition of the one before."""

    version: int
    lines: list[TextLine]


@dataclass(frozen=True, slots=True)
class Whole:
    """What the page is made of."""

    document: DatasetDocument
    graph: Markup
    calendar: Calendar
    drawn: Drawn | None
    rows: Markup | None
    changes: list[Change]
    lines: list[tuple[date, list[Line]]]
    held_runs: list[str]


def dataset(request: Request) -> Response:
    """The page; with `?left=1&right=2` the rows of two versions beside each other."""
    frame = Frame.of(request)
    site, at, last = frame.site, frame.at, until(request)
    name = str(request.path_params.get("name"))
    found = site.read(at, ("dataset", name, last), lambda reader: _whole(reader, at, name, last))
    left, right = (_version(request.query_params.get(side)) for side in ("left", "right"))
    compared: Changed | TradexError | None = None
    empty = _unpublished(found.document, left, right)
    if left is not None and right is not None and not empty:
        pair = (min(left, right), max(left, right))
        compared = site.ask(at, ("versions", name, pair), lambda: _compared(site, at, name, *pair))
    return page(
        frame,
        "dataset.html",
        found=found,
        held=found.document.held,
        changed=compared,
        left=left,
        right=right,
        empty=empty,
        held_runs=found.held_runs,
        day=DAY,
    )


def _unpublished(document: DatasetDocument, *asked: int | None) -> list[int]:
    """Versions of those that are asked for of which readers could have no day."""
    known = {one.version.logic_version: one.partitions for one in document.versions}
    return [version for version in asked if version is not None and known.get(version) == 0]


def _version(said: str | None) -> int | None:
    if not said:
        return None
    found = number_of(said, digits=9)
    if found is None:
        raise UsageError(f"{said[:40]!r} is no version", mend="versions are numbers: ?left=1&right=2")
    return found


def _whole(reader: Reader, at: At, name: str, last: date | None) -> Whole:
    document = document_of(reader, name)
    days = calendar(reader, [name], last=last, older=True)
    told = [one for one in of_stream(reader.store, f"dataset-{name}") if one.position <= at.position][:EVENTS]
    entries = [entry_of(reader.store.ledger, one) for one in reversed(told)]
    return Whole(
        document=document,
        graph=graph(datasets(reader), name),
        calendar=days,
        drawn=drawn(days, at),
        rows=_rows(reader, document, days),
        changes=_changes(document.versions),
        lines=by_day(story(Log(at.as_of, entries))),
        held_runs=[run.run_id for run in reader.read(RUNS, _HELD, name)],
    )


def _rows(reader: Reader, document: DatasetDocument, days: Calendar) -> Markup | None:
    """Rows a day, a line a version where versions stand side by side."""
    where = "dataset = ? and partition between ? and ? order by partition"
    parts = reader.read(PARTITIONS, where, document.held.dataset, days.first, days.last)
    by_version: dict[int | None, list[Partition]] = {}
    for part in parts:
        by_version.setdefault(part.logic_version if document.held.component else None, []).append(part)
    if days.first is None or days.last is None or not parts:
        return None
    series = [
        Series(
            f"v{version}" if version else "rows", _standing(document, version), [(p.partition, p.rows) for p in some]
        )
        for version, some in sorted(by_version.items(), key=lambda item: item[0] or 0)
    ]
    return lines(series, days.first, days.last)


def _standing(document: DatasetDocument, version: int | None) -> str:
    read = document.held.logic_version
    return "read" if version in (None, read) else "next" if version > read else "older"


def _changes(versions: Sequence[Version]) -> list[Change]:
    told = [(one.version.logic_version, one.version.definition) for one in versions]
    return [
        Change(later[0], diff_of(earlier[1], later[1])) for earlier, later in pairwise(told) if earlier[1] != later[1]
    ][::-1]


def _compared(site: Site, at: At, name: str, older: int, newer: int) -> Changed | TradexError:
    """A file that is gone is told, and ends no page."""
    try:
        found: list[Differing] = site.workspace.audit.diff_versions(name, older, newer, as_of=at.as_of, samples=SAMPLES)
    except TradexError as error:
        return error
    return changed(found, SAMPLES)
