"""Which keys sign the heads of the ledger: each is a stream of its own with one event. No I/O here.

A key counts for heads from the event that announces it on, until one that replaces it. Who announces the first says so
by making a workspace; whoever announces another, or replaces one, changes whom others have to believe.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from tradex_ledger.domain.base import Aggregate, CreatedEvent
from tradex_ledger.domain.policy import Policy
from tradex_ledger.domain.reason import check_reason

ANNOUNCED = "seal.key_announced"


class Seal(Aggregate):
    """A key that signs heads of the ledger."""

    TOPIC: ClassVar[str] = "seal"

    def __init__(self) -> None:
        self.key: str = ""

    class KeyAnnounced(CreatedEvent):
        """A person says that a key signs from here on, and which ones do not any more."""

        TOPIC: ClassVar[str] = ANNOUNCED
        name: str
        key: str
        replaces: list[str]
        reason: str | None

        def apply(self, aggregate: Seal) -> None:
            aggregate.key = self.key

    @classmethod
    def announce_first(cls, name: str, key_id: str, key: str, *, by: str) -> Seal:
        """Announce the first key of a ledger: its name, its id (8 hex digits), its line for verifiers."""
        return cls._create(cls.KeyAnnounced, id=f"seal-{key_id}", name=name, key=key, replaces=[], reason=None, by=by)

    @classmethod
    def announce(
        cls, name: str, key_id: str, key: str, *, replaces: Sequence[str], reason: str, by: str, policy: Policy
    ) -> Seal:
        """Announce another one, beside those that sign already, or in the place of some (their lines).

        Raises: `NotAllowedError`, `ReasonError`.
        """
        policy.check_may("force", by)
        facts = {"replaces": list(replaces), "reason": check_reason(reason)}
        return cls._create(cls.KeyAnnounced, id=f"seal-{key_id}", name=name, key=key, by=by, **facts)
