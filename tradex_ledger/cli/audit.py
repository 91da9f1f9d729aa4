"""`tradex audit`: what happened, who did it and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tradex_ledger.cli.common import Call, as_of_option, command, examples, no_verify_option, rows_options
from tradex_ledger.cli.show import Show

if TYPE_CHECKING:
    from tradex_ledger.audit.diff import Differing
    from tradex_ledger.audit.log import Log

COLUMNS = ("position", "at", "by", "stream", "event", "what")


@click.group("audit", epilog=examples("tradex audit log --limit 50\ntradex audit history bf-1m83"))
def audit() -> None:
    """What happened, who did it and why."""


@command(
    audit,
    "log",
    example="tradex audit log --limit 50\ntradex audit log --topic backfill.approved --by maria --json",
)
@click.option("--topic", "topics", multiple=True, help="Only these events, for example backfill.requested.")
@click.option("--by", help="Only what this person did.")
@click.option("--limit", type=click.IntRange(1), default=30, show_default=True, help="The newest so many events.")
@as_of_option
@rows_options
def log(call: Call, topics: tuple[str, ...], by: str | None, limit: int, as_of: str | None) -> None:
    """The newest events of all streams. With --json each event is whole, as it is stored."""
    with call.open(reading=True) as workspace:
        found = workspace.audit.log(topics=topics, by=by, limit=limit, as_of=as_of)
    call.result(found, _story)


@command(audit, "history", example="tradex audit history bf-1m83\ntradex audit history gold_signals")
@click.argument("subject", metavar="ID")
@as_of_option
@rows_options
def history(call: Call, subject: str, as_of: str | None) -> None:
    """The whole story of one run (or of a dataset, or of a pipeline's state), in order."""
    with call.open(reading=True) as workspace:
        found = workspace.audit.history(subject, as_of)
    call.result(found, _story)


@command(audit, "diff", example="tradex audit diff --candidate bf-1m83\ntradex audit diff gold_signals --versions 1 2")
@click.argument("dataset", required=False)
@click.option("--candidate", "run_id", metavar="ID", help="A run that is not published.")
@click.option("--versions", type=int, nargs=2, metavar="OLDER NEWER", help="Two logic versions of DATASET.")
@no_verify_option
@rows_options
def diff(call: Call, dataset: str | None, run_id: str | None, versions: tuple[int, int] | None, no_verify: bool) -> int:
    """What a run's candidates would change, or how two versions of a dataset differ.

    For each partition that differs: rows before and after, gone and new.
    """
    if (run_id is None) == (dataset is None) or (dataset is None) != (versions is None):
        raise click.UsageError("Give --candidate ID, or DATASET with --versions OLDER NEWER.")
    with call.open(reading=True) as workspace:
        if no_verify:
            call.show.warning(workspace.audit.not_verified)
        if dataset is not None and versions is not None:
            found = workspace.audit.diff_versions(dataset, *versions, trusting=no_verify)
        else:
            found = workspace.audit.diff(run_id or "", trusting=no_verify)
    call.result(found, lambda show, rows: _differing(show, rows, "would change" if run_id else "differ"))
    return 1 if found else 0


def _differing(show: Show, rows: list[Differing], how: str) -> None:
    show.rows(rows, ("dataset", "partition", "logic_version", "rows_before", "rows_after", "rows_gone", "rows_new"))
    show.note(f"{len(rows)} partitions {how}")


def _story(show: Show, found: Log) -> None:
    from tradex_ledger.audit.log import story

    show.rows(list(story(found)), COLUMNS)
    show.note(f"as of position {found.as_of.position} ({found.as_of.at})")
