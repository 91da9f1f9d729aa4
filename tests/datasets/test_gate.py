"""What a definition may not do, because its rows would not follow from its input alone."""

from __future__ import annotations

import copy
import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

import tradex_ledger.datasets
from tests.kit.made import BRONZE, definition, pipeline_of
from tradex_ledger.datasets import canaries, gate, judged, rules
from tradex_ledger.datasets.definition import DefinitionError, load_pipeline, parse_definition
from tradex_ledger.datasets.fingerprint import columns, describe_all
from tradex_ledger.datasets.gate import NotDeterministicError, check_deterministic, check_reads
from tradex_ledger.datasets.statement import connect, nodes, parsed_form, parsed_forms
from tradex_ledger.workspace import BUILT_IN

FUNCTIONS = Path(tradex_ledger.datasets.__file__).parent / "functions.csv"


def check(sql: str) -> None:
    """As a definition is checked before anything is done with it; the connection is DuckDB's own, whatever it says."""
    made = definition(sql)
    tree = parsed_form(connect(), made.sql)
    check_deterministic(made.name, tree)
    check_reads(made, tree)


def refused(sql: str, problem: str, mend: str = "") -> None:
    with pytest.raises(NotDeterministicError, match=problem) as caught:
        check(sql)
    assert caught.value.message.startswith("the definition of made ")
    assert caught.value.code == "not-deterministic"
    assert mend in caught.value.mend
    assert caught.value.mend


# -- the list


def rows() -> list[dict[str, str]]:
    with FUNCTIONS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_each_function_stands_in_the_list_once_in_small_letters_and_in_order():
    names = [row["function"] for row in rows()]
    assert names == sorted(set(names))
    assert names == [name.lower() for name in names]
    assert len(names) > 1000


def test_each_verdict_is_known_and_used_and_has_a_sentence_and_a_mend_of_its_own():
    assert {row["verdict"] for row in rows()} == judged.PROBLEMS.keys() - {"unjudged"} | {"safe"}
    sentences = [text for problem in judged.PROBLEMS.values() for text in problem]
    assert len(set(sentences)) == len(sentences)


def test_whatever_the_engines_that_were_judged_list_stands_in_the_list():
    if duckdb.__version__ not in judged.ENGINES:
        pytest.skip(f"the functions of DuckDB {duckdb.__version__} have not been judged: a new one is refused by name")
    listed = connect().execute("select function_name from duckdb_functions() where function_type <> 'pragma'")
    assert {name for (name,) in listed.fetchall() if judged.verdict(name) == "unjudged"} == set()


@pytest.mark.parametrize("name", ["frobnicate", "main.frobnicate", "x.frobnicate", "list_frobnicate", "iff", "nvl"])
def test_what_nobody_has_judged_is_refused_by_name(name: str):
    called = name.rpartition(".")[2]
    refused(f"select day, {name}(1) as id from base", rf"{called}\(\), which has not been judged", "functions.csv")


def test_no_verdict_asks_an_engine_what_it_says_of_itself(monkeypatch: pytest.MonkeyPatch):
    calls = {
        "safe": "select 1 + 2 - 3 as id, date_diff('day', day, day) from base, range(3)",
        "dice": "select random()",
    }
    trees = {verdict: parsed_form(connect(), sql) for verdict, sql in calls.items()}
    check_deterministic("made", trees["safe"])

    def no_engine(*_: object, **__: object) -> None:
        raise AssertionError("the gate asks an engine")

    monkeypatch.setattr("duckdb.connect", no_engine)
    check_deterministic("made", trees["safe"])
    with pytest.raises(NotDeterministicError):
        check_deterministic("made", trees["dice"])
    for module in (gate, rules, judged, canaries):
        assert "duckdb_functions" not in Path(str(module.__file__)).read_text(encoding="utf-8")


@pytest.mark.parametrize("stability", ["CONSISTENT", "VOLATILE", "CONSISTENT_WITHIN_QUERY"])
def test_the_verdicts_are_the_same_whatever_an_engine_says_of_its_functions(stability: str):
    connection = connect()
    connection.execute(
        "create macro duckdb_functions() as table "
        f"select function_name, function_type, '{stability}' as stability from system.main.duckdb_functions()"
    )
    said = connection.execute("select distinct stability from duckdb_functions()").fetchall()
    assert said == [(stability,)]
    for d in load_pipeline(BUILT_IN, "x").definitions.values():
        check_deterministic(d.name, parsed_form(connection, d.sql))
    with pytest.raises(NotDeterministicError):
        check_deterministic("made", parsed_form(connection, "select now()"))


def test_the_built_in_definitions_pass():
    for d in load_pipeline(BUILT_IN, "x").definitions.values():
        tree = parsed_form(connect(), d.sql)
        check_deterministic(d.name, tree)
        check_reads(d, tree)


# -- clocks, dice, the world, estimates, zones, the inside of the engine

CALLS = {
    "tells the time": [
        *(
            "now()",
            "NOW()",
            "current_date",
            "current_timestamp",
            "CURRENT_TIME",
            "localtimestamp",
            "localtime",
            "today()",
        ),
        *(
            "get_current_timestamp()",
            "transaction_timestamp()",
            "current_localtimestamp()",
            "uuidv7()",
            "ago(to_days(1))",
        ),
        *("age(timestamp '2024-01-01')", "made_at.age()", "date_trunc('day', now())", "current_timestamp(3)"),
    ],
    "throws a die": [
        *("random()", "RANDOM()", '"random"()', "main.random()", "system.main.random()", "x.random()", "b.x.random()"),
        *("uuid()", "gen_random_uuid()", "uuidv4()", "setseed(0.5)", "(select random())", "lower(x).random()"),
    ],
    "looks outside the rows": [
        *("current_user", "user", "SESSION_USER", "current_role", "current_schema", "current_catalog"),
        *("nextval('s')", "currval('s')", "txid_current()", "current_setting('TimeZone')", "current_schema()"),
        *("version()", "getenv('HOME')", "getvariable('x')", "sleep_ms(1)", "pg_sleep(1)", "current_query()"),
        *("in_search_path('a', 'b')", "has_table_privilege('a', 'b')", "inet_client_addr()", "write_log('x')"),
    ],
    "only estimates": [
        *(
            "approx_count_distinct(id)",
            "approx_quantile(id, 0.5)",
            "approx_top_k(id, 3)",
            "reservoir_quantile(id, 0.5)",
        ),
        *("list_approx_count_distinct([1])", "list_aggregate([1], 'approx_count_distinct')"),
        *("array_aggr([1], 'reservoir_quantile', 0.5)", "approx_count_distinct(id) over ()"),
        *("x.list_aggregate('approx_count_distinct')",),
    ],
    "a time with a zone": [
        *(
            "to_timestamp(id)",
            "make_timestamptz(0)",
            "timezone('UTC', made_at)",
            "made_at at time zone 'Europe/Berlin'",
        ),
        *("day::timestamptz", "day::TIMESTAMPTZ", "cast(day as timestamp with time zone)", "try_cast(day as timetz)"),
        *("timestamptz '2024-01-01'", "timestamp with time zone '2024-01-01'", "timetz '10:00'", 'x::"timestamptz"'),
        *("x::time with time zone", "x::struct(a timestamptz)[]", "x::map(integer, timetz)", "x::timestamptz_ns"),
        *("x::pg_catalog.timestamptz", "x::timestamptz[3]", "x::union(a timestamptz)", "timezone_hour(x)"),
        *("strptime(x, '%Y %' || 'z')", """from_json(x, '"TIMESTAMP' || 'TZ"')"""),
        *("strptime(x, '%Y %z')", "try_strptime(x, ['%Y', '%Y %Z'])", "strptime(x, '%Y' || '%z')", "x.strptime('%z')"),
        *("""from_json(x, '{"a": "TIMESTAMPTZ"}')""", "uuid_extract_timestamp(x)"),
        *("""json_transform(x, '{"a": "timestamp with time zone"}')""",),
    ],
    "of the engine's inside": [
        *("create_sort_key(id, 'asc')", "icu_sort_key('a', 'de')", "collate_de(x)", "stats(id)"),
        *(
            "hash(id)",
            "vector_type(id)",
            "json_serialize_sql('select 1')",
            "sum(id) export_state",
            "__internal_barrier(id)",
        ),
    ],
    "has not been judged": [
        *("x::mood", "x::my_schema.thing", "frobnicate(x)", "list_aggregate(x, 'frobnicate')", "?")
    ],
    "collation de": ["x collate de", "x collate de.nocase", "x COLLATE de_AT"],
}


@pytest.mark.parametrize(("problem", "call"), [(problem, call) for problem, calls in CALLS.items() for call in calls])
def test_what_does_not_follow_from_the_rows_is_refused_by_name(problem: str, call: str):
    refused(f"select day, {call} as id from base b group by all", problem)


@pytest.mark.parametrize(
    "place",
    [
        "select day, 1 as id from base where {}",
        "select day, 1 as id from base order by {}",
        "select day, 1 as id from base group by all having {}",
        "select day, 1 as id from base group by day, {}",
        "with c as (select day, {} as id from base) select * from c",
        "with c as materialized (with d as (select {} as id) from d) select * from c",
        "select day, sum(1) filter (where {}) as id from base group by all",
        "select day, row_number() over (order by {}) as id from base",
        "select day, sum(1) over (partition by {}) as id from base",
        "select day, list(id order by {}) as id from base group by day",
        "select day, sum(1) over w as id from base window w as (partition by {})",
        "select day, list_transform([1], lambda x: {}) as id from base",
        "select day, [x for x in [1] if {}] as id from base",
        "select day, case when true then {} end as id from base",
        "select b.day, 1 as id from base b join partitions p on {}",
        "select b.day, 1 as id from base b, lateral (select {})",
        "select day, 1 as id from base union all select day, {} from base",
        "select day, 1 as id from base qualify {}",
        "select day, * replace ({} as id) from base",
        "select day, id from base, (values ({})) v(id)",
        "select day, id from base, range(({})::integer) t(id)",
        "select day, id in (select {}) as id from base",
        "select day, exists (select 1 where {}) as id from base",
        "select day, {{'a': [{}]}} as id from base",
        "select day, columns(c -> {}) from base",
        "select * from base pivot (count({}) for id in (1, 2) group by day)",
    ],
)
def test_a_die_is_found_wherever_it_is_thrown(place: str):
    refused(place.format("random() < 0.5"), r"random\(\)", "md5()")


# -- rows in no order


@pytest.mark.parametrize(
    "call",
    [
        *("list(id{})", "array_agg(id{})", "LIST(id{})", "string_agg(x, ','{})", "group_concat(x{})", "listagg(x{})"),
        *("first(id{})", "last(id{})", "any_value(id{})", "arbitrary(id{})", "list(distinct id{})", "id.first()"),
        *("list(id{}) filter (where id > 1)", "list((x, id){})", "len(list(id{}))", "list_distinct(list(id{}))"),
    ],
)
def test_what_gathers_rows_must_say_in_which_order(call: str):
    sql = f"select day, {call} as id from base group by day"
    for order in ("", " order by 1", " order by 'a'"):
        refused(sql.format(order), r"\(\) without an order of its own", "order by")
    if "{}" in call:
        check(sql.format(" order by day desc, id"))


@pytest.mark.parametrize("call", ["json_group_array(id)", "json_group_object(x, id)", "json_group_structure(x)"])
def test_what_gathers_rows_and_takes_no_order_has_another_mend(call: str):
    refused(f"select day, {call} as id from base group by day", "cannot be told another", "to_json(list(")


def test_an_array_of_a_select_is_called_by_that_name():
    sql = "select day, array(select id from base{}) as id from partitions"
    refused(sql.format(""), r"array\(select …\) without an order", "order by …")
    check(sql.format(" order by id"))


@pytest.mark.parametrize("over", ["()", "(partition by day)", "(order by 1)", "w"])
@pytest.mark.parametrize(
    "call",
    [
        *(
            "row_number()",
            "rank()",
            "dense_rank()",
            "percent_rank()",
            "cume_dist()",
            "ntile(4)",
            "lag(id)",
            "lead(id, 2)",
        ),
        *(
            "first_value(id)",
            "last_value(id ignore nulls)",
            "nth_value(id, 2)",
            "list(id)",
            "first(id)",
            "string_agg(x)",
        ),
        *("fill(id)", "any_value(id)"),
    ],
)
def test_what_ranks_or_gathers_over_a_window_needs_an_order(call: str, over: str):
    refused(f"select day, {call} over {over} as id from base window w as (partition by day)", "without an order")
    check(f"select day, {call} over (partition by day order by id) as id from base")


@pytest.mark.parametrize(
    "frame",
    [
        "rows between 1 preceding and current row",
        "rows unbounded preceding",
        "rows current row",
        "rows between current row and unbounded following",
        "groups between 1 preceding and 1 following",
        "partition by day rows between unbounded preceding and 1 following",
    ],
)
def test_a_window_of_some_rows_needs_an_order(frame: str):
    refused(
        f"select day, sum(id) over ({frame}) as id from base", r"sum\(\) of some rows over a window without an order"
    )
    by = frame.replace("partition by day ", "")
    check(f"select day, sum(id) over (partition by day order by id {by}) as id from base")


@pytest.mark.parametrize(
    "over",
    [
        *("()", "(partition by day)", "(partition by day order by id)", "(range unbounded preceding)"),
        *(
            "(rows between unbounded preceding and unbounded following)",
            "(order by id range between 1 preceding and 1 following)",
        ),
        *("(rows between unbounded preceding and unbounded following exclude current row)", "w"),
    ],
)
def test_a_sum_over_a_whole_partition_or_in_an_order_passes(over: str):
    check(f"select day, sum(id) over {over} as id from base window w as (partition by day)")


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("select day, id from base limit 3", "limit, offset"),
        ("select day, id from base offset 3", "limit, offset"),
        ("select day, id from base limit 10%", "limit, offset"),
        ("select day, id from base order by 'a' limit 3", "limit, offset"),
        ("select day, id from base union all select day, id from base limit 3", "limit, offset"),
        ("select day, (select id from base limit 1) as id from partitions", "limit, offset"),
        ("with c as (select day, id from base limit 3) select * from c order by id", "limit, offset"),
        ("select day, id from (select day, id from base order by id) limit 3", "limit, offset"),
        ("select distinct on (day) day, id from base", "distinct on"),
        ("select * from (select distinct on (day) day, id from base) order by id", "distinct on"),
    ],
)
def test_some_of_the_rows_are_taken_in_an_order_only(sql: str, problem: str):
    refused(sql, problem, "order by")


@pytest.mark.parametrize(
    "sql",
    [
        "select day, id from base order by day, id limit 3",
        "select day, id from base order by 1, 2 limit 3 offset 1",
        "select day, 1 as id from base group by all order by count(*) desc limit 1",
        "select day, id, row_number() over (partition by day order by count(*) desc) from base group by all",
        "select day, e.key as id, e.value from base b, json_each(b.id) e",
        "select day, id from base order by all limit 3",
        "select distinct on (day) day, id from base order by day, id",
        "select day, id from base union all select day, id from base order by 2 limit 3",
        "select distinct day, id from base",
    ],
)
def test_in_an_order_some_of_the_rows_may_be_taken(sql: str):
    check(sql)


@pytest.mark.parametrize(
    ("source", "problem", "mend"),
    [
        ("base tablesample 10%", "takes a sample", "md5(key)"),
        ("base tablesample reservoir(5 rows) repeatable (42)", "takes a sample", "md5(key)"),
        ("base using sample 5", "takes a sample", "md5(key)"),
        ("base using sample 10% (bernoulli)", "takes a sample", "md5(key)"),
        ("(from base tablesample 1%) b", "takes a sample", "md5(key)"),
        ("base join partitions p using (day) using sample 5", "takes a sample", "md5(key)"),
        ("base positional join partitions p", "positional join", "key"),
        ("(describe base)", "describe, summarize, show", "by their names"),
        ("(summarize base)", "describe, summarize, show", "by their names"),
        ("(show tables)", "describe, summarize, show", "by their names"),
        ("base where rowid < 3", "reads rowid", "key"),
        ("base b where b.ROWID < 3", "reads rowid", "key"),
        ("(with recursive r(n) using key (n) as (select 1 union select n from r) from r)", "using key", "order"),
    ],
)
def test_rows_that_are_chosen_by_chance_or_place_are_refused(source: str, problem: str, mend: str):
    refused(f"select * from {source}", problem, mend)


# -- tables


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("read_csv('words.csv')", "table function read_csv"),
        ("READ_PARQUET('lake/**/*.parquet')", "table function read_parquet"),
        ("glob('*')", "table function glob"),
        ("duckdb_settings()", "table function duckdb_settings"),
        ("query('select 1')", "table function query"),
        ("query_table('partitions')", "table function query_table"),
        ("main.read_text('x')", "table function read_text"),
        ("histogram(base, id)", "table function histogram"),
        ("other", "reads other"),
        ("OTHER", "reads OTHER"),
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
        check(f"select day, 1 as id from {source}")
    assert caught.value.code == "definition"
    assert caught.value.mend


def test_a_table_is_the_same_in_any_case():
    check("with Other as (select day from BASE) select p.day, 1 as id from Partitions p join OTHER using (day)")


# -- columns


@pytest.mark.parametrize(
    "kind",
    [
        *(
            "timestamptz",
            "time with time zone",
            "timestamptz[]",
            "struct(a timestamptz)",
            "map(integer, timestamptz[])",
        ),
        *("struct(a struct(b timetz[])[])", "union(a integer, b timestamptz)", "timestamptz[2]", "timestamptz_ns"),
    ],
)
def test_a_time_with_a_zone_is_refused_where_it_is_given_or_read(kind: str):
    described = [tuple(row[:2]) for row in connect().execute(f"describe select null::{kind} as at").fetchall()]
    with pytest.raises(NotDeterministicError, match=r"gives its column at as .*a time with a zone") as caught:
        gate.check_types("made", described)
    assert "TIMESTAMP in UTC" in caught.value.mend
    upstream = {"base": [("day", "DATE"), *described]}
    with pytest.raises(NotDeterministicError, match="reads at of base as"):
        columns(definition("select day, 1 as id from base"), upstream)
    with pytest.raises(NotDeterministicError, match="gives its column at as"):
        columns(definition("select day, 1 as id, null::" + kind + " as at from base"), {"base": [("day", "DATE")]})


@pytest.mark.parametrize(
    "kind",
    [
        *(
            "timestamp",
            "time",
            "struct(timestamptz integer)",
            'struct("TIMESTAMP WITH TIME ZONE" date)',
            "timestamp_ns[]",
        ),
        *("enum('TIMESTAMP WITH TIME ZONE', 'it''s')", "interval"),
    ],
)
def test_what_is_only_called_like_a_zone_passes(kind: str):
    described = [tuple(row[:2]) for row in connect().execute(f"describe select null::{kind} as at").fetchall()]
    gate.check_types("made", described)


@pytest.mark.parametrize(
    ("kind", "lost"),
    [
        *(("interval", "INTERVAL"), ("struct(a interval)[]", "INTERVAL"), ("map(varchar, interval)", "INTERVAL")),
        *(("union(a integer)", "UNION"), ("bit", "BIT"), ("uhugeint", "UHUGEINT"), ("bignum", "BIGNUM")),
        *(("variant", "VARIANT"), ("geometry", "GEOMETRY")),
    ],
)
def test_a_column_that_a_file_of_the_lake_does_not_keep_is_refused_with_a_cast_as_its_mend(kind: str, lost: str):
    made = definition(f"select day, 1 as id, null::{kind} as at from base")
    with pytest.raises(DefinitionError, match=f"gives its column at as .* does not keep {lost}") as caught:
        columns(made, {"base": [("day", "DATE")]})
    assert "::varchar" in caught.value.mend


def test_a_struct_of_nothing_is_not_kept():
    with pytest.raises(DefinitionError, match="does not keep STRUCT"):
        columns(definition("select day, 1 as id, {} as at from base"), {"base": [("day", "DATE")]})


@pytest.mark.parametrize(
    "kind",
    [
        *(
            "struct(bit integer)",
            'struct("interval" date, union_ bigint)',
            "enum('INTERVAL', 'BIT')",
            "hugeint",
            "json",
        ),
        *(
            "uuid",
            "time",
            "timestamp_ns",
            "decimal(38, 3)",
            "blob",
            "map(varchar, integer[])",
            "ubigint",
            "struct(a date)",
        ),
    ],
)
def test_what_a_file_keeps_passes(kind: str):
    columns(definition(f"select day, 1 as id, null::{kind} as at from base"), {"base": [("day", "DATE")]})


def test_a_stated_column_with_a_zone_is_refused():
    base = parse_definition("base", BRONZE.replace("event_date", "day"), {})
    own = (
        "select p.day, 1 as id, max(m.at) as at from partitions p left join made m on m.day = p.day - 1 group by p.day"
    )
    stated = 'columns = { day = "DATE", id = "INTEGER", at = "TIMESTAMP WITH TIME ZONE" }'
    with pytest.raises(NotDeterministicError, match="a time with a zone"):
        describe_all(pipeline_of(base, definition(own, {"made": "-1d"}, more=stated)))


def test_the_session_is_in_utc():
    assert connect().execute("select current_setting('TimeZone')").fetchall() == [("UTC",)]


# -- what people write


@pytest.mark.parametrize(
    "sql",
    [
        "with one as (select day from base), two as (select day, 1 as id from one) select * from two",
        "with other as (select day from base) select day, 1 as id from other",
        "from base select day, 1 as id",
        "select p.day, n as id from partitions p, range(3) t(n)",
        "select p.day, n as id from partitions p, generate_series(1, 3) with ordinality t(n, o)",
        "select day, unnest([1, 2]) as id from base",
        "select day, unnest({'a': 1}, recursive := true) from base",
        "select day, 1 as id from (values (date '2024-01-01')) v(day)",
        "with recursive r as (select 1 as n union all select n + 1 from r where n < 3) "
        "select day, n as id from base, r",
        "select day, list_sort(list(id)) as id from base group by all",
        "select day, list_reverse_sort(array_agg(distinct id)) as id from base group by all",
        "select day, map_from_entries(list((word, weight::integer) order by word)) as id from base group by day",
        "select day, regexp_replace(lower('A'), 'a', 'b', 'g') as id from base",
        "select day, regexp_extract_all(x, '[a-z]+', 1)[1] as id, x similar to 'a.*', x ~ 'a' from base",
        "select day, list_transform([1], lambda x, i: x + i) as id, list_filter([1], lambda x: x > 1) from base",
        "select day, [x + 1 for x in [1, 2] if x > 1] as id from base",
        "select day, day + 1 as id, day - interval 1 month, day + interval (id) day, date_trunc('week', day) from base",
        "select day, extract(year from day) as id, date_diff('day', day, day), age(day::timestamp, "
        "day::timestamp) from base",
        "select day, strftime(day, '%Y-%m') as id, strptime('2024', '%Y'), epoch(day), epoch_ms(1), "
        "make_date(1, 2, 3) from base",
        "select day, json_extract(x, '$.a') as id, x ->> 'a', x -> 'a', json_extract_string(x, 'b'), "
        "to_json([1]) from base",
        "select day, greatest(1, 2) as id, least(1, 2), coalesce(null, 1), nullif(1, 2), ifnull(1, 2), "
        "if(true, 1, 2) from base",
        "select day, try_cast(x as integer) as id, x::decimal(9, 2), x::varchar[], x::struct(a date), "
        "x::map(date, json) from base",
        "select day, x.a as id, (x).b, x['c'], x[1], x[1:2], x[-1], {'a': 1}.a, map {'a': 1}['a'] from base",
        "select day, 1 as id from base where id between 1 and 2 and x in ('a', 'b') and x not like 'a%' escape '!'",
        "select day, "
        "1 as id from base b where exists (select 1 from base c where c.id = b.id) and id not in (select 1)",
        "select day, id from base except select day, id from base intersect all select day, id from base",
        "select day, id from base union by name select day, id from base",
        "select day, count(*) as id, count(distinct x), sum(id), avg(id), min(x), max(x, 3), "
        "bool_or(true) from base group by all",
        "select day, count(*) filter (where id > 1) as id from base group by day having count(*) > 1",
        "select day, grouping(id) as id from base group by grouping sets ((day, id), (day)), cube (id)",
        "select day, median(id) as id, quantile_cont(id, 0.5), "
        "percentile_cont(0.5) within group (order by id) from base group by day",
        "select day, arg_max(id, x) as id, mode(x), histogram(x), stddev(id), corr(id, id), "
        "list_sum([1]) from base group by day",
        "select day, id from base qualify row_number() over (partition by x order by id desc, day) = 1",
        "select day, row_number(order by id) over (partition by day) as id from base",
        "select day, case x when 'a' then 1 when 'b' then 2 else 3 end as id, case when id > 1 then 2 end from base",
        "select b.day, b.id from base b left join partitions p on p.day = b.day cross join base c natural join base d",
        "select b.day, b.id from base b semi join partitions p using (day) anti join partitions q using (day)",
        "select b.day, b.id from base b asof join partitions p on b.day >= p.day",
        "select b.day, l.id from base b, lateral (select b.id + 1 as id) l",
        "select * exclude (x) replace (id + 1 as id) rename (y as z), columns('a.*'), "
        "columns(c -> c like 'b%') from base",
        "select * from base pivot (sum(id) for x in ('a', 'b') group by day)",
        "select * from base unpivot (id for n in (a, b))",
        "select day, list_aggregate([1], 'sum') as id, list_aggregate(['a'], 'string_agg', ','), "
        "list_first([1]) from base",
        "select day, x.upper() as id, x.list_transform(lambda y: y).list_sort(), main.lower(x), "
        'LOWER(x), "lower"(x) from base',
        "select day, md5(x) as id, sha256(x), x || 'a', x[1], printf('%d', 1), format('{}', 1), "
        "split_part(x, ',', 1) from base",
        "select day, 5 // 2 as id, 5 % 2, 2 ** 3, -id, id & 1, id | 2, id << 1, @ id, 5!, ~id, "
        "x ^@ 'a', x ilike 'a' from base",
        "select day, id is distinct from 1 as id, id is not null, x is true, not x, (id, x) = (1, 'a'), "
        "row(1, 2) from base",
        "select day, x collate nocase as id from base order by x collate nocase.noaccent",
        "select day, try(1 / id) as id, error('odd'), typeof(id), substring(x from 1 for 2), "
        "trim(both 'a' from x) from base",
        "select day, (select max(id) from base c where c.day = b.day) as id, id = any (select 1), "
        "id > all (select 1) from base b",
    ],
)
def test_ordinary_sql_passes(sql: str):
    check(sql)


def test_a_column_may_be_called_like_a_clock_when_it_is_somebodys():
    check("select b.day, b.user as id, b.current_date from base b")
    refused("select day, user as id from base b", "calls user", "written with its table: t.user")


# -- engines that parse otherwise


def canary_trees() -> dict[str, Any]:
    return dict(zip(canaries.REFUSED, parsed_forms(connect(), canaries.REFUSED), strict=True))


def test_each_canary_is_refused_by_the_engine_at_hand_and_for_its_own_reason():
    found = set()
    for sql, tree in canary_trees().items():
        with pytest.raises(DefinitionError) as caught:
            gate._check("made", tree)
        assert "uses" not in caught.value.message or "collation" in caught.value.message, sql
        found.add(re.sub(r"\w+\(\)", "", caught.value.message))
    assert len(found) >= 15


def renamed(tree: Any, old: str, new: str) -> Any:
    if isinstance(tree, dict):
        return {new if key == old else key: renamed(value, old, new) for key, value in tree.items()}
    return [renamed(item, old, new) for item in tree] if isinstance(tree, list) else tree


def try_out(change: Callable[[Any], Any]) -> None:
    """The canaries on an engine whose parsed form is changed in that way."""
    for statements, verdict in ((canaries.REFUSED, canaries.check_refused), (canaries.PASSING, canaries.check_passing)):
        trees = parsed_forms(connect(), statements)
        verdict(gate._check, {sql: change(tree) for sql, tree in zip(statements, trees, strict=True)})


def test_the_engine_at_hand_is_known():
    try_out(lambda tree: tree)
    gate.check_engine()


@pytest.mark.parametrize(
    "key",
    [
        *("function_name", "sample", "modifiers", "column_names", "type", "type_name", "ref_type", "collation"),
        *("key_targets", "orders", "arguments", "literal", "expression", "class", "distinct_on_targets", "start"),
    ],
)
def test_an_engine_that_calls_a_part_otherwise_is_refused(key: str):
    with pytest.raises(canaries.UnknownEngineError, match=r"would (pass|be refused)") as caught:
        try_out(lambda tree: renamed(tree, key, f"{key}_of_tomorrow"))
    assert caught.value.code == "unknown-engine"
    assert caught.value.exit_status == 6
    assert "pip install duckdb==" in caught.value.mend


def test_an_engine_that_parses_nothing_is_refused():
    with pytest.raises(canaries.UnknownEngineError):
        canaries.check_refused(gate._check, {sql: {"statements": []} for sql in canaries.REFUSED})


@pytest.mark.parametrize("where", ["FUNCTION", "SELECT_NODE", "BASE_TABLE", "ARRAY_EXTRACT", "ORDER_MODIFIER", "JOIN"])
def test_a_part_that_nobody_knows_is_refused_by_name(where: str):
    sql = "select day, x[1] as id, lower(x) as y from base join partitions using (day) order by day"
    tree = copy.deepcopy(parsed_form(connect(), sql))
    node = next(node for node in nodes(tree) if node.get("type") == where)
    node["type"] = "TELEPATHY"
    if node.get("class") == "FUNCTION":
        node["class"] = "TELEPATHY"
    with pytest.raises(NotDeterministicError, match="uses TELEPATHY, a part of a statement that has not been judged"):
        check_deterministic("made", tree)
