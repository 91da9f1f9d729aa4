"""Commands on the lake as a whole: garbage, and the epoch of its ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tradex_ledger.domain.waiting import EpochPlan
from tradex_ledger.lake import identity
from tradex_ledger.lake.identity_errors import LakeIdentityError, LostHeadError, NotLostError
from tradex_ledger.lake.markers import markers
from tradex_ledger.lake.storage import translate
from tradex_ledger.workspace.incremental import IncrementalCommands

if TYPE_CHECKING:
    from tradex_ledger.domain.lake import LakeLog
    from tradex_ledger.upkeep.gc import Unreferenced


class LakeCommands(IncrementalCommands):
    """One method a command. What begins an epoch works on a lake that is not this ledger's yet."""

    def collect_garbage(self, *, reason: str) -> tuple[list[Unreferenced], list[Unreferenced]]:
        """Remove what crashed drives left behind. Returns what no event names, and what of it was removed."""
        from tradex_ledger.upkeep.gc import collect, find_unreferenced

        policy = self.policy
        policy.check_may("gc", self.actor)
        found = find_unreferenced(self.ledger, self.lake)
        return found, collect(self.ledger, self.lake, found, reason=reason, by=self.actor, policy=policy)

    def plan_epoch(self, lost_head: int, *, reason: str) -> EpochPlan:
        """Ask that this ledger, put back from a copy, goes on without what came after; somebody else approves.

        Raises: `NotLostError` when the lake knows of nothing that this ledger lacks, or of more than was named.
        """
        store, root = self.ledger.store, self.lake.root
        try:
            stands = identity.problem(store, root, blind=False)
            base, (epoch, position) = identity.plan_base(store, root)
        except OSError as error:
            raise translate(error, f"looking into the lake {root}") from error
        if stands is None:
            raise NotLostError("the lake knows of nothing that this ledger does not have: no head was lost")
        if not isinstance(stands, LostHeadError):
            raise stands
        if lost_head < position:
            raise NotLostError(f"the lost head is not {lost_head}: the lake knows the ledger up to position {position}")
        log = self.lake_log()
        log.plan_epoch((epoch, max(lost_head, 1)), base=base, reason=reason, by=self.actor, policy=self.policy)
        self.ledger.append(log)
        assert log.epoch_plan is not None  # just asked for
        return log.epoch_plan

    def begin_epoch(self, digest: str) -> int:
        """Approve the epoch that was asked for; returns its number. Raises `LakeIdentityError` if the lake went on."""
        log, lake = self.lake_log(), self.lake
        asked = log.epoch_plan
        log.begin_epoch(digest, by=self.actor, policy=self.policy)
        try:
            if asked is not None:
                identity.check_given_up(self.ledger.store, lake.root, asked)
        except OSError as error:
            raise translate(error, f"looking into the lake {lake.root}") from error
        identity.mark_saved(self.ledger, lake, self.ledger.append(log))
        return log.epoch

    def lake_log(self) -> LakeLog:
        """What was done to the lake as a whole."""
        from tradex_ledger.upkeep.gc import lake_log

        return lake_log(self.ledger, by=self.actor)

    def identity(self) -> dict[str, Any]:
        """Which ledger this is, how far it has come, what the lake knows of it, and what stands in the way."""
        found: LakeIdentityError | None = identity.problem(self.ledger.store, self.lake.root)
        try:
            known = [{"epoch": m.epoch, "position": m.position, "ledger": m.ledger} for m in markers(self.lake.root)]
        except OSError as error:
            raise translate(error, f"looking into the lake {self.lake.root}") from error
        return {
            "ledger": self.ledger.id,
            "epoch": self.lake_log().epoch,
            "position": self.ledger.position(),
            "lake": str(self.lake.root),
            "markers": known,
            "problem": found and {"code": found.code, "message": found.message, "mend": found.mend},
        }
