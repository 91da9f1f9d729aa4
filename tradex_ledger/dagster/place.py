"""Where a code location finds its workspace, who acts there, and what things are called in Dagster."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tradex_ledger.domain.policy import Policy
from tradex_ledger.workspace import Workspace

FLOW = "backfill_all"
INCREMENTAL = "incremental"
RUN, KIND, REASON, TICKET = TAGS = ("tradex/run", "tradex/kind", "tradex/reason", "tradex/ticket")
"""The tags of a Dagster run: which run of the ledger it drives; of which kind, why and for which ticket."""
PRIORITY, REPORTED = "tradex/priority", "tradex/reported"
DAGSTER_PRIORITY = "dagster/priority"
PRIORITIES = {"low": -2, "normal": -1, "high": 1, "urgent": 2}
"""Dagster's own priority by the ledger's: what is neither, an incremental run say, has 0."""

RETRIED = {"dagster/max_retries": "3", "dagster/retry_on_asset_or_op_failure": "false"}
"""Only a crash is retried: what was refused is refused again."""


@dataclass(frozen=True, slots=True)
class Place:
    """A workspace by its folder, and on whose behalf Dagster uses it (None: TRADEX_ACTOR, else the login name)."""

    folder: Path
    actor: str | None = None

    @staticmethod
    def of_environment() -> Place:
        """The workspace that TRADEX_WORKSPACE names, else the nearest one above the current folder."""
        return Place(Path(os.environ.get("TRADEX_WORKSPACE") or "."))

    @contextmanager
    def open(self, *, reading: bool = False) -> Iterator[Workspace]:
        """The workspace, for the length of a block."""
        actor = self.actor or os.environ.get("TRADEX_ACTOR") or None
        with Workspace.open(self.folder, actor=actor, reading=reading) as workspace:
            yield workspace


def job_of(dataset: str) -> str:
    """The job that backfills a dataset."""
    return f"backfill_{dataset}"


def pool_of(dataset: str) -> str:
    """The pool that runs about a dataset take a place of."""
    return f"tradex_{dataset}"


def pools(policy: Policy, datasets: list[str]) -> dict[str, int]:
    """How many runs Dagster may start at once in each pool, by the policy; 0 is no limit."""
    limits = {pool_of(name): policy.runs_per_dataset for name in datasets}
    return {**limits, pool_of(FLOW): policy.runs_in_all, pool_of(INCREMENTAL): 1}
