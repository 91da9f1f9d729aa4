"""`tradex feed`: OpenLineage and CloudEvents for others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from tradex_ledger.cli.common import Call, command, examples, rows_options
from tradex_ledger.cli.groups import group
from tradex_ledger.cli.runs import Seconds
from tradex_ledger.cli.show import Show
from tradex_ledger.errors import TradexError, UsageError

if TYPE_CHECKING:
    from tradex_ledger.audit.documents.feeds import FeedDocument, SentDocument
    from tradex_ledger.feeds.send import Sent
    from tradex_ledger.workspace import Workspace

_NONE = "there is none: name one in tradex.toml, under [feeds.NAME] or [subscriptions.NAME]"


@group("feed", epilog=examples("tradex feed list\ntradex feed send"))
def feed() -> None:
    """Who is told of the ledger's events: OpenLineage to a file or a receiver, CloudEvents to webhooks.

    Which there are stands in tradex.toml, under [feeds.NAME] and [subscriptions.NAME]. A worker sends, too.
    """


@command(feed, "list", example="tradex feed list\ntradex feed list --json")
@rows_options
def list_(call: Call) -> None:
    """How far each has come, and how many positions the ledger is further."""
    from tradex_ledger.audit.documents.feeds import feeds

    look = call.look()
    call.result(feeds(look.store, look.config), _listed)


def _listed(show: Show, found: list[FeedDocument]) -> None:
    show.rows(found, ("name", "kind", "to", "position", "behind"))
    if not found:
        show.note(_NONE)


@command(feed, "send", example="tradex feed send\ntradex feed send lineage --follow")
@click.argument("name", required=False)
@click.option("--once/--follow", default=True, help="Send what there is and end (the default), or go on until Ctrl-C.")
@click.option(
    "--every-seconds",
    type=Seconds(0.1, 3600),
    default=2.0,
    show_default=True,
    help="With --follow: time between looks.",
)
def send(call: Call, name: str | None, once: bool, every_seconds: float) -> int:
    """Send what was not heard yet, in order: to all, or to NAME.

    Each event is sent until it is taken; what follows waits. Exit 6 if a receiver did not take what it was sent.
    """
    if not once and call.as_json:
        raise UsageError("what follows without end is no document", mend="leave --json out, or send --once")
    with call.open() as workspace:
        if not once:
            return _follow(call.show, workspace, name, every_seconds)
        sent, wrong = workspace.feeds.send(name)
        call.result(sent, _sent)
    for error in wrong:
        Show(as_json=False).error(error)
    return wrong[0].exit_status if wrong else 0


def _sent(show: Show, found: list[SentDocument]) -> None:
    show.rows(found, ("name", "events", "position"))


def _follow(show: Show, workspace: Workspace, name: str | None, every_s: float) -> int:
    followers = workspace.feeds.follow(name, every_s=every_s)
    show.note("feed: following the ledger")
    followers.start()
    status = 0
    try:
        while followers.wait(min(every_s, 1.0)):
            status = _said(show, followers.news()) or status
    finally:
        followers.stop(finish=False)
        status = _said(show, followers.news()) or status
    return status


def _said(show: Show, news: Sequence[Sent | TradexError]) -> int:
    status = 0
    for one in news:
        if isinstance(one, TradexError):
            Show(as_json=False).error(one)
            status = one.exit_status
        else:
            show.line(f"{one.name}: {one.events} events, up to position {one.position}")
    return status
