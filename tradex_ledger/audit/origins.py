"""What a partition's version was made of, and that of what, back to the batches of Bronze.

Nothing is on record of it but a position and a digest: the inputs are worked out again from the catalog as of the base
(`projections/asked/partition_inputs.sql`), and the digest in the event says whether they are those.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from tradex_ledger.audit.reader import Reader
from tradex_ledger.domain.facts import Facts, facts_of
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.domain.partition import inputs_digest
from tradex_ledger.ledger.ask import at_positions
from tradex_ledger.ledger.entry import Entry
from tradex_ledger.ledger.rows import entry_of
from tradex_ledger.relations.asked import inputs_of
from tradex_ledger.relations.data import PartitionInput, lake_files

MOST = 20_000
"""Versions that are followed: of a dataset that reads its own days of before, there may be a chain of years."""


class _Built(NamedTuple):
    dataset: str
    layer: str
    partition: str
    logic_version: int
    outcome: str
    base: int
    inputs: str
    rows: int
    files: list[Facts]


class _Batch(NamedTuple):
    dataset: str
    partition: str
    logic_version: int
    rows: int
    dropped: int
    cursor: str
    files: list[Facts]


class Moved(NamedTuple):
    """An input that a build would find otherwise now: its dataset and day, and the position of what is there now.

    `is_again`: what is there is as it was, and an older reader's, so that it is read again.
    """

    dataset: str
    partition: date
    position: int | None
    is_again: bool


@dataclass(frozen=True, slots=True)
class Build:
    """A version of a partition of Silver or Gold, by the event at `position` that built it.

    `made_of` are the positions of the versions and batches that it was made of; `is_proven`: their digest is the one on
    record. `moved` are the inputs that are others by now.
    """

    position: int
    at: str
    by: str
    run_id: str
    dataset: str
    layer: str
    partition: str
    logic_version: int
    outcome: str
    rows: int
    files: tuple[LakeFile, ...]
    base: int
    inputs: str
    made_of: list[int]
    is_proven: bool
    moved: list[Moved]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that were appended to a day of Bronze, by the event at `position`; `cursor` as the event has it (UTC)."""

    position: int
    at: str
    by: str
    run_id: str
    dataset: str
    partition: str
    logic_version: int
    rows: int
    dropped: int
    cursor: str
    files: tuple[LakeFile, ...]


@dataclass(frozen=True, slots=True)
class Origins:
    """Builds and batches that something was made of, in the order of their positions; `not_followed` are the positions
    of those that were too many."""

    builds: list[Build]
    batches: list[Batch]
    not_followed: list[int]

    @property
    def runs(self) -> list[str]:
        """The runs that made them, in the order in which they were first at it."""
        made = [*((build.position, build.run_id) for build in self.builds)]
        made += [(batch.position, batch.run_id) for batch in self.batches]
        return list(dict.fromkeys(run for _, run in sorted(made)))

    @property
    def files(self) -> set[str]:
        """The paths of all their files."""
        files = [build.files for build in self.builds] + [batch.files for batch in self.batches]
        return {file.path for some in files for file in some}


def origins(reader: Reader, builds: Collection[int], batches: Collection[int] = ()) -> Origins:
    """All that some builds (positions of their events) were made of, they and some batches among it."""
    found: dict[int, Build] = {}
    seen, waiting, appended = set(builds), sorted(builds), set(batches)
    left: list[int] = []
    while waiting:
        entries = _entries(reader, waiting)
        bases = {entry.position: facts_of(_Built, entry.data).base for entry in entries}
        upto = reader.as_of.position
        asked = [(position, base) for position, base in bases.items()]
        rows: dict[tuple[int, int], list[PartitionInput]] = defaultdict(list)
        for row in inputs_of(reader.connection, [*asked, *((position, upto) for position, _ in asked)]):
            rows[row.position, row.base].append(row)
        for entry in entries:
            at = entry.position
            found[at] = _build(entry, rows[at, bases[at]], rows[at, upto])
        used = {row.input_position: row for one in asked for row in rows[one]}
        appended |= {position for position, row in used.items() if row.outcome == "appended"}
        waiting = sorted(used.keys() - appended - seen)
        if len(seen) + len(waiting) > MOST:
            left, waiting = waiting, []
        seen |= set(waiting)
    made = [found[position] for position in sorted(found)]
    named = {position for build in made for position in build.made_of} | set(batches)
    return Origins(made, [_batch(entry) for entry in _entries(reader, sorted(appended & named))], left)


def _entries(reader: Reader, positions: Sequence[int]) -> list[Entry]:
    return [entry_of(reader.store.ledger, row) for row in sorted(at_positions(reader.store, positions))]


def _build(entry: Entry, then: list[PartitionInput], now: list[PartitionInput]) -> Build:
    built = facts_of(_Built, entry.data)
    own = [row for row in then if not row.is_again]
    # Whether files of an older reader are read again says the reader, which need not be installed here.
    of = next((rows for rows in (then, own) if _digest(built, rows) == built.inputs), None)
    used = then if of is None else of
    same = now if of is then else [row for row in now if not row.is_again]
    return Build(
        position=entry.position,
        at=entry.at,
        by=entry.by,
        run_id=entry.stream,
        dataset=built.dataset,
        layer=built.layer,
        partition=built.partition,
        logic_version=built.logic_version,
        outcome=built.outcome,
        rows=built.rows,
        files=tuple(map(LakeFile.of, built.files)),
        base=built.base,
        inputs=built.inputs,
        made_of=list(dict.fromkeys(row.input_position for row in used)),
        is_proven=of is not None,
        moved=_moved(used, same),
    )


def _digest(built: _Built, rows: Iterable[PartitionInput]) -> str:
    lines = []
    for (_, is_again, dataset, day), shas in _contents(rows).items():
        lines += [f"{dataset} {day} again {sha}" for sha in shas] if is_again else [f"{dataset} {day} {','.join(shas)}"]
    return inputs_digest(built.dataset, built.logic_version, built.partition, lines)


def _contents(rows: Iterable[PartitionInput]) -> dict[tuple[int, bool, str, date], list[str]]:
    """What is in each input partition that has rows: the digests of its files, in the order in which they are read."""
    found: dict[tuple[int, bool, str, date], list[str]] = {}
    for row in rows:
        if row.files:
            key = (row.number, row.is_again, row.input_dataset, row.input_partition)
            found.setdefault(key, []).extend(file.sha256 for file in lake_files(row.files))
    return found


def _moved(then: list[PartitionInput], now: list[PartitionInput]) -> list[Moved]:
    before, after = _contents(then), _contents(now)
    newest = {(row.input_dataset, row.input_partition): row.input_position for row in now}
    other = sorted({key[1:] for key in before.keys() | after.keys() if before.get(key) != after.get(key)})
    return [Moved(dataset, day, newest.get((dataset, day)), is_again) for is_again, dataset, day in other]


def _batch(entry: Entry) -> Batch:
    told = facts_of(_Batch, entry.data)
    return Batch(
        position=entry.position,
        at=entry.at,
        by=entry.by,
        run_id=entry.stream,
        dataset=told.dataset,
        partition=told.partition,
        logic_version=told.logic_version,
        rows=told.rows,
        dropped=told.dropped,
        cursor=told.cursor,
        files=tuple(map(LakeFile.of, told.files)),
    )
