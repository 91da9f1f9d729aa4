"""A run as a document: its facts, its layers, and of a backfill what was asked for, planned, and has to be allowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import NamedTuple

import orjson

from tradex_ledger.audit.documents.effects import Effects, effects_of
from tradex_ledger.audit.documents.form import BARE, HIDDEN, IF_ANY, SPREAD
from tradex_ledger.audit.documents.plan import Move, PlanOnRecord, Share, shares
from tradex_ledger.audit.documents.source import Looks, newest_looks
from tradex_ledger.audit.reader import Reader
from tradex_ledger.clock import seat
from tradex_ledger.domain.approval import Approval
from tradex_ledger.domain.facts import Facts, facts_of
from tradex_ledger.domain.plan import Edge, Window
from tradex_ledger.domain.request import RecordedRequest
from tradex_ledger.ledger.living import lease_that_lives
from tradex_ledger.ledger.select import Store
from tradex_ledger.relations.runs import (
    PIPELINE_STATE,
    PLAN_WINDOWS,
    REQUESTS,
    RUN_LAYERS,
    RUN_STEPS,
    RUNS,
    Run,
    RunLayer,
    RunStep,
    SourceLook,
)

UNTRUSTED = "why each dataset is in it, and whose approval it needs, say definitions and settings that are not trusted"
_LOST_DAYS = """
    select
        dataset, partition, min(position) as position, sum(rows)::bigint as rows, max(appended_since) as appended_since,
        bool_and(mended_position is not null) as extracted
    from lost_files
    where layer = 'bronze' and partition between $1::date and $2::date
    group by dataset, partition
    order by dataset, partition
"""


class _Asked(NamedTuple):
    """Days asked for, both included, as ISO text, and the cursor to which the state is to be moved."""

    first: str
    last: str
    cursor: str


class _Moved(NamedTuple):
    """Whose state was moved, and from which cursor."""

    pipeline: str
    cursor_before: str | None


@dataclass(frozen=True, slots=True)
class Delivered:
    """What the source delivered to the Bronze layer of a run, counted; what older events do not tell is 0."""

    files: int = 0
    lines: int = 0
    posts: int = 0
    duplicates: int = 0
    outside: int = 0
    rejected: int = 0
    recounted: int = 0
    recovered: int = 0
    moved: int = 0
    withheld: int = 0
    beyond: int = 0
    controls: int = 0
    odd: dict[str, int] = field(default_factory=dict)

    @staticmethod
    def of(source: Facts) -> Delivered:
        """Of what `run.layer_completed` says of the source."""
        return Delivered(**{name: source[name] for name in Delivered.__slots__ if source.get(name)})


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of a run; of Bronze what was asked of the source, and what that delivered."""

    row: RunLayer = field(metadata=SPREAD)
    extraction: Facts | None
    source: Facts | None

    @staticmethod
    def of(row: RunLayer) -> Layer:
        """Of a row, with its JSON read."""
        extraction, source = (None if text is None else orjson.loads(text) for text in (row.extraction, row.source))
        return Layer(row, extraction, source)


class Loss(NamedTuple):
    """Rows of a day of Bronze that were declared lost, and what was found of them since."""

    dataset: str
    partition: date
    position: int
    rows: int
    appended_since: int | None
    extracted: bool


@dataclass(frozen=True, slots=True)
class Judgement:
    """Of a backfill with a plan: why each dataset is in it, which approval it needs (None: nobody trusted can say)."""

    edges: list[Edge]
    by_dataset: list[Share]
    warnings: list[str]
    approval: Approval | None


class Driver(NamedTuple):
    """Whether a process lives that has a run in its hands, and which; of none that lives nothing is known."""

    lives: bool
    process: int | None
    host: str | None


@dataclass(frozen=True, slots=True)
class RunDocument:
    """A run whole. `plan`, `request` and `judgement` are of a backfill; `state` of one that moves the state.

    `windows` are those of the plan and of its extensions; `look` is its last one, `sources` those at each of several.
    `driver` is told of one that runs, and only of now; `effects` are those of a plan that waits for an approval.
    """

    id: str
    kind: str
    status: str
    run: Run = field(metadata=SPREAD)
    layers: list[Layer]
    look: SourceLook | None
    sources: list[SourceLook] = field(metadata=IF_ANY)
    looks: Looks = field(metadata=HIDDEN)
    plan: PlanOnRecord | None
    windows: list[Facts] = field(metadata=BARE)
    request: Facts | None
    state: Move | None
    losses: list[Loss]
    steps: list[RunStep]
    driver: Driver | None = field(default=None, metadata=IF_ANY)
    effects: Effects | None = field(default=None, metadata=IF_ANY)
    judgement: Judgement | None = field(default=None, metadata=SPREAD)

    @property
    def asked(self) -> RecordedRequest | None:
        """The request as a value."""
        return None if self.request is None else RecordedRequest.from_event(self.request)

    @property
    def planned(self) -> tuple[Window, ...]:
        """The windows as values."""
        return tuple(map(Window.from_event, self.windows))

    @property
    def delivered(self) -> Delivered | None:
        """What the source delivered to it; None: it has not read any."""
        bronze = next((layer for layer in self.layers if layer.row.layer == "bronze"), None)
        return Delivered.of(bronze.source) if bronze and bronze.source else None

    def shares(self, edges: Sequence[Edge]) -> list[Share]:
        """What its plan holds of each dataset, given why each is in it."""
        asked = facts_of(_Asked, self.request or {})
        return shares(self.planned, asked.first, asked.last, edges)


@dataclass(frozen=True, slots=True)
class WorkedDocument:
    """A run that a worker had in its hands, and why it has to wait, if it does."""

    document: RunDocument = field(metadata=SPREAD)
    waits: str | None = field(metadata=IF_ANY)


def run_document(reader: Reader, run_id: str) -> RunDocument:
    """A run as the ledger has it, without what its definitions and policy of today say. Raises `IndexError`."""
    run = reader.read(RUNS, "run_id = ?", run_id)[0]
    looks = newest_looks(reader, "run_id = ?", run_id)
    layers = reader.read(RUN_LAYERS, "run_id = ? order by started_at", run_id)
    asked, plan, override = _told(reader, run_id)
    windows = reader.of_run(PLAN_WINDOWS, run_id, "position, number")
    found = RunDocument(
        id=run_id,
        kind=run.kind,
        status=run.status,
        run=run,
        layers=[Layer.of(row) for row in layers],
        look=looks.newest,
        sources=looks.several,
        looks=looks,
        plan=None if plan is None else PlanOnRecord.of(plan),
        windows=[orjson.loads(row.window) for row in windows],
        request=asked,
        state=_move(reader, asked, override) if asked and run.override_state else None,
        losses=reader.ask(Loss, _LOST_DAYS, run.first_day, run.last_day, over=("lost_files",)) if asked else [],
        steps=reader.of_run(RUN_STEPS, run_id, "position"),
    )
    if found.asked is None or found.status != "PLANNED":
        return found
    return replace(found, effects=effects_of(reader, found.planned, found.asked.allow_overlap, found.state))


def driver_of(store: Store, run_id: str) -> Driver:
    """Who drives a run now, by the leases beside the ledger."""
    lease = lease_that_lives(store, seat(), run_id)
    return Driver(False, None, None) if lease is None else Driver(True, lease.pid, lease.host)


def _told(reader: Reader, run_id: str) -> tuple[Facts | None, Facts | None, Facts | None]:
    """What a backfill asked for, its plan, and how it moved the state, as far as that was said."""
    for told in reader.of_run(REQUESTS, run_id, "position"):
        plan, override = (None if text is None else orjson.loads(text) for text in (told.plan, told.override))
        return orjson.loads(told.request), plan, override
    return None, None, None


def _move(reader: Reader, asked: Facts, override: Facts | None) -> Move:
    to = facts_of(_Asked, asked).cursor
    if override is not None:
        moved = facts_of(_Moved, override)
        return Move(moved.pipeline, moved.cursor_before, to)
    (state,) = reader.read(PIPELINE_STATE)
    return Move(state.pipeline, state.cursor, to)
