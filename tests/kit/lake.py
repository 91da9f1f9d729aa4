"""Looking at the lake from outside: what its readers see, as rows, as digests, as files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from tests.kit.lake_folder import root_of
from tests.kit.rows import rows
from tests.kit.small import set_policy
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.views import projected, resolve, shared_views
from tradex_ledger.workspace import Workspace

# The five of TradeX; what was rejected has a dataset of its own.
BRONZE = "bronze_x_posts"
DERIVED = ("silver_social_events", "gold_metrics", "gold_baselines", "gold_signals")
DATASETS = (BRONZE, *DERIVED)

# What differs between two runs over the same posts; everything else in Bronze must not.
OF_THE_RUN = ("run_id", "ingested_at")

Row = tuple[Any, ...]
Key = tuple[str, int | None, date]


def partitions(workspace: Workspace, as_of: str | None = None) -> list[dict[str, Any]]:
    """The rows of the projection `partitions`: the current version of each, as of a position or time."""
    return projection(workspace, "partitions", as_of)


def projection(workspace: Workspace, name: str, as_of: str | None = None) -> list[dict[str, Any]]:
    """The rows of one projection, as of a position or time."""
    with shared_views(workspace.ledger.store, resolve(workspace.ledger.store, as_of)) as views:
        return rows(views, name)


def projections(workspace: Workspace, as_of: str | None = None) -> dict[str, list[str]]:
    """Every projection there is, its rows as sorted texts, so that two of them can be compared."""
    with shared_views(workspace.ledger.store, resolve(workspace.ledger.store, as_of)) as views:
        return {name: sorted(map(repr, rows(views, name))) for name in projected.names()}


def events(workspace: Workspace, where: str, as_of: str | None = None) -> list[dict[str, Any]]:
    """The events (typed columns, the rest in `data`) that a condition holds for, in their order."""
    with shared_views(workspace.ledger.store, resolve(workspace.ledger.store, as_of)) as views:
        return rows(views, "events", f"{where} order by position")


def files(workspace: Workspace, as_of: str | None = None) -> dict[Key, list[str]]:
    """For each current (dataset, logic version, day) the paths of its files, relative to the lake."""
    return {key_of(p): [file["path"] for file in p["files"]] for p in partitions(workspace, as_of)}


def key_of(partition: dict[str, Any]) -> Key:
    """How a partition is named in here."""
    return partition["dataset"], partition["logic_version"], partition["partition"]


def near(workspace: Workspace, file: dict[str, Any]) -> str:
    """Where a file that an event names can be opened, whatever the lake lives in."""
    return str(workspace.core.lake.near(LakeFile.of(file)))


def read_dataset(
    workspace: Workspace, name: str, as_of: str | None = None, *, without: Iterable[str] = ()
) -> list[Row]:
    """All rows of a dataset's newest logic version, as tuples in their natural order; `without` leaves columns out."""
    found = [p for p in partitions(workspace, as_of) if p["dataset"] == name]
    newest = max((p["logic_version"] or 0 for p in found), default=0)
    paths = [
        near(workspace, file)
        for p in found
        if (p["logic_version"] or 0) == newest or p["layer"] != "gold"
        for file in p["files"]
    ]
    if not paths:
        return []
    with duckdb.connect() as connection:
        relation = f"read_parquet({paths!r}, hive_partitioning = false)"
        names = [n for n in columns(connection, relation) if n not in set(without)]
        selected = ", ".join(f'"{n}"' for n in names)
        return connection.execute(f"select {selected} from {relation} order by all").fetchall()


def digests(workspace: Workspace, as_of: str | None = None) -> dict[Key, tuple[int, str]]:
    """For each current (dataset, logic version, day) its rows and the SHA-256 of its content.

    Content is the rows without their order and without what only says which run wrote them: two lakes with equal
    digests hold the same, however they came to it.
    """
    found: dict[Key, tuple[int, str]] = {}
    known = partitions(workspace, as_of)
    with duckdb.connect() as connection:
        nothing = connection.execute("select sha256('')").fetchall()[0][0]
        for name in sorted({p["dataset"] for p in known}):
            mine = [p for p in known if p["dataset"] == name]
            keys = [(near(workspace, file), n) for n, p in enumerate(mine) for file in p["files"]]
            by_number = _digest_files(connection, keys) if keys else {}
            found |= {key_of(p): by_number.get(n, (0, nothing)) for n, p in enumerate(mine)}
    return found


def _digest_files(
    connection: duckdb.DuckDBPyConnection, numbered: Sequence[tuple[str, int]]
) -> dict[int, tuple[int, str]]:
    """(path, number) of files to number → rows and digest; files of one number are one content."""
    paths = [path for path, _ in numbered]
    relation = f"read_parquet({paths!r}, hive_partitioning = false, filename = '_path')"
    names = [n for n in columns(connection, relation) if n not in {*OF_THE_RUN, "_path"}]
    as_json = ", ".join(f'"{n}" := "{n}"' for n in names)
    found = connection.execute(
        f"""
        with numbers as (select unnest($1) as _path, unnest($2) as number),
        texts as (select _path, to_json(struct_pack({as_json}))::varchar as t from {relation})
        select number, count(*), sha256(string_agg(t, chr(10) order by t))
        from texts join numbers using (_path)
        group by number
        """,
        [paths, [number for _, number in numbered]],
    ).fetchall()
    return {number: (count, digest) for number, count, digest in found}


def columns(connection: duckdb.DuckDBPyConnection, relation: str) -> list[str]:
    """The column names of a relation."""
    return [row[0] for row in connection.execute(f"describe from {relation}").fetchall()]


def of(digest: dict[Key, tuple[int, str]], *names: str) -> dict[Key, tuple[int, str]]:
    """The part of some digests that belongs to these datasets."""
    return {key: value for key, value in digest.items() if key[0] in names}


def listing(workspace: Workspace) -> dict[str, tuple[int, int, int]]:
    """Every file below the lake's folder but its markers, staging included: inode, size and time of change in ns."""
    root = root_of(workspace)
    found = {}
    for path in root.rglob("*"):
        if path.is_file() and ".tradex-lake" not in path.parts:
            s = path.stat()
            found[path.relative_to(root).as_posix()] = (s.st_ino, s.st_size, s.st_mtime_ns)
    return found


def assert_same_rows(found: list[Row], expected: list[Row]) -> None:
    """Equal row for row; says which are missing and which are too many, not all 50,000 of them."""
    if found == expected:
        return
    missing, extra = set(expected) - set(found), set(found) - set(expected)
    raise AssertionError(
        f"{len(found)} rows, expected {len(expected)}; {len(missing)} missing, {len(extra)} too many\n"
        f"missing: {sorted(missing, key=repr)[:3]!r}\ntoo many: {sorted(extra, key=repr)[:3]!r}"
    )


def grow_old(root: Path) -> None:
    """Have everything below a folder be lying there for years, also by a clock that a test has set back."""
    for path in root.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000), follow_symlinks=False)


def copy_workspace(workspace: Workspace, folder: Path) -> Path:
    """A copy of the whole workspace (its source stays where it is); close it first. Returns the new folder."""
    shutil.copytree(workspace.config.folder, folder)
    return folder


def one_process(folder: Path, **policy: int) -> None:
    """Have a workspace run its tasks in the process of the test (workers cost a second to start), under this policy."""
    file = folder / "tradex.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("[workspace]\n", "[workspace]\nworkers = 1\n"), encoding="utf-8")
    set_policy(folder, **policy)
