"""Readers that are not ours: DuckDB 1.5.5 in an environment of its own, delta-rs, polars; and what we say beside."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.kit import duckdb_155, s3
from tests.kit.tree import ROOT
from tradex_ledger.workspace import Workspace

NEEDED = (
    "duckdb==1.5.5",
    *(
        f"duckdb-extension-{name}==1.5.5"
        for name in ("delta", "ducklake", "sqlite-scanner", "postgres-scanner", "httpfs")
    ),
    "pytz",
)
QUICKLY = ("--quiet", "--retries=1", "--timeout=20", "--only-binary=:all:")
PLACE = "TRADEX_TEST_DUCKDB_155"
"""Names the Python of such an environment that is there already."""
_AGAIN = 600
"""Seconds after which it is tried again to get what could not be had."""
Found = dict[str, Any]


def python() -> Path:
    """The Python of the environment; made once, and kept for the next session. Skips, and says why, where the wheels
    cannot be had."""
    if named := os.environ.get(PLACE):
        return Path(named)
    needed = hashlib.sha256(" ".join(NEEDED).encode()).hexdigest()[:8]
    room = ROOT / ".pytest_cache" / f"duckdb-1.5.5-{needed}-python-3.{sys.version_info.minor}"
    room.mkdir(parents=True, exist_ok=True)
    with (room / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done, failed, made = room / "done", room / "failed", room / "env" / "bin" / "python"
        if failed.exists() and time.time() - failed.stat().st_mtime > _AGAIN:
            failed.unlink()  # of another session
        if not done.exists() and not failed.exists():
            subprocess.run([sys.executable, "-m", "venv", str(room / "env")], check=True)
            asked = [str(made), "-m", "pip", "install", *QUICKLY, *NEEDED]
            ended = subprocess.run(asked, capture_output=True, text=True, check=False)
            (done if ended.returncode == 0 else failed).write_text(ended.stderr or "-", encoding="utf-8")
    if failed.exists():
        why = failed.read_text(encoding="utf-8").strip().splitlines()[-1]
        pytest.skip(f"DuckDB 1.5.5 and its extensions cannot be had here: {why}")
    return made


def ask(
    place: str | None, asks: list[dict[str, Any]], then: int | None = None, objects: s3.Store | None = None
) -> list[Found]:
    """What DuckDB 1.5.5 finds, of a DuckLake catalog (as of a snapshot), or (None) of Delta tables: `duckdb_155.py`;
    the files may be in an object store."""
    reached = {"endpoint": objects.endpoint, "key_id": s3.KEY, "secret": s3.SECRET} if objects else None
    found: list[Found] = _answered({"place": place, "asks": asks, "then": then, "s3": reached})
    return found


def rows_of(place: str, statements: list[str]) -> list[int]:
    """How many rows statements give that attach a catalog, its place, themselves, one after the other."""
    found: list[int] = _answered({"place": place, "statements": statements, "httpfs": True})
    return found


def _answered(question: dict[str, Any]) -> Any:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    said = json.dumps(question)
    script = str(Path(duckdb_155.__file__))
    ended = subprocess.run(
        [str(python()), script], input=said, capture_output=True, text=True, check=False, env=environment
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def ours(workspace: Workspace, dataset: str, position: int) -> Found:
    """What `tradex query --as-of` says, in the same form."""
    answer = workspace.query(f'select columns(*)::varchar from "{dataset}"', as_of=str(position), trusting=True)
    return duckdb_155.multiset(list(answer.columns), answer.rows)


def delta_rs(table: Path, version: int) -> Found:
    """What delta-rs finds of a Delta table as of a version."""
    import deltalake

    return _arrow(deltalake.DeltaTable(table.as_uri(), version=version).to_pyarrow_table())


def polars(table: Path, version: int) -> Found:
    """What polars finds of it."""
    import polars as pl

    return _arrow(pl.read_delta(table.as_uri(), version=version).to_arrow())


def _arrow(rows: Any) -> Found:
    with duckdb.connect() as connection:
        connection.register("rows", rows)
        return duckdb_155.found(connection, "rows")
