"""A query reads the files of the tables that it names, and nothing else of this machine."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from tests import worlds
from tests.kit import small
from tests.kit.lake_folder import root_of
from tradex_ledger.audit.query import QueryError, query
from tradex_ledger.audit.tables import UnknownTableError
from tradex_ledger.datasets import sandbox
from tradex_ledger.datasets.sandbox import in_time, is_left_behind
from tradex_ledger.datasets.statement import connect
from tradex_ledger.datasets.too_long import TookTooLongError
from tradex_ledger.errors import TradexError
from tradex_ledger.pool.processes import ProcessPool
from tradex_ledger.workspace import Workspace

DATASET = "silver_social_events"


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace with a run, in a folder whose name is full of patterns."""
    folder = tmp_path_factory.mktemp("attacked") / "a [b]*?'; drop"
    with small.reopen(worlds.copied(folder, days=3, until=3, anomaly_min_rows=0)) as workspace:
        yield workspace


def files(ws: Workspace, dataset: str) -> list[Path]:
    found = sorted((root_of(ws) / dataset).rglob("*.parquet"))
    assert found
    return found


def quoted(path: Path) -> str:
    return '"' + str(path).replace('"', '""') + '"'


def test_a_query_answers(ws: Workspace):
    for table in (DATASET, DATASET.upper(), f"main.{DATASET}", "Gold_Signals_V1", "RUNS", "Events"):
        assert query(ws.ledger.store, ws.core.lake, f"select count(*) from {table}").rows[0][0] > 0
    both = f"with X as (select * from {DATASET}) select count(*) from x, (select 1 from gold_signals) y"
    assert query(ws.ledger.store, ws.core.lake, both).rows
    assert query(ws.ledger.store, ws.core.lake, "describe gold_signals").rows
    recursion = "with recursive r(n) as (select 1 union all select n + 1 from r where n < 3) select max(n) from R"
    assert query(ws.ledger.store, ws.core.lake, recursion).rows == [(3,)]


@pytest.mark.parametrize(
    "sql",
    [
        "select * from {file}",
        "with {file} as (select 1) select * from main.{file}",
        "select x.* from (with {file} as (select 1) select 2) y, {file} x",
        "with a as (select * from {file}), {file} as (select 1) select * from a",
        "with {file} as (select * from {file}) select * from {file}",
        "select 1 where exists (with {file} as (select 1) select 1) and exists (select 1 from {file})",
        "select * from (describe {file})",
        "summarize {file}",
    ],
)
def test_a_cte_that_is_called_like_a_file_opens_no_file(ws: Workspace, sql: str):
    # As a candidate of a held run is: in the lake, and no table's.
    for file in (files(ws, "gold_metrics")[0], files(ws, DATASET)[0], Path("/etc/passwd")):
        with pytest.raises((UnknownTableError, QueryError), match=r"there is no table|in another schema"):
            query(ws.ledger.store, ws.core.lake, sql.format(file=quoted(file)))


@pytest.mark.parametrize("name", ["runs", "gold_metrics", "gold_signals_v1"])
def test_a_cte_that_is_called_like_a_table_hides_it_only_where_it_is_seen(ws: Workspace, name: str):
    assert query(
        ws.ledger.store, ws.core.lake, f"with {name.upper()} as (select 7 as x) select * from {name}"
    ).rows == [(7,)]
    sql = f"select (select count(*) from {name}) > 0, x from (with {name} as (select 7 as x) select x from {name})"
    assert query(ws.ledger.store, ws.core.lake, sql).rows == [(True, 7)]


@pytest.mark.parametrize(
    "sql",
    [
        "copy (select 1) to '{target}'",
        "copy (select 1) to '{listed}' (use_tmp_file false)",
        "select 1; copy (select 1) to '{listed}' (use_tmp_file false)",
        "copy (select 1) to '{listed}' (use_tmp_file false); select * from " + DATASET,
        "select * from " + DATASET + " -- \n; copy (select 1) to '{listed}' (use_tmp_file false); --",
        "select * from " + DATASET + "\x00; copy (select 1) to '{listed}' (use_tmp_file false)",
        "select $a$ $a$; copy (select 1) to '{listed}' (use_tmp_file false) /* ; */",
        "with x as (insert into runs select * from runs returning *) select * from x",
        "with x as (delete from events returning *) select * from x",
        "select * from read_text('/etc/passwd')",
        "select * from read_parquet('{listed}')",
        "select * from glob('/etc/*')",
        "select * from query('select 1')",
        "select * from query_table('runs')",
        "select * from duckdb_settings()",
        "install httpfs",
        "load httpfs",
        "attach '{target}' as other",
        "set enable_external_access = true",
        "pragma memory_limit = '1GB'",
        "reset lock_configuration",
        "create table x as select 1",
        "drop view " + DATASET,
        "export database '{target}'",
        "call pragma_version()",
        "explain analyze select 1",
        "",
        ";",
    ],
)
def test_a_query_does_nothing_but_read(ws: Workspace, tmp_path: Path, sql: str):
    listed = files(ws, DATASET)[0]
    before, target = listed.read_bytes(), tmp_path / "target"
    path = str(listed).replace("'", "''")
    with pytest.raises(TradexError) as caught:
        query(ws.ledger.store, ws.core.lake, sql.format(listed=path, target=target))
    assert isinstance(caught.value, QueryError)
    assert not target.exists()
    assert listed.read_bytes() == before


def test_a_version_without_end_is_a_table_that_is_not_there(ws: Workspace):
    for name in ("gold_signals_v" + "9" * 5000, "gold_signals_v١", '"gold_signals_v1\n"'):
        with pytest.raises(UnknownTableError):
            query(ws.ledger.store, ws.core.lake, f"select * from {name}")


def test_a_query_without_end_is_ended(ws: Workspace):
    for sql in (
        "select count(*) from range(100000000000) a(x), range(10) b(y) where x * y = 7",
        "with recursive r as (select 1 as n union all select n + 1 from r) select count(*) from r",
        "select x from range(100000000000) a(x) order by x % 7",
    ):
        with pytest.raises(TookTooLongError, match="the query took longer than"):
            query(ws.ledger.store, ws.core.lake, sql, minutes=0.005)


# One value that the engine works at for seconds: it hears nothing meanwhile.
DEAF = "select list_sum(list_transform(range(9000000), lambda x: sqrt(x::double) + sin(x::double))) as x"


def left_behind_ends() -> None:
    end = time.monotonic() + 120
    while is_left_behind():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_query_that_does_not_hear_that_it_is_to_end_is_left_behind(ws: Workspace, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tradex_ledger.datasets.sandbox.GRACE_S", 0.2)
    with pytest.raises(TookTooLongError) as caught:
        query(ws.ledger.store, ws.core.lake, DEAF, minutes=0.005)
    assert caught.value.goes_on and is_left_behind()
    assert query(ws.ledger.store, ws.core.lake, "select count(*) > 0 from runs").rows == [
        (True,)
    ]  # of another connection
    left_behind_ends()
    with pytest.raises(TookTooLongError) as caught:
        query(
            ws.ledger.store,
            ws.core.lake,
            "select count(*) from range(100000000000) a(x), range(10) b(y)",
            minutes=0.005,
        )
    assert not caught.value.goes_on and not is_left_behind()


def test_the_command_ends_though_its_query_does_not(ws: Workspace):
    """After its time, and at once by Ctrl-C: in words, and with one document where that was asked for."""
    late = (
        "import sys\n"
        "from tradex_ledger.cli import main, query\n"
        "from tradex_ledger.audit import query as answering\n"
        "from tradex_ledger.datasets import sandbox\n"
        "answer, sandbox.GRACE_S = answering.query, 0.2\n"
        "answering.query = lambda *values, **named: answer(*values, **{**named, 'minutes': 0.005})\n"
        "main.main(sys.argv[1:])\n"
    )
    endless = DEAF.replace("9000000", "100000000")
    call = ["-C", str(ws.config.folder), "query", "--json", endless]
    began = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", late, *call], capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, json.loads(ended.stdout)["error"]["code"]) == (6, "too-long")
    assert ended.stderr.splitlines()[0] == "error: the query took longer than 0.005 minutes, and was ended"
    assert len(ended.stderr.splitlines()) == 2
    assert time.monotonic() - began < 30


def test_a_process_whose_task_does_not_hear_is_ended_and_the_pool_goes_on():
    pool = ProcessPool(2)
    try:
        with pytest.raises(TookTooLongError, match="took longer") as caught:
            list(pool.run(deaf_task, [0.005, 0.005]))
        assert caught.value.goes_on
        assert dict(pool.run(abs, [-1, -2])) == {-1: 1, -2: 2}
    finally:
        pool.kill()


def deaf_task(minutes: float) -> None:
    connection = connect()
    sandbox.GRACE_S = 0.2
    in_time(connection, "it", minutes, "ask for less", lambda: connection.execute(DEAF).fetchall())


def test_what_a_query_takes_of_memory_and_disk_has_a_bound(ws: Workspace, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tradex_ledger.audit.query.MEMORY", "20MB")
    monkeypatch.setattr("tradex_ledger.audit.query.SPILL", "1MB")
    with pytest.raises(duckdb.OutOfMemoryException):
        query(ws.ledger.store, ws.core.lake, "select x from range(30000000) a(x) order by md5(x::varchar)")


def test_a_held_run_s_candidates_are_read_where_they_are_asked_for_and_nowhere_else(tmp_path: Path):
    with small.reopen(worlds.copied(tmp_path, days=3, until=3, anomaly_min_rows=0)) as workspace:
        before = query(workspace.ledger.store, workspace.core.lake, f"select count(*) from {DATASET}").rows
        late = (
            '{"id":"1741941000000000001","text":"late $TSLA","author_id":"9","created_at":"2024-01-02T10:00:00.000Z"}'
        )
        (tmp_path / "posts" / "2024-01-09-late.jsonl").write_text(late + "\n", encoding="utf-8")
        seen = {path for path in root_of(workspace).rglob("*.parquet")}
        held = small.backfill(workspace, 2, 2, review=True)
        assert held.status == "HELD"
        candidates = {path for path in root_of(workspace).rglob("*.parquet")} - seen
        assert candidates
        for path in candidates:
            name = quoted(path)
            for sql in (
                f"select * from {name}",
                f"with {name} as (select 1) select y.* from (select 1) x, (select * from main.{name}) y",
                f"select x.* from (with {name} as (select 1) select 2) y, {name} x",
                f"with a as (select * from {name}), {name} as (select 1) select * from a",
            ):
                with pytest.raises((UnknownTableError, QueryError)):
                    query(workspace.ledger.store, workspace.core.lake, sql)
        assert query(workspace.ledger.store, workspace.core.lake, f"select count(*) from {DATASET}").rows == before
        as_if = query(workspace.ledger.store, workspace.core.lake, f"select count(*) from {DATASET}", candidate=held.id)
        assert as_if.rows[0][0] == before[0][0] + 1
