"""Whether the inputs of a partition are complete: all of them that there are, under the current logic (N17, N27).

After a bump, a window over days that exist under the older version alone would be computed over holes, and nobody
would see it in the numbers. Such a partition is not planned until what it reads has been backfilled. The same holds of
days whose files were declared lost, until they were extracted or built again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tradex_ledger.datasets.definition import Definition, Pipeline
from tradex_ledger.datasets.graph import iso
from tradex_ledger.errors import RefusedError
from tradex_ledger.executors.catalog import Catalog

Days = dict[str, set[int]]


def _first_of(pairs: list[tuple[str, int]]) -> tuple[str, int, str, str]:
    """The first dataset of (dataset, day) pairs: its name, how many days it has among them, the first and the last."""
    name = pairs[0][0]
    days = sorted(day for other, day in pairs if other == name)
    return name, len(days), iso(days[0]), iso(days[-1])


class IncompleteInputsError(RefusedError):
    """A partition would be computed over days that its input has under an older logic version only."""

    code = "incomplete-inputs"

    def __init__(self, dataset: str, day: int, lacking: list[tuple[str, int]], version: int) -> None:
        name, n_days, first, last = _first_of(lacking)
        super().__init__(
            f"{dataset} of {iso(day)} reads {name}, which has {n_days} of those days ({first} to {last}) under an "
            f"older logic than its current version {version}",
            mend=f"backfill them first: tradex backfill request logical {name} --from {first} --to {last} "
            "--no-override-state --reason …",
        )


class LostInputsError(RefusedError):
    """A partition would be computed over days of which files were declared lost, and nothing made up for them yet."""

    code = "lost-inputs"

    def __init__(self, dataset: str, day: int, lost: list[tuple[str, int]], position: int) -> None:
        name, n_days, first, last = _first_of(lost)
        super().__init__(
            f"{dataset} of {iso(day)} reads {name}, of which files of {n_days} of those days ({first} to {last}) "
            f"were declared lost by the event of position {position}",
            mend=f"backfill them first: tradex backfill request temporal {name} --from {first} --to {last} "
            "--no-override-state --reason …",
        )


def lacking(
    catalog: Catalog, definition: Definition, day: int, planned: Mapping[str, set[int]]
) -> list[tuple[str, int]]:
    """The inputs (dataset, day) of a partition that are there under an older logic version only, or are lost."""
    found = []
    for read in definition.reads:
        outdated, lost = catalog.outdated.get(read.dataset, set()), catalog.lost.get(read.dataset, {})
        for input_day in range(day + read.first, day + read.last + 1) if outdated or lost else ():
            if (input_day in outdated or input_day in lost) and input_day not in planned.get(read.dataset, ()):
                found.append((read.dataset, input_day))
    return found


def buildable(
    pipeline: Pipeline,
    catalog: Catalog,
    days: Mapping[str, Iterable[int]],
    planned: Mapping[str, set[int]] | None = None,
) -> tuple[Days, dict[str, dict[int, list[tuple[str, int]]]]]:
    """Of the days of each dataset, those whose inputs are complete, and of the others what they lack.

    What is buildable here, or `planned` already, will be complete for those downstream.
    """
    there: Days = {name: set(known) for name, known in (planned or {}).items()}
    kept: Days = {}
    left: dict[str, dict[int, list[tuple[str, int]]]] = {}
    for name, definition in pipeline.definitions.items():
        for day in sorted(days.get(name, ())):
            if missing := lacking(catalog, definition, day, there):
                left.setdefault(name, {})[day] = missing
            else:
                kept.setdefault(name, set()).add(day)
                there.setdefault(name, set()).add(day)
    return kept, left


def check_complete(
    pipeline: Pipeline, catalog: Catalog, days: Mapping[str, Iterable[int]], versions: Mapping[str, int]
) -> None:
    """Raise `IncompleteInputsError` or `LostInputsError` at the first partition that cannot be built over complete
    inputs."""
    _, left = buildable(pipeline, catalog, days)
    for name, partitions in left.items():
        day, missing = next(iter(partitions.items()))
        lost = [one for one in missing if one[1] in catalog.lost.get(one[0], {})]
        if lost:
            raise LostInputsError(name, day, lost, catalog.lost[lost[0][0]][lost[0][1]])
        raise IncompleteInputsError(name, day, missing, versions[missing[0][0]])
