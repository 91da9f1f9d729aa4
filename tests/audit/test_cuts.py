"""One day in pieces: each row is in one of them, the answer is that of the whole, and memory does not grow with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import worlds
from tests.benchmarks import bench_diff
from tradex_ledger.audit import diff
from tradex_ledger.audit.changes import Sides, changes
from tradex_ledger.audit.cuts import BYTES, ROWS, WHOLE, pieces, rows_at_a_time
from tradex_ledger.audit.query import MEMORY
from tradex_ledger.datasets import spill

ROOT = Path(__file__).resolve().parents[2]
DAY = date(2024, 1, 1)
KEYS = st.tuples(st.sampled_from(("", "a", "b'", "ü", "\0", None)), st.sampled_from((-1.5, 0.0, float("nan"), None)))
ROWS_OF = st.dictionaries(
    KEYS, st.tuples(st.sampled_from(("x", "y", None)), st.sampled_from((True, False, None))), max_size=12
)
SIDES = Sides("select * from b order by all", "select * from a order by all", "day", ["day", "k", "z"])


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def laid(connection: duckdb.DuckDBPyConnection, name: str, rows: dict[object, object], *, times: int = 1) -> None:
    connection.execute(f"create or replace table {name} (day date, k varchar, z double, signal varchar, up boolean)")
    values = [(DAY, *key, *value) for key, value in rows.items()] * times  # type: ignore[misc]  # of tuples
    if values:
        connection.executemany(f"insert into {name} values (?, ?, ?, ?, ?)", values)


@settings(max_examples=25, deadline=None)
@given(before=ROWS_OF, after=ROWS_OF, rows=st.sampled_from((1, 2, 5)), samples=st.sampled_from((0, 3, 99)))
def test_pieces_have_each_row_once_and_come_to_what_the_whole_comes_to(
    connection: duckdb.DuckDBPyConnection,
    before: dict[object, object],
    after: dict[object, object],
    rows: int,
    samples: int,
) -> None:
    laid(connection, "b", before)
    laid(connection, "a", after)
    cut = pieces(connection, SIDES[:2], ["k", "z"], rows)
    for table, there in (("b", before), ("a", after)):
        each = ", ".join(f"count(*) filter (where {piece})" for piece in cut)
        assert sum(connection.execute(f"select {each} from {table}").fetchall()[0]) == len(there)
        most = connection.execute(f"select max(n) from (select count(*) as n from {table} group by k, z)").fetchone()
        assert most in ((1,), (None,))
    whole = changes(connection, SIDES, where=None, samples=samples)
    assert repr(changes(connection, SIDES, where=None, samples=samples, pieces=cut)) == repr(whole)


def test_a_day_is_cut_where_its_files_are_in_order_and_only_there(connection: duckdb.DuckDBPyConnection) -> None:
    ordered = "select range as k from range(1000)"
    assert len(pieces(connection, [ordered, ordered], ["k"], 200)) == 12
    assert pieces(connection, [ordered, f"{ordered} order by hash(k)"], ["k"], 200) == [WHOLE]
    assert pieces(connection, [ordered, "select range::varchar as k from range(1000)"], ["k"], 200) == [WHOLE]
    assert pieces(connection, [ordered, ordered], ["other"], 200) == [WHOLE]
    one = "select 1 as k, range as n from range(1000)"
    assert len(pieces(connection, [one, one], ["k", "n"], 200)) == 12
    assert pieces(connection, [one, one], ["k"], 200)[1:] != []  # one value, and no way to cut it


def test_wide_rows_are_fewer_at_a_time(connection: duckdb.DuckDBPyConnection) -> None:
    assert rows_at_a_time(connection, "select 1 as a, 'x' as b from range(10)") == ROWS
    wide = rows_at_a_time(connection, "select repeat('漢', 1000) as a, [repeat('b', 1000)] as b from range(10)")
    assert BYTES // 4200 < wide < BYTES // 4000


LITTLE, MUCH = 150_000, 1_500_000


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace, and two sides with few rows and with many."""
    folder = tmp_path_factory.mktemp("cuts")
    worlds.copied(folder).rename(folder / "workspace")
    for rows in (LITTLE, MUCH):
        bench_diff.make(folder / str(rows), 1, rows)
    (folder / "tmp").mkdir()
    return folder


def compare(room: Path, rows: int, *how: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.audit.comparing", str(room / "workspace"), str(room / str(rows)), str(rows)]
    there = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(room / "tmp")}
    return subprocess.Popen(
        [*command, *how], cwd=ROOT, env=there, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def spilled(room: Path) -> list[Path]:
    return list((room / "tmp").glob(f"{spill.PREFIX}*"))


def test_memory_does_not_grow_with_a_day(room: Path) -> None:
    held = {}
    for rows in (LITTLE, MUCH):
        out, _ = compare(room, rows).communicate()
        changed, held[rows] = json.loads(out)
        assert changed == rows // 10 * 99 // 100
    assert held[MUCH] - held[LITTLE] < 60
    assert held[MUCH] < 300


def test_what_was_spilled_is_gone_after_an_interruption_and_after_a_kill_with_the_next_that_spills(
    room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for way in (signal.SIGINT, signal.SIGKILL):
        process = compare(room, MUCH, "whole")
        until = time.monotonic() + 60
        while not any(file for folder in spilled(room) for file in folder.iterdir()):
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.01)
        process.send_signal(way)
        process.communicate()
        assert process.returncode != 0
        assert bool(spilled(room)) is (way is signal.SIGKILL)
    monkeypatch.setattr("tempfile.tempdir", str(room / "tmp"))
    with spill.spill_folder() as first:
        assert spilled(room) == [first]
        with spill.spill_folder() as second:
            assert sorted(spilled(room)) == sorted([first, second])
    assert spilled(room) == []


def test_no_room_for_what_is_spilled_is_told_with_the_folder_and_what_mends_it(room: Path) -> None:
    process = compare(room, MUCH, "whole", "1000000")
    out, err = process.communicate()
    code, message, mend = json.loads(out)
    assert (process.returncode, code, err) == (6, "disk-full", "")
    assert str(room / "tmp" / spill.PREFIX) in message
    assert "comparing made_up of 2024-01-01: File too large" in message
    assert "TMPDIR=" in mend
    assert spilled(room) == []


def test_what_does_not_fit_gets_as_much_memory_as_a_query(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench_diff.make(tmp_path / "few", 1, 1_000)
    workspace, tried = worlds.copied(tmp_path), []
    within = diff.Differ._within

    def watched(*given: object) -> list[diff.Differing]:
        tried.append(given[-1])
        return within(*given)  # type: ignore[arg-type]  # what it was called with

    monkeypatch.setattr(diff, "MEMORY", "1KB")
    monkeypatch.setattr(diff.Differ, "_within", watched)
    assert bench_diff.differ(workspace, tmp_path / "few", 1, 1_000) == 99
    assert tried == ["1KB", MEMORY]
