"""Commands on runs: request, approve, drive, hold, revert.

What does the work is imported when it is called: who only asks a question does not pay for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tradex_ledger.clock import new_id
from tradex_ledger.domain.advice import Advice, Refused
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.day import Cursor, day_of
from tradex_ledger.domain.plan import Edge, Plan
from tradex_ledger.domain.remark import Remark
from tradex_ledger.domain.request import READ, Request, before
from tradex_ledger.domain.signing import APPROVE, SignedText
from tradex_ledger.driving.execution import Progress, silent
from tradex_ledger.errors import ConflictError, NotFoundError, RefusedError, UsageError
from tradex_ledger.planning.catalog import Catalogs
from tradex_ledger.planning.scope import Scope
from tradex_ledger.workspace.approvals import Approvals, Handed
from tradex_ledger.workspace.core import Core
from tradex_ledger.workspace.datasets import Datasets

if TYPE_CHECKING:
    from tradex_ledger.audit.reader import Reader
    from tradex_ledger.domain.reversal import Reversal
    from tradex_ledger.workspace.deciding import May

_NO = (RefusedError, UsageError, NotFoundError, ConflictError)
"""What is said of a proposal that cannot be requested."""
NOTHING_SIGNED: Mapping[str, Handed] = {}


class Backfills:
    """Commands on backfills."""

    def __init__(self, core: Core, datasets: Datasets) -> None:
        self.core = core
        self._datasets = datasets
        self.approvals = Approvals(core)

    def find(self, prefix: str) -> str:
        """The backfill whose id begins so, to be decided on or moved: see `Core.find_backfill`."""
        return self.core.find_backfill(prefix)

    # -- requests

    def _planning(self, catalogs: Catalogs | None = None) -> Scope:
        """What a plan is worked out with: datasets that the ledger does not know yet are known to it."""
        scope = replace(self.core.scope(), unregistered=self._datasets.unregistered())
        return scope if catalogs is None else replace(scope, catalogs=catalogs)

    def plan(self, asked: Request) -> tuple[Backfill, Plan]:
        """A backfill with its plan, nothing of it recorded: what `--dry-run` shows. Takes what `request` takes.

        A source that is called is asked to count, and since that costs, the count is on record.
        """
        from tradex_ledger.driving.counting import count_sources
        from tradex_ledger.planning.plan import days_asked, filled_by, layers_of, plan_backfill, with_days

        scope = self._planning()
        self.core.execution(scope=scope).prepare()  # what is asked for may have had a definition until today
        layers = layers_of(scope, asked.dataset)
        cursor = self._cursor_read(asked)  # before the base: a run in between moves it on, past what is planned
        wanted = with_days(scope, asked)
        backfill = Backfill.submit(
            new_id("bf", self.core.clock()),
            before(wanted, cursor) if asked.uses_state == READ else wanted,
            layers=layers,
            today=day_of(self.core.today()),
            by=self.core.actor,
            policy=self.core.policy_to_look,
        )
        count_sources(scope, filled_by(scope, backfill), *days_asked(backfill), silent)
        plan = plan_backfill(scope, backfill, cursor)
        backfill.record_plan(plan, by=self.core.actor)
        return backfill, plan

    def _cursor_read(self, asked: Request) -> Cursor | None:
        return self.core.state.cursor if asked.uses_state == READ else None

    def request(self, asked: Request) -> Backfill:
        """Request a backfill; it is recorded with its plan and waits for an approval, unless a rule approves it.

        Raises: `OverlapError` and what planning raises.
        """
        self.core.policy.check_may("request", self.core.actor)  # before work is done for nothing
        return self._record([self.plan(asked)])[0]

    def request_split(self, asked: Request) -> list[Backfill]:
        """Request a range that is too large for one backfill as several linked ones, each within the policy (N36)."""
        self.core.policy.check_may("request", self.core.actor)
        return self._record(self.plan_split(asked))

    def _record(
        self, planned: list[tuple[Backfill, Plan]], linked: Sequence[tuple[Backfill, Plan]] = ()
    ) -> list[Backfill]:
        """A rule is applied to the whole of a group: what is recorded, is `linked` to it, or was requested before."""
        from tradex_ledger.planning.overlap import check_overlap, others_of_group

        made, policy = [backfill for backfill, _ in planned], self.core.policy
        self._datasets.register()
        knew = self.approvals.knowledge()
        plans = {other.id: other.plan for backfill in made[:1] for other in others_of_group(self.core.ledger, backfill)}
        plans |= {backfill.id: plan for backfill, plan in (*linked, *planned)}
        group = [plan for plan in plans.values() if plan]
        for backfill in made:
            check_overlap(self.core.ledger, backfill)
            backfill.approve_by_rule(by=self.core.actor, policy=policy, group=group, on=knew)
        self.core.ledger.append(*made)
        # As they were recorded: the store gives an event its time.
        return [self.core.ledger.get(Backfill, backfill.id) for backfill in made]

    def plan_split(self, asked: Request) -> list[tuple[Backfill, Plan]]:
        """The linked backfills, each with its plan, that `request_split` would record; nothing is."""
        from tradex_ledger.planning.plan import with_days
        from tradex_ledger.workspace.splitting import split

        wanted = with_days(self._planning(), asked)
        if asked.uses_state == READ:
            wanted = before(wanted, self._cursor_read(asked))
        return split(self.plan, replace(wanted, group=new_id("group", self.core.clock())))

    def warnings(self, backfill: Backfill, *, catalogs: Catalogs | None = None) -> list[str]:
        """What one who asks for it, or approves it, should know: a slip in its range, days it hides."""
        from tradex_ledger.planning.counted import told_cost
        from tradex_ledger.planning.plan import days_asked, far_off, filled_by, hidden_days

        scope = self._planning(catalogs)
        cost = told_cost(scope, filled_by(scope, backfill), *days_asked(backfill), backfill.id)
        return [*cost, *far_off(scope, backfill, self.core.state.cursor), *hidden_days(scope, backfill)]

    def propose(self, *, source: bool = True, progress: Progress = silent) -> list[Advice]:
        """What should be reprocessed, see `upkeep.propose`; with `source` false the source is not read."""
        from tradex_ledger.driving.drive import refusal
        from tradex_ledger.planning.named import definition_proposals
        from tradex_ledger.upkeep.late import find_late
        from tradex_ledger.upkeep.propose import propose
        from tradex_ledger.upkeep.untaken import untaken

        scope = self._planning()
        late = find_late(self.core.execution(progress, scope=scope)) if source else ()
        found = propose(self.core.ledger, late, lambda backfill: refusal(scope, backfill), scope.words)
        defined = [item for item in found if item.dataset in {None, *scope.pipeline.definitions}]
        return [*definition_proposals(self.core.ledger, scope.pipeline, scope.locks()), *defined, *untaken(scope)]

    def submit(self, proposed: Sequence[Advice]) -> list[Advice]:
        """Request what was proposed, each by itself; returns all of it, with what became of each request.

        They are linked, so that they do not stand in each other's way.
        """
        group = new_id("group", self.core.clock()) if sum(item.is_request for item in proposed) > 1 else None
        found, planned = list(proposed), dict[int, tuple[Backfill, Plan]]()
        for number, item in enumerate(found):
            try:
                if asked := item.as_request(group):
                    planned[number] = self.plan(asked)
            except _NO as error:
                found[number] = replace(item, refused=Refused(error.code, error.message, error.mend))
        for number, pair in planned.items():
            try:
                (made,) = self._record([pair], linked=list(planned.values()))
                found[number] = replace(found[number], requested=made.id, status=made.status)
            except _NO as error:
                found[number] = replace(found[number], refused=Refused(error.code, error.message, error.mend))
        return found

    def edges(self, backfill: Backfill, *, catalogs: Catalogs | None = None) -> list[Edge]:
        """Why each dataset is in a backfill's plan: asked for, or for what it reads; `catalogs`: those to ask."""
        from tradex_ledger.planning.plan import edges

        return edges(self._planning(catalogs), backfill)

    def of_group(self, group: str) -> list[Backfill]:
        """The backfills that were requested as parts of one thing, whatever became of them, oldest first."""
        from tradex_ledger.planning.overlap import of_group

        return of_group(self.core.ledger, group)

    # -- decisions

    def may(self, actor: str, run_id: str, *, over: Reader | None = None) -> dict[str, May]:
        """Whether an actor may approve, reject, release, cancel, pause, resume or revert a run of either kind now, and
        why not: see `deciding.may`. Nothing is recorded by it. `over` a reader as of now, where one is open.

        >>> ws.backfills.may("maria", "bf-1m83")["approve"].why                # doctest: +SKIP
        'maria requested the forced backfill bf-1m83… and cannot approve it'
        """
        from tradex_ledger.workspace.deciding import may

        return may(self.core, actor, run_id, over.connection if over is not None else None)

    def approve(
        self,
        run_id: str,
        *,
        plan_digest: str | None = None,
        comment: str | None = None,
        hold: bool = False,
        seen: int | None = None,
        signed: Handed | None = None,
    ) -> Backfill:
        """Allow a backfill's plan (the one on record, unless a digest, or 12 digits of it, is given to be sure).

        `comment` goes on record; with `hold` the run is held before its publication, for somebody to compare and
        release. `seen` is the position that the approver was shown (None: the newest); where what the plan does to
        readers is other by now, it is refused. `signed` is the text of `text`, and the approver's signature over it,
        which covers neither comment nor hold. One that has waited too long is closed, unless that is so by a clock that
        is far from the last event. Raises: `StaleKnowledgeError`, what `Backfill.approve` and `Approvals.given` raise.

        >>> ws.backfills.approve("bf-1m83", seen=120, comment="as agreed on Monday")        # doctest: +SKIP
        """
        from tradex_ledger.workspace.approving import approve

        backfill = self.core.ledger.get(Backfill, self.find(run_id))
        given = {} if signed is None else {backfill.id: signed}
        said = Remark(comment, hold)
        return approve(self.approvals, [(backfill, plan_digest)], said, seen=seen, signed=given)[0]

    def approve_all(
        self,
        run_ids: Sequence[str],
        *,
        comment: str | None = None,
        hold: bool = False,
        seen: int | None = None,
        signed: Mapping[str, Handed] = NOTHING_SIGNED,
    ) -> list[Backfill]:
        """Allow the plans of several backfills in one save, such as the parts of a request that was split (`parts`):
        all of them, or none. `signed` has what was handed in for each, by its id. Raises: `NotAllApprovedError`.

        >>> ws.backfills.approve_all(ws.backfills.parts("bf-1m83"))                          # doctest: +SKIP
        """
        from tradex_ledger.workspace.approving import approve

        ids = dict.fromkeys(map(self.find, run_ids))
        runs = [(self.core.ledger.get(Backfill, run_id), None) for run_id in ids]
        return approve(self.approvals, runs, Remark(comment, hold), seen=seen, signed=signed)

    def parts(self, run_id: str) -> list[str]:
        """A backfill, with the other parts of its request that wait for an approval, oldest first."""
        from tradex_ledger.planning.overlap import others_of_group

        backfill = self.core.ledger.get(Backfill, self.find(run_id))
        others = (other.id for other in others_of_group(self.core.ledger, backfill) if other.status == "PLANNED")
        return sorted({backfill.id, *others})

    def reject(self, run_id: str, *, reason: str, seen: int | None = None, signed: Handed | None = None) -> Backfill:
        """Say no to a backfill; `seen` and `signed` are as for `approve`."""
        backfill = self.core.ledger.get(Backfill, self.find(run_id))
        given = self.approvals.given(signed, seen=seen)
        policy = given.record.policy
        backfill.reject(reason=reason, by=self.core.actor, policy=policy, now=given.now, on=given.on)
        self.core.ledger.append(backfill, unmoved=given.unmoved)
        return backfill

    def text(self, run_id: str, decision: str = APPROVE, *, seen: int | None = None) -> SignedText:
        """What is to be signed to decide on a backfill: see `Approvals.text`."""
        backfill = self.core.ledger.get(Backfill, self.find(run_id))
        return self.approvals.text(backfill, decision, seen=seen)

    def sign(self, said: SignedText, key_file: Path, passphrase: Callable[[], str | None] = lambda: None) -> Handed:
        """That text with a signature by the SSH key of a file, to be handed in."""
        return self.approvals.sign(said, key_file, passphrase)

    def pause(self, run_id: str, *, reason: str) -> Backfill:
        """Stop a backfill between two windows."""
        backfill = self.core.ledger.get(Backfill, self.find(run_id))
        backfill.pause(reason=reason, by=self.core.actor, policy=self.core.policy)
        self.core.ledger.append(backfill)
        return backfill

    def resume(self, run_id: str) -> Backfill:
        """Let a paused backfill be driven again."""
        backfill = self.core.ledger.get(Backfill, self.find(run_id))
        backfill.resume(by=self.core.actor, policy=self.core.policy)
        self.core.ledger.append(backfill)
        return backfill

    def revert(self, run_id: str, *, reason: str) -> Backfill:
        """Take back what a backfill published; earlier versions are current again."""
        from tradex_ledger.upkeep.revert import revert

        core, found = self.core, self.find(run_id)
        return revert(core.ledger, core.lake, core.pipeline, found, reason=reason, by=core.actor, policy=core.policy)

    def reversal(self, run_id: str) -> Reversal:
        """What `revert` would do now: which days would be read as before, what would be stale, what stands in its way.

        Nothing is recorded by it. Raises: `WrongStateError` where nothing of it is published.
        """
        from tradex_ledger.upkeep.reversal import reversal

        core = self.core
        return reversal(core.ledger, core.pipeline, self.find(run_id), by=core.actor, policy=core.policy_to_look)
