"""Commands on the lake as a whole: garbage, and the epoch of its ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradex_ledger.audit.documents.lake import (
    GarbageDocument,
    IdentityDocument,
    LossDocument,
    Lost,
    Marked,
    PruneDocument,
    Told,
    Unnamed,
    Wrong,
)
from tradex_ledger.domain.waiting import EpochPlan
from tradex_ledger.lake import identity
from tradex_ledger.lake.identity_errors import LakeIdentityError, LostHeadError, NotLostError
from tradex_ledger.lake.storage import translate
from tradex_ledger.relations.data import LostFile
from tradex_ledger.workspace.incremental import IncrementalCommands

if TYPE_CHECKING:
    from tradex_ledger.domain.lake import LakeLog
    from tradex_ledger.upkeep.gc import Unreferenced


class LakeCommands(IncrementalCommands):
    """One method a command. What begins an epoch works on a lake that is not this ledger's yet."""

    def garbage(self) -> GarbageDocument:
        """What no event names: what crashed drives left behind, and what is foreign."""
        from tradex_ledger.upkeep.gc import find_unreferenced

        return _garbage(find_unreferenced(self.ledger, self.lake), [])

    def collect_garbage(self, *, reason: str) -> GarbageDocument:
        """Remove what crashed drives left behind."""
        from tradex_ledger.upkeep.gc import collect, find_unreferenced

        policy = self.policy
        policy.check_may("gc", self.actor)
        found = find_unreferenced(self.ledger, self.lake)
        return _garbage(found, collect(self.ledger, self.lake, found, reason=reason, by=self.actor, policy=policy))

    def waiting_prune(self, name: str) -> PruneDocument:
        """The plan to prune a dataset that waits for its approval: what would go, and what would be nowhere then."""
        from tradex_ledger.upkeep.prune import lost_days

        plan = self.dataset(name).prune_plan
        lost = lost_days(self.ledger, name, plan.paths if plan else set())
        return PruneDocument(plan.digest if plan else None, list(plan.files) if plan else [], lost, plan)

    def losses(self, name: str | None = None) -> LossDocument:
        """A look at all files (of one dataset, or of all), and what was declared lost of them and waits."""
        from tradex_ledger.upkeep.lost import find_lost

        look = find_lost(self.ledger, self.lake, name)
        names = [name] if name else list(self.pipeline.definitions)
        plans = {one: plan for one in names if (plan := self.dataset(one).loss_plan)}
        return LossDocument(
            checked=look.checked,
            wrong=[Wrong(**file) for file in look.wrong],
            lost=[Lost(LostFile(**{n: file[n] for n in LostFile._fields}), file["state"]) for file in look.lost],
            waiting=list(plans.values()),
            of=list(plans),
        )

    def plan_epoch(self, lost_head: int, *, reason: str) -> EpochPlan:
        """Ask that this ledger, put back from a copy, goes on without what came after; somebody else approves.

        Raises: `NotLostError` when the lake knows of nothing that this ledger lacks, or of more than was named.
        """
        store, lake = self.ledger.store, self.lake
        try:
            stands = identity.problem(store, lake, blind=False)
            base, (epoch, position) = identity.plan_base(store, lake)
        except OSError as error:
            raise translate(error, f"looking into the lake {lake.name}") from error
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
                identity.check_given_up(self.ledger.store, lake, asked)
        except OSError as error:
            raise translate(error, f"looking into the lake {lake.name}") from error
        identity.mark_saved(self.ledger, lake, self.ledger.append(log))
        return log.epoch

    def waiting_epoch(self) -> EpochPlan | None:
        """The new epoch that waits for its approval."""
        return self.lake_log().epoch_plan

    def lake_log(self) -> LakeLog:
        """What was done to the lake as a whole."""
        from tradex_ledger.upkeep.gc import lake_log

        return lake_log(self.ledger, by=self.actor)

    def identity(self) -> IdentityDocument:
        """Which ledger this is, how far it has come, what the lake knows of it, and what stands in the way."""
        found: LakeIdentityError | None = identity.problem(self.ledger.store, self.lake)
        try:
            known = [Marked(marker.epoch, marker.position, marker.ledger) for marker in self.lake.markers()]
        except OSError as error:
            raise translate(error, f"looking into the lake {self.lake.name}") from error
        return IdentityDocument(
            ledger=self.ledger.id,
            epoch=self.lake_log().epoch,
            position=self.ledger.position(),
            lake=self.lake.name,
            markers=known,
            problem=Told.of(found) if found else None,
        )


def _garbage(found: list[Unreferenced], gone: list[Unreferenced]) -> GarbageDocument:
    listed, removed = (
        [Unnamed(f.path, f.bytes, f.run_id, f.run_status, f.modified_at, f.kept) for f in files]
        for files in (found, gone)
    )
    return GarbageDocument.of(listed, removed)
