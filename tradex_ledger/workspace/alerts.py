"""Commands on alerts."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tradex_ledger.audit.look import Look
from tradex_ledger.domain.alerts import STREAM, AlertLog
from tradex_ledger.domain.day import exact_day, later, start_of
from tradex_ledger.errors import NotFoundError, UsageError
from tradex_ledger.ledger.entry import format_time
from tradex_ledger.ledger.named import NoSuchStreamError
from tradex_ledger.relations.messages import CLEARED
from tradex_ledger.workspace.core import Core

if TYPE_CHECKING:
    from tradex_ledger.relations.messages import Message
    from tradex_ledger.relations.runs import Alert
    from tradex_ledger.views import Asked


class NoSuchAlertError(NotFoundError):
    """Nothing that is open is told about that, or about several things that begin so."""

    code = "no-such-alert"

    def __init__(self, about: str, there: Sequence[str]) -> None:
        known = ", ".join(there[:8]) or "nothing"
        super().__init__(
            f"no one alert that is open is about {about!r}; what there is: {known}",
            mend="name a run, or what stands under `about`: tradex alerts",
        )


def _moment(until: datetime | str) -> datetime:
    """A time, UTC where it names no zone; a day is meant as a whole, so it is the end of that day."""
    try:
        if isinstance(until, str) and len(until) == len("YYYY-MM-DD"):
            return datetime.fromisoformat(start_of(later(exact_day(until), 1)))
        moment = datetime.fromisoformat(until) if isinstance(until, str) else until
    except ValueError:
        raise UsageError(
            f"{until!r} is no day and no time", mend="give one: 2026-01-10, or 2026-01-10T12:00Z"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Alerts:
    """What somebody must hear of."""

    def __init__(self, core: Core) -> None:
        self.core = core

    def all(self, as_of: Asked = None) -> list[Alert]:
        """All alerts, oldest first, with what was delivered."""
        return Look(self.core.ledger.store, self.core.config, self.core.lake).alerts(as_of)

    def messages(self, as_of: Asked = None) -> list[Message]:
        """Alerts as they are told: one message for all of one run that stand alike (open, acknowledged, cleared), with
        the gravest severity among them and the command to go on with.

        >>> [(one.severity, one.about, one.command) for one in ws.alerts.messages()]         # doctest: +SKIP
        [('error', 'bf-1m83…', 'tradex backfill show bf-1m83…')]
        """
        look = Look(self.core.ledger.store, self.core.config, self.core.lake)
        return look.messages(as_of, now=self.core.clock())

    def acknowledge(self, about: str, *, reason: str, until: datetime | str | None = None) -> Message:
        """Say that what is told about a run (any beginning of its id), or about what else a message is, is known, and
        why: it is not sent any more, and what comes after it is new. From the time `until` (UTC) on it is
        new again, or after the day `until`.

        Raises: `NoSuchAlertError` where nothing about it is open, `NotAllowedError`.

        >>> ws.alerts.acknowledge("bf-1m83", reason="the vendor knows, INC-4290")             # doctest: +SKIP
        """
        found = [one for one in self.messages() if one.state != CLEARED]
        meant = [one for one in found if about == one.about] or self._of_run(found, about)
        positions = sorted(position for one in meant for position in one.positions)
        log = self._log()
        log.acknowledge(
            positions,
            reason=reason,
            until=None if until is None else format_time(_moment(until)),
            by=self.core.actor,
            policy=self.core.policy,
        )
        self.core.ledger.append(log)
        return next(one for one in self.messages() if positions[0] in one.positions)

    def _of_run(self, found: Sequence[Message], prefix: str) -> list[Message]:
        """What is told of the run whose id begins so. Raises: what `find_run` raises, `NoSuchAlertError`."""
        with suppress(NoSuchStreamError):
            run_id = self.core.find_run(prefix)
            if meant := [one for one in found if one.run_id == run_id]:
                return meant
        raise NoSuchAlertError(prefix, [one.about for one in found])

    def _log(self) -> AlertLog:
        ledger = self.core.ledger
        if not ledger.version_of(STREAM):
            return AlertLog.open(0, by=self.core.actor)
        return ledger.get(AlertLog, STREAM, "stream")

    def deliver(self, right: str = "deliver") -> int:
        """Send the alerts that were not sent yet, a message a run; returns how many messages. A worker does so by its
        `right` to work.

        Raises: `NotAllowedError`, `ReceiverDownError`.
        """
        from tradex_ledger.upkeep.alerts import deliver as send

        self.core.policy.check_may(right, self.core.actor)
        return send(self.core.execution(), self.core.settings.alert_urls)
