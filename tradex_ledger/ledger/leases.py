"""Leases: one process at a time drives a run, and a dead one is replaced. Who is dead: see `living.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from eventsourcing.persistence import IntegrityError
from sqlalchemy import Connection, Engine, delete, insert, select, update

from tradex_ledger.clock import Seat, seat
from tradex_ledger.ledger.living import Lease, is_void, process_runs
from tradex_ledger.ledger.store import again, read, writing
from tradex_ledger.ledger.tables import holds, watches


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
        try:
            return again(self._engine, lambda: self._acquire(name, holder, ttl_seconds))
        except IntegrityError:
            # Where writers do not wait for each other, somebody else's INSERT came first.
            return False

    def _acquire(self, name: str, holder: str, ttl_seconds: float) -> bool:
        here = self._here
        taken = {"holder": holder, "host": here.host, "machine": here.machine, "pid": here.pid, "seconds": ttl_seconds}
        with writing(self._engine) as connection:
            row = connection.execute(select(holds).where(holds.c.name == name).with_for_update()).one_or_none()
            if row is not None:
                lease = Lease(*row)
                since = self._since(connection, lease)
                if lease.holder != holder and not is_void(lease, here, since, self._process_runs):
                    self._watch(connection, lease)
                    return False
                connection.execute(delete(holds).where(holds.c.name == name))
            connection.execute(delete(watches).where(watches.c.name == name))
            connection.execute(insert(holds).values(name=name, beat=0, renewed=here.uptime(), **taken))
        return True

    def renew(self, name: str, holder: str, ttl_seconds: float) -> bool:
        """Extends the holder's own lease; false if it has been lost."""
        mine = (holds.c.name == name, holds.c.holder == holder)
        values = {"beat": holds.c.beat + 1, "seconds": ttl_seconds}

        def renewed() -> bool:
            with writing(self._engine) as connection:
                wanted = update(holds).where(*mine).values(renewed=self._here.uptime(), **values)
                return connection.execute(wanted).rowcount == 1

        return again(self._engine, renewed)

    def release(self, name: str, holder: str) -> None:
        """Gives the holder's own lease back; somebody else's stays."""

        def release() -> None:
            with writing(self._engine) as connection:
                connection.execute(delete(holds).where(holds.c.name == name, holds.c.holder == holder))

        again(self._engine, release)

    def holder(self, name: str) -> Lease | None:
        """The lease as it stands, even if it is not renewed any more."""
        wanted = select(holds).where(holds.c.name == name)
        row = read(self._engine, lambda connection: connection.execute(wanted).one_or_none())
        return None if row is None else Lease(*row)

    def watch(self, news: Iterable[Lease]) -> None:
        """Note renewals on other machines that this one has seen for the first time."""
        known = list(news)

        def watch() -> None:
            with writing(self._engine) as connection:
                for lease in known:
                    self._watch(connection, lease)

        again(self._engine, watch)

    def _watch(self, connection: Connection, lease: Lease) -> None:
        if lease.machine == self._here.machine or self._since(connection, lease) is not None:
            return
        mine = (watches.c.name == lease.name, watches.c.machine == self._here.machine)
        connection.execute(delete(watches).where(*mine))
        values = {"holder": lease.holder, "beat": lease.beat, "since": self._here.uptime()}
        connection.execute(insert(watches).values(name=lease.name, machine=self._here.machine, **values))

    def _since(self, connection: Connection, lease: Lease) -> float | None:
        """When this machine saw this renewal for the first time, by its own count; None: it has not."""
        wanted = select(watches.c.since).where(
            watches.c.name == lease.name,
            watches.c.machine == self._here.machine,
            watches.c.holder == lease.holder,
            watches.c.beat == lease.beat,
        )
        return connection.execute(wanted).scalar()
