"""What a decision stands on, read in the one order that is safe.

First the locks (all datasets, as aggregates), then the position, then the catalog as of it. Whoever changes a dataset
after the first step makes a save of that lock conflict, so nothing that the catalog does not know yet is ever written
over. Read in another order, an event could fall between the two and be lost: this is the whole safety argument, and
nowhere else is it written out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tradex_ledger.domain.dataset import Dataset
from tradex_ledger.planning.catalog import Catalog


@dataclass(frozen=True, slots=True)
class Base:
    """One moment of a workspace: `locks` and `versions` by dataset, `catalog` as of `position`."""

    locks: dict[str, Dataset]
    versions: dict[str, int]
    position: int
    catalog: Catalog


def read_base(
    locks: Callable[[], dict[str, Dataset]],
    position: Callable[[], int],
    catalog: Callable[[int, Mapping[str, int]], Catalog],
) -> Base:
    """The base as it is now. The three are asked in this order; what `locks` raises, it raises."""
    held = locks()
    versions = logic_versions(held)
    now = position()
    return Base(held, versions, now, catalog(now, versions))


def logic_versions(locks: Mapping[str, Dataset]) -> dict[str, int]:
    """The current logic version of each dataset."""
    return {name: dataset.logic_version for name, dataset in locks.items()}
