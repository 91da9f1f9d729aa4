"""Where things stand, as one document: state, runs that need somebody, datasets, and what is the matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import orjson

from tradex_ledger.audit.documents.attention import Attention, attention
from tradex_ledger.audit.documents.feeds import FeedDocument, feeds
from tradex_ledger.audit.documents.form import HIDDEN, IF_ANY
from tradex_ledger.audit.documents.held import Held, datasets
from tradex_ledger.audit.documents.sealing import SealingDocument, sealing
from tradex_ledger.audit.documents.source import Looks, newest_looks
from tradex_ledger.relations.data import ENGINES, TWO_CONTENTS, Engine, TwoContents
from tradex_ledger.relations.runs import (
    PIPELINE_STATE,
    POLICY_HISTORY,
    RUNS,
    STATE_MOVES,
    PipelineState,
    Run,
    SourceLook,
    newest,
)

if TYPE_CHECKING:
    from tradex_ledger.audit.documents.mirrors import MirrorDocument
    from tradex_ledger.audit.reader import Reader
    from tradex_ledger.config import Config
    from tradex_ledger.views import AsOf

NEWEST = 5
_WAITING = "status in (select status from lifecycle where is_active) order by position"
_UNSETTLED = "is_current and verdict in ('different', 'none eligible') order by position"
_STALE = """
    select dataset, count(*), count(*) filter (reason = 'never built'),
        min(partition) filter (reason = 'never built'), max(partition) filter (reason = 'never built')
    from stale_partitions
    group by 1
    order by 1
"""
_DEFINITIONS = """
    select
        v.dataset, v.layer, v.partition_column as partition, v.component, v.logic_version as version,
        v.definition as text, d.references, v.reader,
        v.is_deprecated as given_up, v.dataset in (select dataset from partitions) as has_data
    from logic_versions v
    join definitions d using (dataset, logic_version)
    where v.is_current
    order by v.position
"""


class _Stale(NamedTuple):
    dataset: str
    partitions: int
    never_built: int
    first: date | None
    last: date | None


class _Definition(NamedTuple):
    dataset: str
    layer: str
    partition: str
    component: str | None
    version: int
    text: str
    references: str
    reader: int | None
    given_up: bool
    has_data: bool


@dataclass(frozen=True, slots=True)
class Stale:
    """The stale partitions of a dataset, and how many of them were never built, with the way out of that, in words."""

    dataset: str
    partitions: int
    never_built: int
    way_out: str | None = field(metadata=HIDDEN)


class PolicyWaiting(NamedTuple):
    """A policy that somebody proposed and nobody has answered."""

    digest: str
    by: str
    reason: str | None


class CursorAhead(NamedTuple):
    """A cursor that lies in the future by the clock of this machine."""

    pipeline: str
    message: str
    mend: str


class Finding(NamedTuple):
    """What is other in a definition of today than in the ledger."""

    kind: str
    dataset: str | None
    message: str
    mend: str


@dataclass(frozen=True, slots=True)
class StatusDocument:
    """Where things stand, as of a position; cursors and definitions are held against today, and only then.

    `source` is the last look, `sources` the last at each, where there are several.
    """

    as_of: AsOf
    pipeline_state: list[PipelineState]
    runs: list[Run]
    waiting: list[Run]
    datasets: list[Held]
    source: SourceLook | None
    sources: list[SourceLook] = field(metadata=IF_ANY)
    looks: Looks = field(metadata=HIDDEN)
    stale_partitions: list[Stale]
    engines: list[Engine]
    policy_waiting: PolicyWaiting | None
    cursors_ahead: list[CursorAhead]
    definitions: list[Finding]
    two_contents: list[TwoContents]
    sealing: SealingDocument
    mirrors: list[MirrorDocument] = field(default_factory=list, metadata=IF_ANY)
    feeds: list[FeedDocument] = field(default_factory=list, metadata=IF_ANY)
    attention: list[Attention] = field(default_factory=list)


def status(
    reader: Reader, config: Config, now: datetime | None, mirrors: Sequence[MirrorDocument] = ()
) -> StatusDocument:
    """Where things stand; `now` (UTC) is None for a question as of before."""
    states = reader.read(PIPELINE_STATE)
    runs = reader.read(RUNS, newest(NEWEST))
    waiting = reader.read(RUNS, _WAITING)
    held, looks = datasets(reader), newest_looks(reader)
    found = StatusDocument(
        as_of=reader.as_of,
        pipeline_state=states,
        runs=runs,
        waiting=waiting,
        datasets=held,
        source=looks.newest,
        sources=looks.several,
        looks=looks,
        stale_partitions=list(map(_stale, reader.ask(_Stale, _STALE, over=("stale_partitions",)))),
        engines=reader.read(ENGINES, _UNSETTLED),
        policy_waiting=_policy_waiting(reader),
        cursors_ahead=_cursors_ahead(reader, states, now) if now else [],
        definitions=_findings(reader, config) if now else [],
        two_contents=reader.read(TWO_CONTENTS, "true order by dataset"),
        sealing=sealing(reader.store, config, reader.as_of.position, now),
        mirrors=list(mirrors),
        feeds=feeds(reader.store, config) if now else [],
    )
    return replace(found, attention=attention(found, reader, now, is_delivered=bool(config.alert_urls)))


def _stale(row: _Stale) -> Stale:
    way_out = None
    if row.never_built:
        from tradex_ledger.planning.complete import never_built  # loads slowly, and is seldom needed

        way_out = never_built(row.dataset, row.never_built, str(row.first), str(row.last))
    return Stale(row.dataset, row.partitions, row.never_built, way_out)


def _policy_waiting(reader: Reader) -> PolicyWaiting | None:
    """Whatever answers a proposal is behind it."""
    for step in reader.read(POLICY_HISTORY, "true order by position desc limit 1"):
        if step.decision == "proposed":
            return PolicyWaiting(step.digest, step.by, step.reason)
    return None


def _cursors_ahead(reader: Reader, states: list[PipelineState], now: datetime) -> list[CursorAhead]:
    found = []
    for state in states:
        if state.cursor is None or datetime.fromisoformat(state.cursor) <= now + timedelta(minutes=1):
            continue
        from tradex_ledger.domain.incremental import CursorAheadError  # slow to load, and seldom needed
        from tradex_ledger.planning.words import words_of

        moves = reader.read(STATE_MOVES, "pipeline = ? order by position desc", state.pipeline)
        past = (move.cursor for move in moves if move.cursor and datetime.fromisoformat(move.cursor) <= now)
        error = CursorAheadError(
            state.pipeline, state.cursor, now.isoformat(), next(past, None), words_of(reader.store)
        )
        found.append(CursorAhead(state.pipeline, error.message, error.mend))
    return found


def _findings(reader: Reader, config: Config) -> list[Finding]:
    """What is other in the definitions of today than in the ledger, each with its mend; nothing is run for it.

    Those of another user are not looked at until they are trusted.
    """
    from tradex_ledger.datasets.built_in import BUILT_IN, PIPELINE
    from tradex_ledger.datasets.unchanged import Known, are_unchanged, references_of
    from tradex_ledger.errors import TradexError
    from tradex_ledger.trust import check_trusted

    folder = config.pipeline or BUILT_IN
    on_record = reader.ask(_Definition, _DEFINITIONS, over=("partitions", "logic_versions", "definitions"))
    known = {row.dataset: Known(*row[1:6], references_of(orjson.loads(row.references)), *row[7:]) for row in on_record}
    try:
        check_trusted(config.folder, config.pipeline)
        if are_unchanged(folder, known):
            return []
        from tradex_ledger.datasets.definition import load_pipeline
        from tradex_ledger.datasets.named import findings

        found = findings(load_pipeline(folder, config.name or PIPELINE), known)
    except TradexError as error:  # whoever runs something is refused with it
        kind = "not compared" if error.code == "untrusted" else "broken"
        return [Finding(kind, getattr(error, "dataset", None), error.message, error.mend)]
    return [Finding(one.kind, one.dataset, one.message, one.mend) for one in found]
