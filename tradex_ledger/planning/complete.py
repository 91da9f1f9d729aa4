"""Whether the inputs of a partition are complete: all of them that there are, under the current logic (N17, N27).

After a bump, a window over days that exist under the older version alone would be computed over holes, and nobody
would see it in the numbers. Such a partition is not planned until what it reads has been backfilled. The same holds of
days whose files were declared lost, until they were extracted or built again; and of days that were never built because
the dataset was given up then, and came back later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tradex_ledger.datasets.definition import Definition, Pipeline
from tradex_ledger.domain.day import Day, iso, span
from tradex_ledger.errors import RefusedError
from tradex_ledger.planning.catalog import Catalog

Days = dict[str, set[Day]]


def _first_of(pairs: list[tuple[str, Day]]) -> tuple[str, int, str, str]:
    """The first dataset of (dataset, day) pairs: its name, how many days it has among them, the first and the last."""
    name = pairs[0][0]
    days = sorted(day for other, day in pairs if other == name)
    return name, len(days), iso(days[0]), iso(days[-1])


class IncompleteInputsError(RefusedError):
    """A partition would be computed over days that its input has under an older logic version only."""

    code = "incomplete-inputs"

    def __init__(self, dataset: str, day: Day, lacking: list[tuple[str, Day]], version: int) -> None:
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

    def __init__(self, dataset: str, day: Day, lost: list[tuple[str, Day]], position: int) -> None:
        name, n_days, first, last = _first_of(lost)
        super().__init__(
            f"{dataset} of {iso(day)} reads {name}, of which files of {n_days} of those days ({first} to {last}) "
            f"were declared lost by the event of position {position}",
            mend=f"backfill them first: tradex backfill request temporal {name} --from {first} --to {last} "
            "--no-override-state --reason …",
        )


class MissedInputsError(RefusedError):
    """A partition would be computed over days that its input was not built for while it was given up."""

    code = "missed-inputs"

    def __init__(self, dataset: str, day: Day, missed: list[tuple[str, Day]]) -> None:
        name, n_days, first, last = _first_of(missed)
        super().__init__(
            f"{dataset} of {iso(day)} reads {name}, which was never built for {n_days} of those days ({first} to "
            f"{last}): it was given up then, and came back later",
            mend=f"build them first: tradex backfill request temporal {name} --from {first} --to {last} "
            "--no-override-state --reason …",
        )


def missed(pipeline: Pipeline, catalog: Catalog) -> Days:
    """The days of each dataset that came back which nobody built while it was away: what it reads is there, it is not,
    and it was before."""
    found: Days = {}
    for name in catalog.returned & pipeline.definitions.keys():
        own, older = catalog.current.get(name, {}), catalog.outdated.get(name, set())
        read = {day for read in pipeline.definitions[name].reads for day in catalog.current.get(read.dataset, ())}
        found[name] = {day for day in read if own and day > min(own) and day not in own and day not in older}
    return {name: days for name, days in found.items() if days}


def told_missed(pipeline: Pipeline, catalog: Catalog) -> list[str]:
    """The same in a sentence for each dataset, with the command that fills them."""
    found = sorted(missed(pipeline, catalog).items())
    return [never_built(n, len(days), iso(min(days)), iso(max(days)), ", when it was given up") for n, days in found]


def never_built(dataset: str, count: int, first: str, last: str, when: str = "") -> str:
    """That a dataset lacks so many days between two (`YYYY-MM-DD`), and the command that builds them."""
    return (
        f"{dataset} was never built for {count} days ({first} to {last}){when}; to build them: tradex backfill "
        f"request temporal {dataset} --from {first} --to {last} --no-override-state --reason …"
    )


def lacking(
    catalog: Catalog,
    definition: Definition,
    day: Day,
    planned: Mapping[str, set[Day]],
    missing: Mapping[str, set[Day]],
) -> list[tuple[str, Day]]:
    """The inputs (dataset, day) of a partition that are there under an older logic version only, are lost, or are
    `missing`."""
    found = []
    for read in definition.reads:
        name = read.dataset
        not_there: set[Day] = catalog.outdated.get(name, set()) | catalog.lost.get(name, {}).keys()
        not_there |= missing.get(name, set())
        for input_day in span(day + read.first, day + read.last) if not_there else ():
            if input_day in not_there and input_day not in planned.get(name, ()):
                found.append((read.dataset, input_day))
    return found


def buildable(
    pipeline: Pipeline,
    catalog: Catalog,
    days: Mapping[str, Iterable[Day]],
    planned: Mapping[str, set[Day]] | None = None,
) -> tuple[Days, dict[str, dict[Day, list[tuple[str, Day]]]]]:
    """Of the days of each dataset, those whose inputs are complete, and of the others what they lack.

    What is buildable here, or `planned` already, will be complete for those downstream.
    """
    there: Days = {name: set(known) for name, known in (planned or {}).items()}
    kept: Days = {}
    left: dict[str, dict[Day, list[tuple[str, Day]]]] = {}
    missing = missed(pipeline, catalog)
    for name, definition in pipeline.definitions.items():
        for day in sorted(days.get(name, ())):
            if lacks := lacking(catalog, definition, day, there, missing):
                left.setdefault(name, {})[day] = lacks
            else:
                kept.setdefault(name, set()).add(day)
                there.setdefault(name, set()).add(day)
    return kept, left


def check_complete(
    pipeline: Pipeline, catalog: Catalog, days: Mapping[str, Iterable[Day]], versions: Mapping[str, int]
) -> None:
    """Raise at the first partition that cannot be built over complete inputs: `IncompleteInputsError`,
    `LostInputsError`, `MissedInputsError`."""
    _, left = buildable(pipeline, catalog, days)
    for name, partitions in left.items():
        day, missing = next(iter(partitions.items()))
        lost = [one for one in missing if one[1] in catalog.lost.get(one[0], {})]
        if lost:
            raise LostInputsError(name, day, lost, catalog.lost[lost[0][0]][lost[0][1]])
        away = missed(pipeline, catalog)
        never = [one for one in missing if one[1] in away.get(one[0], ())]
        if never:
            raise MissedInputsError(name, day, never)
        raise IncompleteInputsError(name, day, missing, versions[missing[0][0]])
