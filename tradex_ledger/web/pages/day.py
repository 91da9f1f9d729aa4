"""A day of a dataset: why it is what it is, all that it ever was, and its first rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from tradex_ledger.audit.answer import Answer
from tradex_ledger.audit.documents.why import Decision, LogicBehind, RunBehind, WhyDocument
from tradex_ledger.audit.first_rows import first_rows
from tradex_ledger.audit.origins import Batch, Build
from tradex_ledger.audit.reader import Reader
from tradex_ledger.audit.tables import named_version
from tradex_ledger.audit.why import NoSuchPartitionError, why
from tradex_ledger.domain.plan import Edge
from tradex_ledger.errors import TradexError, UsageError
from tradex_ledger.relations.asked import history_of
from tradex_ledger.relations.data import LOGIC_VERSIONS, RECENT_HISTORY, LogicVersion, PartitionHistory
from tradex_ledger.relations.reads import reads_of
from tradex_ledger.relations.runs import RUNS, Run
from tradex_ledger.web.frame import Frame, page
from tradex_ledger.web.pages.until import day_from
from tradex_ledger.web.pages.went import in_words
from tradex_ledger.web.site import Site
from tradex_ledger.web.within import number_of

ROWS = 20


class Read(NamedTuple):
    """What it was made of, of one dataset, and which days of it that is, in words."""

    dataset: str
    said: str
    builds: list[Build]
    batches: list[Batch]

    @property
    def all(self) -> list[Build | Batch]:
        """Both, since Silver is made of batches and what follows of builds."""
        return [*self.builds, *self.batches]

    @property
    def rows(self) -> int:
        """How many rows there were in it."""
        return sum(one.rows for one in self.all)

    @property
    def partitions(self) -> int:
        """How many days."""
        return len({one.partition for one in self.all})

    @property
    def runs(self) -> list[str]:
        """The runs that brought it."""
        return list(dict.fromkeys(one.run_id for one in self.all))


@dataclass(frozen=True, slots=True)
class Whole:
    """What the page is made of: why (None: readers get nothing of that day), all versions, and the rows."""

    table: str
    logic_version: LogicVersion
    why: WhyDocument | None
    problem: TradexError | None
    history: list[PartitionHistory]
    runs: dict[str, Run]
    by: RunBehind | None
    approved: Decision | None
    logic: LogicBehind | None
    reads: list[Read]
    rows: Answer | TradexError


def day(request: Request) -> Response:
    """The page; `?version=` is of one version of a dataset that keeps several."""
    frame = Frame.of(request)
    name, when = str(request.path_params.get("name")), day_from(str(request.path_params.get("day")))
    version = request.query_params.get("version")
    if version and number_of(version, digits=9) is None:
        raise UsageError(f"{version[:40]!r} is no version", mend="versions are numbers: ?version=2")
    table = f"{name}_v{version}" if version else name
    found = frame.site.read(frame.at, ("day", table, when), lambda reader: _whole(reader, frame.site, table, when))
    return page(frame, "day.html", found=found, name=found.logic_version.dataset, when=when)


def _whole(reader: Reader, site: Site, table: str, when: date) -> Whole:
    logic = named_version(table, reader.read(LOGIC_VERSIONS, "true order by position"))
    history = _history(reader, logic, when)
    told: WhyDocument | None = None
    problem: TradexError | None = None
    try:
        told = why(reader, table, when, text=True)
    except NoSuchPartitionError as error:
        problem = error
    ids = list({row.run_id for row in history})
    by = next((run for run in told.runs if told.version and run.run_id == told.version.run_id), None) if told else None
    return Whole(
        table=table,
        logic_version=logic,
        why=told,
        problem=problem,
        history=history[::-1],
        runs={run.run_id: run for run in reader.read(RUNS, "list_contains(?, run_id)", ids)},
        by=by,
        approved=next((one for one in by.decisions if one.decision == "approved"), None) if by else None,
        logic=_logic(told) if told else None,
        reads=_reads(told, logic) if told else [],
        rows=_rows(reader, site, logic, when),
    )


def _history(reader: Reader, logic: LogicVersion, when: date) -> list[PartitionHistory]:
    if logic.layer == "bronze":
        return reader.read(RECENT_HISTORY, "dataset = ? and partition = ? order by position", logic.dataset, when)
    return history_of(reader.connection, logic.dataset, when)


def _logic(told: WhyDocument) -> LogicBehind | None:
    version = told.logic_version
    own = [one for one in told.logic if one.dataset == told.dataset]
    return next((one for one in own if version is None or one.logic_version == version), None)


def _reads(told: WhyDocument, logic: LogicVersion) -> list[Read]:
    """What the version that readers get was made of itself, by dataset, in the order of its definition."""
    if told.version is None:
        return []
    own = next((one for one in told.inputs if one.position == told.version.position), None)
    direct = set(own.made_of) if own else set()
    builds = [one for one in told.inputs if one.position in direct]
    batches = [one for one in told.batches if one.position in direct]
    edges = reads_of(logic.reads)
    names = dict.fromkeys([edge.dataset for edge in edges])
    names |= dict.fromkeys([*(one.dataset for one in builds), *(one.dataset for one in batches)])
    said = {
        edge.dataset: in_words(Edge(told.dataset, f"reads {edge.dataset}", edge.first, edge.last)) for edge in edges
    }
    return [
        Read(
            name,
            said.get(name, f"reads {name}"),
            [one for one in builds if one.dataset == name],
            [one for one in batches if one.dataset == name],
        )
        for name in names
    ]


def _rows(reader: Reader, site: Site, logic: LogicVersion, when: date) -> Answer | TradexError:
    """The first rows; a file that is gone is told, and ends no page."""
    try:
        return first_rows(reader, site.look.lake, logic, when, ROWS)
    except TradexError as error:
        return error
