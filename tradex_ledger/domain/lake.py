"""The lake as a whole: what was removed from it as garbage, and which epoch of the ledger it belongs to. No I/O here.

An epoch is the time between two losses: a ledger that was put back from a copy lacks events that the lake knows of, and
its next events stand at positions that others had. So it goes on in a new epoch only, which names what was lost. One
stream, so that two people do not begin two epochs at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar

from tradex_ledger.domain import lake_events as events
from tradex_ledger.domain.base import Aggregate
from tradex_ledger.domain.digest import digest_of
from tradex_ledger.domain.facts import Facts
from tradex_ledger.domain.plan import SHORTEST_DIGEST, full_digest, told_apart
from tradex_ledger.domain.policy import Policy
from tradex_ledger.domain.reason import check_reason
from tradex_ledger.domain.waiting import EpochPlan, is_own
from tradex_ledger.errors import RefusedError

STREAM = "lake"


class EpochRefusedError(RefusedError):
    """That epoch may not begin so."""

    code = "epoch"

    def __init__(self, message: str, *, mend: str, code: str = "") -> None:
        super().__init__(message, mend=mend, code=code)


@dataclass(frozen=True, slots=True)
class Garbage:
    """A file of so many bytes that no event names, or a folder: the run that left it behind (None: a look did), when it
    was changed last (time, UTC), and what became of the run."""

    path: str
    bytes: int
    run: str | None
    modified_at: str
    why: str

    def to_event(self) -> Facts:
        """As events carry it."""
        return asdict(self)


class LakeLog(Aggregate):
    """What was done to the lake as a whole."""

    TOPIC: ClassVar[str] = "lake"

    Opened = events.Opened
    Collected = events.Collected
    EpochPlanned = events.EpochPlanned
    EpochBegun = events.EpochBegun

    def __init__(self) -> None:
        self.epoch: int = 0
        self.epoch_plan: EpochPlan | None = None

    @classmethod
    def open(cls, position: int, *, by: str) -> LakeLog:
        """Begin to tell, after a position."""
        return cls._create(cls.Opened, id=STREAM, position=position, by=by)

    def collect(self, files: Sequence[Garbage], *, reason: str, by: str, policy: Policy) -> None:
        """Give files up that no event names. Raises `NotAllowedError`."""
        policy.check_may("gc", by)
        total = sum(file.bytes for file in files)
        listed = [file.to_event() for file in files]
        self.trigger_event(self.Collected, files=listed, bytes=total, reason=check_reason(reason), by=by)

    def plan_epoch(self, lost: tuple[int, int], *, base: int, reason: str, by: str, policy: Policy) -> str:
        """Ask for a new epoch after the loss of a head (epoch, position); returns the digest to approve.

        `base` is the last position that the lost head and this ledger can have in common. Raises `NotAllowedError`.
        """
        policy.check_may("request", by)
        policy.check_may("force", by)
        facts = {
            "epoch": max(self.epoch, lost[0]) + 1,
            "base": base,
            "lost_epoch": lost[0],
            "lost_position": lost[1],
            "reason": check_reason(reason),
        }
        digest = digest_of([self.version, facts])
        self.trigger_event(self.EpochPlanned, **facts, digest=digest, by=by)
        return digest

    def begin_epoch(self, digest: str, *, by: str, policy: Policy) -> None:
        """Approve the epoch that was asked for. Who asked does not approve, as with every forced deed (N13).

        Raises: `NotAllowedError`, `EpochRefusedError`.
        """
        policy.check_may("approve", by)
        policy.check_may("force", by)
        plan = self.epoch_plan
        if plan is None:
            raise EpochRefusedError(
                "nobody has asked for a new epoch", mend="ask: tradex ledger epoch --lost-head POSITION --reason …"
            )
        if full_digest(digest, plan.digest) != plan.digest:
            raise EpochRefusedError(
                f"the epoch that waits has the digest {told_apart(plan.digest, digest)}",
                mend=f"look at it (tradex ledger epoch) and give {SHORTEST_DIGEST} digits of it",
            )
        policy.check_may("request", plan.by)
        policy.check_may("force", plan.by)
        if is_own(plan, by):
            raise EpochRefusedError(
                f"{by} asked for this epoch and cannot approve it", mend="ask somebody else", code="self-approval"
            )
        facts = {**plan.to_event(), "planned_by": plan.by, "by": by}
        self.trigger_event(self.EpochBegun, **facts)
