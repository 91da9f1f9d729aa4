"""Commands on alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradex_ledger.audit.look import Look
from tradex_ledger.workspace.core import Core

if TYPE_CHECKING:
    from tradex_ledger.relations.runs import Alert
    from tradex_ledger.views import Asked


class Alerts:
    """What somebody must hear of."""

    def __init__(self, core: Core) -> None:
        self.core = core

    def all(self, as_of: Asked = None) -> list[Alert]:
        """All alerts, oldest first, with what was delivered."""
        return Look(self.core.ledger.store, self.core.config, self.core.lake).alerts(as_of)

    def deliver(self, right: str = "deliver") -> int:
        """Send the alerts that were not sent yet; returns how many. A worker does so by its `right` to work.

        Raises: `NotAllowedError`, `ReceiverDownError`.
        """
        from tradex_ledger.upkeep.alerts import deliver as send

        self.core.policy.check_may(right, self.core.actor)
        return send(self.core.execution(), self.core.settings.alert_urls)
