"""A digest of inputs stands for one content: where two builds of it differ, the second is not published in silence.

What a partition holds follows from its inputs and its logic, so an earlier build of the same digest (the current one,
one that was replaced or taken back, or another run's candidate) has the same rows. If not, something else had a say:
the definition, an engine, a disk, or somebody's hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from tradex_ledger.datasets.definition import Definition
from tradex_ledger.domain.dataset_events import ACCEPTED
from tradex_ledger.domain.day import Day
from tradex_ledger.domain.differences import ContentsDiffer, RowDifference
from tradex_ledger.domain.partition import PartitionVersion
from tradex_ledger.driving.compare import DIFFERENCES_MAX, difference, differences
from tradex_ledger.lake.storage import LakeFileError, LocalLake, StagedFile, check_file
from tradex_ledger.planning.catalog import Catalog
from tradex_ledger.planning.context import Execution


def differing(
    ex: Execution, definition: Definition, published: Catalog, day: Day, digest: str, staged: StagedFile | None
) -> list[ContentsDiffer]:
    """What `run.contents_differed` says of a day that was just built: of the newest build that it differs from.

    None where rows are the same but for the last bits of doubles, or where a person accepted this engine's others.
    """
    content = staged.sha256 if staged else ""
    current = published.get(definition.name, day)
    if current is not None and current.content == content:
        return []  # nothing would be published
    known = [*([current] if current else ()), *published.others.get(definition.name, {}).get(day, ())]
    strange: list[ContentsDiffer] = []
    for earlier in known:  # the logic version is in the digest
        if earlier.inputs == digest and earlier.content != content:
            found = compare(ex.lake, definition, earlier, staged, published.gone)
            strange += [told(definition, day, earlier, [content] if content else [], found)] if found else []
    if not strange or ex.locks()[definition.name].engine_verdict(ex.engine) == ACCEPTED:
        return []
    return [max(strange, key=lambda one: bool(one.differences))]  # one that is known to differ, if there is one


class Comparison(NamedTuple):
    """What two builds differ in, and whether their rows were compared: see `ContentsDiffer`."""

    compared: bool
    differences: tuple[RowDifference, ...]


def compare(
    lake: LocalLake, definition: Definition, earlier: PartitionVersion, built: StagedFile | None, gone: frozenset[str]
) -> Comparison | None:
    """How the rows of two builds differ; None: they do not. Of one that is gone only the number of rows is known."""
    try:
        paths = whole(lake, earlier, gone)
    except LakeFileError:
        return _not_compared(earlier.rows, built.rows if built else 0)
    return _compared(paths, [built.path] if built else [], definition)


def compare_again(
    lake: LocalLake, definition: Definition, earlier: PartitionVersion, again: PartitionVersion, gone: frozenset[str]
) -> Comparison | None:
    """The same of two builds that are both in the lake."""
    try:
        paths = [whole(lake, version, gone) for version in (earlier, again)]
    except LakeFileError:
        return _not_compared(earlier.rows, again.rows)
    return _compared(paths[0], paths[1], definition)


def _compared(before: Sequence[Path], after: Sequence[Path], definition: Definition) -> Comparison | None:
    found = tuple(islice(differences(before, after, definition.key), DIFFERENCES_MAX))
    return Comparison(True, found) if found else None


def _not_compared(before: int, after: int) -> Comparison:
    count = difference(None, None, f"{before} rows", f"{after} rows")
    return Comparison(False, () if before == after else (count,))


def whole(lake: LocalLake, version: PartitionVersion, gone: frozenset[str]) -> list[Path]:
    """Where a version's files are. Raises `LakeFileError` for one that is not as its event says."""
    paths = []
    for file in version.files:
        if file.path in gone:
            raise LakeFileError(file.path, "was declared lost")
        path = lake.absolute(file.path)
        check_file(path, file.path, size=file.bytes, sha256=file.sha256)
        paths.append(path)
    return paths


def told(
    definition: Definition, day: Day, earlier: PartitionVersion, contents: Sequence[str], found: Comparison
) -> ContentsDiffer:
    """What the event says."""
    return ContentsDiffer(definition.name, definition.layer, day, earlier, tuple(contents), *found)
