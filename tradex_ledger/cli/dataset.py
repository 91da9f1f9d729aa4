"""`tradex dataset`: what there is, in which version, with which partitions."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import click

from tradex_ledger.cli.common import Call, as_of_option, command, examples, rows_options
from tradex_ledger.cli.days import DAY, LAST_DAY
from tradex_ledger.cli.definitions import diff
from tradex_ledger.cli.groups import group
from tradex_ledger.cli.preview import preview
from tradex_ledger.cli.show import Show
from tradex_ledger.errors import UsageError
from tradex_ledger.relations.reads import reads_of

if TYPE_CHECKING:
    from tradex_ledger.audit.documents.dataset import DatasetDocument

COLUMNS = ("dataset", "layer", "logic_version", "partitions", "first", "last", "rows", "bytes", "published_at")
_COVERED = ("partitions", "first", "last")
_VERSION_COLUMNS = (
    "logic_version",
    "is_current",
    "is_read",
    "is_deprecated",
    "partitions",
    "first",
    "last",
    "reason",
    "indirect",
    "versioned_by",
    "versioned_at",
)


@group("dataset", epilog=examples("tradex dataset list\ntradex dataset show gold_signals --partitions"))
def dataset() -> None:
    """Datasets, their logic versions and partitions."""


dataset.add_command(diff)
dataset.add_command(preview)


@command(dataset, "list", example="tradex dataset list")
@as_of_option
@rows_options
def list_(call: Call, as_of: str | None) -> None:
    """All datasets, upstream first."""
    look = call.look()
    call.answer(look, as_of, look.datasets, lambda show, found: show.rows(found, COLUMNS))
    for one in look.put_back(as_of):
        call.show.note(str(one))


@command(dataset, "show", example="tradex dataset show gold_signals --partitions")
@click.argument("name")
@click.option("--partitions", is_flag=True, help="List the current partitions, too.")
@as_of_option
@rows_options
def show_(call: Call, name: str, partitions: bool, as_of: str | None) -> None:
    """One dataset: versions, reads, definition, and what is stale in it."""
    look = call.look()
    call.answer(look, as_of, lambda at: look.dataset(name, at, partitions=partitions), _whole)
    for one in look.put_back(as_of, name):
        call.show.note(str(one))


def _whole(show: Show, document: DatasetDocument) -> None:
    held = document.held
    names = ("dataset", "layer", "component", "partitions", "first", "last", "rows", "bytes")
    reads = ", ".join(f"{read.dataset} {read.first:+}d..{read.last:+}d" for read in reads_of(held.reads))
    show.facts(
        {**{name: getattr(held, name) for name in names}, "reads": reads, "stale": f"{len(document.stale)} partitions"}
    )
    show.line()
    covered = {name: [getattr(version, name) for version in document.versions] for name in _COVERED}
    show.rows([version.version for version in document.versions], _VERSION_COLUMNS, **covered)
    if document.protections:
        show.line()
        show.rows(document.protections, ("first", "last", "reason", "protected_by", "protected_at"), "protected")
    show.line()
    if document.current is None:
        show.lines(document.versions[-1].version.definition)
        return
    rows = document.current.current
    columns = ("partition", "logic_version", "rows", "bytes", "files", "outcome", "run_id", "published_at")
    show.rows(rows, columns, files=[len(row.files or ()) for row in rows])


@command(
    dataset,
    "bump",
    example='tradex dataset bump gold_signals --reason "spikes start at z = 4, not 3"\n'
    'tradex dataset bump --changed --reason "the definitions of release 2"',
)
@click.argument("name", required=False)
@click.option("--changed", is_flag=True, help="All datasets whose logic is not that of their version, at once.")
@click.option("--reason", required=True, help="What changed, and why.")
def bump(call: Call, name: str | None, changed: bool, reason: str) -> None:
    """Give changed logic a version. Datasets downstream that have versions get one, too: their numbers change.

    Below Bronze, all datasets get one. Readers get the new version once something is published under it:
    tradex backfill request logical …
    """
    if (name is None) != changed:
        raise UsageError(
            "say which logic gets a version: one dataset, or all that have changed",
            mend="tradex dataset bump NAME --reason …, or tradex dataset bump --changed --reason …",
        )
    with call.open() as workspace:
        versions = (
            workspace.datasets.bump(name, reason=reason) if name else workspace.datasets.bump_changed(reason=reason)
        )
        roots = [name] if name else workspace.datasets.roots(versions)
    call.result(versions, lambda show, bumped: _bumped(show, bumped, roots))


def _bumped(show: Show, versions: dict[str, int], roots: list[str]) -> None:
    show.table([{"dataset": d, "logic_version": v} for d, v in versions.items()], ("dataset", "logic_version"))
    for root in roots:
        show.note(f"next: tradex backfill request logical {root} --no-override-state --reason …")


@command(dataset, "deprecate", example='tradex dataset deprecate gold_signals 1 --reason "counts spam as mentions"')
@click.argument("name")
@click.argument("version", type=int)
@click.option("--reason", required=True, help="Why nobody should use it any more.")
def deprecate(call: Call, name: str, version: int, reason: str) -> None:
    """Mark a version: it stays readable, with a warning, and no run may write under it."""
    with call.open() as workspace:
        workspace.datasets.deprecate(name, version, reason=reason)
    _said(call, name, f"version {version} is deprecated")


@command(dataset, "restore", example='tradex dataset restore gold_signals 1 --reason "version 2 was the mistake"')
@click.argument("name")
@click.argument("version", type=int)
@click.option("--reason", required=True, help="Why it is good again.")
def restore(call: Call, name: str, version: int, reason: str) -> None:
    """Take a deprecation back."""
    with call.open() as workspace:
        workspace.datasets.restore(name, version, reason=reason)
    _said(call, name, f"version {version} is in good standing")


@command(
    dataset,
    "protect",
    example='tradex dataset protect gold_signals --from 2014-01-01 --to 2014-01-31 --reason "legal hold, case 2014-7"',
)
@click.argument("name")
@click.option("--from", "first", type=DAY, required=True, help="First day, included.")
@click.option("--to", "last", type=LAST_DAY, required=True, help="Last day, included.")
@click.option("--reason", required=True, help="Why they must stay as they are.")
def protect(call: Call, name: str, first: date, last: date, reason: str) -> None:
    """Keep days of a dataset as they are: planning a backfill over them is refused."""
    with call.open() as workspace:
        workspace.datasets.protect(name, first, last, reason=reason)
    _said(call, name, f"{first}..{last} is protected")


@command(
    dataset,
    "unprotect",
    example='tradex dataset unprotect gold_signals --from 2014-01-01 --to 2014-01-31 --reason "the case is closed"',
)
@click.argument("name")
@click.option("--from", "first", type=DAY, required=True, help="First day of the protection, included.")
@click.option("--to", "last", type=LAST_DAY, required=True, help="Last day of the protection, included.")
@click.option("--protection", metavar="TEXT", help="Which, if there are several: the beginning of its reason.")
@click.option("--reason", required=True, help="Why it is lifted.")
def unprotect(call: Call, name: str, first: date, last: date, protection: str | None, reason: str) -> None:
    """Lift one protection, named by its very range."""
    with call.open() as workspace:
        lifted = workspace.datasets.unprotect(name, first, last, reason=reason, protection=protection)
    _said(call, name, f"{first}..{last} is not protected any more ({lifted})")


@command(dataset, "lineage", example="tradex dataset lineage gold_signals")
@click.argument("name")
@as_of_option
@rows_options
def lineage(call: Call, name: str, as_of: str | None) -> None:
    """What a dataset reads, directly and through others, and what reads it; with the days.

    By the definitions of today; with --as-of by the logic on record then.
    """
    with call.open(reading=True) as workspace:
        look, datasets = workspace.audit.look, workspace.datasets
        columns = ("dataset", "reads", "first", "last", "side")
        call.answer(look, as_of, lambda at: datasets.lineage(name, at), lambda show, edges: show.rows(edges, columns))


def _said(call: Call, name: str, what: str) -> None:
    call.result({"dataset": name, "done": what}, lambda show, _: show.line(f"{name}: {what}"))
