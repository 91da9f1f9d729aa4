"""What the ledger has on record of a run, as Dagster takes it: materializations, checks, tags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import dagster as dg

from tradex_ledger.audit.rebuilt import Rebuilt
from tradex_ledger.dagster.place import DAGSTER_PRIORITY, KIND, PRIORITIES, PRIORITY, REASON, RETRIED, RUN, TICKET
from tradex_ledger.domain.backfill import Backfill

CHECKS = {"key": "key_is_unique", "partition": "rows_are_of_their_day"}
"""What the engine checks of each partition that it builds, by what breaks it (`DefinitionError.breaks`)."""


def tags_of(backfill: Backfill) -> dict[str, str]:
    """The tags of a Dagster run that drives a backfill."""
    asked = backfill.request
    said = {RUN: backfill.id, KIND: asked.kind, REASON: asked.reason, TICKET: asked.ticket, PRIORITY: asked.priority}
    told = {name: text for name, text in said.items() if text}
    return {**told, **RETRIED, DAGSTER_PRIORITY: str(PRIORITIES[asked.priority])}


def materializations(run_id: str, rebuilt: Iterable[Rebuilt]) -> Iterator[dg.AssetMaterialization]:
    """A materialization for each partition that a run of the ledger has published; their data version is the digest."""
    for one in rebuilt:
        facts: dict[str, str | int] = {
            "run": run_id, "outcome": one.outcome, "rows": one.rows, "bytes": one.bytes, "position": one.position,
            "digest": one.digest or "no rows",
        }  # fmt: skip
        if one.logic_version is not None:
            facts["logic_version"] = one.logic_version
        yield dg.AssetMaterialization(
            asset_key=dg.AssetKey(one.dataset),
            partition=one.day.isoformat(),
            metadata=facts,
            tags={"dagster/data_version": one.digest or "none"},
        )


def unchanged(run_id: str, dataset: str, days: Iterable[str]) -> Iterator[dg.AssetMaterialization]:
    """The same for days (ISO) that were asked for, and of which the run found nothing new: they are what they were."""
    for day in days:
        yield dg.AssetMaterialization(
            asset_key=dg.AssetKey(dataset), partition=day, metadata={"run": run_id, "outcome": "nothing new"}
        )


def evaluations(run_id: str, rebuilt: Iterable[Rebuilt]) -> Iterator[dg.AssetCheckEvaluation]:
    """Each check of each dataset that a run has published: none of it would be on record, had a check not held."""
    for dataset, partitions in Counter(one.dataset for one in rebuilt).items():
        for check in CHECKS.values():
            yield dg.AssetCheckEvaluation(
                asset_key=dg.AssetKey(dataset),
                check_name=check,
                passed=True,
                metadata={"run": run_id, "partitions": partitions},
            )
