"""Definitions are data: whatever a file says, nothing runs but one SELECT, over what it declares."""

from __future__ import annotations

import os
import random
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from tests.kit import small
from tests.kit.made import BRONZE, definition, header
from tests.kit.windows import task, write_base
from tradex_ledger.cli.main import run
from tradex_ledger.datasets.column_types import is_type
from tradex_ledger.datasets.definition import DefinitionError, load_pipeline, parse_definition
from tradex_ledger.datasets.fingerprint import check_definition, columns, create_empty
from tradex_ledger.datasets.names import reserved
from tradex_ledger.datasets.sandbox import confine, select_within, spill_of
from tradex_ledger.datasets.scope import free_tables
from tradex_ledger.datasets.statement import NotOneSelectError, connect, parsed_form
from tradex_ledger.datasets.taken import is_taken
from tradex_ledger.datasets.too_long import TookTooLongError
from tradex_ledger.domain.layers import LAYERS
from tradex_ledger.driving.window import build_window
from tradex_ledger.errors import EnvironmentFault, TradexError
from tradex_ledger.views import projected
from tradex_ledger.workspace import BUILT_IN

SELECT = "select day, 1 as id from base"
BASE = parse_definition("base", BRONZE.replace("event_date", "day"), {})
BREAKOUTS = (
    "{select}; {deed}",
    "{deed}; {select}",
    "{select}); {deed}; select * from (select 1",
    "{select}\n); {deed} -- ",
    "{select} -- \n); {deed}; --",
    "{select} /* */ ; {deed}; /*",
    "{select}\x00; {deed}",
    "select $x$; $x$; {deed}; select $y$ $y$",
    "{deed}",
    "select * from ({deed})",
    "with x as ({deed}) {select}",
    "explain analyze {deed}",
    "1; {deed}",
    "",
)


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    path = tmp_path / "victim"
    path.write_text("precious")
    return path


def statements(victim: Path) -> list[str]:
    deed = f"copy (select 'gone') to '{victim}' (format csv, use_tmp_file false)"
    return [text.format(select=SELECT, deed=deed) for text in BREAKOUTS]


def test_no_statement_breaks_out_of_a_description(victim: Path):
    for sql in statements(victim):
        with pytest.raises(DefinitionError):
            columns(definition(sql), {"base": [("day", "DATE")]})
        with pytest.raises(DefinitionError):
            check_definition(definition(sql))
    assert victim.read_text() == "precious"


def test_no_statement_breaks_out_of_a_window(victim: Path, tmp_path: Path):
    files = write_base(tmp_path / "base", {1: [(1, 1)]})
    for number, sql in enumerate(statements(victim)):
        with pytest.raises(DefinitionError, match="not one SELECT"):
            build_window(task(tmp_path / f"out{number}", files, sql, range(1, 2)))
    assert victim.read_text() == "precious"


def test_a_window_does_not_overwrite_a_file_that_it_reads(tmp_path: Path):
    files = write_base(tmp_path / "base", {1: [(1, 1)]})
    before = files[0].path.read_bytes()
    deed = f"{SELECT}; copy (select 1) to '{files[0].path}' (use_tmp_file false)"
    with pytest.raises(DefinitionError, match="not one SELECT"):
        build_window(task(tmp_path / "out", files, deed, range(1, 2)))
    assert files[0].path.read_bytes() == before


def test_a_definition_that_writes_a_file_does_not_on_a_dry_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    small.deliver(tmp_path / "posts", days=2)
    ws, victim = tmp_path / "ws", tmp_path / "victim"
    shutil.copytree(BUILT_IN, ws / "pipeline")
    small.create(ws, f"files:{tmp_path / 'posts'}", pipeline="pipeline").close()
    victim.write_text("precious")
    file = ws / "pipeline" / "gold_signals.sql"
    file.write_text(file.read_text().rstrip().rstrip(";") + f";\ncopy (select 1) to '{victim}' (use_tmp_file false)\n")
    days = ["--from", "2024-01-01", "--to", "2024-01-02"]
    asked = [
        "backfill",
        "request",
        "temporal",
        "bronze_x_posts",
        *days,
        "--no-override-state",
        "--reason",
        "an outage of the source",
    ]
    for command in ([*asked, "--dry-run"], ["run"], ["status"]):
        status = run(["-C", str(ws), "--as", "ana", *command])
        said = capsys.readouterr()
        assert victim.read_text() == "precious"
        if command != ["status"]:
            assert status != 0
            assert "gold_signals" in said.err


@pytest.mark.parametrize(
    "sql",
    [
        "select day, 1 as id from '{file}'",
        'select day, 1 as id from "{file}"',
        "select day, 1 as id from read_parquet('{file}')",
        'select z.day, 1 as id from base, (with "{file}" as (select 1) select 2) x, "{file}" z',
    ],
)
def test_a_file_is_no_table_of_a_window_or_a_description(sql: str, tmp_path: Path):
    files = write_base(tmp_path / "base", {1: [(1, 1)]})
    other = write_base(tmp_path / "other", {1: [(7, 7)]})[0].path
    text = sql.format(file=other)
    with pytest.raises(DefinitionError):
        check_definition(definition(text))
    with pytest.raises(DefinitionError):
        columns(definition(text), {"base": [("day", "DATE")]})
    with pytest.raises(TradexError, match="disabled by configuration"):
        build_window(task(tmp_path / "out", files, text, range(1, 2)))


def locked(tmp_path: Path) -> Any:
    """What a definition's connection refuses by itself, were the gate not there."""
    connection = connect()
    confine(connection, [str(tmp_path / "listed.parquet")], memory="200MB", spill=spill_of(200))
    return connection


@pytest.mark.parametrize(
    "deed",
    [
        "from read_text('/etc/passwd')",
        "from '/etc/passwd.csv'",
        "from '{folder}/other.parquet'",
        "from glob('/etc/*')",
        "install httpfs",
        "attach '{folder}/other.db'",
        "copy (select 1) to '{folder}/other.csv'",
        "export database '{folder}/all'",
        "set enable_external_access = true",
        "set lock_configuration = false",
        "set allowed_paths = ['/etc/passwd']",
        "set allowed_configs = ['threads']",
        "set memory_limit = '100GB'",
        "set temp_directory = '{folder}'",
        "set python_enable_replacements = true",
    ],
)
def test_the_engine_itself_refuses(deed: str, tmp_path: Path):
    with pytest.raises((duckdb.PermissionException, duckdb.InvalidInputException)):
        locked(tmp_path).execute(deed.format(folder=tmp_path)).fetchall()
    assert list(tmp_path.iterdir()) == []


def test_a_variable_of_the_program_is_no_table():
    secret = pa.table({"x": [1]})
    with pytest.raises(duckdb.CatalogException):
        connect().execute("select * from secret")
    assert secret.num_rows == 1


def test_what_is_spilled_goes_to_an_own_folder_and_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tradex_ledger.datasets.statement.gettempdir", lambda: str(tmp_path))
    with locked(tmp_path) as connection:
        sql = "select count(*) from (select md5(i::varchar) as m, i from range(3000000) t(i) order by m)"
        connection.execute(f"create table t as {sql.replace('count(*)', '*')}")
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_window_without_end_is_ended(tmp_path: Path):
    files = write_base(tmp_path / "base", {1: [(1, 1)]})
    endless = (
        "select day, (select count(*) from range(100000000000) t(x), range(9) u(y) where x * y = 7) as id from base"
    )
    with pytest.raises(TookTooLongError, match=r"rebuilding .* took longer"):
        build_window(replace(task(tmp_path / "out", files, endless, range(1, 2)), minutes=0.005))


# -- headers


@pytest.mark.parametrize(
    "kind",
    [
        *(
            "INTEGER); copy (select 1) to 'x'; --",
            "INTEGER default 1",
            "INTEGER primary key",
            "INTEGER -- x",
            "INT/**/",
        ),
        *("DATE check (true)", "INTEGER as (1)", "NOTHING", "STRUCT()", "STRUCT(a)", "ENUM(1)", "INTEGER\n", "'a'"),
        *("VARCHAR collate de", "MAP(VARCHAR", "[]", "(", "INTEGER,", "TIMESTAMP WITH", "ENUM((select 1))", '"a"', ""),
        *("INTEGER[-1]", "INTEGER[(select 1)]", "DECIMAL(1, (select 1))", "INTEGER\x00", "LIST(INTEGER)", "İNTEGER"),
    ],
)
def test_a_type_of_a_header_is_a_type_and_nothing_more(kind: str):
    assert not is_type(kind)
    told = kind.replace("\n", "\\n").replace("\x00", "\\u0000").replace('"', '\\"')
    with pytest.raises(DefinitionError, match=r"id = .* is no type"):
        definition(SELECT, {"made": "-1d"}, more=f'columns = {{ day = "DATE", id = "{told}" }}')
    with pytest.raises(DefinitionError, match="no type"):
        create_empty(connect(), "made", [("id", kind)])


@pytest.mark.parametrize(
    "kind",
    [
        *("DATE", "timestamp", "DECIMAL(10,2)", "VARCHAR[]", "INTEGER[3][]", "ENUM('a', 'b''c')", "JSON", "BIT"),
        *('STRUCT(a INTEGER, "b ""c" VARCHAR[])', "MAP(VARCHAR, INTEGER[3])", "UNION(a INTEGER, b VARCHAR)"),
        *("TUPLE(INTEGER, VARCHAR)", 'MAP("NULL", "NULL")', "GEOMETRY('OGC:CRS84')", "DOUBLE PRECISION", "UUID"),
        *("TIMESTAMP WITH TIME ZONE", "TIME WITH TIME ZONE", "TIMESTAMP_NS", "HUGEINT", "VARIANT", "INTERVAL"),
    ],
)
def test_what_an_engine_calls_a_type_is_one(kind: str):
    assert is_type(kind)
    connection = connect()
    create_empty(connection, "made", [("id", kind)])
    described = connection.execute("describe made").fetchall()[0][1]
    assert is_type(described)


@pytest.mark.parametrize("column", ['id" INTEGER); drop table base; --', "a;b", "", "x\n", "'x'"])
def test_names_of_columns_are_names(column: str):
    told = column.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    with pytest.raises(DefinitionError, match=r"has columns = .* not a table"):
        definition(SELECT, {"made": "-1d"}, more=f'columns = {{ day = "DATE", "{told}" = "INTEGER" }}')
    for field in (f'key = ["{told}"]', f'partition = "{told}"', f'component = "{told}"'):
        text = "\n".join(line for line in header({"base": "0d"}).splitlines()[:-1] if field[:3] not in line)
        with pytest.raises(DefinitionError, match=r"has (key|partition|component)|does not say its"):
            parse_definition("made", f"{text}\n-- {field}\n-- ///\n{SELECT}", {})


@pytest.mark.parametrize("column", ['id" VARCHAR); drop table base; --', "a;b", "", "x\n", "'x'"])
def test_a_column_of_reference_data_is_called_as_it_is_and_ends_nothing(column: str):
    file = '"' + column.replace('"', '""') + '",b\n1,2\n'
    made = definition(SELECT, references={"words.csv": file}, more='references = ["words.csv"]')
    assert columns(made, {"base": [("day", "DATE")]}) == [("day", "DATE"), ("id", "INTEGER")]


def test_a_column_that_a_statement_names_ends_no_name():
    with pytest.raises(DefinitionError, match="quote"):
        columns(definition(f'{SELECT[:-10]}, 1 as "x"" INTEGER); --" from base'), {"base": [("day", "DATE")]})
    connection = connect()
    create_empty(connection, "made", [('x" INTEGER); --', "DATE")])
    assert connection.execute("describe made").fetchall()[0][0] == 'x" INTEGER); --'


# -- names


def test_a_dataset_collides_with_nothing_of_the_ledger():
    assert set(projected.names()) | {"events"} <= reserved()
    odd = (
        "made\n",
        "made\x00",
        "Made",
        "MADE",
        "made x",
        "é",
        "",
        "1made",
        "_made",
        'ma"de',
        "m" * 64,
        "ma-de",
        "ma.de",
    )
    versions = ("gold_signals_v1", "made_v0", "made_v10", "a_v1_v2", "x__rejected", "made__undated")
    for name in (*projected.names(), "events", "ledger_events", *odd, *versions):
        with pytest.raises(DefinitionError, match=r"has (a|the) name"):
            parse_definition(name, header({"base": "0d"}) + SELECT, {})
    for name in ("vec_v", "v1", "runs_of_ana", "eventsv1", "rejected", "undated_"):
        assert parse_definition(name, header({"base": "0d"}) + SELECT, {}).name == name


def test_a_dataset_is_called_like_nothing_that_the_engine_has():
    connection = connect()

    def all_of(sql: str) -> set[str]:
        return {str(row[0]) for row in connection.execute(sql).fetchall()}

    found = all_of("select keyword_name from duckdb_keywords() where keyword_category = 'reserved'")
    found |= all_of("select function_name from duckdb_functions() where function_type in ('table', 'table_macro')")
    found |= all_of("select view_name from duckdb_views()") | all_of("select schema_name from duckdb_schemas()")
    found |= all_of("select database_name from duckdb_databases()")
    assert not [name for name in sorted(found) if not is_taken(name)], "add them to datasets/taken.py"
    for name in (*found, "user", "current_date", "pg_anything", "duckdb_anything"):
        with pytest.raises(DefinitionError, match=r"has (a|the) name"):
            parse_definition(name, header({"base": "0d"}) + SELECT, {})


def test_a_dataset_is_not_called_like_its_pipeline_or_a_layer(tmp_path: Path):
    (tmp_path / "base.sql").write_text(BRONZE)
    assert load_pipeline(tmp_path, "own").definitions
    with pytest.raises(DefinitionError, match="name of the pipeline"):
        load_pipeline(tmp_path, "base")
    for name in LAYERS:
        (tmp_path / f"{name}.sql").write_text(header({"base": "0d"}) + SELECT)
        with pytest.raises(DefinitionError, match="or of a layer"):
            load_pipeline(tmp_path, "own")
        (tmp_path / f"{name}.sql").unlink()


def test_reference_data_is_no_other_table():
    for file in ("partitions.csv", "base.csv"):
        with pytest.raises(DefinitionError, match="two tables"):
            definition(SELECT, references={file: "a\n1\n"}, more=f'references = ["{file}"]')


# -- scopes


@pytest.mark.parametrize(
    "sql",
    [
        "select c.day, 1 as id from (with c as (select 1 as x) select x from c) x, c",
        "with a as (select day from c), c as (select 1 as x) select day, 1 as id from a, c",
        "with c as (select * from c) select day, 1 as id from c",
        "with recursive c as (select * from c) select day, 1 as id from c",
        "with recursive c as (select day from c union all select day from c) select day, 1 as id from c",
        "with x as (with c as (select 1) select * from c) select day, 1 as id from c",
        "(with c as (select null::date as day) select day, 1 as id from c) union all select day, 1 as id from c",
        "with c as (select null::date as day) select day, 1 as id from main.c",
        'with "É" as (select null::date as day) select day, 1 as id from "é"',
        'with "\u212a" as (select null::date as day) select day, 1 as id from "k"',
    ],
)
def test_a_cte_is_one_only_where_it_can_be_seen(sql: str):
    with pytest.raises(DefinitionError, match="does not declare"):
        check_definition(definition(sql))


@pytest.mark.parametrize(
    "sql",
    [
        "with C as (select day from BASE) select day, 1 as id from c",
        "with a as (select day from base), b as (select day from a) select day, (select 1 from A limit 0) id from B",
        "with a as (select day from base) select day, 1 as id from a union all select day, 2 as id from a",
        "with a as (select day from base) select day, 1 as id from (with b as (select * from a) select * from b)",
        "with recursive r as (select day, 1 as id from base union all select day, id + 1 from R where id < 3) from r",
        "with base as (select * from base) select day, 1 as id from base",
    ],
)
def test_a_cte_is_one_wherever_it_can_be_seen(sql: str):
    sql = sql.replace("(select 1 from A limit 0)", "(select max(1) from A)")
    check_definition(definition(sql))
    assert columns(definition(sql), {"base": [("day", "DATE")]})


def test_what_is_checked_is_what_runs():
    connection = connect()
    for sql in (
        "select 1 as a",
        "from range(3) t(a)",
        "select 1 as a -- x",
        "values (1)",
        "select $$;$$ as a",
        "(select 1)",
    ):
        assert connection.sql(select_within(connection, sql, "1")).fetchall()
    with pytest.raises(NotOneSelectError):
        select_within(connection, "select 1 union all select 2) union all (select 3", "1")


NAMES = ("a", "A", "b", '"b"', "c", '"C"')


def nested(chance: random.Random, depth: int) -> str:
    """A statement of subqueries and CTEs, each of which may be called like another, or like a table."""

    def deeper() -> str:
        return nested(chance, depth - 1)

    name, hint = chance.choice(NAMES), chance.choice(("", "materialized ", "not materialized "))
    if depth <= 0:
        return chance.choice(("select 1 as x", f"select x from {name}", f"from {name}", "values (1)"))
    return chance.choice(
        (
            lambda: f"with {name} as {hint}({deeper()}) {deeper()}",
            lambda: f"with {name} as ({deeper()}), d as {hint}({deeper()}) {deeper()}",
            lambda: f"with recursive {name}(x) as ({deeper()} union all {deeper()}) {deeper()}",
            lambda: f"with recursive {name}(x) using key (x) as ({deeper()} union {deeper()}) {deeper()}",
            lambda: f"({deeper()}) union all ({deeper()})",
            lambda: f"select 1 as x from ({deeper()}) s, lateral ({deeper()}) t",
            lambda: f"select 1 as x from {name} u where exists ({deeper()}) or 1 in ({deeper()})",
            lambda: f"select (select 1 from ({deeper()}) z) as x",
            lambda: f"select x from ({deeper()}) s order by (select 1 from ({deeper()}) z)",
            lambda: f"select 1 as x from ({deeper()}) s join {name} w on exists ({deeper()})",
        )
    )()


def test_what_the_engine_takes_for_a_table_is_never_taken_for_a_cte():
    connection, missing = connect(), 0
    for seed in range(400):
        chance = random.Random(seed)
        sql = nested(chance, chance.randrange(1, 5))
        try:
            tree = parsed_form(connection, sql)
            connection.execute(f"describe {sql}")
        except duckdb.CatalogException as error:
            if "does not exist" in str(error):
                missing += 1
                assert list(free_tables(tree)), sql
        except (duckdb.Error, NotOneSelectError):
            continue
    assert missing > 100


def test_a_pipe_among_the_definitions_is_not_waited_for(tmp_path: Path):
    (tmp_path / "base.sql").write_text(BRONZE)
    for name in ("made.sql", "words.csv"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(EnvironmentFault, match="is no file"):
            load_pipeline(tmp_path, "own")
        (tmp_path / name).unlink()
