"""A long ledger: what is kept, and brought up from, is what a fold from zero gives, as of any position."""

from __future__ import annotations

import os
import random
from pathlib import Path

import duckdb
import pytest

from tests.benchmarks import made_ledger
from tradex_ledger.ledger.select import open_store
from tradex_ledger.views import AsOf, add_projections, open_view, open_views

MADE = "TRADEX_LONG_LEDGER"
"""A folder with a made ledger that is there already, in the environment: to make one of 1 M takes a minute."""
ASKED = ("runs", "partitions", "run_layers", "logic_versions", "stale_partitions", "costs", "volumes", "pipeline_state")


def digests(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[int, int]]:
    """Of each projection how many rows it has, and one number of them all, in whichever order."""
    add_projections(connection, ASKED)
    found = {}
    for name in ASKED:
        statement = f'select count(*), coalesce(sum(hash(t))::hugeint, 0) from "{name}" t'
        ((count, digest),) = connection.execute(statement).fetchall()
        found[name] = (int(count), int(digest))
    return found


@pytest.mark.soak
@pytest.mark.parametrize("positions", [100])
def test_at_a_hundred_positions_of_a_million_events_the_answers_are_those_of_a_fold_from_zero(
    tmp_path: Path, positions: int
):
    folder = Path(os.environ.get(MADE, ""))
    if not os.environ.get(MADE):
        folder = tmp_path
        made_ledger.make(folder, 1_000_000)
    workspace = folder / "workspace"
    store, chance = open_store(f"sqlite:///{workspace / 'ledger.db'}", workspace), random.Random(11)
    open_views(store, AsOf(store.position(), None)).close()
    for upto in [chance.randrange(1, store.position() + 1) for _ in range(positions)]:
        with open_views(store, AsOf(upto, None)) as kept, open_view(store, upto, None).connection as zero:
            assert digests(kept) == digests(zero), upto
