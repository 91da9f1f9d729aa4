"""Tables as they were, several positions in one statement: the answers of then, within the bounds of any query."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import worlds
from tests.kit import small
from tradex_ledger.audit.dated import MOST, dated, quoted_where_dated
from tradex_ledger.audit.look import Look
from tradex_ledger.audit.query import QueryError
from tradex_ledger.cli.main import run
from tradex_ledger.errors import TradexError


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Look, str, Path]:
    """A workspace of a week, and of a late post, by the id of its backfill."""
    folder = tmp_path_factory.mktemp("dated")
    ws = worlds.copied(folder, thin=True)
    (folder / "posts" / "2024-01-09-late.jsonl").write_text(small.LATE, encoding="utf-8")
    with small.reopen(ws) as workspace:
        return Look.open(ws), small.backfill(workspace, 3, 3).id, ws


@pytest.mark.parametrize(
    ("sql", "quoted"),
    [
        ("select * from gold@341", 'select * from "gold@341"'),
        ("from runs@1 r, Runs@2026-01-10 s", 'from "runs@1" r, "Runs@2026-01-10" s'),
        ("from a@2026-01-10T12:00:00.5Z", 'from "a@2026-01-10T12:00:00.5Z"'),
        ("from a@2026-01-10T12:00+02:00", 'from "a@2026-01-10T12:00+02:00"'),
        ("from a@bf-1m83^, b@run-1m83", 'from "a@bf-1m83^", "b@run-1m83"'),
        ("select gold@341.ticker from gold@341", 'select "gold@341".ticker from "gold@341"'),
        ("select 'x@1', \"y@2\", $$z@3$$ -- w@4\n/* v@5 */", "select 'x@1', \"y@2\", $$z@3$$ -- w@4\n/* v@5 */"),
        ("select 'é', 1 from ü, gold@3", "select 'é', 1 from ü, \"gold@3\""),
        ("select a @> b, a@x, @ -5, a@1x from t", "select a @> b, a@x, @ -5, a@1x from t"),
    ],
)
def test_a_name_with_a_moment_is_told_by_its_form_and_nothing_else_is_touched(sql: str, quoted: str):
    assert quoted_where_dated(sql) == quoted


def test_the_last_at_is_the_one_that_counts():
    assert dated(["a@1", "b", "c@d@2"]) == [("a@1", "a", "1"), ("b", "b", None), ("c@d@2", "c@d", "2")]


@pytest.mark.norm("N40")
def test_several_positions_in_one_statement_are_each_answered_as_then(told: tuple[Look, str, Path]):
    look, backfill, _ = told
    before = look.at(f"{backfill}^").position
    for table in (
        "gold_metrics",
        "bronze_x_posts",
        "gold_metrics_v1",
        "runs",
        "partitions",
        "stale_partitions",
        "events",
    ):
        then = look.query(f"select count(*) from {table}", as_of=str(before)).rows
        now = look.query(f"select count(*) from {table}").rows
        both = f"select (select count(*) from {table}@{before}), (select count(*) from {table})"
        assert look.query(both).rows == [(*then[0], *now[0])], table
        assert look.query(f'select count(*) from "{table}@{backfill}^"').rows == then
        assert look.query(f"select count(*) from {table.upper()}@{before}").rows == then
    answer = look.query(f"from gold_metrics@{backfill} except from gold_metrics@{before}", as_of="9")
    assert answer.rows
    assert answer.as_of.position == 9
    assert {one.position for one in answer.then} == {before, look.at(backfill).position}
    assert (
        look.query("select count(*) from runs@20", as_of="9").rows
        == look.query("select count(*) from runs", as_of="20").rows
    )


def test_a_time_is_taken_whatever_the_case_of_the_name(told: tuple[Look, str, Path]):
    look, *_ = told
    at = look.at("30").at
    assert look.query(f'select count(*) > 30 from EVENTS@{at}, "Events@30"').rows == [(True,)]
    assert look.query(f"select max(position) >= 30 from events@{at}").rows == [(True,)]


def test_a_common_table_of_that_name_is_itself(told: tuple[Look, str, Path]):
    assert told[0].query("with runs@1 as (select 7 as n) select n from runs@1").rows == [(7,)]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("from gold_metrics@99999", "there is nothing as of '99999'"),
        ("from gold_metrics@0", "there is nothing as of '0'"),
        ('from "gold_metrics@"', "is no position, no time, no run"),
        ('from "gold_metrics@yesterday"', "is no position, no time, no run"),
        ("from gold_metrics@bf-zzzzzz", "there is no run"),
        ("from gold_nothing@9", "there is no table 'gold_nothing'"),
        ("from gold_metrics@1", "there is no table 'gold_metrics'"),
        ("from at_9.main.runs, runs@9", "in another schema than main"),
        ("from at_9.runs, runs@9", "in another schema than main"),
        ("from main.other.runs@9", "in another schema than main"),
        ("from read_csv('/etc/passwd'), runs@9", "read_csv() is not to be had"),
        ("from '/etc/passwd@9'", "there is no table"),
        (", ".join(["from runs@1", *(f"runs@{n}" for n in range(2, MOST + 2))]), f"and {MOST} are the most"),
    ],
)
def test_what_is_not_there_or_out_of_bounds_is_refused_in_a_line(told: tuple[Look, str, Path], sql: str, said: str):
    with pytest.raises(TradexError) as raised:
        told[0].query(sql)
    assert said in raised.value.message
    assert raised.value.mend


def test_nothing_else_comes_into_reach(told: tuple[Look, str, Path], tmp_path: Path):
    """The files that are read are those of the tables that are named, as of the positions that are named."""
    other = tmp_path / "other.parquet"
    for sql in (f"from runs@9, '{other}'", "select getenv('HOME') from runs@9", "from duckdb_settings(), runs@9"):
        with pytest.raises((QueryError, TradexError)):
            told[0].query(sql)


def test_the_answer_says_where_each_stands(told: tuple[Look, str, Path], capsys: pytest.CaptureFixture[str]):
    look, backfill, ws = told
    sql = f"select count(*) from gold_metrics@9, gold_metrics@{backfill}^ where false"
    assert run(["-C", str(ws), "query", sql.replace("@9", "@20"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [one["table"] for one in document["then"]] == ["gold_metrics@20", f"gold_metrics@{backfill}^"]
    assert document["then"][0]["position"] == 20
    assert run(["-C", str(ws), "query", "select count(*) from runs@20"]) == 0
    assert f"runs@20 is as of position 20 ({look.at('20').at})" in capsys.readouterr().err
