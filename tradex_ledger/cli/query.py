"""`tradex query`: SQL over datasets and projections as tables, read-only."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from tradex_ledger.cli.bars import BARS
from tradex_ledger.cli.common import Call, as_of_option, command, no_verify_option, rows_options
from tradex_ledger.cli.show import Show
from tradex_ledger.errors import UsageError

if TYPE_CHECKING:
    from tradex_ledger.audit.answer import Answer
    from tradex_ledger.audit.head import AsOf

_top = click.Group()
_LONGEST = 1 << 20


@command(
    _top,
    "query",
    example="tradex query \"select date, ticker, signal from gold_signals where signal = 'spike'\"\n"
    'tradex query "select count(*) from silver_social_events" --as-of 120\n'
    'tradex query "select * from gold_signals@120 except select * from gold_signals"\n'
    'tradex query "select run_id, status, reason from runs" --json',
)
@click.argument("sql")
@click.option("--candidate", metavar="ID", help="Answer as if this run, which is not published, were.")
@click.option(
    "--minutes", type=click.IntRange(1, 1_000_000), default=60, show_default=True, help="End it when it takes longer."
)
@no_verify_option
@as_of_option
@rows_options
def query(call: Call, sql: str, candidate: str | None, minutes: int, no_verify: bool, as_of: str | None) -> None:
    """Answer one SELECT. Datasets are tables under their own names, or with a version (gold_signals_v1);
    beside them all projections, and `events`. A dash reads the statement from standard input.

    With a position, a day, a time or a run behind an @ a table is as it was then (gold_signals@120, "runs@bf-1m83^"),
    several of them in one statement; --as-of is for the others.

    CSV and TSV are UTF-8 with each value in quotes, and NULL without (--null). As texts they are the very same rows:

    \b
      pandas.read_csv(FILE, dtype=str, keep_default_na=False, na_values=["\\\\N"])
      polars.read_csv(FILE, infer_schema=False, null_values="\\\\N")

    For TSV add sep="\\t" (pandas) or separator="\\t" (polars). JSON Lines and Parquet have numbers and times as such.
    """
    text = _input() if sql == "-" else sql
    look = call.look()

    def ask(at: AsOf) -> Answer:
        answer = look.query(text, as_of=at, candidate=candidate, trusting=no_verify, minutes=minutes)
        for warning in answer.warnings:
            call.show.warning(warning)
        return answer

    call.answer(look, as_of, ask, _answer)


def _answer(show: Show, answer: Answer) -> None:
    names = [f"{name}" if answer.columns.count(name) == 1 else f"{name} ({i})" for i, name in enumerate(answer.columns)]
    if show.output is not None:
        show.export(names, answer.rows, types=answer.types)
    else:
        show.table([dict(zip(names, row, strict=True)) for row in answer.rows], names, exact=True)
    for one in answer.then:
        show.note(f"{one.table} is as of position {one.position} ({one.at})")
    show.note("1 row" if len(answer.rows) == 1 else f"{len(answer.rows)} rows")


def _input() -> str:
    """The statement on standard input."""
    try:
        with BARS.rest():
            text = sys.stdin.read(_LONGEST + 1) if sys.stdin else ""
    except UnicodeDecodeError as error:
        raise UsageError(f"the statement is not UTF-8 (at byte {error.start})", mend="write it in UTF-8") from None
    if len(text) > _LONGEST:  # a stream without an end, say
        raise UsageError(f"the statement is longer than {_LONGEST} characters", mend="give a shorter one")
    return text
