"""What counts as logic, and which columns a definition gives."""

from __future__ import annotations

import dataclasses

import duckdb
import pytest

from tests.kit.made import BRONZE, definition, pipeline_of
from tradex_ledger.datasets import fingerprint as fingerprint_module
from tradex_ledger.datasets.definition import Definition, DefinitionError, load_pipeline, parse_definition
from tradex_ledger.datasets.fingerprint import describe_all, difference, fingerprint
from tradex_ledger.datasets.tokens import SCHEME
from tradex_ledger.datasets.unchanged import Reference, references_of
from tradex_ledger.sources.registry import READERS
from tradex_ledger.sources.x_posts.reader import XPosts
from tradex_ledger.workspace import BUILT_IN

SQL = "select day, count(*) as id from base group by day"
WORDS = {"words.csv": "word\nup\ndown\n"}
WITH_WORDS = 'references = ["words.csv"]'


def test_comments_spacing_and_case_of_keywords_do_not_count():
    respelt = f"-- a remark\n  SELECT day,\n\n count( * )  AS id /* why */ FROM base GROUP BY day -- {SQL}"
    assert difference(definition(respelt), definition(SQL).text, ()) is None
    respaced = f"-- a remark\n  select day,\n\n count( * )  as id /* why */ from base group by day -- {SQL}"
    assert fingerprint(definition(respaced)) == fingerprint(definition(SQL))


def test_the_order_of_the_reads_does_not_count():
    one, two = {"base": "0d", "other": "-1d"}, {"other": "-1d", "base": "0d"}
    assert fingerprint(definition(SQL, one)) == fingerprint(definition(SQL, two))


@pytest.mark.norm("N27")
@pytest.mark.parametrize(
    "other",
    [
        definition(SQL.replace("count(*)", "count(*) + 1")),
        definition(SQL.replace("count(*)", "count(day)")),
        definition(SQL.replace("from base", "from base where day > date '2024-01-01'")),
        definition(SQL, {"base": "-1d..0d"}),
        definition(SQL, {"base": "0d", "other": "0d"}),
        definition(SQL, key='["id", "day"]'),
        definition(SQL, layer="silver"),
        definition(SQL, more='component = "made_version"'),
        definition(SQL, references=WORDS, more=WITH_WORDS),
    ],
    ids=["constant", "function", "condition", "window", "reads", "key", "layer", "component", "reference"],
)
def test_whatever_changes_rows_changes_the_fingerprint_and_is_a_difference(other: Definition):
    known = definition(SQL)
    assert fingerprint(other) != fingerprint(known)
    assert difference(other, known.text, ())
    stored = references_of({"name": name, "text": text} for name, text in other.references)
    assert difference(other, other.text, stored) is None
    assert difference(known, other.text, stored)


def test_a_difference_says_what_is_other():
    known = definition(SQL)
    assert difference(definition(SQL, layer="silver"), known.text, ()) == "its header says other layer"
    assert difference(definition(SQL.replace("day,", "day - 0 as day,")), known.text, ()) == "its statement is another"
    one = definition(SQL, references=WORDS, more=WITH_WORDS)
    other = (Reference("words", "word\nup\n"),)
    assert difference(one, one.text, other) == "its reference data is other: words"


def no_engine(*_: object) -> object:
    raise AssertionError("no engine is needed")


def test_the_same_text_and_the_same_tokens_need_no_engine(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fingerprint_module, "parsed_form", no_engine)
    known = definition("select day, 1 as id from base -- once")
    assert difference(known, known.text, ()) is None
    assert difference(definition("select day,\n1 as id from base"), known.text, ()) is None


def test_a_text_that_todays_engine_cannot_parse_is_the_same_logic_only_by_its_letters():
    old = definition("select day, 2 as id frum base")
    assert difference(definition("select  day, 2 as id frum base"), old.text, ()) is None
    found = difference(definition("select day, 2 as id from base"), old.text, ())
    assert found and found.startswith(f"DuckDB {duckdb.__version__} cannot parse the text of that version")
    assert "frum" in found or "base" in found


def test_a_header_that_cannot_be_read_any_more_is_the_same_logic_only_by_its_letters():
    old = definition("select day, 3 as id from base")
    text = old.text.replace("-- layer =", "-- stratum =")
    found = difference(old, text, ())
    assert found and found.startswith("the text of that version cannot be read any more: ")
    assert difference(dataclasses.replace(old, text=text), text, ()) is None


def test_a_fingerprint_is_what_it_was_whatever_the_engine():
    # Written down: no release of an engine, and none of ours, may give another one under the same scheme.
    assert SCHEME == "tokens-1"
    assert fingerprint(definition(SQL)) == "82387c106fb4428581c2adfe7e162207b7e4f3e929fe99fe25738dba825bc62d"


def test_the_reader_of_the_posts_is_part_of_what_bronze_is(monkeypatch: pytest.MonkeyPatch):
    bronze = parse_definition("base", BRONZE, {})
    before = fingerprint(bronze)
    monkeypatch.setitem(READERS, "x_posts", lambda: XPosts(99))
    assert fingerprint(bronze) != before


@pytest.mark.norm("N27")
def test_a_changed_lexicon_is_changed_logic():
    before = definition(SQL, references=WORDS, more=WITH_WORDS)
    after = definition(SQL, references={"words.csv": "word\nup\nflat\n"}, more=WITH_WORDS)
    assert fingerprint(before) != fingerprint(after)


def test_the_built_in_definitions_pass_and_say_their_columns():
    pipeline = load_pipeline(BUILT_IN, "x")
    assert len({fingerprint(d) for d in pipeline.definitions.values()}) == len(pipeline.definitions)
    columns = describe_all(pipeline)
    assert columns["gold_metrics"] == [
        ("date", "DATE"),
        *[(name, "BIGINT" if name != "ticker" else "VARCHAR") for name in _METRICS],
    ]


_METRICS = ("ticker", "mentions", "authors", "retweets", "sentiment_sum")


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("select day, nope as id from base", "cannot be run"),
        ("select day, 1 as other from base", "does not give its key columns id"),
        ("select day::timestamp as day, 1 as id from base", "must give its partition column 'day' as DATE"),
        ("select 1 as id from base", "not nothing"),
        ("select day, 1 as id, 2 as id from base", "twice"),
    ],
)
def test_columns_that_are_not_what_the_header_says_are_refused(sql: str, problem: str):
    bronze = parse_definition("base", BRONZE.replace("event_date", "day"), {})
    with pytest.raises(DefinitionError, match=problem):
        describe_all(pipeline_of(bronze, definition(sql)))


@pytest.mark.parametrize("of_another", ["words", "other"])
def test_nothing_that_one_definition_is_described_with_is_there_for_the_next(of_another: str):
    """All are described in one engine, one after the other."""
    base, other = (parse_definition(name, BRONZE.replace("event_date", "day"), {}) for name in ("base", "other"))
    made = definition(SQL, {"base": "0d", "other": "0d"}, references=WORDS, more=WITH_WORDS)
    after = dataclasses.replace(definition(SQL), name="after", sql=f"select day, 1 as id from {of_another}")
    with pytest.raises(DefinitionError, match="cannot be run"):
        describe_all(pipeline_of(base, other, made, after))
    after = dataclasses.replace(definition(SQL), name="after")
    assert describe_all(pipeline_of(base, other, made, after))["after"] == [("day", "DATE"), ("id", "BIGINT")]


def test_a_dataset_that_reads_its_own_earlier_days_gives_the_columns_that_it_states():
    base = parse_definition("base", BRONZE.replace("event_date", "day"), {})
    own = "select p.day, coalesce(m.id, 0) as id from partitions p left join made m on m.day = p.day - 1"
    made = definition(own, {"made": "-1d"})
    assert describe_all(pipeline_of(base, made))["made"] == [("day", "DATE"), ("id", "INTEGER")]
    for kind in ("int", "int4", "Integer"):
        respelt = definition(own, {"made": "-1d"}, more=f'columns = {{ day = "date", id = "{kind}" }}')
        assert describe_all(pipeline_of(base, respelt))["made"] == [("day", "DATE"), ("id", "INTEGER")]
    for stated, problem in (("BIGINT", "other columns than it states"), ("NOTHING", "cannot be")):
        columns = f'columns = {{ day = "DATE", id = "{stated}" }}'
        with pytest.raises(DefinitionError, match=problem):
            other = own.replace("coalesce(m.id, 0)", "1")
            describe_all(pipeline_of(base, definition(other, {"made": "-1d"}, more=columns)))
