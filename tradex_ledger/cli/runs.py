"""`tradex run`, `status` and `worker`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING

import click

from tradex_ledger.cli.bars import BARS
from tradex_ledger.cli.common import Call, as_of_option, command
from tradex_ledger.cli.days import DAY, LAST_DAY
from tradex_ledger.cli.loudness import LOUDNESS
from tradex_ledger.cli.show import Show

if TYPE_CHECKING:
    from tradex_ledger.audit.documents.mirrors import TriedDocument
    from tradex_ledger.feeds.follow import Followers
    from tradex_ledger.workspace import Workspace

_top = click.Group()
_CLOCK_DOUBTFUL = "clock-doubtful"


def report(call: Call, workspace: Workspace, run_id: str) -> None:
    """Read a run back from the ledger and show it, with what can be done next."""
    from tradex_ledger.cli.layouts.run import after, whole

    document = workspace.audit.run(run_id)
    call.result(document, whole)
    if step := after(document):
        call.show.note(f"next: {step}")


@command(_top, "run", example="tradex run\ntradex run --to 2014-02-28")
@click.option(
    "--to", "last", type=LAST_DAY, help="Last day (UTC), included; yesterday unless given: today is not over."
)
@click.option("--until", type=DAY, help="The day after the last one: --until 2014-03-01 is --to 2014-02-28.")
@click.option("--yes", is_flag=True, help="Without --to: go on to yesterday, however old the newest post is.")
@click.option(
    "--clock-is-right",
    is_flag=True,
    help="Go on though the clock is far from the last event and the newest post; this is put on record.",
)
def run(call: Call, last: date | None, until: date | None, yes: bool, clock_is_right: bool) -> None:
    """Run the pipeline incrementally, from its cursor to a day, included.

    An incremental run that was interrupted is taken up and finished first. Only its success moves the state. A run that
    would pass many days without a post asks for --to or --yes first: it cannot be taken back. One under a clock that
    is far from the last event and the newest post asks first, too: it may be wrong.
    """
    from tradex_ledger.domain.incremental import NothingToRunError

    with call.open() as workspace:
        try:
            finished = _run(call, workspace, (until, last), yes, clock_is_right)
        except NothingToRunError as error:
            if last or until:
                raise
            # Twice on one day, by a timer or a retry: nothing is wrong.
            message = error.message
            call.result(None, lambda show, _: show.note(f"nothing to do: {message}"))
            return
        report(call, workspace, finished)


def _run(
    call: Call, workspace: Workspace, ends: tuple[date | None, date | None], yes: bool, clock_is_right: bool
) -> str:
    """Run, and return the run's id; on a terminal, a person is asked whether the clock is right."""
    from tradex_ledger.errors import RefusedError

    try:
        with call.show.progress() as progress:
            until, last = ends
            done = workspace.incremental.run(
                until, last=last, far_ahead=yes, clock_is_right=clock_is_right, progress=progress
            )
    except RefusedError as error:
        on_terminal = sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()
        if error.code != _CLOCK_DOUBTFUL or call.as_json or not on_terminal:
            raise
        call.show.note(error.message)
        with BARS.rest():
            is_right = click.confirm("Is the clock right?", default=False, err=True)
        if not is_right:
            raise
        return _run(call, workspace, ends, yes, clock_is_right=True)
    for text in workspace.incremental.missed_days():
        call.show.warning(text)
    return done.id


@command(_top, "status", example="tradex status\ntradex status --check\ntradex status --as-of 2026-01-10")
@click.option("--check", is_flag=True, help="Exit with 1 where something needs attention.")
@click.option("--watch", type=click.IntRange(1, 86_400), metavar="SECONDS", help="Ask again and again, until Ctrl-C.")
@as_of_option
def status(call: Call, check: bool, watch: int | None, as_of: str | None) -> int:
    """Where things stand, and what needs somebody, each with the command that helps."""
    from tradex_ledger.cli.layouts.status import status as layout
    from tradex_ledger.clock import utc_now
    from tradex_ledger.workspace.mirrors import standing

    look = call.look()
    LOUDNESS.take(no_pager=watch is not None)
    while True:
        if watch and call.show.out.isatty():
            click.clear()
        found = call.answer(
            look, as_of, lambda at: look.status(at, now=utc_now(), mirrors=standing(look.config, look.store)), layout
        )
        if not watch:
            return 1 if check and found.attention else 0
        with BARS.rest():
            time.sleep(watch)


class Seconds(click.FloatRange):
    """A number within a range; what is no number (`nan`) is in none, though no comparison says so."""

    def convert(self, value: float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = super().convert(value, param, ctx)
        if found != found:  # noqa: PLR0124 - only what is no number is not itself
            self.fail(f"{value} is not in the range {self._describe_range()}.", param, ctx)
        return found


@command(_top, "worker", example="tradex worker\ntradex worker --once")
@click.option("--once", is_flag=True, help="End when nothing is left to drive.")
@click.option(
    "--poll-seconds",
    type=Seconds(0.1, 3600),
    default=2.0,
    show_default=True,
    help="Time between looks.",
)
def worker(call: Call, once: bool, poll_seconds: float) -> int:
    """Follow the ledger and drive what is approved, the most urgent first. Ctrl-C ends it; runs resume."""
    from tradex_ledger.audit.documents.run import WorkedDocument

    show, waits, failed = call.show, dict[str, str | None](), 0

    def wait() -> bool:
        with BARS.rest():
            workspace.runs.wait(poll_seconds)
        _housekeeping(show, workspace)
        _tell(show, followers)
        _catch_up(show, caught_up)
        return True

    with call.open() as workspace, show.progress() as progress, _feeding(workspace, poll_seconds) as followers:
        show.note("worker: waiting for approved backfills" if not once else "worker: driving what is approved")
        caught_up = workspace.mirrors.catching_up()
        for done in workspace.runs.work_off(wait, once=once, progress=progress):
            waits[done.run_id] = done.waits
            if done.waits is not None:
                show.note(f"{done.run_id} waits: {done.waits}")
                continue
            if done.error is not None:
                failed += 1
                Show(as_json=False).error(done.error)
            for text in workspace.policy.changes(done.run_id):
                show.warning(text)
            show.line(f"{done.run_id}: {done.end}")
            _tell(show, followers)
        _housekeeping(show, workspace)
        _catch_up(show, caught_up)
        call.either(lambda: [WorkedDocument(workspace.audit.run(of), why) for of, why in waits.items()], lambda: None)
    return 1 if failed else 0


@contextmanager
def _feeding(workspace: Workspace, every_s: float) -> Iterator[Followers]:
    """Feeds and subscriptions are sent beside the work: a receiver that hangs holds no run up."""
    followers = workspace.feeds.follow(every_s=every_s, right="work")
    followers.start()
    finish = False
    try:
        yield followers
        finish = True
    finally:
        followers.stop(finish=finish)


def _tell(show: Show, followers: Followers) -> None:
    """What went wrong with those who are told, and that it is well again; that all is well is not said."""
    from tradex_ledger.errors import TradexError

    for one in followers.news():
        if isinstance(one, TradexError):
            show.warning(one.message)
        elif one.again:
            show.note(f"{one.name} takes what it is told again: {one.events} events, up to position {one.position}")


def _catch_up(show: Show, caught_up: Callable[[], list[TriedDocument]]) -> None:
    """Mirrors that lack something: whoever published died, or could not keep them up."""
    from tradex_ledger.errors import BrokenLedgerError, TradexError

    try:
        for one in caught_up():
            if one.wrong is not None:
                show.warning(f"the mirror {one.name} is behind, and tried again: {one.wrong}")
            else:
                show.note(f"the mirror {one.name} is caught up: it is as of position {one.position}")
    except BrokenLedgerError:
        raise
    except TradexError as error:  # the settings are just being written
        show.warning(error.message)


def _housekeeping(show: Show, workspace: Workspace) -> None:
    """What a worker does between runs: close what expired, note what is late, send alerts; a receiver may be down."""
    from tradex_ledger.errors import TradexError

    try:
        workspace.runs.sweep()
        workspace.alerts.deliver("work")
    except TradexError as error:  # a broken setting, a busy database: said, and tried again at the next look
        show.warning(error.message)
