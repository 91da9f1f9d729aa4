"""Alerts: what somebody must hear of, sent in order, each once, again when the receiver was down (N35)."""

from __future__ import annotations

import logging
from typing import Any

from tradex_ledger.domain.alerts import STREAM, AlertLog
from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.executors.context import Execution
from tradex_ledger.executors.lease import DrivenElsewhereError, held
from tradex_ledger.ledger.application import Ledger, WriterConflictError
from tradex_ledger.views import open_views, resolve, rows


class ReceiverDownError(EnvironmentFault):
    """An alert could not be handed over; it goes out with the next attempt."""

    code = "receiver-down"

    def __init__(self, position: int, urls: int) -> None:
        super().__init__(
            f"the alert of position {position} did not reach all of {urls} receivers; it will be sent again",
            mend="see whether the receivers under [alerts] in tradex.toml answer; then: tradex alerts --deliver",
            transient=True,
        )


def alerts(ledger: Ledger, as_of: str | None = None) -> list[dict[str, Any]]:
    """All alerts, oldest first, with what was delivered."""
    with open_views(ledger.engine, resolve(ledger.engine, as_of)) as connection:
        return rows(connection, "alerts", "true order by position")


def deliver(ex: Execution, urls: tuple[str, ...]) -> int:
    """Send what was not sent yet, in order; returns how many went out. One sender at a time (a lease).

    A crash between sending and recording sends that one alert again: at least once, and once in all other cases.
    Raises: `ReceiverDownError` at the first that does not get through; it is tried again next time.
    """
    if not urls:
        return 0
    try:
        with held(ex, STREAM):
            return _deliver(ex, urls)
    except (DrivenElsewhereError, WriterConflictError):
        return 0  # another process is at it


def _deliver(ex: Execution, urls: tuple[str, ...]) -> int:
    ledger = ex.ledger
    if ledger.version_of(STREAM) == 0:
        ledger.append(AlertLog.open(0, by=ex.by))
    log = ledger.get(AlertLog, STREAM, "stream")
    sent = 0
    for alert in alerts(ledger):
        if alert["position"] <= log.delivered_position:
            continue
        if not _send(urls, alert):
            raise ReceiverDownError(alert["position"], len(urls))
        log.deliver(alert["position"], receivers=len(urls), by=ex.by)
        ledger.append(log)
        sent += 1
    return sent


def _send(urls: tuple[str, ...], alert: dict[str, Any]) -> bool:
    import apprise  # it takes a third of a second to import; only who sends pays for it

    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    receivers = apprise.Apprise()
    for url in urls:
        receivers.add(url)
    return bool(receivers.notify(title=f"tradex: {alert['alert']} {alert['run_id']}", body=alert["message"]))
