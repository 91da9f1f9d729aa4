"""Rows in the forms that other programs read come back as the very same rows."""

from __future__ import annotations

import io
import json
import shutil
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from tests import worlds
from tradex_ledger.audit.arrow import table
from tradex_ledger.cli.export import export
from tradex_ledger.cli.formats import NullInRowsError, Output, OutputFileFault, output_of
from tradex_ledger.cli.main import run
from tradex_ledger.errors import UsageError

HOSTILE = ("", '"', '""', "a,b", "a\tb", "one\ntwo", "one\r\ntwo\r", " a ", "NA", "null", "#", "-", "1e5", "007", "\\")
TEXTS = st.none() | st.sampled_from(HOSTILE) | st.text(max_size=6)


def rows_of(columns: int) -> st.SearchStrategy[list[list[str | None]]]:
    texts = TEXTS.filter(lambda text: text != r"\N")
    return st.lists(st.lists(texts, min_size=columns, max_size=columns), max_size=12)


def read_by_pandas(file: Path, separator: str) -> list[list[str | None]]:
    found = pd.read_csv(file, sep=separator, dtype=str, keep_default_na=False, na_values=["\\N"])
    return [[None if pd.isna(value) else value for value in row] for row in found.itertuples(index=False)]


def read_by_polars(file: Path, separator: str) -> list[list[str | None]]:
    return list(map(list, pl.read_csv(file, separator=separator, infer_schema=False, null_values="\\N").rows()))


def written(tmp_path: Path, form: str, columns: list[str], rows: list[list[object]], null: str = r"\N") -> Path:
    file = tmp_path / f"rows.{form}"
    export(columns, rows, None, Output(form, file, null), io.StringIO())
    return file


@pytest.mark.parametrize(("form", "separator"), [("csv", ","), ("tsv", "\t")])
@pytest.mark.parametrize("columns", [1, 3])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_texts_come_back_as_the_very_same_rows(
    tmp_path: Path, form: str, separator: str, columns: int, data: st.DataObject
) -> None:
    rows = data.draw(rows_of(columns))
    file = written(tmp_path, form, [f"c{n}" for n in range(columns)], [list(row) for row in rows])
    assert read_by_pandas(file, separator) == rows
    assert read_by_polars(file, separator) == rows


def test_what_stands_for_null_is_no_value_of_the_rows(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("as it was")
    with pytest.raises(NullInRowsError, match="c0"):
        written(tmp_path, "csv", ["c0"], [[r"\N"], [None]])
    assert [file.read_text(), *tmp_path.iterdir()] == ["as it was", file]
    assert written(tmp_path, "csv", ["c0"], [[r"\N"], [None]], "?").read_text() == '"c0"\n"\\N"\n?\n'


@pytest.mark.parametrize("null", ["", "a,b", 'a"b', "a\tb", "a\nb"])
def test_what_cannot_stand_for_null_is_refused(null: str) -> None:
    with pytest.raises(UsageError):
        output_of("csv", None, null)


TYPED: list[list[object]] = [
    [1, 2.5, Decimal("1.50"), True, date(2024, 1, 3), datetime(2024, 1, 3, 1, tzinfo=UTC), "a", [1, 2]],
    [None] * 8,
]
NAMES = ["n", "x", "d", "b", "day", "built_at", "t", "l"]
TYPES = ["BIGINT", "DOUBLE", "DECIMAL(10,2)", "BOOLEAN", "DATE", "TIMESTAMP WITH TIME ZONE", "VARCHAR", "INTEGER[]"]


def test_numbers_days_and_times_are_such_in_parquet(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    export(NAMES, TYPED, TYPES, Output("parquet", file), io.StringIO())
    found = parquet.read_table(file)
    kinds = [pa.int64(), pa.float64(), pa.decimal128(10, 2), pa.bool_(), pa.date32(), pa.timestamp("us", tz="UTC")]
    assert [found.schema.field(name).type for name in NAMES[:6]] == kinds
    assert [list(row.values()) for row in found.to_pylist()] == TYPED
    export(NAMES, [], TYPES, Output("parquet", file), io.StringIO())
    assert [parquet.read_table(file).schema.field(name).type for name in NAMES[:6]] == kinds


NESTED = {
    "MAP(VARCHAR, BIGINT)": ({"gold": 2}, {}),
    'STRUCT(a INTEGER, "size" STRUCT(x DATE)[])': (
        {"a": 1, "size": [{"x": date(2024, 1, 3)}]},
        {"a": None, "size": []},
    ),
    "DECIMAL(5,2)[]": ([Decimal("1.50")], []),
    "MAP(VARCHAR, ENUM('a', 'b'))[]": ([{"k": "a"}], [{}]),
    'MAP("NULL", "NULL")': ({}, None),
}


@pytest.mark.parametrize("name", NESTED)
def test_what_is_nested_comes_back_from_parquet_also_where_it_is_empty(tmp_path: Path, name: str) -> None:
    file, values = tmp_path / "rows.parquet", NESTED[name]
    for some in (values, values[1:], ()):
        export(["v"], [[one] for one in some], [name], Output("parquet", file), io.StringIO())
        found = parquet.read_table(file).column("v").to_pylist(maps_as_pydicts="strict")
        assert found == list(some) or name.startswith('MAP("NULL"')
        assert len(found) == len(some)


def test_a_document_without_a_field_is_a_text_in_parquet(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    export(["v"], [[{}], [[{}]]], None, Output("parquet", file), io.StringIO())
    assert parquet.read_table(file).column("v").to_pylist() == ["{}", "[{}]"]


def test_numbers_are_such_in_json_lines(tmp_path: Path) -> None:
    lines = written(tmp_path, "jsonl", NAMES, TYPED).read_text().splitlines()
    assert [*json.loads(lines[0]).values()] == [
        *(1, 2.5, 1.5, True, "2024-01-03", "2024-01-03T01:00:00.000000Z", "a", [1, 2]),
    ]
    assert [*json.loads(lines[1]).values()] == [None] * 8


def test_a_value_that_its_type_cannot_say_makes_its_column_one_of_texts() -> None:
    rows = [["infinity", 1], [datetime(2024, 1, 1, tzinfo=UTC), 2]]
    found = table(["t", "n"], rows, str, ["TIMESTAMP", "BIGINT"])
    assert [field.type for field in found.schema] == [pa.string(), pa.int64()]


def test_days_and_times_of_a_document_are_told_by_their_names() -> None:
    rows = [["2024-01-03", "2024-01-03T01:00:00.000000Z", "2024-01-03"]]
    found = table(["partition", "built_at", "reason"], rows, str)
    assert [field.type for field in found.schema] == [pa.date32(), pa.timestamp("us", tz="UTC"), pa.string()]


def test_a_bar_in_a_cell_of_markdown_is_no_bar_of_its_table(tmp_path: Path) -> None:
    text = written(tmp_path, "markdown", ["a|b", "c"], [["x|y\n<b>", None]]).read_text()
    assert text.splitlines() == [r"| a\|b | c |", "| --- | --- |", r"| x\|y\\n&lt;b> |  |"]


def test_a_file_that_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    with pytest.raises(OutputFileFault):
        export(["a"], [["b"]], None, Output("csv", tmp_path / "none" / "rows.csv"), io.StringIO())
    with pytest.raises(UsageError, match="is no file"):
        export(["a"], [["b"]], None, Output("csv", tmp_path), io.StringIO())


def test_no_output_takes_the_place_of_what_a_workspace_lives_by(
    week: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ws = tmp_path / "ws"
    shutil.copytree(week, ws)
    (ws / "ledger.db-wal").touch()
    (tmp_path / "link.db").symlink_to(ws / "ledger.db")
    (tmp_path / "folder").symlink_to(ws / "lake")
    built = sorted((ws / "lake").rglob("*.parquet"))[0].relative_to(ws / "lake")
    parts = [
        *(ws / "ledger.db", ws / "ledger.db-wal", ws / "tradex.toml", ws / "lake" / built),
        *(tmp_path / "folder" / built, tmp_path / "link.db"),
        *sorted((ws / "checkpoints").iterdir())[:1],
    ]
    before = [part.read_bytes() for part in parts]
    for part in parts:
        asked = ["query", "select 1", "--format", "csv"], ["metrics"], ["calendar", "gold_metrics", "--format", "csv"]
        for words in asked:
            assert run(["-C", str(ws), *words, "-o", str(part)]) == 2, (words, part)
            assert "is not written over" in capsys.readouterr().err
    assert [part.read_bytes() for part in parts] == before
    assert run(["-C", str(ws), "query", "select 1", "-o", str(ws / "rows.csv")]) == 0
    assert run(["-C", str(ws), "query", "select 1", "-o", str(ws / "rows.csv")]) == 0


def test_the_form_follows_from_the_name_of_the_file() -> None:
    assert output_of(None, Path("a.PARQUET"), "-") == Output("parquet", Path("a.PARQUET"), "-")
    for form, file in ((None, Path("a.xlsx")), ("table", Path("a.csv"))):
        with pytest.raises(UsageError):
            output_of(form, file, "-")


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return worlds.copied(tmp_path_factory.mktemp("formats"))


def test_each_command_that_shows_rows_gives_them_in_a_form(week: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = (
        ("query", "select * from runs where false"),
        ("backfill", "list", "--status", "FAILED"),
        ("dataset", "list"),
        ("dataset", "show", "gold_signals"),
        ("dataset", "lineage", "gold_signals"),
        ("audit", "log", "--limit", "3"),
        ("audit", "history", "gold_signals"),
        ("state", "history"),
        ("alerts",),
        ("engine", "list"),
    )
    for words in asked:
        assert run(["-C", str(week), *words, "--format", "csv"]) == 0, words
        lines = capsys.readouterr().out.splitlines()
        assert lines and lines[0].startswith('"') and "," in lines[0], words


def test_one_form_at_a_time(week: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["-C", str(week), "query", "select 1", "--json", "--format", "csv"]) == 2
    assert "one form at a time" in capsys.readouterr().err


def test_a_run_in_a_file_is_whole(week: Path, tmp_path: Path) -> None:
    file = tmp_path / "runs.jsonl"
    assert run(["-C", str(week), "backfill", "list", "-o", str(file)]) == 0
    assert file.read_bytes() == b""
    assert run(["-C", str(week), "query", "select * from runs", "-o", str(file)]) == 0
    assert json.loads(file.read_text().splitlines()[0])["run_kind"] == "incremental"
