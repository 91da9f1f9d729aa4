"""Leases: one process at a time drives a run, and a dead one is replaced."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from eventsourcing.persistence import IntegrityError
from sqlalchemy import Engine, delete, insert, select, update

from tradex_ledger.ledger.entry import format_time
from tradex_ledger.ledger.store import read, writing
from tradex_ledger.ledger.tables import leases


@dataclass(frozen=True)
class Lease:
    """Who holds a name, where, and until when."""

    name: str
    holder: str
    host: str
    pid: int
    expires_at: str


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
    """The leases of a ledger, in a table outside it.

    A lease only saves work from being done twice: who wakes up after losing one is stopped by the
    version of the stream it wants to append to.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Callable[[], datetime],
        *,
        process_runs: Callable[[int], bool] = process_runs,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._process_runs = process_runs

    def acquire(self, name: str, holder: str, host: str, pid: int, ttl_seconds: float) -> bool:
        """Takes a lease that is free, expired, the holder's own, or left by a dead process of this host."""
        now = self._clock()
        taken = {"holder": holder, "host": host, "pid": pid, "expires_at": _after(now, ttl_seconds)}
        try:
            with writing(self._engine) as connection:
                row = connection.execute(select(leases).where(leases.c.name == name).with_for_update()).one_or_none()
                if row is None:
                    connection.execute(insert(leases).values(name=name, **taken))
                    return True
                lease = Lease(*row)
                if lease.holder != holder and not self._is_void(lease, now, host):
                    return False
                connection.execute(update(leases).where(leases.c.name == name).values(**taken))
                return True
        except IntegrityError:
            # Where writers do not wait for each other, somebody else's INSERT came first.
            return False

    def renew(self, name: str, holder: str, ttl_seconds: float) -> bool:
        """Extends the holder's own lease; false if it has been lost."""
        with writing(self._engine) as connection:
            renewed = connection.execute(
                update(leases)
                .where(leases.c.name == name, leases.c.holder == holder)
                .values(expires_at=_after(self._clock(), ttl_seconds))
            )
            return renewed.rowcount == 1

    def release(self, name: str, holder: str) -> None:
        """Gives the holder's own lease back; somebody else's stays."""
        with writing(self._engine) as connection:
            connection.execute(delete(leases).where(leases.c.name == name, leases.c.holder == holder))

    def holder(self, name: str) -> Lease | None:
        """The lease as it stands, even if it has expired."""
        wanted = select(leases).where(leases.c.name == name)
        row = read(self._engine, lambda connection: connection.execute(wanted).one_or_none())
        return None if row is None else Lease(*row)

    def living(self, host: str) -> set[str]:
        """The names whose lease has not run out and whose holder, if it is of this host, is alive."""
        now = self._clock()
        rows = read(self._engine, lambda connection: connection.execute(select(leases)).all())
        return {row.name for row in rows if not self._is_void(Lease(**row._mapping), now, host)}

    def _is_void(self, lease: Lease, now: datetime, host: str) -> bool:
        # Times are compared as texts: `format_time` makes them sort alike.
        if lease.expires_at <= format_time(now):
            return True
        return lease.host == host and not self._process_runs(lease.pid)


def _after(now: datetime, seconds: float) -> str:
    return format_time(now + timedelta(seconds=seconds))
