"""The workspace in Dagster: an asset a dataset, a job a dataset, and nothing that runs around the ledger.

    TRADEX_WORKSPACE=ws dagster dev -m tradex_ledger.dagster

Who has a code location already merges ours into it: `Definitions.merge(mine, build_definitions("ws"))`. Dagster is
asked for by nobody but this room.
"""

from __future__ import annotations

from tradex_ledger.extras import check

check("tradex_ledger.dagster", "dagster")

from tradex_ledger.dagster.definitions import build_definitions, defs  # noqa: E402 — it needs what was just checked

__all__ = ["build_definitions", "defs"]
