"""One driver a run: a lease outside the ledger, renewed by a heartbeat, taken over when its holder is dead."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.run import Run
from tradex_ledger.driving.execution import Execution
from tradex_ledger.errors import ConflictError, EnvironmentFault
from tradex_ledger.ledger.living import Lease
from tradex_ledger.planning.plan import subjects

if TYPE_CHECKING:
    from tradex_ledger.ledger.application import Ledger
    from tradex_ledger.ledger.leases import Leases

TTL_SECONDS = 30
HEARTBEAT_SECONDS = 10


class DrivenElsewhereError(ConflictError):
    """Another process holds the lease of that run."""

    code = "driven-elsewhere"

    def __init__(self, name: str, lease: Lease | None) -> None:
        who = f" (process {lease.pid} on {lease.host})" if lease else ""
        super().__init__(
            f"{name} is being driven by another process{who}",
            mend="wait for it; if it died, the same command resumes half a minute later",
        )


def held(ex: Execution, name: str) -> AbstractContextManager[None]:
    """Hold the lease of `name` for the length of the block, as a driver: see `held_in`."""
    return held_in(ex.scope.ledger, ex.token, name)


@contextmanager
def held_in(ledger: Ledger, token: str, name: str) -> Iterator[None]:
    """Hold the lease of `name` for the length of the block. Raises `DrivenElsewhereError`.

    A driver that cannot renew goes on: the version of the run's stream fences it off, not the lease.
    """
    leases = ledger.leases
    if not leases.acquire(name, token, TTL_SECONDS):
        ledger.driven()  # of a host that may be dead, all that it holds counts from here on, not this alone
        raise DrivenElsewhereError(name, leases.holder(name))
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(HEARTBEAT_SECONDS):
            try:
                leases.renew(name, token, TTL_SECONDS)
            except EnvironmentFault:
                continue  # a busy or full database now; the next beat tries again

    thread = threading.Thread(target=beat, daemon=True)
    _held[name, token] = leases
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        _held.pop((name, token), None)
        with suppress(EnvironmentFault):  # it ends by itself
            leases.release(name, token)


_held: dict[tuple[str, str], Leases] = {}


def give_all_back() -> None:
    """Give back what this process holds: it is about to end without leaving its blocks."""
    for (name, token), leases in list(_held.items()):
        with suppress(EnvironmentFault):
            leases.release(name, token)


def still_holds(ex: Execution, name: str) -> bool:
    """Whether nobody has taken the lease of `name` over; one that ran out is still this driver's."""
    lease = ex.scope.ledger.leases.holder(name)
    return lease is not None and lease.holder == ex.token


class QuotaError(ConflictError):
    """As many runs as the policy allows at once are being driven (N29, N32)."""

    code = "quota"

    def __init__(self, run_id: str, what: str, allowed: int) -> None:
        super().__init__(
            f"{run_id} has to wait: {allowed} runs {what} are being driven, and the policy allows no more",
            mend="wait for one to end (a worker does), or raise the quota under [policy]",
        )


@contextmanager
def quota(ex: Execution, run: Run) -> Iterator[None]:
    """Hold one of the places that the policy gives to backfills, of a dataset and in all. Raises `QuotaError`.

    A place is a lease: a driver that dies gives it back. A backfill of a layer takes a place of each of its datasets.
    """
    with ExitStack() as stack:
        if isinstance(run, Backfill):
            about = sorted(definition.name for definition in subjects(ex.scope, run.request.dataset))
            places = [(f"of {name}", ex.scope.policy.runs_per_dataset) for name in about]
            for what, allowed in (*places, ("in all", ex.scope.policy.runs_in_all)):
                if allowed and not _take_place(ex, stack, what, allowed):
                    raise QuotaError(run.id, what, allowed)
        yield


def _take_place(ex: Execution, stack: ExitStack, what: str, allowed: int) -> bool:
    for number in range(1, allowed + 1):
        with suppress(DrivenElsewhereError):
            stack.enter_context(held(ex, f"place {number} {what}"))
            return True
    return False
