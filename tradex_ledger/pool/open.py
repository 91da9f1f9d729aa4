"""Which pool the settings mean. The one place that knows them all."""

from __future__ import annotations

from tradex_ledger.extras import load
from tradex_ledger.pool.executor import ExecutorPool
from tradex_ledger.pool.port import Pool

DASK = "dask:"


def open_pool(place: str | None, here: Pool) -> Pool:
    """The pool at a place, as `Config.pool` has it; the one that is `here` where there is none. Nothing is started.

    Raises: `MissingExtraError`.
    """
    if place is None:
        return here
    dask = load("tradex_ledger.pool.dask", f"the pool {place}", "dask")
    return ExecutorPool(dask.DaskCluster(place.removeprefix(DASK)))
