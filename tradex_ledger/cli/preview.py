"""`tradex dataset preview`: an edited or new definition over some days, beside what there is."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tradex_ledger.cli.common import Call, command, no_verify_option, rows_options
from tradex_ledger.cli.days import DAY, LAST_DAY
from tradex_ledger.cli.layouts.preview import expected_text, previewed

if TYPE_CHECKING:
    from tradex_ledger.workspace.datasets import HowToLook

_dataset = click.Group()


@command(
    _dataset,
    "preview",
    example="tradex dataset preview gold_signals --from 2014-02-01 --to 2014-02-28\n"
    "tradex dataset preview gold_metrics --from 2014-02 --to 2014-02 --downstream --where \"ticker = 'AAPL'\"\n"
    "tradex dataset preview gold_moods --file moods.sql --from -7d --to yesterday",
)
@click.argument("name", metavar="DATASET")
@click.option("--file", "text", type=click.Path(path_type=Path), help="Its definition; else the file in the pipeline.")
@click.option("--from", "first", type=DAY, required=True, help="First day, included.")
@click.option("--to", "last", type=LAST_DAY, required=True, help="Last day, included.")
@click.option("--downstream", is_flag=True, help="What follows of these days in the datasets that read it, too.")
@click.option("--where", metavar="CONDITION", help="Only rows for which this holds, before or after.")
@click.option("--samples", type=click.IntRange(0, 100_000), default=20, show_default=True, help="Rows to be shown.")
@no_verify_option
@rows_options
def preview(
    call: Call,
    name: str,
    text: Path | None,
    first: date,
    last: date,
    downstream: bool,
    where: str | None,
    samples: int,
    no_verify: bool,
) -> int:
    """The definition of DATASET as it is edited, or a new one, over some days: what would change.

    It is judged first, then built beside the lake, and held against what readers have. Nothing is recorded, nothing
    stays. Exit 1 where anything differs. With --format each value that changed is a row.
    """
    with call.open(reading=True) as workspace:
        if no_verify:
            call.show.warning(workspace.audit.not_verified)
        with call.show.progress() as progress:
            how: HowToLook = {
                "downstream": downstream,
                "where": where,
                "samples": samples,
                "trusting": no_verify,
                "progress": progress,
            }
            made = workspace.datasets.preview(name, first, last, file=text, **how)
            made.check()
            call.show.note(expected_text(made.expected))
            found = made.run()
    call.result(found, previewed)
    return 1 if found.differing else 0
