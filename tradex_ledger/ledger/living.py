"""Which leases are held by somebody who lives: what is asked of them, by who only reads, too.

No wall clock is asked: one that jumps would end every lease, or none. On one machine a lease is renewed by what the
system counts since it was started. Of another machine's lease nobody here can tell the time: its renewals are counted,
and it is dead when this machine has seen none for the length of the lease, by its own count.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from tradex_ledger.clock import Seat
from tradex_ledger.ledger.select import Ask, Store, read


class Lease(NamedTuple):
    """Who holds a name and where; how often it was renewed, and when by the count of that machine; for how long."""

    name: str
    holder: str
    host: str
    machine: str
    pid: int
    beat: int
    renewed: float
    seconds: float


def process_runs(pid: int) -> bool:
    """Whether a process of this machine is alive; in doubt, it is."""
    if os.name != "posix":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def is_void(lease: Lease, here: Seat, since: float | None, runs: Callable[[int], bool] = process_runs) -> bool:
    """Whether its holder lives no more; of another machine's, `since` is when this renewal was first seen from here."""
    now = here.uptime()
    if lease.machine == here.machine:
        return now - lease.renewed >= lease.seconds or not runs(lease.pid)
    return since is not None and now - since >= lease.seconds


def living(store: Store, here: Seat, runs: Callable[[int], bool] = process_runs) -> tuple[set[str], list[Lease]]:
    """The names whose lease is renewed, as far as this machine can tell, and whose holder, if of here, is alive.

    Beside them: the renewals on other machines that this one has seen for the first time, which are to be noted.
    """
    found = _alive(store, here, runs)
    news = [lease for lease, since in found.items() if since is None and lease.machine != here.machine]
    return {lease.name for lease in found}, news


def lease_that_lives(store: Store, here: Seat, name: str, runs: Callable[[int], bool] = process_runs) -> Lease | None:
    """The lease of a name, where it is renewed and its holder, if of here, is alive; None: nobody has it."""
    return next((lease for lease in _alive(store, here, runs) if lease.name == name), None)


def _alive(store: Store, here: Seat, runs: Callable[[int], bool]) -> dict[Lease, float | None]:
    """The leases that are not void, each with when its renewal was first seen from here."""
    if not store.has_table("holds"):  # a ledger of before, which is only read
        return {}

    def find(ask: Ask) -> tuple[list[Lease], dict[tuple[str, str, int], float]]:
        seen = {(name, holder, beat): since for name, holder, beat, since in ask(read("watched"), machine=here.machine)}
        return [Lease(*row) for row in ask(read("leases"))], seen

    leases, seen = store.ask(find)
    watched = {lease: seen.get((lease.name, lease.holder, lease.beat)) for lease in leases}
    return {lease: since for lease, since in watched.items() if not is_void(lease, here, since, runs)}
