"""What a definition file must say, and what a folder of them must."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.made import BRONZE, OWN_COLUMNS, header
from tradex_ledger.datasets.definition import (
    DefinitionError,
    Read,
    UnknownDatasetError,
    load_pipeline,
    parse_definition,
)
from tradex_ledger.datasets.fingerprint import difference
from tradex_ledger.datasets.statement import connect
from tradex_ledger.errors import EnvironmentFault, NotFoundError
from tradex_ledger.workspace import BUILT_IN

SQL = "select day, 1 as id from partitions"


def parse(text: str, name: str = "made", **references: str) -> object:
    return parse_definition(name, text, references)


def test_a_definition_says_what_it_reads_and_how_it_is_cut():
    text = header({"a": "0d", "b": "-28d..-1d", "c": "+1d"}, more='component = "made_version"') + SQL + ";\n"
    found = parse_definition("made", text, {})
    assert found.reads == (Read("a", 0, 0), Read("b", -28, -1), Read("c", 1, 1))
    assert (found.layer, found.partition, found.key) == ("gold", "day", ("day", "id"))
    assert found.component == "made_version"
    assert found.source is None
    assert found.sql == SQL
    assert found.text == text


@pytest.mark.parametrize(
    "spelt",
    [
        *("{}; -- the end", "{};\n\n/* the; end */\n", "{} ; ;", ";{}", "-- first;\n{}", "{}\n;\n;\n", "{} --"),
        *("{}; -- what's more", "/* a; b */ {};"),
    ],
)
def test_semicolons_and_what_stands_behind_them_are_no_part_of_a_statement(spelt: str):
    found = parse_definition("made", header({"a": "0d"}) + spelt.format(SQL), {})
    with connect() as connection:
        connection.execute("create table partitions (day date)")
        assert connection.execute(f"select * from ({found.sql}\n)").fetchall() == []
    assert difference(found, header({"a": "0d"}) + SQL, ()) is None


def test_spaces_at_the_ends_of_lines_do_not_count():
    text = header({"a": "0d"}) + SQL
    found = parse_definition("made", "".join(f"{line} \t\n" for line in text.splitlines()), {})
    assert difference(found, text, ()) is None


def test_a_semicolon_inside_a_statement_stays():
    found = parse_definition("made", header({"a": "0d"}) + "select ';' as a; select 2;", {})
    assert found.sql == "select ';' as a; select 2"


def test_a_mark_of_the_encoding_at_the_beginning_of_a_file_is_no_part_of_it(tmp_path: Path):
    text = header({"z": "0d"}, more='references = ["words.csv"]') + SQL
    write(tmp_path, made=f"\ufeff{text}", z=BRONZE)
    (tmp_path / "words.csv").write_text("\ufeffword\nup\n", encoding="utf-8")
    found = load_pipeline(tmp_path, "x").definitions["made"]
    assert (found.text, found.references) == (text, (("words", "word\nup\n"),))


def test_reference_data_is_taken_from_beside_the_definition():
    text = header({"a": "0d"}, more='references = ["words.csv"]') + SQL
    found = parse_definition("made", text, {"words.csv": "word\nup\n", "other.csv": "x\n"})
    assert found.references == (("words", "word\nup\n"),)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (SQL, "has no header"),
        ("with c as (select 1)\n" + header({"a": "0d"}) + SQL, "says something before its header"),
        ("-- /// dataset\n-- ///\n" + SQL, "has no header"),
        ("-- /// dataset\n-- layer = \n-- ///\n" + SQL, "not TOML"),
        (header({"a": "0d"}, more='owner = "ana"') + SQL, "nobody knows: owner"),
        (header({"a": "0d"}).replace('-- layer = "gold"\n', "") + SQL, "does not say its layer"),
        (header({"a": "0d"}).replace('-- partition = "day"\n', "") + SQL, "does not say its partition"),
        (header({"a": "0d"}, key="[]") + SQL, "does not say its key"),
        (header({"a": "0d"}, layer="platinum") + SQL, "'platinum'"),
        (header({"a": "0d"}, more='source = "x_posts"') + SQL, "must name a source"),
        (BRONZE.replace('-- source = "x_posts"\n', ""), "must name a source"),
        (header({}) + SQL, "reads nothing"),
        (header({"a": "0d"}, more='references = ["words.csv"]') + SQL, "not there: words.csv"),
        (header({"a": "today"}) + SQL, "'today'"),
        (header({"a": "-1"}) + SQL, "'-1'"),
        (header({"a": "-1d..-28d"}) + SQL, "in order"),
        (header({"a": "-401d..0d"}) + SQL, "at most 400 days"),
        (header({"a": "0d..401d"}) + SQL, "at most 400 days"),
        (header({"made": "0d"}, more=OWN_COLUMNS) + SQL, "only earlier days"),
        (header({"made": "-1d..0d"}, more=OWN_COLUMNS) + SQL, "only earlier days"),
        (header({"made": "-1d"}) + SQL, "state its columns"),
        (header({"a": "0d"}, more=OWN_COLUMNS) + SQL, "state its columns"),
    ],
)
def test_a_definition_that_does_not_say_what_it_must_is_refused_by_name(text: str, problem: str):
    with pytest.raises(DefinitionError, match=problem) as caught:
        parse(text)
    assert "made" in caught.value.message
    assert caught.value.mend
    assert caught.value.code == "definition"


@pytest.mark.parametrize(
    "lines",
    [
        *('key = "day"', "key = [1]", "layer = 3", "partition = 7", 'reads = "base"', "reads = { base = 0 }"),
        *('columns = { n = "INTEGER); select (1" }', 'columns = { "n, m" = "INTEGER" }', 'columns = "DATE"'),
        *('references = "words.csv"', 'references = ["../words.csv"]', "component = 1", 'component = "a/../b"'),
    ],
)
def test_a_header_field_of_another_kind_is_refused_by_name(lines: str):
    field = lines.partition(" ")[0]
    kept = [line for line in header({"base": "0d"}).splitlines() if not line.startswith(f"-- {field} =")]
    text = "\n".join([*kept[:-1], f"-- {lines}", kept[-1], SQL])
    with pytest.raises(DefinitionError, match=field if field != "reads" else "read"):
        parse(text)


@pytest.mark.parametrize("name", ["Made", "1made", "ma-de", "made.x", "", 'ma"de', "m" * 64])
def test_a_dataset_has_a_name_that_needs_no_quotes(name: str):
    with pytest.raises(DefinitionError, match="no identifier"):
        parse(header({"a": "0d"}) + SQL, name)


def write(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / f"{name}.sql").write_text(text, encoding="utf-8")
    return folder


def test_definitions_come_in_an_order_in_which_each_follows_what_it_reads(tmp_path: Path):
    write(
        tmp_path,
        a_last=header({"b_middle": "0d", "a_last": "-1d"}, more=OWN_COLUMNS) + SQL,
        b_middle=header({"z_first": "-2d..0d"}, layer="silver") + SQL,
        z_first=BRONZE,
    )
    pipeline = load_pipeline(tmp_path, "own")
    assert list(pipeline.definitions) == ["z_first", "b_middle", "a_last"]
    assert [d.name for d in pipeline.layer("silver")] == ["b_middle"]


def test_the_built_in_pipeline_is_upstream_first():
    names = list(load_pipeline(BUILT_IN, "x").definitions)
    assert set(names[:3]) == {"bronze_x_posts", "bronze_x_posts__rejected", "bronze_x_posts__undated"}
    assert names[3:] == ["silver_social_events", "gold_metrics", "gold_baselines", "gold_signals"]


def test_a_dataset_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(UnknownDatasetError, match="gold_metrix") as caught:
        load_pipeline(BUILT_IN, "x").get("gold_metrix")
    assert "gold_metrics" in caught.value.mend


def test_an_empty_or_missing_pipeline_folder_is_not_a_pipeline(tmp_path: Path):
    with pytest.raises(NotFoundError, match="no definitions"):
        load_pipeline(tmp_path, "own")
    with pytest.raises(EnvironmentFault, match="is not there"):
        load_pipeline(tmp_path / "missing", "own")


@pytest.mark.norm("N16")
@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        ({"a": header({"missing": "0d"}) + SQL}, "reads missing, which is not in the pipeline"),
        (
            {"a": header({"b": "0d"}, layer="silver") + SQL, "b": header({"c": "0d"}) + SQL, "c": BRONZE},
            "of a later layer",
        ),
        ({"a": header({"b": "0d"}) + SQL, "b": header({"a": "0d"}) + SQL}, "read each other in a circle"),
    ],
)
def test_a_pipeline_that_does_not_hang_together_is_refused(tmp_path: Path, texts: dict[str, str], problem: str):
    with pytest.raises(DefinitionError, match=problem):
        load_pipeline(write(tmp_path, **texts), "own")


def test_a_definition_that_is_no_text_is_refused_by_name(tmp_path: Path):
    (tmp_path / "odd.sql").write_bytes(b"-- \xff\xfe")
    with pytest.raises(DefinitionError, match="odd"):
        load_pipeline(tmp_path, "own")


def test_where_no_dataset_is_known_none_is_offered() -> None:
    assert UnknownDatasetError("gold", []).mend == "none is registered there yet"
    assert UnknownDatasetError("gold", ["gold_a"]).mend.endswith("one of: gold_a")
