"""Small statements that the gate must refuse, or let pass, tried once a process on the engine at hand.

Engines change how they write a parsed statement down. On one that names a function, a sample or a limit otherwise, the
gate would look in the wrong place, find nothing and let everything pass; so such an engine is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import duckdb

from tradex_ledger.datasets import judged
from tradex_ledger.datasets.definition import DefinitionError
from tradex_ledger.datasets.statement import Node, connect, parsed_forms
from tradex_ledger.errors import EnvironmentFault

REFUSED = (
    "select random()",
    "select x.now() from t",
    "select current_date",
    "select nobody_has_judged_this(x) from t",
    "select lower(uuid()) from t",
    "select x from t where random() < x",
    "with c as (select random() as x) select x from c",
    "select (select list(x) from t)",
    "select first(x order by 1) from t",
    "select array(select x from t)",
    "select sum(x) filter (where random() < 0.5) from t",
    "select row_number() over (partition by x) from t",
    "select sum(x) over (rows between 1 preceding and current row) from t",
    "select x from t qualify lag(x) over () > 0",
    "select list_transform(x, lambda y: random()) from t",
    "select list_aggregate(x, 'approx_count_distinct') from t",
    "select x from t limit 1",
    "select x from t offset 1",
    "select distinct on (x) x, y from t",
    "select x from t tablesample 10%",
    "select x from t using sample 5 rows",
    "select x from t positional join u",
    "select x from t join u on random() < 0.5",
    "select t.rowid from t",
    "select x::timestamptz from t",
    "select try_cast(x as struct(y time with time zone)[]) from t",
    "select strptime(x, '%Y %z') from t",
    "select x from t order by x collate de",
    "select * from (describe t)",
    "select * from (summarize t)",
    "select * from read_csv('x.csv')",
    "with recursive r(x) using key (x) as (select 1 union select x from r) select x from r",
    "select x from t union all select random()",
    "values (random())",
)
PASSING = (
    "select lower(x), count(*), x + 1, x::integer, x collate nocase, x['a'] from t group by all",
    "select x, list(y order by y) from t join u using (x) cross join v group by x order by x limit 3",
    "select sum(x) over (partition by y), row_number() over (order by x, y) from t, range(3) r(n)",
    "select case when x in (select 1) then 1 end from t where x between 1 and 2 and not x is null",
    "with recursive r as (select 1 as n union all select n + 1 from r where n < 3) select * from r",
)
UNDECLARED = (
    "select x from undeclared",
    "select x from 'file.parquet'",
    "with c as (select 1) select * from elsewhere.c",
    "select 1 where exists (select 1 from undeclared)",
    "with c as (select x from undeclared) select x from c",
    "with c as (select x from c) select x from c",
    "with a as (select x from c), c as (select 1 as x) select x from a",
    "with recursive c as (select x from c union all select x from c) select x from c",
    "select 1 from (with c as (select 1) select 1), c",
    "describe undeclared",
    "select * from undeclared pivot (count(*) for x in (1))",
)

Check = Callable[[str, Node], None]


class UnknownEngineError(EnvironmentFault):
    """The engine at hand parses statements in a form that the gate does not know."""

    code = "unknown-engine"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"DuckDB {duckdb.__version__} parses statements in a form that is not known here, so that nothing can be "
            f"said about a definition: {why}",
            mend=f"install a DuckDB that is known: python -m pip install duckdb=={judged.ENGINES[-1]}",
        )


def check_engine(check: Check, check_tables: Check) -> None:
    """Raise `UnknownEngineError` when a statement passes that must not, or is refused and must not be."""
    connection = connect()
    check_refused(check, _parsed(connection, REFUSED))
    check_refused(check_tables, _parsed(connection, UNDECLARED))
    check_passing(check, _parsed(connection, PASSING))


def _parsed(connection: duckdb.DuckDBPyConnection, statements: tuple[str, ...]) -> dict[str, Node]:
    try:
        trees = parsed_forms(connection, statements)
    except ValueError as error:
        raise UnknownEngineError(f"it cannot parse what is tried on it ({error})") from None
    if len(trees) != len(statements):
        raise UnknownEngineError(f"{len(statements)} statements become {len(trees)}")
    return dict(zip(statements, trees, strict=True))


def check_refused(check: Check, parsed: Mapping[str, Node]) -> None:
    """Raise `UnknownEngineError` for the first statement that passes."""
    for sql, tree in parsed.items():
        try:
            check("canary", tree)
        except DefinitionError:
            continue
        raise UnknownEngineError(f"`{sql}` would pass")


def check_passing(check: Check, parsed: Mapping[str, Node]) -> None:
    """Raise `UnknownEngineError` for the first statement that is refused."""
    for sql, tree in parsed.items():
        try:
            check("canary", tree)
        except DefinitionError as error:
            raise UnknownEngineError(f"`{sql}` would be refused: {error.message}") from None
