"""`tradex audit reproduce`: was it so?"""

from __future__ import annotations

from datetime import date

import click

from tradex_ledger.cli.common import Call, as_of_option, command
from tradex_ledger.cli.days import DAY
from tradex_ledger.cli.layouts.reproduce import reproduction

_audit = click.Group()


@command(
    _audit,
    "reproduce",
    example="tradex audit reproduce bf-1m83\ntradex audit reproduce gold_signals 2014-02-05\n"
    "tradex audit reproduce --sample 20 --as-of 341",
)
@click.argument("what", metavar="RUN|DATASET", required=False)
@click.argument("day", type=DAY, required=False)
@click.option("--sample", type=click.IntRange(1), metavar="N", help="N partitions of any dataset, drawn.")
@click.option("--seed", help="Draw the same sample again, as of the same position.")
@as_of_option
def reproduce(
    call: Call, what: str | None, day: date | None, sample: int | None, seed: str | None, as_of: str | None
) -> int:
    """Build again what a run built, and compare it with what is on record: from the text in the ledger, on the inputs
    as they were.

    Nothing is written into lake or ledger. Exit 0: all is as it was; 1: something differs; 2: nothing does, but
    something could not be judged.
    """
    if (what is None) == (sample is None) or (seed is not None and sample is None):
        raise click.UsageError("Give RUN, or DATASET and DAY, or --sample N (with --seed to draw the same again).")
    with call.open(reading=True) as workspace, call.show.progress() as progress:
        reproducer = workspace.audit.reproducer(as_of, progress=progress)
        if sample is not None:
            found = reproducer.sample(sample, workspace.audit.new_seed() if seed is None else seed)
        elif day is not None:
            found = reproducer.partition(what or "", day)
        else:
            found = reproducer.run(what or "")
    call.result(found, reproduction, pages=True)
    return found.exit_status
