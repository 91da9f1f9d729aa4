"""What a reversal would do, and what stands in its way; nothing is recorded by the question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

import duckdb

from tradex_ledger.datasets.definition import Pipeline
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.base import Event
from tradex_ledger.domain.instead import wrong_state
from tradex_ledger.domain.policy import Policy
from tradex_ledger.domain.reversal import Again, InTheWay, Outdated, Reversal
from tradex_ledger.errors import RefusedError
from tradex_ledger.ledger.application import Ledger
from tradex_ledger.ledger.entry import entries
from tradex_ledger.relations.data import STALE_PARTITIONS
from tradex_ledger.upkeep.revert import in_the_way
from tradex_ledger.views import AsOf, add_projections, resolve, shared_views, suppose

_SEEN = """
    select p.dataset, p.partition, p.run_id, p.logic_version, p.rows
    from partitions p
    join logic_versions v using (dataset)
    where v.is_read and p.layer <> 'bronze' and (v.component is null or p.logic_version = v.logic_version)
        and list_contains($1::varchar[], p.dataset)
"""


class Seen(NamedTuple):
    """A version of a partition that readers get."""

    run_id: str
    logic_version: int | None
    rows: int


def reversal(ledger: Ledger, pipeline: Pipeline, run_id: str, *, by: str, policy: Policy) -> Reversal:
    """What a reversal would do now. Raises: `WrongStateError` where nothing of the run is published."""
    backfill = ledger.get(Backfill, run_id)
    if backfill.status != "SUCCESS":
        raise wrong_state(backfill.id, backfill.status, "reverted")
    refused: list[RefusedError] = []
    try:
        policy.check_may("revert", by)
    except RefusedError as error:
        refused.append(error)
    refused += in_the_way(ledger, pipeline, backfill)
    at, datasets = resolve(ledger.store, None), sorted(backfill.candidates)
    with shared_views(ledger.store, at) as connection:
        now, stale = _seen(connection, datasets), _stale(connection)
    with shared_views(ledger.store, at) as connection:
        suppose(connection, _reverted(ledger, backfill, at, by))
        then, outdated = _seen(connection, datasets), _stale(connection)
    return Reversal(
        id=backfill.id,
        again=_differing(now, then),
        stale=sorted(outdated - stale),
        in_the_way=[InTheWay(error.code, error.message, error.mend) for error in refused],
    )


def _reverted(ledger: Ledger, backfill: Backfill, at: AsOf, by: str) -> list[str]:
    """The entry that a reversal would be."""
    trial = backfill.for_trial()
    trial.revert(reason="what would it do, if it were", by=by, blockers=[], policy=Policy())
    said = [_said(event) for event in trial.pending_events]
    return [entry.decode() for entry in entries(ledger.id, at.position + 1, at.at or "", said)]


def _said(event: Event) -> tuple[str, int, str, str, dict[str, object], int]:
    return (
        event.originator_id,
        event.originator_version,
        event.TOPIC,
        event.by,
        event.own_facts(),
        event.class_version,
    )


def _seen(connection: duckdb.DuckDBPyConnection, datasets: Sequence[str]) -> dict[tuple[str, date], Seen]:
    add_projections(connection, ("partitions", "logic_versions"))
    rows = connection.execute(_SEEN, [datasets]).fetchall()
    return {(dataset, day): Seen(*seen) for dataset, day, *seen in rows}


def _stale(connection: duckdb.DuckDBPyConnection) -> set[Outdated]:
    return {Outdated(row.dataset, row.partition, row.reason) for row in STALE_PARTITIONS.read(connection)}


def _differing(now: Mapping[tuple[str, date], Seen], then: Mapping[tuple[str, date], Seen]) -> list[Again]:
    nothing = (None, None, None)
    return [
        Again(*key, *(now.get(key) or nothing), *(then.get(key) or nothing))
        for key in sorted(now.keys() | then.keys())
        if now.get(key) != then.get(key)
    ]
