"""Who may decide on a run, and why not: each deed is tried by the very rules that judge it, and nothing is recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import duckdb

from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.incremental import IncrementalRun, NoBackfillError
from tradex_ledger.domain.person import check_actor
from tradex_ledger.domain.policy import Policy
from tradex_ledger.driving.fence import load_run
from tradex_ledger.errors import RefusedError
from tradex_ledger.workspace.core import Core

_REASON = "asked whether it may be done"
_TRIALS: dict[str, Callable[[Backfill, str, Policy], object]] = {
    "reject": lambda run, by, policy: run.reject(reason=_REASON, by=by, policy=policy),
    "release": lambda run, by, policy: run.release(reason=_REASON, by=by, policy=policy),
    "cancel": lambda run, by, policy: run.cancel(reason=_REASON, by=by, policy=policy),
    "pause": lambda run, by, policy: run.pause(reason=_REASON, by=by, policy=policy),
    "resume": lambda run, by, policy: run.resume(by=by, policy=policy),
}
DEEDS = ("approve", *_TRIALS, "revert")
"""What somebody decides on a run."""


@dataclass(frozen=True, slots=True)
class May:
    """Whether somebody may do a deed now; else the `code` of the refusal, `why`, and what to do instead (`mend`)."""

    deed: str
    is_allowed: bool
    code: str = ""
    why: str = ""
    mend: str = ""

    def __bool__(self) -> bool:
        return self.is_allowed


def may(core: Core, actor: str, run_id: str, over: duckdb.DuckDBPyConnection | None = None) -> dict[str, May]:
    """Of each deed whether an actor may do it to the run whose id begins so; `over` the projections as of now, if open.

    An approval that lacks nothing but a signature is refused with the code `unsigned-approval`.
    """
    run, by, policy = load_run(core.ledger, core.find_run(run_id)), check_actor(actor), core.policy_to_look
    trials: Mapping[str, Callable[[], object]]
    if isinstance(run, IncrementalRun):
        trials = _of_incremental(core, run, by, policy)
    else:
        trials = _of_backfill(core, run, by, policy, over)
    return {deed: _tried(deed, trials[deed]) for deed in DEEDS}


def _of_backfill(
    core: Core, run: Backfill, by: str, policy: Policy, over: duckdb.DuckDBPyConnection | None
) -> Mapping[str, Callable[[], object]]:
    def approve() -> None:
        now, _ = core.time_of_deed(policy)
        run.for_trial().approve(run.plan.digest if run.plan else "", by=by, policy=policy, now=now)

    def revert() -> None:
        from tradex_ledger.upkeep.revert import check_can

        run.for_trial().revert(reason=_REASON, by=by, blockers=[], policy=policy)  # first: it asks nothing
        check_can(core.ledger, core.pipeline, run, over)

    def tried(trial: Callable[[Backfill, str, Policy], object]) -> Callable[[], object]:
        return lambda: trial(run.for_trial(), by, policy)

    return {"approve": approve, "revert": revert, **{deed: tried(trial) for deed, trial in _TRIALS.items()}}


def _of_incremental(core: Core, run: IncrementalRun, by: str, policy: Policy) -> Mapping[str, Callable[[], object]]:
    def no_backfill() -> None:
        raise NoBackfillError(run.id, run.status, run.cursor_to, core.words)

    def release() -> None:
        run.for_trial().release(reason=_REASON, by=by, policy=policy)

    def cancel() -> None:
        run.for_trial().cancel(reason=_REASON, by=by, policy=policy, words=core.words)

    return dict.fromkeys(DEEDS, no_backfill) | {"release": release, "cancel": cancel}


def _tried(deed: str, trial: Callable[[], object]) -> May:
    try:
        trial()
    except RefusedError as refused:
        return May(deed, is_allowed=False, code=refused.code, why=refused.message, mend=refused.mend)
    return May(deed, is_allowed=True)
