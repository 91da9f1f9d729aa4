"""`tradex audit`: what happened, who did it and why."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from tradex_ledger.cli.common import Call, as_of_option, command, examples, no_verify_option, rows_options
from tradex_ledger.cli.days import DAY, SINCE, UNTIL
from tradex_ledger.cli.evidence import check, export, prove, report
from tradex_ledger.cli.groups import group
from tradex_ledger.cli.layouts.diff import differing
from tradex_ledger.cli.layouts.verify import verdict
from tradex_ledger.cli.reproduce import reproduce
from tradex_ledger.cli.show import Show

if TYPE_CHECKING:
    from tradex_ledger.audit.diff import Differing
    from tradex_ledger.audit.head import AsOf
    from tradex_ledger.audit.log import Log, LogOptions
    from tradex_ledger.workspace.audit import DiffOptions

END = "POSITION|TIME|RUN"
COLUMNS = ("position", "at", "by", "stream", "event", "what")


@group("audit", epilog=examples("tradex audit log --limit 50\ntradex audit history bf-1m83"))
def audit() -> None:
    """What happened, who did it and why."""


for proving in (prove, export, report, check, reproduce):
    audit.add_command(proving)


@command(
    audit,
    "log",
    example="tradex audit log --limit 50\n"
    "tradex audit log --topic backfill.approved --by maria --json\n"
    "tradex audit log --dataset gold_signals --since -7d\n"
    "tradex audit log --since bf-1m83 --until yesterday --by maria",
)
@click.option("--topic", "topics", multiple=True, help="Only these events, for example backfill.requested.")
@click.option("--by", help="Only what this person did.")
@click.option("--run", metavar="ID", help="Only the events of this run, and those that name it.")
@click.option("--dataset", help="Only the events of this dataset, and those that name it.")
@click.option("--since", type=SINCE, metavar=END, help="From there on: a position, a day or time (UTC), a run.")
@click.option("--until", type=UNTIL, metavar=END, help="Until then: a day as a whole, a run with its end.")
@click.option("--limit", type=click.IntRange(1), default=30, show_default=True, help="The newest so many events.")
@as_of_option
@rows_options
def log(call: Call, limit: int, as_of: str | None, **wanted: Unpack[LogOptions]) -> None:
    """The newest events of all streams. With --json each event is whole, as it is stored."""
    with call.open(reading=True) as workspace:
        audit = workspace.audit
        call.answer(audit.look, as_of, lambda at: audit.log(limit=limit, as_of=at, **wanted), _story)


@command(audit, "history", example="tradex audit history bf-1m83\ntradex audit history gold_signals")
@click.argument("subject", metavar="ID")
@as_of_option
@rows_options
def history(call: Call, subject: str, as_of: str | None) -> None:
    """The whole story of one run (or of a dataset, or of a pipeline's state), in order."""
    with call.open(reading=True) as workspace:
        audit = workspace.audit
        call.answer(audit.look, as_of, lambda at: audit.history(subject, at), _story)


@command(
    audit,
    "why",
    example="tradex audit why gold_signals 2014-02-05\n"
    "tradex audit why gold_signals 2014-02-05 AAPL --as-of 2026-01-10\n"
    "tradex audit why gold_signals_v1 2014-02-05 --text --json",
)
@click.argument("dataset")
@click.argument("day", type=DAY)
@click.argument("key", nargs=-1)
@click.option("--text", is_flag=True, help="Print the definitions that it was made by, too.")
@no_verify_option
@as_of_option
def why(
    call: Call, dataset: str, day: date, key: tuple[str, ...], text: bool, no_verify: bool, as_of: str | None
) -> None:
    """Why a day of a dataset is as it is: the run that made it, who asked and who approved and why, the logic, what it
    was made of, back to the batches of Bronze, and what it replaced.

    With KEY, the row as it is and the rows behind it: values of the dataset's key beside the day, in their order, or
    COLUMN=VALUE.
    """
    from tradex_ledger.cli.layouts.why import why as layout

    look = call.look()
    call.answer(look, as_of, lambda at: look.why(dataset, day, key, as_of=at, text=text, trusting=no_verify), layout)


@command(
    audit,
    "diff",
    example="tradex audit diff bf-1m83\n"
    "tradex audit diff gold_signals --versions 1 2 --where \"ticker = 'AAPL'\"\n"
    "tradex audit diff gold_signals --between 120 2014-03-01 -o changed.csv",
)
@click.argument("subject", required=False, metavar="[RUN|DATASET]")
@click.option("--candidate", "run_id", metavar="ID", help="A run that is not published.")
@click.option("--versions", type=int, nargs=2, metavar="OLDER NEWER", help="Two logic versions of DATASET.")
@click.option("--between", type=UNTIL, nargs=2, metavar="BEFORE AFTER", help="DATASET as of two positions, or days.")
@click.option("--where", metavar="CONDITION", help="Only rows for which this holds, before or after.")
@click.option("--samples", type=click.IntRange(0, 100_000), default=20, show_default=True, help="Rows to be shown.")
@no_verify_option
@as_of_option
@rows_options
def diff(
    call: Call,
    subject: str | None,
    run_id: str | None,
    versions: tuple[int, int] | None,
    between: tuple[str, str] | None,
    where: str | None,
    samples: int,
    no_verify: bool,
    as_of: str | None,
) -> int:
    """What a run changed, or would change if it were published; or how a DATASET differs between two versions or two
    positions.

    Rows are told by the key of their dataset. Counts are exact: a changed row is among those that are gone and those
    that are new. Samples are the first in order of day and key. With --format each value that changed is a row.
    """
    if sum((run_id is not None, versions is not None, between is not None)) > 1 or (
        (subject is None) == (run_id is None)
    ):
        raise click.UsageError("Give a RUN, or --candidate ID, or DATASET with --versions or with --between.")
    how: DiffOptions = {"trusting": no_verify, "where": where, "samples": samples}
    with call.open(reading=True) as workspace:
        if no_verify:
            call.show.warning(workspace.audit.not_verified)
        audit = workspace.audit

        def ask(at: AsOf) -> list[Differing]:
            then: DiffOptions = {**how, "as_of": at}
            if subject is None:
                return audit.diff_candidate(run_id or "", **then)
            if versions is not None:
                return audit.diff_versions(subject, *versions, **then)
            return audit.diff_positions(subject, *between, **how) if between else audit.diff(subject, **then)

        found = call.answer(audit.look, as_of, ask, differing)
    return 1 if found else 0


@command(
    audit, "verify", example="tradex audit verify\ntradex audit verify --head /mnt/usb/ledger/000000000001204 --json"
)
@click.option(
    "--since", metavar="FILE|SIZE", help="Take the events up to a checkpoint (a file, or a size) as it has them."
)
@click.option(
    "--head",
    "heads",
    multiple=True,
    metavar="FILE",
    help="A checkpoint that you kept; can be repeated.",
    type=click.Path(path_type=Path),
)
@click.option("--no-lake", is_flag=True, help="Leave out the files of the lake.")
def verify(call: Call, since: str | None, heads: tuple[Path, ...], no_lake: bool) -> int:
    """Hash everything again, and name what is not as it was written: events, tiles, guards, heads, approvals, files.

    Reads no cache and writes nothing. Exit 0: all is right; 1: something is not; 2: something could not be judged.
    """
    from tradex_ledger.audit.look import Look

    found = Look.open(call.workspace or ".").verify(since=since, heads=heads, with_lake=not no_lake)
    call.result(found, verdict, pages=True)
    return found.exit_status


def _story(show: Show, found: Log) -> None:
    from tradex_ledger.audit.log import story

    show.rows(list(story(found)), COLUMNS)
    if not found.events:
        show.note("there is no such event")
