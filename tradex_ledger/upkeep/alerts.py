"""Alerts: what somebody must hear of, sent in order, each once, again when the receiver was down (N35)."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING

from tradex_ledger.domain.alerts import STREAM, AlertLog
from tradex_ledger.driving.execution import Execution
from tradex_ledger.driving.lease import DrivenElsewhereError, held
from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.ledger.application import WriterConflictError
from tradex_ledger.relations.messages import OPEN, Message, messages
from tradex_ledger.views import resolve, shared_views

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


def deliver(ex: Execution, urls: tuple[str, ...]) -> int:
    """Send what was not sent yet, in order; returns how many messages reached all. One sender at a time (a lease).

    What is told of one run goes out in one message; what is mended or acknowledged by then is passed over. A crash
    between sending and recording sends that one message again: at least once, and once in all other cases.
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
    with shared_views(ledger.store, resolve(ledger.store, None)) as connection:
        found = messages(connection, ex.scope.clock(), delivered=False)
    waiting = _Waiting(found)
    down = {url: failed for url in urls if (failed := _tell(ex, log, url, waiting, alone=len(urls) == 1))}
    first_missed = min(down.values(), default=None)
    sent = [one for one in waiting.to_tell if all(log.has_reached(_named(url), one.positions[-1]) for url in urls)]
    if sent:
        up_to, beyond = waiting.reach(sent)
        log.deliver(up_to, receivers=len(urls), beyond=beyond, by=ex.scope.by)
    ledger.append(log)
    if first_missed is not None:
        raise ReceiverDownError(first_missed, len(down), len(urls))
    return len(sent)


class _Waiting:
    """What was not told yet: of a run in one message, oldest first. What is mended or acknowledged is passed over."""

    def __init__(self, found: Sequence[Message]) -> None:
        self.to_tell = [one for one in found if one.state == OPEN]
        self._positions = sorted(position for one in found for position in one.positions)
        self._passed_over = {position for one in found if one.state != OPEN for position in one.positions}

    def reach(self, told: Iterable[Message]) -> tuple[int, list[int]]:
        """The position up to which nothing is left once these are told, and what of them is beyond it."""
        done = self._passed_over.union(*(one.positions for one in told))
        left = next((number for number, position in enumerate(self._positions) if position not in done), None)
        if left is None:
            return self._positions[-1], []
        up_to = self._positions[left - 1] if left else 0
        return up_to, [position for position in self._positions[left:] if position in done]


def _tell(ex: Execution, log: AlertLog, url: str, waiting: _Waiting, *, alone: bool) -> int | None:
    """Tell one receiver what it has not heard, in order; returns the position at which it failed, None if it did not.

    One that is down keeps nothing from the others, and they do not hear twice.
    """
    receiver, told = _named(url), list[Message]()
    for message in waiting.to_tell:
        if not all(log.has_reached(receiver, position) for position in message.positions):
            if not _send(url, message):
                return message.positions[0]
            up_to, beyond = waiting.reach([*told, message])
            if alone:
                log.deliver(up_to, receivers=1, beyond=beyond, by=ex.scope.by)
            else:
                log.reach(receiver, up_to, beyond=beyond, by=ex.scope.by)
            ex.scope.ledger.append(log)  # at once: a crash sends one message again at most
        told.append(message)
    return None


def _named(url: str) -> str:
    """A receiver as it stands on record: its URL may carry a secret."""
    return sha256(url.encode()).hexdigest()[:DIGEST_LENGTH]


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


def _send(url: str, message: Message) -> bool:
    receiver = _receiver(url)
    title = f"tradex: {message.severity}: {message.about}"
    body = f"{message.message}\nnext: {message.command}"
    return receiver is not None and bool(receiver.notify(title=title, body=body))
