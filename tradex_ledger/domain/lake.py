"""The lake as a whole: what was removed from it as garbage, and which epoch of the ledger it belongs to. No I/O here.

An epoch is the time between two losses: a ledger that was put back from a copy lacks events that the lake knows of, and
its next events stand at positions that others had. So it goes on in a new epoch only, which names what was lost. One
stream, so that two people do not begin two epochs at once. A ledger that moves to another database loses nothing; there
it goes on in a new epoch, too, so that whoever goes on with the old one is seen.
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
from tradex_ledger.domain.waiting import EpochPlan, MovePlan, is_own
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
    LedgerMovePlanned = events.LedgerMovePlanned
    LedgerMoved = events.LedgerMoved

    def __init__(self) -> None:
        self.epoch: int = 0
        self.epoch_plan: EpochPlan | None = None
        self.move_plan: MovePlan | None = None
        self.moved_by: str | None = None

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
        plan = self.epoch_plan
        if plan is None:
            raise EpochRefusedError(
                "nobody has asked for a new epoch", mend="ask: tradex ledger epoch --lost-head POSITION --reason …"
            )
        _check_allowed(plan, digest, "epoch", by=by, policy=policy)
        facts = {**plan.to_event(), "planned_by": plan.by, "by": by}
        self.trigger_event(self.EpochBegun, **facts)

    def plan_move(self, to: str, *, reason: str, by: str, policy: Policy) -> MovePlan:
        """Ask that the ledger goes on in another database. Raises `NotAllowedError`."""
        policy.check_may("request", by)
        policy.check_may("force", by)
        epoch, reason = self.epoch + 1, check_reason(reason)
        digest = digest_of([self.version, {"to": to, "epoch": epoch, "reason": reason}])
        plan = MovePlan(to, epoch, reason, digest, by)
        self.trigger_event(self.LedgerMovePlanned, **plan.to_event())
        return plan

    def move(self, digest: str, *, by: str, policy: Policy) -> MovePlan:
        """Approve the move that was asked for; nothing comes after it here. Once it is approved, it is not again.

        Raises: `NotAllowedError`, `EpochRefusedError`.
        """
        plan = self.move_plan
        if plan is None:
            raise EpochRefusedError(
                "nobody has asked to move the ledger", mend="ask: tradex ledger copy URL --reason …"
            )
        _check_allowed(plan, digest, "copy", by=by, policy=policy, again=self.moved_by is not None)
        if self.moved_by is None:
            self.trigger_event(self.LedgerMoved, **{**plan.to_event(), "planned_by": plan.by, "by": by})
        return plan

    def arrive(self, position: int) -> None:
        """Go on where the ledger was moved to: it has come whole, up to the move at a position, and nothing is lost."""
        plan, by = self.move_plan, self.moved_by
        assert plan is not None and by is not None  # it was moved
        lost = {"base": position, "lost_epoch": self.epoch, "lost_position": position}
        facts = {"epoch": plan.epoch, "reason": plan.reason, "digest": plan.digest, "planned_by": plan.by, "by": by}
        self.trigger_event(self.EpochBegun, **lost, **facts)


def _check_allowed(
    plan: EpochPlan | MovePlan, digest: str, noun: str, *, by: str, policy: Policy, again: bool = False
) -> None:
    """Raise unless somebody may approve what was asked for by that digest; who asked may do it `again`."""
    policy.check_may("approve", by)
    policy.check_may("force", by)
    if full_digest(digest, plan.digest) != plan.digest:
        raise EpochRefusedError(
            f"the {noun} that waits has the digest {told_apart(plan.digest, digest)}",
            mend=f"look at it (tradex ledger {noun}) and give {SHORTEST_DIGEST} digits of it",
        )
    policy.check_may("request", plan.by)
    policy.check_may("force", plan.by)
    if is_own(plan, by) and not again:
        raise EpochRefusedError(
            f"{by} asked for this {noun} and cannot approve it", mend="ask somebody else", code="self-approval"
        )
