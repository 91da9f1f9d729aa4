"""What counts as logic, and which columns a definition gives."""

from __future__ import annotations

import pytest

from tests.datasets.made import BRONZE, definition, pipeline_of
from tradex_ledger.datasets.definition import DefinitionError, load_pipeline, parse_definition
from tradex_ledger.datasets.fingerprint import describe_all, fingerprint
from tradex_ledger.workspace import BUILT_IN

SQL = "select day, count(*) as id from base group by day"
WORDS = {"words.csv": "word\nup\ndown\n"}
WITH_WORDS = 'references = ["words.csv"]'


def test_comments_spacing_and_case_of_keywords_do_not_count():
    respelt = f"-- a remark\n  SELECT day,\n\n count( * )  AS id /* why */ FROM base GROUP BY day -- {SQL}"
    assert fingerprint(definition(respelt)) == fingerprint(definition(SQL))


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
def test_whatever_changes_rows_changes_the_fingerprint(other: object):
    assert fingerprint(other) != fingerprint(definition(SQL))


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


def test_a_dataset_that_reads_its_own_earlier_days_gives_the_columns_that_it_states():
    base = parse_definition("base", BRONZE.replace("event_date", "day"), {})
    own = "select p.day, coalesce(m.id, 0) as id from partitions p left join made m on m.day = p.day - 1"
    made = definition(own, {"made": "-1d"})
    assert describe_all(pipeline_of(base, made))["made"] == [("day", "DATE"), ("id", "INTEGER")]
    for stated, problem in (("BIGINT", "other columns than it states"), ("NOTHING", "cannot be")):
        columns = f'columns = {{ day = "DATE", id = "{stated}" }}'
        with pytest.raises(DefinitionError, match=problem):
            other = own.replace("coalesce(m.id, 0)", "1")
            describe_all(pipeline_of(base, definition(other, {"made": "-1d"}, more=columns)))
