"""`tradex alerts`: what somebody must hear of."""

from __future__ import annotations

import click

from tradex_ledger.cli.common import Call, as_of_option, command, rows_options
from tradex_ledger.errors import UsageError

COLUMNS = ("position", "at", "run_id", "alert", "message", "delivered")
_top = click.Group()


@command(_top, "alerts", example="tradex alerts\ntradex alerts --deliver")
@click.option("--deliver", is_flag=True, help="Send those that were not sent to the URLs under [alerts].")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="The newest so many.")
@as_of_option
@rows_options
def alerts(call: Call, deliver: bool, limit: int, as_of: str | None) -> int:
    """Failures, strange volumes, runs beyond their SLA, held publications, other engines. Exit 1 if undelivered."""
    with call.open(reading=not deliver) as workspace:
        sent = workspace.alerts.deliver() if deliver else 0
        if deliver and not workspace.core.settings.alert_urls:
            raise UsageError(
                "there is nobody to deliver alerts to: tradex.toml names no URL",
                mend='name one under [alerts] in tradex.toml, in the notation of Apprise: urls = ["mailto://…"]',
            )
        if deliver:
            call.show.note(f"{sent} alerts delivered to {len(workspace.core.settings.alert_urls)} receivers")
        look = workspace.audit.look
        found = call.answer(
            look, as_of, lambda at: look.alerts(at)[-limit:], lambda show, rows: show.rows(rows, COLUMNS)
        )
    return 1 if any(not alert.delivered for alert in found) else 0
