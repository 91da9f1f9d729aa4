"""A digest of inputs stands for one content: where two builds of it differ, the second is not published in silence.

What a partition holds follows from its inputs and its logic, so an earlier build of the same digest (the current one,
one that was replaced or taken back, or another run's candidate) has the same rows. If not, something else had a say:
the definition, an engine, a disk, or somebody's hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from tradex_ledger.datasets.definition import Definition
from tradex_ledger.domain.dataset_events import ACCEPTED
from tradex_ledger.domain.day import Day
from tradex_ledger.domain.differences import ContentsDiffer, RowDifference
from tradex_ledger.domain.partition import PartitionVersion
from tradex_ledger.driving.compare import DIFFERENCES_MAX, difference, differences
from tradex_ledger.driving.execution import Execution
from tradex_ledger.lake.port import Lake
from tradex_ledger.lake.storage import LakeFileError
from tradex_ledger.planning.catalog import Catalog


def differing(
    ex: Execution,
    definition: Definition,
    published: Catalog,
    day: Day,
    digest: str,
    built: PartitionVersion,
    *,
    before: Callable[[], Mapping[Day, Sequence[PartitionVersion]]],
) -> list[ContentsDiffer]:
    """What `run.contents_differed` says of a day that was just built: of the newest build that it differs from.

    `before` is asked for all that was built of its dataset.


    None where rows are the same but for the last bits of doubles, or where a person accepted this engine's others.
    """
    current = published.get(definition.name, day)
    if current is not None and current.content == built.content:
        return []  # nothing would be published
    known = [*([current] if current else ()), *before().get(day, ())]
    strange: list[ContentsDiffer] = []
    for earlier in known:  # the logic version is in the digest
        if earlier.inputs == digest and earlier.content != built.content:
            found = compare(ex.lake, definition, earlier, built, published.gone)
            strange += [told(definition, day, earlier, built, found)] if found else []
    if not strange or ex.scope.lock(definition.name).engine_verdict(ex.executor.engine) == ACCEPTED:
        return []
    return [max(strange, key=lambda one: bool(one.differences))]  # one that is known to differ, if there is one


class Comparison(NamedTuple):
    """What two builds differ in, and whether their rows were compared: see `ContentsDiffer`."""

    compared: bool
    differences: tuple[RowDifference, ...]


def compare(
    lake: Lake, definition: Definition, earlier: PartitionVersion, again: PartitionVersion, gone: frozenset[str]
) -> Comparison | None:
    """How the rows of two builds differ; None: they do not. Of one that is gone only the number of rows is known."""
    try:
        before, after = (whole(lake, version, gone) for version in (earlier, again))
    except LakeFileError:
        return _not_compared(earlier.rows, again.rows)
    found = tuple(islice(differences(before, after, definition.key), DIFFERENCES_MAX))
    return Comparison(True, found) if found else None


def _not_compared(before: int, after: int) -> Comparison:
    count = difference(None, None, f"{before} rows", f"{after} rows")
    return Comparison(False, () if before == after else (count,))


def whole(lake: Lake, version: PartitionVersion, gone: frozenset[str]) -> list[Path]:
    """Where a version's files are. Raises `LakeFileError` for one that is not as its event says."""
    for file in version.files:
        if file.path in gone:
            raise LakeFileError(file.path, "was declared lost")
    return [lake.fetch(file) for file in version.files]


def told(
    definition: Definition, day: Day, earlier: PartitionVersion, built: PartitionVersion, found: Comparison
) -> ContentsDiffer:
    """What the event says."""
    contents = tuple(file.sha256 for file in built.files)
    return ContentsDiffer(definition.name, definition.layer, day, earlier, contents, *found)
