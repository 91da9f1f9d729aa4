"""`tradex backfill request`: the four kinds, and the plan that each leads to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, TypedDict, TypeVar, Unpack

import click

from tradex_ledger.cli.common import Call, command, examples
from tradex_ledger.cli.days import DAY, LAST_DAY
from tradex_ledger.cli.groups import group
from tradex_ledger.cli.layouts.plan import planned
from tradex_ledger.cli.layouts.run import next_step
from tradex_ledger.cli.show import Show

if TYPE_CHECKING:
    from tradex_ledger.audit.documents.plan import PlanDocument
    from tradex_ledger.domain.backfill import Backfill
    from tradex_ledger.domain.day import Cursor
    from tradex_ledger.workspace import Workspace

PRIORITIES = ("low", "normal", "high", "urgent")
STATE_USES = ("ignore", "read", "override")
D = TypeVar("D")


class _Asked(TypedDict):
    """What every kind of request says of itself, as the options that are called so give it."""

    dataset: str
    first: date | None
    last: date | None
    reason: str
    ticket: str | None
    priority: str
    review: bool
    state_use: str | None


class _Said(_Asked):
    """And how it is to be made: `override_state` is None where nobody declared it."""

    override_state: bool | None
    allow_overlap: tuple[str, ...]
    dry_run: bool
    split: bool


F = TypeVar("F", bound=Callable[..., object])


@group(
    "request",
    epilog=examples(
        "tradex backfill request temporal bronze --from 2014-02-03 --to 2014-02-08 \\\n"
        '    --no-override-state --reason "X API outage 3-8 Feb, INC-4211" --dry-run'
    ),
)
def request() -> None:
    """Ask for a backfill. It is planned at once and waits for an approval."""


def request_options(function: F) -> F:
    """What every kind of request declares."""
    for option in (
        click.option("--dry-run", is_flag=True, help="Show the plan and its cost; record nothing."),
        click.option("--split", is_flag=True, help="Make several linked requests of it where the policy wants that."),
        click.option(
            "--allow-overlap", multiple=True, metavar="ID", help="An active backfill that may share partitions."
        ),
        click.option("--review", is_flag=True, help="Hold it before publication, for somebody to compare and release."),
        click.option(
            "--priority",
            type=click.Choice(PRIORITIES),
            default="low",
            show_default=True,
            help="Order among approved ones.",
        ),
        click.option("--ticket", help="The ticket it belongs to."),
        click.option("--reason", required=True, help="What happened and why it must be redone."),
        click.option(
            "--override-state/--no-override-state",
            default=None,
            help="Declare whether it may move the pipeline state. It has no default; only a forced backfill may.",
        ),
        click.option(
            "--state-use",
            type=click.Choice(STATE_USES),
            help="What it does with the state: read keeps it to days before the cursor. Unless given: override with "
            "--override-state, else ignore.",
        ),
    ):
        function = option(function)
    return function


def range_options(*, required: bool) -> Callable[[F], F]:
    """The days that a request is about."""
    rest = "" if required else " All there are, unless given."

    def decorate(function: F) -> F:
        for option in (
            click.option("--to", "last", type=LAST_DAY, required=required, help=f"Last day (UTC), included.{rest}"),
            click.option("--from", "first", type=DAY, required=required, help=f"First day (UTC), included.{rest}"),
        ):
            function = option(function)
        return function

    return decorate


@command(
    request,
    "temporal",
    example="tradex backfill request temporal bronze --from 2014-02-03 --to 2014-02-08 \\\n"
    '    --no-override-state --reason "X API outage 3-8 Feb, INC-4211" --dry-run',
)
@click.argument("dataset")
@range_options(required=True)
@request_options
def temporal(call: Call, **said: Unpack[_Said]) -> None:
    """Reprocess a range of days of DATASET and everything downstream of them (late data, an API outage)."""
    _submit(call, "temporal", None, **said)


@command(
    request,
    "dataset",
    example="tradex backfill request dataset silver_social_events \\\n"
    '    --no-override-state --reason "tickers with a dot were cut off, INC-4250"\n'
    'tradex backfill request dataset gold --no-override-state --reason "all of Gold, after INC-4250"',
)
@click.argument("dataset", metavar="DATASET|LAYER")
@range_options(required=False)
@request_options
def dataset(call: Call, **said: Unpack[_Said]) -> None:
    """Reprocess all partitions of DATASET, or of a LAYER, and everything downstream (a parsing bug, a new rule)."""
    _submit(call, "dataset", None, **said)


@command(
    request,
    "logical",
    example='tradex dataset bump gold_signals --reason "spikes start at z = 4"\n'
    "tradex backfill request logical gold_signals --from 2014-01-01 --to 2014-01-31 \\\n"
    '    --no-override-state --reason "signals of January under the new scoring"',
)
@click.argument("dataset")
@range_options(required=False)
@request_options
def logical(call: Call, **said: Unpack[_Said]) -> None:
    """Publish DATASET under its new logic version, beside the old one. Refused while no logic has changed."""
    _submit(call, "logical", None, **said)


@command(
    request,
    "forced",
    example="tradex backfill request forced bronze --from 2014-02-03 --to 2014-02-08 \\\n"
    '    --override-state --cursor 2014-02-09 --ticket INC-4300 --reason "the cursor was moved past corrupt data"',
)
@click.argument("dataset")
@range_options(required=True)
@click.option("--cursor", type=DAY, help="With --override-state: the day (UTC) to whose beginning the state is set.")
@request_options
def forced(call: Call, cursor: date | None, **said: Unpack[_Said]) -> None:
    """Recompute everything, and overwrite the pipeline state if that is declared. Exceptional.

    It needs a ticket and the approval of another person; nothing is reused; every step is on record.
    """
    from tradex_ledger.domain.day import day_of, start_of

    moved = None if cursor is None else start_of(day_of(cursor))
    _submit(call, "forced", moved, **said)


def _submit(
    call: Call,
    kind: str,
    cursor: Cursor | None,
    *,
    override_state: bool | None,
    allow_overlap: tuple[str, ...],
    dry_run: bool,
    split: bool,
    **asked_for: Unpack[_Asked],
) -> None:
    if override_state is None:
        raise click.UsageError(
            "Missing option '--override-state' / '--no-override-state': a backfill declares whether it moves the state."
        )
    from tradex_ledger.domain.request import Request

    with _opened(call, dry_run) as workspace:
        overlaps = tuple(workspace.backfills.find(other) for other in allow_overlap)
        asked = Request(kind=kind, override_state=override_state, cursor=cursor, allow_overlap=overlaps, **asked_for)
        if dry_run:
            parts = workspace.backfills.plan_split(asked) if split else [workspace.backfills.plan(asked)]
            documents = workspace.audit.planned([backfill for backfill, _ in parts])
            _warn(call, [part.warnings for part in documents])
            call.either(lambda: _one_or_all(documents), lambda: _show_parts(call.show, documents))
            return
        made = workspace.backfills.request_split(asked) if split else [workspace.backfills.request(asked)]
        _warn(call, [workspace.backfills.warnings(backfill) for backfill in made])
        call.either(
            lambda: _one_or_all([workspace.audit.run(backfill.id) for backfill in made]),
            lambda: _say_requested(call.show, workspace, made),
        )


@contextmanager
def _opened(call: Call, dry_run: bool) -> Iterator[Workspace]:
    """A dry run reads; where a source is to be called for its counts, which cost money, it puts those on record."""
    with call.open(reading=dry_run) as workspace:
        if not (dry_run and workspace.core.calls_sources):
            yield workspace
            return
    with call.open() as workspace:
        yield workspace


def _one_or_all(parts: list[D]) -> D | list[D]:
    return parts[0] if len(parts) == 1 else parts


def _say_requested(show: Show, workspace: Workspace, made: list[Backfill]) -> None:
    for document, backfill in zip(workspace.audit.planned(made), made, strict=True):
        planned(show, document)
        show.line()
        show.line(f"requested {backfill.id}")
        show.note(f"next: {next_step(backfill.id, backfill.status)}")


def _show_parts(show: Show, parts: list[PlanDocument]) -> None:
    """What would be requested; the parts of a split one after the other."""
    from tradex_ledger.domain.day import iso

    for number, part in enumerate(parts, 1):
        if len(parts) > 1:
            show.line(f"part {number} of {len(parts)}: {iso(part.request.first)}..{iso(part.request.last)}")
        planned(show, part)
        show.line()


def _warn(call: Call, found: list[list[str]]) -> None:
    for text in dict.fromkeys(text for texts in found for text in texts):
        call.show.warning(text)
