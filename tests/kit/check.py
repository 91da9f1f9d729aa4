"""Everything that must hold of a workspace, whatever happened to it: the end of every integration test."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
from sqlalchemy import text

from tests.kit.contents import current_files
from tests.kit.fold import fold_partitions, fold_pipeline_states, fold_runs
from tests.kit.lake_folder import root_of
from tests.kit.rows import rows
from tradex_ledger.ledger import merkle
from tradex_ledger.ledger.entry import Entry, parse
from tradex_ledger.ledger.store import reading
from tradex_ledger.views import AsOf, shared_views
from tradex_ledger.workspace import Workspace

CLOSING = {"bf-": "backfill.completed", "run-": "incremental_run.succeeded"}
ENDED = {
    "backfill.completed", "backfill.cancelled", "backfill.rejected", "backfill.expired",
    "incremental_run.succeeded", "incremental_run.cancelled",
}  # fmt: skip
TAKEN_BACK = ("run.contents_differed", "backfill.reverted")

Row = tuple[int, str, int, str, str, bytes, str]


@dataclass(frozen=True)
class Record:
    """The ledger as it is stored, and the entries parsed from it."""

    rows: Sequence[Row]
    tiles: dict[tuple[int, int], bytes]
    entries: list[Entry]


def read_record(workspace: Workspace) -> Record:
    """Read the whole ledger in one transaction, past the application."""
    with reading(workspace.ledger.engine) as connection:
        found = connection.execute(
            text("select position, stream, version, topic, at, leaf, entry from events order by position")
        ).fetchall()
        tiles = connection.execute(text("select level, tile, hashes from tiles")).fetchall()
    stored: list[Row] = [(r[0], r[1], r[2], r[3], r[4], r[5], r[6]) for r in found]
    return Record(stored, {(level, n): hashes for level, n, hashes in tiles}, [parse(r[6].encode()) for r in stored])


def check_everything(workspace: Workspace) -> Record:
    """Raise AssertionError with every problem there is, or return what was checked."""
    record = read_record(workspace)
    position = len(record.rows)
    problems = [
        *tree_problems(record),
        *stream_problems(record.entries),
        *file_problems(record.entries, root_of(workspace)),
        *state_problems(record.entries),
        *run_problems(record.entries),
    ]
    with shared_views(workspace.ledger.store, AsOf(position, None)) as connection:
        problems += projection_problems(connection, record.entries)
        problems += bronze_problems(connection, workspace)
    assert not problems, f"{len(problems)} problems as of {position}:\n" + "\n".join(problems)
    return record


# -- (a) the tree and the columns beside the entries


def tree_problems(record: Record) -> Iterator[str]:
    """Entries re-hashed, columns derived again, positions dense, times in order, tiles computed anew."""
    before, ledgers = "", {entry.ledger for entry in record.entries}
    for expected, (row, entry) in enumerate(zip(record.rows, record.entries, strict=True), start=1):
        position, stream, version, topic, at, leaf, stored = row
        if position != expected or entry.position != expected:
            yield f"position {position} (in its entry {entry.position}) stands where {expected} should"
        if (stream, version, topic, at) != (entry.stream, entry.version, entry.topic, entry.at):
            yield f"position {position}: its columns are not those of its entry"
        if merkle.leaf_hash(stored.encode()) != leaf:
            yield f"position {position}: its leaf is not the hash of its entry"
        if at < before:
            yield f"position {position}: its time {at} is before {before}"
        before = at
    if len(ledgers) > 1:
        yield f"entries of several ledgers: {sorted(ledgers)}"
    tiles = expected_tiles([row[5] for row in record.rows])
    if tiles != record.tiles:
        off = sorted(key for key in tiles.keys() | record.tiles.keys() if tiles.get(key) != record.tiles.get(key))
        yield f"tiles (level, tile) that are not those of the leaves: {off}"


def expected_tiles(leaves: Sequence[bytes]) -> dict[tuple[int, int], bytes]:
    """Every full tile over the leaves."""
    found: dict[tuple[int, int], bytes] = {}
    level, hashes = 0, list(leaves)
    while len(hashes) >= merkle.TILE_WIDTH:
        groups = [hashes[n : n + merkle.TILE_WIDTH] for n in range(0, len(hashes), merkle.TILE_WIDTH)]
        full = [group for group in groups if len(group) == merkle.TILE_WIDTH]
        found |= {(level, n): b"".join(group) for n, group in enumerate(full)}
        level, hashes = level + 1, [merkle.root(group) for group in full]
    return found


# -- (b) streams


def stream_problems(entries: Sequence[Entry]) -> Iterator[str]:
    """Versions from 1 without a gap, in the order of positions."""
    versions: Counter[str] = Counter()
    for entry in entries:
        versions[entry.stream] += 1
        if entry.version != versions[entry.stream]:
            yield f"{entry.stream}: version {entry.version} stands where {versions[entry.stream]} should"


# -- (c) files


def file_problems(entries: Sequence[Entry], lake: Path) -> Iterator[str]:
    """Each file that an event names is there as written, and was written for one partition, once."""
    facts: dict[str, tuple[int, int, str]] = {}
    written: dict[str, tuple[str, str]] = {}
    pruned = {f["path"] for entry in entries if entry.topic == "dataset.files_pruned" for f in entry.data["files"]}
    for entry in entries:
        pruned |= _erased(entry, facts, written)
        if entry.topic not in ("run.partition_rebuilt", "run.batch_appended"):
            continue
        partition = (entry.data["dataset"], entry.data["partition"])
        for file in entry.data["files"]:
            path, said = file["path"], (file["bytes"], file["rows"], file["sha256"])
            if facts.setdefault(path, said) != said:
                yield f"position {entry.position}: {path} is {said} here, {facts[path]} before"
            if entry.data.get("outcome") in ("identical", "reused"):
                if written.get(path) != partition:
                    yield f"position {entry.position}: {path} is kept for {partition}, who never wrote it"
            elif path in written:
                yield f"position {entry.position}: {path} was written before, for {written[path]}"
            else:
                written[path] = partition
    yield from (f"{path} was pruned and never written" for path in pruned - facts.keys())
    yield from (f"{path} is there, and was pruned" for path in pruned if (lake / path).exists())
    lost = {f["path"] for entry in entries if entry.topic == "dataset.files_lost" for f in entry.data["files"]}
    yield from (f"{path} was declared lost and never written" for path in lost - facts.keys())
    for path, (size, n_rows, sha256) in facts.items():
        if path not in pruned | lost:  # what is lost counts as lost, not as wrong
            yield from _one_file(lake / path, path, size, n_rows, sha256)


def _erased(entry: Entry, facts: dict[str, tuple[int, int, str]], written: dict[str, tuple[str, str]]) -> set[str]:
    """The files that an event gave up because of rows of theirs; what stands in their places is written by it."""
    files = entry.data["files"] if entry.topic == "dataset.files_erased" else []
    for file in files:
        if (made := file["into"]) is not None:
            facts[made["path"]] = made["bytes"], made["rows"], made["sha256"]
            written[made["path"]] = file["dataset"], file["partition"]
    return {file["path"] for file in files}


def _one_file(file: Path, path: str, size: int, n_rows: int, sha256: str) -> Iterator[str]:
    if not file.is_file():
        yield f"{path} is missing"
        return
    content = file.read_bytes()
    if len(content) != size or hashlib.sha256(content).hexdigest() != sha256:
        yield f"{path} is not as it was written"
    elif pq.read_metadata(file).num_rows != n_rows:
        yield f"{path} does not hold the {n_rows} rows that its event says"


# -- (d) projections


def projection_problems(connection: duckdb.DuckDBPyConnection, entries: Sequence[Entry]) -> Iterator[str]:
    """The SQL projections against a fold from zero."""
    partitions, gold = fold_partitions(entries), set()
    for row in rows(connection, "partitions"):
        version = row["logic_version"] if row["layer"] == "gold" else None
        key = (row["dataset"], version, row["partition"])
        if key in gold:
            yield f"partitions has {key} twice"
        gold.add(key)
        yield from _differences("partitions", key, row, partitions.get(key))
    yield from (f"partitions lacks {key}" for key in sorted(partitions.keys() - gold, key=str))
    folded = {"runs": fold_runs(entries), "pipeline_state": fold_pipeline_states(entries)}
    for name, column in (("runs", "run_id"), ("pipeline_state", "pipeline")):
        found = rows(connection, name)
        for row in found:
            yield from _differences(name, row[column], row, folded[name].get(row[column]))
        if sorted(row[column] for row in found) != sorted(folded[name]):
            yield f"{name} has {[row[column] for row in found]}, the events have {list(folded[name])}"


def _differences(name: str, key: object, row: dict[str, Any], expected: dict[str, Any] | None) -> Iterator[str]:
    if expected is None:
        yield f"{name} shows {key}, which the events do not"
        return
    for column, value in expected.items():
        if (row[column] or None) != (value or None):
            yield f"{name} {key}: {column} is {row[column]!r}, by the events {value!r}"


# -- (e) invariants


def state_problems(entries: Sequence[Entry]) -> Iterator[str]:
    """The state moves with the success of an incremental run, in the same save, or not at all (N20)."""
    succeeded = {e.stream: e for e in entries if e.topic == "incremental_run.succeeded"}
    moved: Counter[str] = Counter()
    cursor: dict[str, str | None] = {}
    for entry in entries:
        if entry.topic == "pipeline_state.advanced":
            run = entry.data["run"]
            moved[run] += 1
            cause = succeeded.get(run)
            between = entries[cause.position : entry.position - 1] if cause else []
            if cause is None or cause.position > entry.position or cause.at != entry.at:
                yield f"position {entry.position}: the state moved without the success of {run}"
            elif any(other.topic != "dataset.published" or other.data["run"] != run for other in between):
                yield f"position {entry.position}: the state moved, but not in the save in which {run} succeeded"
            if entry.data["cursor_before"] != cursor[entry.stream]:
                yield f"position {entry.position}: the state moved from where it did not stand"
        elif entry.topic == "pipeline_state.overridden":
            yield from _override_problems(entry, entries, cursor[entry.stream])
        elif entry.topic.startswith("pipeline_state.") and entry.topic != "pipeline_state.opened":
            yield f"position {entry.position}: {entry.topic} moved the state"
        if entry.topic.startswith("pipeline_state."):
            cursor[entry.stream] = entry.data["cursor"]
    yield from (f"{run} succeeded and moved the state {moved[run]} times" for run in succeeded if moved[run] != 1)


def _override_problems(entry: Entry, entries: Sequence[Entry], cursor: str | None) -> Iterator[str]:
    """Forced, declared, approved by another person, and in the very save in which the run closed (N13, N21)."""
    run = [e for e in entries if e.stream == entry.data["run"] and e.position < entry.position]
    of = {e.topic: e for e in run}
    requested, approved, told = (of.get(f"backfill.{t}") for t in ("requested", "approved", "state_overridden"))
    closed = of.get("backfill.completed")
    if not (requested and approved and told and closed):
        yield f"position {entry.position}: the state was overridden without a forced backfill that closed"
        return
    if requested.data["kind"] != "forced" or not requested.data["override_state"] or requested.by == approved.by:
        yield f"position {entry.position}: {entry.data['run']} was not to override the state"
    if {entry.data["cursor"]} != {requested.data["cursor"], told.data["cursor"]}:
        yield f"position {entry.position}: the state was overridden to another cursor than was asked for"
    if {entry.data["cursor_before"]} != {cursor, told.data["cursor_before"]}:
        yield f"position {entry.position}: the state was overridden from where it did not stand"
    between = entries[closed.position : entry.position - 1]
    if closed.at != entry.at or any(e.topic != "dataset.published" or e.at != entry.at for e in between):
        yield f"position {entry.position}: the state was overridden in another save than that of {entry.data['run']}"
    built = {e.data["outcome"] for e in run if e.topic == "run.partition_rebuilt"}
    if "reused" in built:
        yield f"position {entry.position}: the forced {entry.data['run']} reused partitions"


def run_problems(entries: Sequence[Entry]) -> Iterator[str]:
    """A run is driven when it was approved, publishes once and whole, and does nothing after its end."""
    topics: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.stream.startswith(("bf-", "run-")):
            topics[entry.stream].append(entry)
    for run, events in topics.items():
        seen: set[str] = set()
        for entry in events:
            if seen & ENDED and (entry.topic not in TAKEN_BACK or "backfill.completed" not in seen):
                yield f"position {entry.position}: {run} went on after its end ({entry.topic})"
            if run.startswith("bf-") and entry.topic.startswith("run.") and "backfill.approved" not in seen:
                yield f"position {entry.position}: {run} was driven before its approval ({entry.topic})"
            seen.add(entry.topic)
        published = [entry for entry in events if entry.topic == "run.published"]
        closed = [entry for entry in events if entry.topic == CLOSING[run[: run.index("-") + 1]]]
        if len(published) > 1 or len(published) != len(closed):
            yield f"{run} published {len(published)} times and closed {len(closed)} times"
        elif published:
            yield from _publication_problems(run, published[0], closed[0], entries)
            yield from _candidate_problems(run, events)


def _publication_problems(run: str, published: Entry, closed: Entry, entries: Sequence[Entry]) -> Iterator[str]:
    between = [entry.topic for entry in entries[published.position : closed.position - 1]]
    if between not in ([], ["backfill.state_overridden"]) or closed.at != published.at:
        yield f"{run} was not closed in the save that published it"
    named = [entry["dataset"] for entry in published.data["datasets"]]
    locked = [
        entry.stream.removeprefix("dataset-")
        for entry in entries[closed.position : closed.position + len(named)]
        if entry.topic == "dataset.published" and entry.data["run"] == run and entry.at == published.at
    ]
    if locked != named:
        yield f"{run} published {named}, but took the locks of {locked}"


def _candidate_problems(run: str, events: Sequence[Entry]) -> Iterator[str]:
    planned: Counter[tuple[str, str]] = Counter()
    for entry in events:
        if entry.topic in ("backfill.planned", "run.plan_extended"):
            for window in entry.data["windows"]:
                first, last = (date.fromisoformat(window[end]).toordinal() for end in ("first", "last"))
                planned.update((window["dataset"], date.fromordinal(day).isoformat()) for day in range(first, last + 1))
    built = {(e.data["dataset"], e.data["partition"]) for e in events if e.topic == "run.partition_rebuilt"}
    if built != set(planned):
        yield f"{run} published other partitions than it planned: {sorted(built ^ set(planned))}"
    if max(planned.values(), default=1) > 1:
        yield f"{run} planned twice: {sorted(key for key, count in planned.items() if count > 1)}"


# -- (f) Bronze


def bronze_problems(connection: duckdb.DuckDBPyConnection, workspace: Workspace) -> Iterator[str]:
    """No key twice in Bronze: (post_id, revision) of the posts (N23, N24)."""
    for definition in workspace.core.pipeline.layer("bronze"):
        files = current_files(connection, workspace, definition.name)
        if not files:
            continue
        keys = ", ".join(definition.key)
        twice = connection.execute(
            f"select {keys}, count(*) from read_parquet($1, hive_partitioning = false) "
            "group by all having count(*) > 1 order by all",
            [files],
        ).fetchall()
        yield from (f"{definition.name} has {row[:-1]} {row[-1]} times" for row in twice)
