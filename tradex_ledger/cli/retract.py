"""`tradex retract`: posts that are to be shown no more."""

from __future__ import annotations

from datetime import date

import click

from tradex_ledger.cli.common import Call, command
from tradex_ledger.cli.days import DAY, LAST_DAY

_top = click.Group()


@command(
    _top,
    "retract",
    example='tradex retract 1742500000000000000 --reason "its author asked for it, LEGAL-17"\n'
    "tradex retract --check --from 2024-01-01 --to 2024-01-31",
)
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--reason", help="Why: it stays on record.")
@click.option("--check", is_flag=True, help="Ask the platform which posts of some days are gone: a compliance job.")
@click.option("--from", "first", type=DAY, help="With --check: the first day of the posts, included.")
@click.option("--to", "last", type=LAST_DAY, help="With --check: the last day, included.")
def retract(
    call: Call, ids: tuple[str, ...], reason: str | None, check: bool, first: date | None, last: date | None
) -> None:
    """Have posts left out of Silver and Gold from the next run on. Bronze keeps them, and so do answers as of before.

    The pipeline must have a dataset of retractions: see examples/retractions.
    """
    from tradex_ledger.pipelines.x.retract import check as ask
    from tradex_ledger.pipelines.x.retract import retract as say

    if check == bool(ids):
        raise click.UsageError("Name the posts, or --check some days.")
    with call.open() as workspace:
        if check:
            if first is None or last is None or reason is not None:
                raise click.UsageError("--check needs --from and --to, and no --reason: the platform says why.")
            with call.show.progress() as progress:
                found = ask(workspace, first, last, progress)
            told, asked = found.retraction, found.posts
        else:
            if reason is None or first is not None or last is not None:
                raise click.UsageError("Posts that are named need --reason, which stays on record, and no days.")
            told, asked = say(workspace, ids, reason=reason), len(set(ids))
    rows = told.rows if told else []
    facts = {"retraction": told.id if told else None, "posts": asked, "retracted": rows}
    call.result(
        facts,
        lambda show, _: show.line(f"{len(rows)} of {asked} posts are retracted" + (f": {told.id}" if told else "")),
    )
    if rows:
        call.show.note("next: tradex run (it takes the notices of the days before today)")
