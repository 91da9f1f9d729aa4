"""Commands on the lake as a whole: garbage, and the epoch of its ledger."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tradex_ledger.audit.documents.lake import (
    ErasureDocument,
    GarbageDocument,
    IdentityDocument,
    LossDocument,
    Lost,
    Marked,
    PruneDocument,
    Told,
    Wrong,
)
from tradex_ledger.domain.dataset import stream_of
from tradex_ledger.domain.signing import APPROVE, SignedText
from tradex_ledger.domain.waiting import EpochPlan, ListedFile
from tradex_ledger.lake import identity
from tradex_ledger.lake.identity_errors import LostHeadError, NotLostError
from tradex_ledger.lake.storage import translate
from tradex_ledger.sealing.heads import check_all, lost_in, problem
from tradex_ledger.views import Asked, is_past, resolve
from tradex_ledger.workspace.approvals import Approvals, Handed
from tradex_ledger.workspace.core import Core
from tradex_ledger.workspace.datasets import Datasets

if TYPE_CHECKING:
    from tradex_ledger.domain.dataset import Dataset
    from tradex_ledger.domain.lake import LakeLog
    from tradex_ledger.upkeep.gc import Unreferenced


class LakeRoom:
    """Commands on the lake as a whole. What begins an epoch works on a lake that is not this ledger's yet."""

    def __init__(self, core: Core, datasets: Datasets) -> None:
        self.core = core
        self._datasets = datasets
        self.approvals = Approvals(core)

    def garbage(self) -> GarbageDocument:
        """What no event names: what crashed drives left behind, and what is foreign."""
        from tradex_ledger.upkeep.gc import find_unreferenced

        return _garbage(find_unreferenced(self.core.ledger, self.core.lake), [])

    def gc(self, *, reason: str) -> GarbageDocument:
        """Remove what crashed drives left behind."""
        from tradex_ledger.upkeep.gc import collect, find_unreferenced

        policy = self.core.policy
        policy.check_may("gc", self.core.actor)
        found = find_unreferenced(self.core.ledger, self.core.lake)
        return _garbage(
            found, collect(self.core.ledger, self.core.lake, found, reason=reason, by=self.core.actor, policy=policy)
        )

    def waiting_prune(self, name: str, as_of: Asked = None) -> PruneDocument:
        """The plan to prune a dataset that waits for its approval: what would go, and what would be nowhere then."""
        from tradex_ledger.upkeep.prune import lost_days

        plan = self._datasets.get(name, self._upto(as_of)).prune_plan
        lost = lost_days(self.core.ledger, name, plan.paths if plan else set(), as_of)
        return PruneDocument(plan.digest if plan else None, list(plan.files) if plan else [], lost, plan)

    def losses(self, name: str | None = None, as_of: Asked = None) -> LossDocument:
        """A look at all files (of one dataset, or of all), and what was declared lost of them and waits: at those that
        were named as of before, as they are in the lake now."""
        from tradex_ledger.upkeep.lost import find_lost

        look = find_lost(self.core.ledger, self.core.lake, name, as_of)
        upto = self._upto(as_of)
        plans = {one: plan for one in self._names(name, upto) if (plan := self._datasets.get(one, upto).loss_plan)}
        return LossDocument(
            checked=look.checked,
            wrong=[Wrong.of(one.dataset, one.listed) for one in look.wrong],
            lost=[Lost(one.file, one.state) for one in look.lost],
            waiting=list(plans.values()),
            of=list(plans),
        )

    def _names(self, name: str | None, upto: int | None) -> list[str]:
        """The datasets that are meant: one, or all there are."""
        if name is None and upto is not None:
            known = self.core.ledger.streams_of("dataset.registered", upto=upto)
            return [stream.removeprefix("dataset-") for stream in known]
        return [name] if name else list(self.core.pipeline.definitions)

    def _upto(self, as_of: Asked) -> int | None:
        return resolve(self.core.ledger.store, as_of).position if is_past(as_of) else None

    def plan_prune(self, name: str, *, reason: str) -> tuple[str, list[ListedFile]]:
        """List the files of old versions that could be given up; somebody else approves the digest."""
        from tradex_ledger.upkeep.prune import plan_prune

        self.core.pipeline.get(name)
        return plan_prune(self.core.ledger, name, reason=reason, by=self.core.actor, policy=self.core.policy)

    def prune(self, name: str, digest: str) -> list[str]:
        """Approve a plan to prune, and remove its files."""
        from tradex_ledger.upkeep.prune import prune

        self.core.pipeline.get(name)
        return prune(self.core.ledger, self.core.lake, name, digest, by=self.core.actor, policy=self.core.policy)

    def waiting_erasure(self, name: str) -> ErasureDocument:
        """The erasure of rows of a dataset that waits for its approval, or has not ended."""
        dataset = self._datasets.get(name)
        plan = dataset.erasing or dataset.erasure_plan
        status = "approved, not ended" if dataset.erasing else "waits" if plan else "none"
        return ErasureDocument(plan.digest if plan else None, status, plan)

    def plan_erasure(self, name: str, keys: Iterable[str], *, reason: str, ticket: str) -> ErasureDocument:
        """List the files that hold rows which law wants erased, by their keys; somebody else approves the digest."""
        from tradex_ledger.upkeep.erase import plan_erasure

        self.core.pipeline.get(name)
        found = plan_erasure(self.core.scope(), self.core.lake, name, keys, reason=reason, ticket=ticket)
        return ErasureDocument(found.plan.digest, "waits", found.plan, found.unknown, found.mentions)

    def erasure_text(self, name: str, digest: str, *, seen: int | None = None) -> SignedText:
        """What is to be signed to approve an erasure: see `Approvals.text`. Raises: `ErasureRefusedError`."""
        plan = self._datasets.get(name).waiting_erasure(digest)
        return self.approvals.text_on(stream_of(name), plan.digest, APPROVE, seen=seen)

    def erase(
        self, name: str, digest: str, *, seen: int | None = None, signed: Handed | None = None
    ) -> ErasureDocument:
        """Approve an erasure and carry it out, or go on with one that was approved. `signed` is the text of
        `erasure_text`, and the approver's signature over it, where the policy demands one.
        """
        from tradex_ledger.upkeep.erase import Approval, erase

        def approval() -> Approval:
            given = self.approvals.given(signed, seen=seen)
            return Approval(given.on, given.now, given.unmoved)

        self.core.pipeline.get(name)
        done = erase(self.core.scope(), self.core.lake, name, digest, approval)
        return ErasureDocument(done.plan.digest, "ended", done.plan, left=done.left)

    def declare_loss(self, name: str, *, reason: str, only: Iterable[str] = ()) -> Dataset:
        """Say that files of a dataset are lost: all that are missing or changed, or some; somebody else confirms it."""
        from tradex_ledger.upkeep.lost import declare_loss

        core, chosen = self.core, set(only)
        core.pipeline.get(name)
        return declare_loss(core.ledger, core.lake, name, only=chosen, reason=reason, by=core.actor, policy=core.policy)

    def confirm_loss(self, name: str, digest: str) -> tuple[ListedFile, ...]:
        """Confirm a declared loss; returns its files, which can be extracted or built again from here on."""
        from tradex_ledger.upkeep.lost import confirm_loss

        self.core.pipeline.get(name)
        return confirm_loss(self.core.ledger, self.core.lake, name, digest, by=self.core.actor, policy=self.core.policy)

    def plan_epoch(self, lost_head: int, *, reason: str) -> EpochPlan:
        """Ask that this ledger, put back from a copy, goes on without what came after; somebody else approves.

        What heads know of beyond `lost_head` was lost, too.

        Raises: `NotLostError` when lake and heads know of nothing that this ledger lacks, or of more than was named.
        """
        store, lake = self.core.ledger.store, self.core.lake
        try:
            stands = identity.problem(store, lake, blind=False)
            base, (epoch, position) = identity.plan_base(store, lake)
        except OSError as error:
            raise translate(error, f"looking into the lake {lake.name}") from error
        kept = lost_in(store, self.core.places.all)
        if stands is None and kept is None:
            raise NotLostError(
                "neither the lake nor a head knows of anything that this ledger does not have: no head was lost"
            )
        if stands is not None and not isinstance(stands, LostHeadError):
            raise stands
        if lost_head < position:
            raise NotLostError(f"the lost head is not {lost_head}: the lake knows the ledger up to position {position}")
        base, lost_head = with_kept(base, lost_head, kept)
        log = self.log()
        log.plan_epoch(
            (epoch, max(lost_head, 1)), base=base, reason=reason, by=self.core.actor, policy=self.core.policy
        )
        self.core.ledger.append(log)
        assert log.epoch_plan is not None  # just asked for
        return log.epoch_plan

    def begin_epoch(self, digest: str) -> int:
        """Approve the epoch that was asked for; returns its number. Raises `LakeIdentityError` if the lake went on."""
        log, lake = self.log(), self.core.lake
        asked = log.epoch_plan
        log.begin_epoch(digest, by=self.core.actor, policy=self.core.policy)
        try:
            if asked is not None:
                identity.check_given_up(self.core.ledger.store, lake, asked)
                check_all(self.core.ledger.store, self.core.places.all, begun=asked)
        except OSError as error:
            raise translate(error, f"looking into the lake {lake.name}") from error
        identity.mark_saved(self.core.ledger, lake, self.core.ledger.append(log))
        return log.epoch

    def waiting_epoch(self, as_of: Asked = None) -> EpochPlan | None:
        """The new epoch that waits for its approval."""
        return self.log(as_of).epoch_plan

    def log(self, as_of: Asked = None) -> LakeLog:
        """What was done to the lake as a whole."""
        from tradex_ledger.upkeep.gc import lake_log

        return lake_log(self.core.ledger, by=self.core.actor, upto=self._upto(as_of))

    def identity(self, as_of: Asked = None) -> IdentityDocument:
        """Which ledger this is, how far it has come, or had as of before, and what the lake knows of it up to there;
        what stands in the way now."""
        store, upto = self.core.ledger.store, self._upto(as_of)
        found = identity.problem(store, self.core.lake) or problem(store, self.core.places.all)
        try:
            known = [
                Marked(marker.epoch, marker.position, marker.ledger)
                for marker in self.core.lake.markers()
                if upto is None or marker.position <= upto
            ]
        except OSError as error:
            raise translate(error, f"looking into the lake {self.core.lake.name}") from error
        return IdentityDocument(
            ledger=self.core.ledger.id,
            epoch=self.log(as_of).epoch,
            position=resolve(self.core.ledger.store, as_of).position,
            lake=self.core.lake.name,
            markers=known,
            problem=Told.of(found) if found else None,
        )


def with_kept(base: int, lost: int, kept: tuple[int, int] | None) -> tuple[int, int]:
    """The last position in common and the last one that was lost, where heads (`heads.lost_in`) know of more."""
    return (base, lost) if kept is None else (min(base, kept[0] - 1), max(lost, kept[1]))


def _garbage(found: list[Unreferenced], gone: list[Unreferenced]) -> GarbageDocument:
    return GarbageDocument.of([one.what for one in found], [one.what for one in gone])
