"""Leases: one process at a time drives a run, and a dead one is replaced.

No wall clock is asked: one that jumps would end every lease, or none. On one machine a lease is renewed by what the
system counts since it was started. Of another machine's lease nobody here can tell the time: its renewals are counted,
and it is dead when this machine has seen none for the length of the lease, by its own count.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from eventsourcing.persistence import IntegrityError
from sqlalchemy import Connection, Engine, Select, delete, insert, inspect, select, update

from tradex_ledger.clock import Seat, seat
from tradex_ledger.ledger.store import only_reads, read, writing
from tradex_ledger.ledger.tables import holds, watches


@dataclass(frozen=True)
class Lease:
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


class Leases:
    """The leases of a ledger, in tables outside it.

    A lease only saves work from being done twice: who wakes up after losing one is stopped by the
    version of the stream it wants to append to.
    """

    def __init__(
        self, engine: Engine, here: Seat | None = None, *, process_runs: Callable[[int], bool] = process_runs
    ) -> None:
        self._engine = engine
        self._here = here or seat()
        self._process_runs = process_runs

    def acquire(self, name: str, holder: str, ttl_seconds: float) -> bool:
        """Takes a lease that is free, the holder's own, not renewed any more, or left by a dead process of here.

        What is known of another machine's lease is kept: who comes back after its length may take it.
        """
        here = self._here
        taken = {"holder": holder, "host": here.host, "machine": here.machine, "pid": here.pid, "seconds": ttl_seconds}
        try:
            with writing(self._engine) as connection:
                row = connection.execute(select(holds).where(holds.c.name == name).with_for_update()).one_or_none()
                if row is not None:
                    lease = Lease(*row)
                    if lease.holder != holder and not self._is_void(connection, lease):
                        self._watch(connection, lease)
                        return False
                    connection.execute(delete(holds).where(holds.c.name == name))
                connection.execute(delete(watches).where(watches.c.name == name))
                connection.execute(insert(holds).values(name=name, beat=0, renewed=here.uptime(), **taken))
                return True
        except IntegrityError:
            # Where writers do not wait for each other, somebody else's INSERT came first.
            return False

    def renew(self, name: str, holder: str, ttl_seconds: float) -> bool:
        """Extends the holder's own lease; false if it has been lost."""
        with writing(self._engine) as connection:
            renewed = connection.execute(
                update(holds)
                .where(holds.c.name == name, holds.c.holder == holder)
                .values(beat=holds.c.beat + 1, renewed=self._here.uptime(), seconds=ttl_seconds)
            )
            return renewed.rowcount == 1

    def release(self, name: str, holder: str) -> None:
        """Gives the holder's own lease back; somebody else's stays."""
        with writing(self._engine) as connection:
            connection.execute(delete(holds).where(holds.c.name == name, holds.c.holder == holder))

    def holder(self, name: str) -> Lease | None:
        """The lease as it stands, even if it is not renewed any more."""
        wanted = select(holds).where(holds.c.name == name)
        row = read(self._engine, lambda connection: connection.execute(wanted).one_or_none())
        return None if row is None else Lease(*row)

    def living(self) -> set[str]:
        """The names whose lease is renewed, as far as this machine can tell, and whose holder, if of here, is alive."""

        def find(connection: Connection) -> tuple[list[Lease], list[Lease]]:
            if not inspect(connection).has_table(holds.name):  # a ledger of before, which is only read
                return [], []
            found = [Lease(*row) for row in connection.execute(select(holds))]
            alive = [lease for lease in found if not self._is_void(connection, lease)]
            return alive, [lease for lease in alive if self._is_news(connection, lease)]

        alive, news = read(self._engine, find)
        if news and not only_reads(self._engine):
            with writing(self._engine) as connection:
                for lease in news:
                    self._watch(connection, lease)
        return {lease.name for lease in alive}

    def _is_void(self, connection: Connection, lease: Lease) -> bool:
        now = self._here.uptime()
        if lease.machine == self._here.machine:
            return now - lease.renewed >= lease.seconds or not self._process_runs(lease.pid)
        seen = connection.execute(self._seen(lease).where(watches.c.beat == lease.beat)).first()
        return seen is not None and now - seen[0] >= lease.seconds

    def _is_news(self, connection: Connection, lease: Lease) -> bool:
        """Whether a lease of another machine was renewed since this one looked at it."""
        if lease.machine == self._here.machine:
            return False
        return connection.execute(self._seen(lease).where(watches.c.beat == lease.beat)).first() is None

    def _watch(self, connection: Connection, lease: Lease) -> None:
        """Note when this machine saw a renewal of another's lease for the first time."""
        if self._is_news(connection, lease):
            mine = (watches.c.name == lease.name, watches.c.machine == self._here.machine)
            connection.execute(delete(watches).where(*mine))
            values = {"holder": lease.holder, "beat": lease.beat, "since": self._here.uptime()}
            connection.execute(insert(watches).values(name=lease.name, machine=self._here.machine, **values))

    def _seen(self, lease: Lease) -> Select[float]:
        return select(watches.c.since).where(
            watches.c.name == lease.name,
            watches.c.machine == self._here.machine,
            watches.c.holder == lease.holder,
        )
