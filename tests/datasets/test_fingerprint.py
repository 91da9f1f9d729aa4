"""What counts as logic, and what a definition may not do."""

from __future__ import annotations

import pytest

from tests.datasets.made import BRONZE, definition, pipeline_of
from tradex_ledger.datasets.definition import DefinitionError, load_pipeline, parse_definition
from tradex_ledger.datasets.fingerprint import describe_all, fingerprint
from tradex_ledger.datasets.gate import NotDeterministicError
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


@pytest.mark.parametrize(
    "call",
    [
        *("now()", "random()", "current_date", "current_timestamp", "CURRENT_TIME", "today()", "uuid()"),
        *("get_current_timestamp()", "transaction_timestamp()", "txid_current()", "nextval('s')", "setseed(0.5)"),
        *("gen_random_uuid()", "current_setting('TimeZone')", "current_user", "localtimestamp", "version()"),
        *("age(timestamp '2024-01-01')", "getenv('HOME')", "current_localtimestamp()", "uuidv7()", "current_schema()"),
        *("NOW()", "date_trunc('day', now())", "(select random())"),
    ],
)
def test_clocks_dice_and_the_world_outside_are_refused_by_name(call: str):
    with pytest.raises(NotDeterministicError, match="made calls") as caught:
        fingerprint(definition(f"select day, {call} as id from base"))
    assert caught.value.code == "not-deterministic"
    assert caught.value.mend


@pytest.mark.parametrize(
    "place",
    [
        "select day, 1 as id from base where {}",
        "select day, 1 as id from base order by {}",
        "select day, 1 as id from base group by all having {}",
        "with c as (select day, {} as id from base) select * from c",
        "select day, sum(1) filter (where {}) as id from base group by all",
        "select day, row_number() over (order by {}) as id from base",
        "select day, list_transform([1], lambda x: {}) as id from base",
        "select day, case when true then {} end as id from base",
        "select b.day, 1 as id from base b join partitions p on {}",
        "select day, 1 as id from base union all select day, {} from base",
        "select day, 1 as id from base qualify {}",
    ],
)
def test_a_die_is_found_wherever_it_is_thrown(place: str):
    with pytest.raises(NotDeterministicError, match="random"):
        fingerprint(definition(place.format("random() < 0.5")))


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("read_csv('words.csv')", "table function read_csv"),
        ("read_parquet('lake/**/*.parquet')", "table function read_parquet"),
        ("glob('*')", "table function glob"),
        ("duckdb_settings()", "table function duckdb_settings"),
        ("query('select 1')", "table function query"),
        ("query_table('partitions')", "table function query_table"),
        ("other", "reads other"),
        ("'words.csv'", "reads words.csv"),
        ("'lake/base/*.parquet'", "reads lake"),
        ("information_schema.tables", "tables"),
        ("pg_catalog.pg_class", "pg_class"),
        ("other.base", "base"),
        ("information_schema.base", "base"),
    ],
)
def test_a_table_that_is_not_declared_is_refused_by_name(source: str, problem: str):
    with pytest.raises(DefinitionError, match=problem) as caught:
        fingerprint(definition(f"select day, 1 as id from {source}"))
    assert caught.value.code == "definition"
    assert caught.value.mend


@pytest.mark.parametrize(
    "sql",
    [
        "select day, 1 as id from base; select 2",
        "insert into base values (1)",
        "create table x as select 1",
        "copy base to 'x.parquet'",
        "attach 'other.db'",
        "pragma table_info('base')",
        "set threads = 4",
        "select day, from where",
        "",
        "-- nothing",
        "with x as (delete from base returning *) select * from x",
    ],
)
def test_what_is_not_one_select_is_refused(sql: str):
    with pytest.raises(DefinitionError, match="is not one SELECT statement"):
        fingerprint(definition(sql))


@pytest.mark.parametrize(
    "sql",
    [
        "with one as (select day from base), two as (select day, 1 as id from one) select * from two",
        "with other as (select day from base) select day, 1 as id from other",
        "from base select day, 1 as id",
        "select p.day, n as id from partitions p, range(3) t(n)",
        "select day, unnest([1, 2]) as id from base",
        "select day, 1 as id from (values (date '2024-01-01')) v(day)",
        "with recursive r as (select 1 as n union all select n + 1 from r where n < 3) "
        "select day, n as id from base, r",
        "select day, list_sort(list(id)) as id from base group by all",
        "select day, regexp_replace(lower('A'), 'a', 'b', 'g') as id from base",
    ],
)
def test_a_harmless_statement_passes(sql: str):
    assert len(fingerprint(definition(sql))) == 64


def test_a_column_may_be_called_like_a_clock_when_it_is_somebodys():
    assert fingerprint(definition("select b.day, b.user as id from base b"))


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
