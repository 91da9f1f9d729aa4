"""`tradex alerts`: what somebody must hear of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tradex_ledger.cli.common import Call, as_of_option, command, grouped, rows_options
from tradex_ledger.errors import UsageError

if TYPE_CHECKING:
    from tradex_ledger.cli.show import Show
    from tradex_ledger.relations.messages import Message

EACH = ("position", "at", "run_id", "alert", "message", "delivered")
_STATES = ("open", "acknowledged", "cleared")
_top = click.Group()


@grouped(
    _top,
    "alerts",
    example="tradex alerts\ntradex alerts --deliver\ntradex alerts --each --limit 20\n"
    'tradex alerts ack bf-1m83 --reason "the vendor knows, INC-4290" --until 2026-02-01',
)
@click.option("--deliver", is_flag=True, help="Send those that were not sent to the URLs under [alerts].")
@click.option("--all", "all_", is_flag=True, help="Those that were cleared by what mended them, too.")
@click.option("--each", is_flag=True, help="Each alert by itself, and not a message a run.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="The newest so many.")
@as_of_option
@rows_options
def alerts(call: Call, deliver: bool, all_: bool, each: bool, limit: int, as_of: str | None) -> int:
    """What somebody must hear of, one message a run, with the command to go on with. Exit 1 if one was not delivered.

    Failures, strange volumes, runs beyond their SLA, held publications, plans that wait for approval, other engines,
    late rows, cursors that lag. What mends a thing clears it; what is acknowledged (tradex alerts ack) is not sent.
    """
    from tradex_ledger.clock import utc_now

    with call.open(reading=not deliver) as workspace:
        sent = workspace.alerts.deliver() if deliver else 0
        if deliver and not workspace.core.settings.alert_urls:
            raise UsageError(
                "there is nobody to deliver alerts to: tradex.toml names no URL",
                mend='name one under [alerts] in tradex.toml, in the notation of Apprise: urls = ["mailto://…"]',
            )
        if deliver:
            call.show.note(f"{sent} messages delivered to {len(workspace.core.settings.alert_urls)} receivers")
        look = workspace.audit.look
        if each:
            rows = call.answer(
                look, as_of, lambda at: look.alerts(at)[-limit:], lambda show, rows: show.rows(rows, EACH)
            )
            return 1 if any(not one.delivered and one.cleared_position is None for one in rows) else 0
        states = _STATES if all_ else _STATES[:2]
        found = call.answer(
            look,
            as_of,
            lambda at: [one for one in look.messages(at, now=utc_now()) if one.state in states][-limit:],
            _told,
        )
    return 1 if any(not one.delivered and one.state == "open" for one in found) else 0


def _told(show: Show, found: list[Message]) -> None:
    """One after another, each with what is to be done: a sentence does not fit into a column."""
    if show.output is not None:
        from tradex_ledger.relations.messages import Message

        show.export(Message._fields, found)
        return
    for one in found:
        times = f", {one.alerts} alerts" if one.alerts > 1 else ""
        told = "" if one.delivered else ", not delivered"
        show.line(f"{one.severity}  {one.about}  {one.at:%Y-%m-%d %H:%M}Z  {one.state}{times}{told}")
        show.line(f"  {one.message}")
        if one.state == "acknowledged":
            until = one.acknowledged_until
            # DuckDB's infinity is the last moment that Python knows
            end = f" until {until:%Y-%m-%d %H:%M}Z" if until and until.year < 9999 else ""
            show.line(f"  known to {one.acknowledged_by}{end}: {one.acknowledged_why}")
        elif one.state == "open":
            show.line(f"  next: {one.command}")
        else:
            show.line(f"  mended at position {one.cleared_position}")
    if any(one.state == "open" for one in found):
        show.note("what is known already is not told again: tradex alerts ack RUN --reason …")
    if not found:
        show.note("nothing that somebody must hear of is open; what was: tradex alerts --all")


@command(
    alerts,
    "ack",
    example='tradex alerts ack bf-1m83 --reason "the vendor knows, INC-4290"\n'
    'tradex alerts ack "cursor lags" --reason "the archive ends there, on purpose" --until 2026-02-01',
)
@click.argument("about", metavar="RUN|ABOUT")
@click.option("--reason", required=True, help="Why nobody has to be told of it.")
@click.option(
    "--until", metavar="DAY|TIME", help="Until then: a day as a whole, or a time (UTC); then it is new again."
)
def ack(call: Call, about: str, reason: str, until: str | None) -> None:
    """Say that what is told about a run, or under another name, is known. It stays listed, and is not sent again.

    What happens after it is a new fault, and open.
    """
    with call.open() as workspace:
        message = workspace.alerts.acknowledge(about, reason=reason, until=until)
        call.result(message, lambda show, one: show.line(f"{one.about}: {one.alerts} alerts are {one.state}"))
