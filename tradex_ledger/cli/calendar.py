"""`tradex calendar`: what readers get of each day, and what is going on, in one screen."""

from __future__ import annotations

from datetime import date

import click

from tradex_ledger.cli.common import Call, as_of_option, command, rows_options
from tradex_ledger.cli.days import DAY, LAST_DAY

_top = click.Group()


@command(
    _top,
    "calendar",
    example="tradex calendar\n"
    "tradex calendar gold_signals --from 2014-02 --to 2014-02\n"
    "tradex calendar --as-of 2014-02-20",
)
@click.argument("dataset", required=False)
@click.option("--from", "first", type=DAY, help="First day (UTC), included; else as many as there is room for.")
@click.option("--to", "last", type=LAST_DAY, help="Last day, included; else the last one that something is known of.")
@click.option("--older", is_flag=True, help="Show the versions that are neither read nor the newest, too.")
@as_of_option
@rows_options
def calendar(
    call: Call, dataset: str | None, first: date | None, last: date | None, older: bool, as_of: str | None
) -> None:
    """Days and datasets in one screen: what readers get of each day, and below it what is going on.

    Of one DATASET it is told in words, too, why its days are so.
    """
    from tradex_ledger.cli.layouts.calendar import in_words, screen, weeks_in

    look, names = call.look(), () if dataset is None else (dataset,)
    call.answer(
        look,
        as_of,
        lambda at: look.calendar(*names, as_of=at, first=first, last=last, weeks=weeks_in(), older=older),
        screen if dataset is None else in_words,
    )
