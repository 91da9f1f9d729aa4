"""Calls and definitions that nobody would make: built from the commands that there are, and from a grammar of SQL.

A new command or option is covered as soon as it is in the tree of click.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import strategies as st

from tests.kit import small
from tradex_ledger.cli.main import cli, run
from tradex_ledger.workspace import BUILT_IN

# What ends a call in the fuzzer only: a worker that would wait, a query without an end.
LONGEST_SECONDS = 20
NOT_CALLED = frozenset({"demo"})  # a minute each
ENDS = frozenset({0, 1, 2, 3, 4, 5, 6, 7, 130})
_GLOBAL = frozenset({"workspace", "actor"})

NUMBERS = [
    *("0", "1", "-1", "7", "nan", "inf", "-inf", "1e308", "1e-308", "1_000", "٣", "²", "0x10", "1.5", "-0", "+1"),
    *(str(2**bits + more) for bits in (31, 32, 53, 63, 64, 127, 128) for more in (-1, 0, 1)),
    "9" * 5_000,
]
DAYS = [
    *("2024-01-01", "2024-01-04", "2024-01-07", "2024-02-29", "2023-02-29", "0001-01-01", "9999-12-31", "0000-01-01"),
    *("10000-01-01", "-0044-03-15", "20240104", "2024-W01-1", "2024-001", "2024-1-1", "٢٠٢٤-٠١-٠١", "1970-01-01"),
]
TIMES = [
    *("2024-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999-12:00", "2024-01-01T24:00"),
    *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2024-01-01T00:00:00+99:99", "T", "2024-01-01 00Z"),
    *("0001-01-01", "9999-12-31", "10000-01-01", "2024-01-31T00:00:60", "1e9", "now", "infinity", "٣", "²"),
]
TEXTS = [
    *(
        "",
        " ",
        "a",
        "x" * 300,
        "x" * 5_000,
        "\t\n",
        "\x1b[31mred",
        "\u202eevil",
        "ünï",
        "日本",
        "\U0001f600",
        "\0",
        "\ud800",
    ),
    *(
        "../..",
        "/",
        ".",
        "-",
        "--",
        "%s",
        "{}",
        "'",
        '"',
        "';--",
        "$HOME",
        "~nobody/x",
        "a*b?[c]",
        "legal hold, case 7",
    ),
    *("bf-", "run-", "bf-0", "run-1741", "bf-%", "bf-_", "look-", "ana", "INC-4211", "X API outage on 4 and 5 Jan"),
]
URLS = [
    *(
        "files:posts",
        "files:",
        "files:/",
        "files:nowhere",
        "files:../posts",
        "files:posts\0",
        "files://host/posts",
        "x:y",
    ),
    *(
        "s3://bucket/x",
        "https://[::1",
        "https://a:b@[::1]:99999/",
        "http://",
        "://",
        ":",
        "sqlite:///x.db",
        "sqlite://",
    ),
    *(
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///x.db?mode=ro",
        "sqlite:////dev/null/x",
        "sqlite+x:///y",
        "a" * 300,
    ),
    *("postgresql://u:p@h:port/d", "sqlite:///file:x?mode=memory&uri=true", "sqlite:///lake", "sqlite:///posts"),
]
LITERALS = [
    *(
        "1",
        "-1",
        "null",
        "true",
        "'x'",
        "''",
        "0.1",
        "1e308",
        "'nan'::double",
        "'-inf'::float",
        "x'00'",
        "'\\xFF'::blob",
    ),
    *(
        f"{2**127 - 1}::hugeint",
        f"{2**128 - 1}::uhugeint",
        f"-{2**127}::hugeint",
        "'9'::bignum",
        "repeat('9', 400)::bignum",
    ),
    *(
        "99999999999999999999999999999999999999::decimal(38, 0)",
        "0.00000000000000000000000000000000000001::decimal(38,38)",
    ),
    *(
        "interval 1 month",
        "interval '-178956970' year",
        "'290000 years'::interval",
        "to_microseconds(9223372036854775807)",
    ),
    *("union_value(a := 1)", "union_value(b := 'x')::union(a int, b text)", "map {'a': 1}", "map {1: map {2: 3}}"),
    *("map {}", "map {[1]: {'a': 2}}", "'0101'::bit", "uuid()", "'00000000-0000-0000-0000-000000000000'::uuid"),
    *(
        "'12:00:00+15:59'::timetz",
        "'24:00:00'::time",
        "'12:00'::time_ns",
        "now()",
        "'infinity'::date",
        "'-infinity'::timestamp",
    ),
    *(
        "'290000-01-01'::date",
        "'290000-01-01 (BC)'::timestamp",
        "'infinity'::timestamptz",
        "'1677-09-22'::timestamp_ns",
    ),
    *("'2024-01-01'::timestamp_s", "'2024-01-01 00:00:00+00'::timestamptz", "'0001-01-01'::date", "'9999-12-31'::date"),
    *(
        "[1, null]",
        "[]",
        "[[]]",
        "{'a': {'b': [interval 1 day]}}",
        "'a'::enum('a', 'b')",
        "'[1, 2'",
        "'{}'::json",
        "[1,2]::int[2]",
    ),
    *(
        "array[1::hugeint]",
        "row(1, 2)",
        'struct_pack("" := 1)',
        "chr(0)",
        "'\U0001f600'",
        "chr(128)",
        "lambda x: x",
        "default",
    ),
    *(
        "{'': 1}",
        "{'a': 1, 'A': 2}",
        "current_date",
        "current_setting('threads')",
        "getenv('HOME')",
        "random()",
        "?",
        "$1",
    ),
]
FUNCTIONS = [
    *(
        "count",
        "sum",
        "avg",
        "min",
        "max",
        "first",
        "list",
        "histogram",
        "length",
        "upper",
        "md5",
        "hash",
        "typeof",
        "abs",
    ),
    *(
        "date_trunc",
        "age",
        "epoch",
        "strftime",
        "strptime",
        "unnest",
        "json",
        "from_json",
        "error",
        "range",
        "coalesce",
    ),
    *(
        "row_number",
        "lag",
        "ntile",
        "regexp_replace",
        "format",
        "printf",
        "repeat_",
        "mode",
        "arg_max",
        "bitstring_agg",
    ),
]
TABLES = [
    *(
        "runs",
        "events",
        "gold_signals",
        "gold_metrics",
        "gold_signals_v1",
        "gold_signals_v99",
        "GOLD_METRICS",
        "partitions",
    ),
    *("silver_social_events", "bronze_x_posts", "bronze_x_posts__rejected", "alerts", "datasets", "nowhere", "costs"),
    *("range(3)", "(values (1), (2)) v(x)", "read_csv('x')", "'x.csv'", "information_schema.tables", "duckdb_tables()"),
    *(f"gold_signals_v{'9' * 400}", "pragma_version()", '""', '"a""b"', '"evil\n"', "main.runs", "nowhere.runs"),
]
COLUMNS = [
    "*",
    "run_id",
    "date",
    "ticker",
    "mentions",
    "post_id",
    "event_date",
    "text",
    "x",
    "nowhere",
    '"date"',
    "columns(*)",
]
OPERATORS = [
    "+",
    "-",
    "*",
    "/",
    "//",
    "%",
    "||",
    "and",
    "or",
    "=",
    "<",
    "is distinct from",
    "in",
    "like",
    "->>",
    "**",
    "^@",
]
TYPES = [
    "int",
    "hugeint",
    "uhugeint",
    "varchar",
    "interval",
    "uuid",
    "bit",
    "timetz",
    "json",
    "blob",
    "union(a int)",
    "int[]",
]
TYPES += ["decimal(38, 37)", "timestamp", "timestamptz", "map(int, int)", "bignum", "geometry", "variant", "nowhere"]

expressions: st.SearchStrategy[str] = st.recursive(
    st.sampled_from(LITERALS) | st.sampled_from(COLUMNS),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(OPERATORS), inner).map(lambda t: f"({' '.join(t)})"),
        st.tuples(st.sampled_from(FUNCTIONS), inner).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(inner, st.sampled_from(TYPES)).map(lambda t: f"({t[0]})::{t[1]}"),
        st.tuples(inner, inner).map(lambda t: f"case when {t[0]} then {t[1]} end"),
        inner.map(lambda t: f"(select {t})"),
        inner.map(lambda t: f"sum({t}) over (order by {t})"),
    ),
    max_leaves=6,
)


@st.composite
def statements(draw: st.DrawFn) -> str:
    """A statement, mostly one SELECT."""
    columns = draw(st.lists(expressions, min_size=1, max_size=4))
    text = f"select {', '.join(columns)}"
    if draw(st.booleans()):
        text += f" from {draw(st.sampled_from(TABLES))}"
    text += draw(st.sampled_from(["", " where ", " group by all having ", " order by ", " qualify ", " limit "])) or ""
    if text.endswith(" "):
        text += draw(expressions)
    long = draw(st.integers(0, 40))
    if long == 1:
        text = f"select {' + '.join(['1'] * draw(st.sampled_from([300, 999, 1_100, 5_000, 20_000])))}"
    elif long == 2:
        depth = draw(st.sampled_from([50, 300, 999, 5_000]))
        text = f"select {'(' * depth}1{')' * depth}"
    elif long == 3:
        text = f"select {'not ' * draw(st.sampled_from([300, 3_000]))}true"
    elif long == 4:
        text = " union all ".join([text] * draw(st.sampled_from([2, 40, 300])))
    elif long == 5:
        text = f"with recursive t as ({text}) select * from t"
    elif long == 6:
        text = draw(
            st.sampled_from(["describe {}", "{}; {}", "explain {}", "copy ({}) to 'x'", "summarize {}", "pivot ({})"])
        ).replace("{}", text)
    elif long == 7:
        text = draw(
            st.sampled_from(
                ["", ";", "--", "/*", "select", "from runs", "table runs", "show tables", "values (1)", "call x()"]
            )
        )
    elif long == 8:
        text = draw(mutated(text))
    return text


@st.composite
def mutated(draw: st.DrawFn, text: str) -> str:
    """A text with some of it gone, twice there, or something else."""
    for _ in range(draw(st.integers(1, 3))):
        first = draw(st.integers(0, len(text)))
        last = min(len(text), first + draw(st.integers(0, 12)))
        other = draw(
            st.sampled_from(
                [
                    "",
                    text[first:last] * 2,
                    "\0",
                    "'",
                    '"',
                    ";",
                    "(",
                    ")",
                    "\n",
                    "--",
                    "\ufeff",
                    "9" * 30,
                    "\u202e",
                    "[",
                    "{",
                    "=",
                ]
            )
        )
        text = text[:first] + other + text[last:]
    return text


@dataclass(frozen=True)
class Known:
    """What there is in the workspace at hand: values that get a call beyond the first check."""

    runs: tuple[str, ...]
    datasets: tuple[str, ...]


def commands(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """All commands there are, with the words that call them."""
    context = click.Context(group)
    if not isinstance(group, click.Group):
        yield path, group
        return
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        if name not in NOT_CALLED:
            yield from commands(found, (*path, name))


ALL = tuple(commands(cli))


EVERYWHERE = [["--as", "ben"], ["--as", "\x1b[31m"], ["-C", "nowhere"], ["-C", ""]]
ANYTHING = st.sampled_from(NUMBERS + DAYS + TIMES + TEXTS + URLS) | st.text(max_size=20)
BY_NAME: dict[str, st.SearchStrategy[str]] = {
    "sql": statements(),
    "as_of": st.sampled_from(TIMES + DAYS + NUMBERS) | st.integers(0, 90).map(str),
    **dict.fromkeys(("source", "ledger", "lake", "folder", "pipeline"), st.sampled_from(URLS)),
    **dict.fromkeys(("reason", "ticket"), st.sampled_from(["legal hold, case 7, INC-4211", *TEXTS])),
}


def values_of(parameter: click.Parameter, known: Known) -> st.SearchStrategy[str]:
    """Values for an option or argument: mostly of the right kind, and sometimes anything."""
    name, kind = parameter.name or "", parameter.type
    if isinstance(kind, click.Choice):
        found: st.SearchStrategy[str] = st.sampled_from([str(choice) for choice in kind.choices])
    elif kind.name == "day":
        found = st.sampled_from(DAYS) | st.dates().map(str)
    elif kind.name.startswith(("integer", "float")):
        found = st.sampled_from(NUMBERS) | st.integers(-3, 20).map(str)
    elif name in ("run_id", "subject", "candidate", "allow_overlap"):
        found = st.sampled_from(known.runs + known.datasets) | st.sampled_from(TEXTS)
    elif name in ("dataset", "name"):
        found = st.sampled_from(known.datasets)
    else:
        found = BY_NAME.get(name, st.sampled_from(TEXTS + NUMBERS))
    return st.integers(0, 9).flatmap(lambda chance: found if chance else ANYTHING)


@st.composite
def calls(draw: st.DrawFn, known: Known, of: tuple[tuple[tuple[str, ...], click.Command], ...] = ALL) -> list[str]:
    """One call of one of the commands, with most of what it needs and some of what it may have."""
    words, found = draw(st.sampled_from(of))
    said = list(words)
    for parameter in found.params:
        if parameter.name in _GLOBAL:
            continue
        if not (parameter.required or isinstance(parameter, click.Argument)):
            if draw(st.integers(0, 2)) and parameter.name not in ("override_state", "once"):
                continue
        elif draw(st.integers(0, 30)) == 0:
            continue
        name = draw(st.sampled_from([*parameter.opts, *parameter.secondary_opts]))
        if isinstance(parameter, click.Option):
            said.append(name)
            if parameter.is_flag:
                continue
        for _ in range(max(parameter.nargs, 1)):
            said.append(draw(values_of(parameter, known)))
    if draw(st.booleans()):
        said.append("--json")
    if draw(st.integers(0, 7)) == 0:
        place = draw(st.sampled_from([0, len(said)]))
        said[place:place] = draw(
            st.sampled_from([["--as", "ben"], ["--as", "\x1b[31m"], ["-C", "nowhere"], ["-C", ""]])
        )
    if draw(st.integers(0, 15)) == 0:
        said.insert(draw(st.integers(0, len(said))), draw(st.sampled_from(TEXTS)))
    return said


HEADER_VALUES = [
    *(
        '"gold"',
        '"silver"',
        '"bronze"',
        '""',
        '"x"',
        "1",
        "-1",
        "nan",
        "1e400",
        "true",
        "[]",
        '["date"]',
        '["date", "date"]',
    ),
    *(
        '"date"',
        '"event_date"',
        '"a b"',
        "{}",
        '{ gold_metrics = "0d" }',
        '{ gold_metrics = "-28d..-1d" }',
        "2024-01-01",
    ),
    *(
        '{ gold_metrics = "99999999999999999999d" }',
        "{ gold_metrics = 0 }",
        '["x.csv"]',
        '["../x.csv"]',
        '"x_posts"',
        "[[1]]",
    ),
    *(
        '{ date = "DATE" }',
        '{ date = "NOWHERE" }',
        '{ date = "INT); drop table x; --" }',
        '{ date = "UNION(a INT)" }',
        "9" * 5_000,
    ),
]


@st.composite
def definitions(draw: st.DrawFn, texts: dict[str, str]) -> dict[str, str]:
    """Files of a pipeline (by name), changed: a header field, the statement, some bytes; or a new one."""
    name = draw(st.sampled_from(sorted(texts)))
    text = texts[name]
    kind = draw(st.integers(0, 4))
    if kind == 0:
        return {name: draw(mutated(text))}
    head, _, body = text.partition("-- ///\n")
    if kind == 1:
        field = draw(
            st.sampled_from(["layer", "partition", "key", "component", "reads", "references", "source", "columns", "x"])
        )
        lines = [line for line in head.splitlines() if not line.startswith(f"-- {field} =")]
        return {name: "\n".join([*lines, f"-- {field} = {draw(st.sampled_from(HEADER_VALUES))}"]) + f"\n-- ///\n{body}"}
    if kind == 2:
        # One more column of any kind: before the first of the last select.
        start = body.rfind("\nselect\n")
        place = start + len("\nselect\n") if start >= 0 else body.find("select") + len("select ")
        return {name: f"{head}-- ///\n{body[:place]}  {draw(expressions)} as another,\n{body[place:]}"}
    if kind == 3:
        return {name: f"{head}-- ///\n{draw(statements())}\n"}
    csv = draw(
        st.sampled_from(
            [
                "",
                "\ufeffa,b\n1,2\n",
                "a,a\n1,2\n",
                "a\n1,2\n",
                'a\n"1\n',
                "a\0b\n1\n",
                f"a\n{'x' * 200_000}\n",
                ",\n,\n",
                "\n\n\n",
                "a,b\r1,2\r",
                f"{','.join(map(str, range(3_000)))}\n",
            ]
        )
    )
    return {"lexicon.csv": csv}


@contextmanager
def harness() -> Iterator[None]:
    """Within it no call goes on for ever: a worker does not wait, and a query without an end is interrupted."""

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tradex_ledger.workspace.runs.Runs.wait", stop)
        try:
            yield
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)


def called(arguments: list[str], seconds: int = LONGEST_SECONDS) -> int:
    """The exit status of a call; raises what escapes it."""
    signal.alarm(seconds)
    try:
        return run(arguments)
    finally:
        signal.alarm(0)


def workspace(root: Path, *, pipeline: bool) -> tuple[Path, Known]:
    """A folder with a workspace that has seen some life, and its source beside it."""
    small.deliver(root / "posts", days=5, posts_per_day=4)
    if pipeline:
        shutil.copytree(BUILT_IN, root / "ws" / "pipeline")
    with small.create(root / "ws", f"files:{root / 'posts'}", pipeline="pipeline" if pipeline else None) as made:
        made.incremental.run(last=small.day(5))
        done = small.backfill(made, 2, 3).id
        waits = small.request(made, 3, 4)
        known = Known((done, waits, done[:8], waits[:12]), tuple(sorted(made.core.pipeline.definitions)))
    return root, known


def fresh(made: Path, to: Path) -> Path:
    """A copy of it in a folder that only holds the last one; the process works there."""
    os.chdir(to.parent)
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir()
    ws = small.copied(made, to)
    os.chdir(ws)
    return ws
