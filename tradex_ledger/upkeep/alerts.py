"""Alerts: what somebody must hear of, sent in order, each once, again when the receiver was down (N35)."""

from __future__ import annotations

import logging
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING

from tradex_ledger.domain.alerts import STREAM, AlertLog
from tradex_ledger.driving.execution import Execution
from tradex_ledger.driving.lease import DrivenElsewhereError, held
from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.ledger.application import Ledger, WriterConflictError
from tradex_ledger.relations.runs import ALERTS, Alert
from tradex_ledger.views import Asked, resolve, shared_views

if TYPE_CHECKING:
    from apprise import Apprise

DIGEST_LENGTH = 16


class ReceiverDownError(EnvironmentFault):
    """An alert could not be handed over; it goes out with the next attempt."""

    code = "receiver-down"

    def __init__(self, position: int, down: int, receivers: int) -> None:
        super().__init__(
            f"the alert of position {position} did not reach {down} of {receivers} receivers; it will be sent again",
            mend="see whether the receivers under [alerts] in tradex.toml answer; then: tradex alerts --deliver",
            transient=True,
        )


class UnknownReceiverError(EnvironmentFault):
    """Apprise can make nothing of a URL. Of it a scheme of letters is said, and no more: the rest may be a secret."""

    code = "unknown-receiver"

    def __init__(self, number: int, scheme: str) -> None:
        told = f", of the scheme {scheme!r}," if scheme.isalpha() else ""
        super().__init__(
            f"[alerts] urls: Apprise does not know number {number}{told} as a receiver",
            mend="write it in the notation of Apprise (its documentation has one for each receiver) in tradex.toml",
        )


def alerts(ledger: Ledger, as_of: Asked = None) -> list[Alert]:
    """All alerts, oldest first, with what was delivered."""
    with shared_views(ledger.store, resolve(ledger.store, as_of)) as connection:
        return ALERTS.read(connection, "true order by position")


def deliver(ex: Execution, urls: tuple[str, ...]) -> int:
    """Send what was not sent yet, in order; returns how many reached all. One sender at a time (a lease).

    A crash between sending and recording sends that one alert again: at least once, and once in all other cases.
    Raises: `ReceiverDownError` when a receiver did not answer; it is told next time. `UnknownReceiverError`.
    """
    if not urls:
        return 0
    _check_receivers(urls)
    try:
        with held(ex, STREAM):
            return _deliver(ex, urls)
    except (DrivenElsewhereError, WriterConflictError):
        return 0  # another process is at it


def _deliver(ex: Execution, urls: tuple[str, ...]) -> int:
    ledger = ex.scope.ledger
    if ledger.version_of(STREAM) == 0:
        ledger.append(AlertLog.open(0, by=ex.scope.by))
    log = ledger.get(AlertLog, STREAM, "stream")
    waiting = [alert for alert in alerts(ledger) if alert.position > log.delivered_position]
    down = {url: failed for url in urls if (failed := _tell(ex, log, url, waiting, alone=len(urls) == 1))}
    first_missed = min(down.values(), default=None)
    sent = [alert for alert in waiting if first_missed is None or alert.position < first_missed]
    for alert in sent:
        log.deliver(alert.position, receivers=len(urls), by=ex.scope.by)
    ledger.append(log)
    if first_missed is not None:
        raise ReceiverDownError(first_missed, len(down), len(urls))
    return len(sent)


def _tell(ex: Execution, log: AlertLog, url: str, waiting: list[Alert], *, alone: bool) -> int | None:
    """Tell one receiver what it has not heard, in order; returns the position at which it failed, None if it did not.

    One that is down keeps nothing from the others, and they do not hear twice.
    """
    receiver = sha256(url.encode()).hexdigest()[:DIGEST_LENGTH]  # a URL may carry a secret
    for alert in waiting:
        position = alert.position
        if log.has_reached(receiver, position):
            continue
        if not _send(url, alert):
            return position
        if alone:
            log.deliver(position, receivers=1, by=ex.scope.by)
        else:
            log.reach(receiver, position, by=ex.scope.by)
        ex.scope.ledger.append(log)  # at once: a crash sends one alert again at most
    return None


@cache
def _check_receivers(urls: tuple[str, ...]) -> None:
    """Raise `UnknownReceiverError` for the first that is none, before anything is sent."""
    for number, url in enumerate(urls, 1):
        if _receiver(url) is None:
            raise UnknownReceiverError(number, url.partition("://")[0])


def _receiver(url: str) -> Apprise | None:
    """What Apprise makes of a URL; None when it is nothing that it knows."""
    import apprise  # it takes a third of a second to import; only who sends pays for it

    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    receiver = apprise.Apprise()
    return receiver if receiver.add(url) else None


def _send(url: str, alert: Alert) -> bool:
    receiver = _receiver(url)
    title = f"tradex: {alert.alert} {alert.run_id or alert.dataset}"
    return receiver is not None and bool(receiver.notify(title=title, body=alert.message))
