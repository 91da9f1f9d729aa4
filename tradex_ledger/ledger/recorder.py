"""Recorders of the `eventsourcing` library on the event store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from eventsourcing.persistence import (
    IntegrityError,
    Notification,
    ProcessRecorder,
    StoredEvent,
    Tracking,
)
from sqlalchemy import Connection, Engine, Select, func, insert, select, update

from tradex_ledger.ledger.dialects import dialect_of
from tradex_ledger.ledger.entry import state_of
from tradex_ledger.ledger.faults import StoreFault
from tradex_ledger.ledger.log import append, rows_of
from tradex_ledger.ledger.moved import LedgerMovedError
from tradex_ledger.ledger.rows import Row, check_row, check_row_of
from tradex_ledger.ledger.store import again, ledger_id, read, writing
from tradex_ledger.ledger.subscription import FollowingSubscription
from tradex_ledger.ledger.tables import events, tracking

POLL_SECONDS = 0.25


class Recorder(ProcessRecorder):
    """Records events in the ledger and hands them back; positions are its notification ids.

    An event comes back with its whole entry as state, so that the mapper sees `at` and `position`.
    """

    def __init__(self, engine: Engine, clock: Callable[[], datetime], *, poll_seconds: float = POLL_SECONDS) -> None:
        self._engine = engine
        self._clock = clock
        self._poll_seconds = poll_seconds
        self.ledger = ledger_id(engine)

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        *,
        tracking: Tracking | None = None,
        unmoved: Mapping[str, int] | None = None,
        **_others: object,
    ) -> list[int]:
        """Appends events, and what they were caused by, in one transaction; returns their positions.

        `unmoved` are the versions of streams that were read for it, and get no event.

        Raises: IntegrityError if a stream already has one of the versions, the tracking is not new, or one of the
        `unmoved` has another version by now; what `append` raises.
        """
        if not stored_events and tracking is None:
            return []
        was_lost = False

        def save() -> list[int]:
            nonlocal was_lost
            try:
                return self._insert(stored_events, tracking, unmoved or {})
            except (IntegrityError, LedgerMovedError):
                # What was lost may have been the answer alone: then it is this very save that stands in the way, or
                # the ledger was moved since, and took it along.
                if was_lost and (found := self._positions_of(stored_events)):
                    return found
                raise
            except StoreFault:
                was_lost = True
                raise

        return again(self._engine, save)

    def _insert(
        self, stored_events: Sequence[StoredEvent], tracking: Tracking | None, unmoved: Mapping[str, int]
    ) -> list[int]:
        with writing(self._engine) as connection:  # with the append lock: nobody moves them between this and the end
            _check_unmoved(connection, unmoved)
            positions = append(connection, self.ledger, self._clock, stored_events)
            if tracking is not None:
                _track(connection, tracking)
        return positions

    def _positions_of(self, stored_events: Sequence[StoredEvent]) -> list[int]:
        """Where these very events stand, one behind the other; [] when they do not."""

        def find(connection: Connection) -> list[int]:
            found = []
            for stored in stored_events:
                stream, version = str(stored.originator_id), stored.originator_version
                wanted = select(events).where(events.c.stream == stream, events.c.version == version)
                row = connection.execute(wanted).one_or_none()
                if row is None or tuple(row) != rows_of(self.ledger, row[0], row[4], [stored])[0]:
                    return []
                found.append(int(row[0]))
            return found if found == list(range(found[0], found[0] + len(found))) else []

        return read(self._engine, find) if stored_events else []

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> list[StoredEvent]:
        """The events of one stream in the order of their versions, each held against its entry.

        Raises: `BrokenRowError`.
        """
        wanted = _of_stream(str(originator_id), gt=gt, lte=lte, desc=desc, limit=limit)
        rows = read(self._engine, lambda connection: connection.execute(wanted).all())
        return [stored_event(self.ledger, tuple(row), str(originator_id)) for row in rows]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> list[Notification]:
        """The events of all streams in the order of their positions, each held against its entry.

        Raises: `BrokenRowError`.
        """
        wanted = select(events).order_by(events.c.position).limit(limit)
        if start is not None:
            wanted = wanted.where(events.c.position >= (start if inclusive_of_start else start + 1))
        if stop is not None:
            wanted = wanted.where(events.c.position <= stop)
        if topics:
            wanted = wanted.where(events.c.topic.in_(topics))
        rows = read(self._engine, lambda connection: connection.execute(wanted).all())
        return [
            Notification(row[1], row[2], row[3], state_of(check_row(self.ledger, tuple(row))), row[0]) for row in rows
        ]

    def max_notification_id(self) -> int | None:
        """The last position, or none if nothing has been recorded."""
        last: int | None = read(self._engine, lambda c: c.execute(select(func.max(events.c.position))).scalar_one())
        return last

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> FollowingSubscription:
        """The events after a position, and then each new one; ends when it is stopped."""
        url = self._engine.url
        wait = partial(dialect_of(url).wait, url, self._poll_seconds)
        return FollowingSubscription(self, gt, topics, wait=wait)

    def insert_tracking(self, tracking: Tracking) -> None:
        """Records how far another application's events have been processed.

        Raises: IntegrityError if that is no further than before.
        """
        again(self._engine, lambda: self._insert((), tracking, {}))

    def max_tracking_id(self, application_name: str) -> int | None:
        """How far the events of an application have been processed."""
        wanted = select(tracking.c.position).where(tracking.c.application == application_name)
        return read(self._engine, lambda connection: connection.execute(wanted).scalar_one_or_none())


def stored_event(ledger: str, row: Row, stream: str) -> StoredEvent:
    """The event in a row that was looked for in a stream. Raises: `BrokenRowError`."""
    return StoredEvent(row[1], row[2], row[3], state_of(check_row_of(ledger, row, stream)))


def _of_stream(stream: str, *, gt: int | None, lte: int | None, desc: bool, limit: int | None) -> Select[Any]:
    wanted = select(events).where(events.c.stream == stream)
    if gt is not None:
        wanted = wanted.where(events.c.version > gt)
    if lte is not None:
        wanted = wanted.where(events.c.version <= lte)
    return wanted.order_by(events.c.version.desc() if desc else events.c.version).limit(limit)


def _check_unmoved(connection: Connection, unmoved: Mapping[str, int]) -> None:
    for stream, version in unmoved.items():
        wanted = select(func.max(events.c.version)).where(events.c.stream == stream)
        if (found := connection.execute(wanted).scalar_one()) != version:
            raise IntegrityError(f"{stream} is at version {found}, not {version}")


def _track(connection: Connection, reached: Tracking) -> None:
    # An UPDATE that finds nothing lower means: not tracked yet, or already this far. Only in the
    # second case does the INSERT meet a row, which is the conflict to report.
    moved = connection.execute(
        update(tracking)
        .where(tracking.c.application == reached.application_name)
        .where(tracking.c.position < reached.notification_id)
        .values(position=reached.notification_id)
    )
    if moved.rowcount == 0:
        connection.execute(
            insert(tracking).values(application=reached.application_name, position=reached.notification_id)
        )
