"""`tradex audit`: what happened, who did it and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tradex_ledger.cli.common import Call, as_of_option, command, examples, no_verify_option

if TYPE_CHECKING:
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
def log(call: Call, topics: tuple[str, ...], by: str | None, limit: int, as_of: str | None) -> None:
    """The newest events of all streams. With --json each event is whole, as it is stored."""
    from tradex_ledger.audit.log import log as read_log

    with call.open(reading=True) as workspace:
        found = read_log(workspace.ledger, topics=topics, actor=by, limit=limit, as_of=as_of)
    _show(call, found)


@command(audit, "history", example="tradex audit history bf-1m83\ntradex audit history gold_signals")
@click.argument("subject", metavar="ID")
@as_of_option
def history(call: Call, subject: str, as_of: str | None) -> None:
    """The whole story of one run (or of a dataset, or of a pipeline's state), in order."""
    from tradex_ledger.audit.log import log as read_log

    with call.open(reading=True) as workspace:
        ledger = workspace.ledger
        named = [s for s in (f"dataset-{subject}", f"pipeline-{subject}", subject) if ledger.version_of(s)]
        stream = named[0] if named else ledger.find_run(subject)
        found = read_log(ledger, stream=stream, as_of=as_of)
    _show(call, found)


@command(audit, "diff", example="tradex audit diff --candidate bf-1m83\ntradex audit diff gold_signals --versions 1 2")
@click.argument("dataset", required=False)
@click.option("--candidate", "run_id", metavar="ID", help="A run that is not published.")
@click.option("--versions", type=int, nargs=2, metavar="OLDER NEWER", help="Two logic versions of DATASET.")
@no_verify_option
def diff(call: Call, dataset: str | None, run_id: str | None, versions: tuple[int, int] | None, no_verify: bool) -> int:
    """What a run's candidates would change, or how two versions of a dataset differ.

    For each partition that differs: rows before and after, gone and new.
    """
    from tradex_ledger.audit.diff import diff_candidate, diff_versions
    from tradex_ledger.lake.verified import NOT_VERIFIED

    if (run_id is None) == (dataset is None) or (dataset is None) != (versions is None):
        raise click.UsageError("Give --candidate ID, or DATASET with --versions OLDER NEWER.")
    if no_verify:
        call.show.warning(NOT_VERIFIED)
    with call.open(reading=True) as workspace:
        if dataset is not None and versions is not None:
            found = diff_versions(workspace.ledger, workspace.lake, dataset, *versions, trusting=no_verify)
        else:
            found = diff_candidate(workspace.ledger, workspace.lake, run_id or "", trusting=no_verify)
    if call.as_json:
        call.show.document(found)
    else:
        columns = ("dataset", "partition", "logic_version", "rows_before", "rows_after", "rows_gone", "rows_new")
        call.show.table(found, columns)
        call.show.note(f"{len(found)} partitions {'would change' if run_id else 'differ'}")
    return 1 if found else 0


def _show(call: Call, found: Log) -> None:
    from tradex_ledger.audit.log import story

    show, as_of = call.show, found.as_of
    if show.as_json:
        show.document({"as_of": as_of.as_json(), "events": found.entries})
        return
    show.table(list(story(found)), COLUMNS)
    show.note(f"as of position {as_of.position} ({as_of.at})")
