"""One database, one ledger, many writers: whichever database it is."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from enum import Enum
from threading import Event, Thread
from uuid import UUID

import orjson
import pytest
from eventsourcing.persistence import IntegrityError, StoredEvent, Tracking
from sqlalchemy import Engine, event, inspect, text

from tests.kit.stores import START
from tests.kit.tree import ROOT
from tradex_ledger.clock import Seat
from tradex_ledger.domain.clocks import ClockNote
from tradex_ledger.errors import UsageError
from tradex_ledger.ledger import store
from tradex_ledger.ledger.entry import NotCanonicalError, canonical, parse
from tradex_ledger.ledger.leases import Leases
from tradex_ledger.ledger.living import Lease, living
from tradex_ledger.ledger.log import Happened
from tradex_ledger.ledger.mapper import EntryMapper
from tradex_ledger.ledger.recorder import Recorder
from tradex_ledger.ledger.store import create_store, database, ledger_id, open_engine, store_info
from tradex_ledger.ledger.store_errors import FormatTooNewError, LedgerExistsError, NoLedgerError

STATE = canonical({"by": "marta", "data": {"rows": 3}, "v": 1})

WRITER = """
import sys
from datetime import UTC, datetime
from eventsourcing.persistence import StoredEvent
from tradex_ledger.ledger.entry import canonical
from tradex_ledger.ledger.recorder import Recorder
from tradex_ledger.ledger.store import open_engine

state = canonical({"by": "marta", "data": {}, "v": 1})
url, stream = sys.argv[1:]
recorder = Recorder(open_engine(url), lambda: datetime.now(UTC))
for save in range(20):
    recorder.insert_events([StoredEvent(stream, save * 10 + n, "t", state) for n in range(10)])
"""


class Fault(Enum):
    """A value of a kind that orjson would write."""

    KIND = "kind"


class Clock:
    """A clock that shows what the test sets."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: int) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def stored(version: int, stream: str = "bf-1", state: bytes = STATE) -> StoredEvent:
    return StoredEvent(stream, version, "backfill.requested", state)


def test_a_new_store_says_which_ledger_it_holds(engine: Engine) -> None:
    info = store_info(engine)
    assert (info.id, info.format, info.created_at) == ("ld-test", 1, "2026-01-10T12:00:00.000000Z")
    assert ledger_id(engine) == "ld-test"


def test_a_second_ledger_in_one_database_is_refused(engine: Engine) -> None:
    with pytest.raises(LedgerExistsError, match="already holds the ledger ld-test"):
        create_store(engine, ledger_id="ld-other", created_at=START)
    assert ledger_id(engine) == "ld-test"


def test_a_store_that_cannot_be_created_whole_is_not_created_at_all(url: str) -> None:
    engine = open_engine(url, create=True)

    def fail(*call: object) -> None:
        if "INSERT INTO ledger" in str(call[2]):
            raise KeyboardInterrupt

    event.listen(engine, "before_cursor_execute", fail)
    with pytest.raises(KeyboardInterrupt):
        create_store(engine, ledger_id="ld-test", created_at=START)
    event.remove(engine, "before_cursor_execute", fail)
    assert inspect(engine).get_table_names() == []
    create_store(engine, ledger_id="ld-test", created_at=START)
    engine.dispose()


def test_a_database_without_a_ledger_is_not_taken_for_one(url: str) -> None:
    engine = open_engine(url, create=True)
    with engine.begin() as connection:
        connection.execute(text("create table other (x integer)"))
    with pytest.raises(NoLedgerError):
        store_info(engine)
    engine.dispose()


def test_a_ledger_of_a_later_format_is_left_alone(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as later:
        later.setattr(store, "FORMAT", 2)
        engine = open_engine(url, create=True)
        create_store(engine, ledger_id="ld-test", created_at=START)
    with pytest.raises(FormatTooNewError, match="has format 2; this release knows formats up to 1"):
        Recorder(engine, Clock())
    engine.dispose()


@pytest.mark.parametrize("url", ["nonsense", "mysql://host/db"])
def test_a_url_of_no_known_database_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        open_engine(url)


def test_an_event_comes_back_as_its_whole_entry(engine: Engine, clock: Clock) -> None:
    recorder = Recorder(engine, clock)
    assert recorder.insert_events([stored(1)]) == [1]
    (event,) = recorder.select_events("bf-1")
    entry = parse(event.state)
    assert (entry.at, entry.position, entry.ledger) == ("2026-01-10T12:00:00.000000Z", 1, "ld-test")
    assert (entry.stream, entry.version, entry.topic) == ("bf-1", 1, "backfill.requested")
    assert (entry.by, entry.data, entry.v) == ("marta", {"rows": 3}, 1)
    assert recorder.select_notifications(1, 1)[0].state == event.state


def test_a_domain_event_is_recorded_as_its_state_is(engine: Engine, clock: Clock) -> None:
    recorder = Recorder(engine, clock)
    happened = Happened(ClockNote.held_back("clock-1", clock="a", last_at="b", by="mártä").pending_events[0])
    event = happened.event
    said = canonical({"by": event.by, "data": event.own_facts(), "v": event.class_version})
    state = StoredEvent("clock-1", 2, happened.topic, said)
    recorder.insert_events([stored(1), happened, state])
    first, second = (orjson.loads(event.state) for event in recorder.select_events("clock-1"))
    assert (first["position"], first["data"]) == (2, {"clock": "a", "last_at": "b"})
    assert second == first | {"position": 3, "version": 2}


@pytest.mark.parametrize("fact", [1.5, UUID(int=1), Fault.KIND, 2**53, b"raw", [(1, 2.0)]], ids=str)
def test_a_fact_that_the_ledger_cannot_hold_is_refused_and_nothing_is_stored(
    engine: Engine, clock: Clock, fact: object
) -> None:
    recorder = Recorder(engine, clock)
    sound = ClockNote.held_back("clock-1", clock="a", last_at="b", by="marta").pending_events[0]
    event = ClockNote.HeldBack(**(vars(sound) | {"originator_id": "clock-2", "last_at": fact}))
    with pytest.raises(NotCanonicalError, match=r"^data\.last_at"):
        recorder.insert_events([Happened(sound), EntryMapper().to_stored_event(event)])
    assert recorder.max_notification_id() is None


def test_one_that_is_refused_late_in_a_long_save_takes_back_what_was_handed_over_before_it(
    engine: Engine, clock: Clock
) -> None:
    recorder = Recorder(engine, clock)
    recorder.insert_events([stored(1)])
    sound = ClockNote.held_back("clock-1", clock="a", last_at="b", by="marta").pending_events[0]
    event = ClockNote.HeldBack(**(vars(sound) | {"last_at": 1.5}))
    with pytest.raises(NotCanonicalError, match=r"^data\.last_at"):
        recorder.insert_events([*(stored(version) for version in range(2, 602)), Happened(event), stored(602)])
    assert recorder.max_notification_id() == 1
    assert recorder.insert_events([stored(version) for version in range(2, 602)])[-1] == 601
    assert [event.originator_version for event in recorder.select_events("bf-1")] == [*range(1, 602)]


def test_time_in_the_ledger_never_runs_backwards(engine: Engine, clock: Clock) -> None:
    recorder = Recorder(engine, clock)
    for version, hours in enumerate([0, 2, -5, 1, 4], 1):
        clock.move(hours=hours)
        recorder.insert_events([stored(version), stored(version, "bf-2")])
    noon, two = "2026-01-10T12:00:00.000000Z", "2026-01-10T14:00:00.000000Z"
    entries = [parse(event.state) for event in recorder.select_notifications(None, 99)]
    told = [entry for entry in entries if entry.topic == "ledger.clock_held_back"]
    assert [entry.at for entry in entries if entry not in told] == [noon] * 2 + [two] * 8
    # Once a save, and first in it.
    assert [(entry.position, entry.data["clock"][11:13]) for entry in told] == [(5, "09"), (8, "10")]
    assert {(entry.at, entry.data["last_at"], entry.version) for entry in told} == {(two, two, 1)}


def test_a_save_that_conflicts_leaves_nothing_behind(engine: Engine, clock: Clock) -> None:
    recorder = Recorder(engine, clock)
    recorder.insert_events([stored(version) for version in range(1, 200)], tracking=Tracking("up", 5))
    with pytest.raises(IntegrityError):
        recorder.insert_events([stored(version) for version in range(300, 190, -1)])
    with pytest.raises(IntegrityError):
        recorder.insert_events([stored(200)], tracking=Tracking("up", 5))
    assert recorder.max_notification_id() == 199
    assert recorder.max_tracking_id("up") == 5
    assert recorder.insert_events([stored(200)]) == [200]


def test_positions_stay_dense_when_processes_append_at_once(engine: Engine, clock: Clock) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    command = [sys.executable, "-c", WRITER, str(engine.url)]
    writers = [subprocess.Popen([*command, f"s-{n}"], env=environment) for n in range(4)]
    assert [writer.wait() for writer in writers] == [0, 0, 0, 0]
    assert_dense(Recorder(engine, clock), 800)


def test_positions_stay_dense_when_threads_append_at_once(engine: Engine, clock: Clock) -> None:
    recorder = Recorder(engine, clock)

    def write(stream: int) -> list[list[int]]:
        return [recorder.insert_events([stored(n, f"s-{stream}")]) for n in range(25)]

    with ThreadPoolExecutor(4) as pool:
        positions = [position for saves in pool.map(write, range(4)) for (position,) in saves]
    assert sorted(positions) == list(range(1, 101))
    assert_dense(recorder, 100)


def assert_dense(recorder: Recorder, count: int) -> None:
    notifications = recorder.select_notifications(None, count + 1)
    assert [notification.id for notification in notifications] == list(range(1, count + 1))
    times = [parse(notification.state).at for notification in notifications]
    assert times == sorted(times)


def test_a_subscription_is_stopped_without_waiting_for_its_next_look(engine: Engine, clock: Clock) -> None:
    subscription = Recorder(engine, clock, poll_seconds=60).subscribe()
    ended = Event()

    def follow() -> None:
        assert list(subscription) == []
        ended.set()

    follower = Thread(target=follow, daemon=True)
    follower.start()
    assert not ended.wait(0.1)
    subscription.stop()
    assert ended.wait(5)


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


class Count:
    """What a machine counts since it was started, moved by hand."""

    def __init__(self, start: float = 1000.0) -> None:
        self.now = start

    def __call__(self) -> float:
        return self.now


def leases_of(engine: Engine, machine: str, count: Count | None = None, pid: int | None = None) -> Leases:
    return Leases(engine, Seat("host", machine, pid or os.getpid(), count or Count()))


def living_names(engine: Engine, machine: str, count: Count) -> set[str]:
    """What lives as a machine sees it, which notes what it sees for the first time."""
    names, news = living(database(engine), Seat("host", machine, os.getpid(), count))
    leases_of(engine, machine, count).watch(news)
    return names


def test_a_lease_has_one_holder_until_it_is_released(engine: Engine) -> None:
    leases = leases_of(engine, "here")
    assert leases.holder("bf-1") is None
    assert leases.acquire("bf-1", "one", 30)
    assert leases.acquire("bf-1", "one", 60), "its holder may take it again"
    assert not leases.acquire("bf-1", "two", 30)
    assert leases.acquire("bf-2", "two", 30)
    assert leases.holder("bf-1") == Lease("bf-1", "one", "host", "here", os.getpid(), 0, 1000.0, 60.0)
    leases.release("bf-1", "two")
    assert not leases.acquire("bf-1", "two", 30)
    leases.release("bf-1", "one")
    assert leases.acquire("bf-1", "two", 30)


def test_a_lease_that_is_not_renewed_is_taken_and_cannot_be_renewed_by_its_last_holder(engine: Engine) -> None:
    count = Count()
    leases = leases_of(engine, "here", count)
    leases.acquire("bf-1", "one", 30)
    count.now += 20
    assert leases.renew("bf-1", "one", 30)
    count.now += 29
    assert not leases.acquire("bf-1", "two", 30)
    assert living_names(engine, "here", count) == {"bf-1"}
    count.now += 1
    assert living_names(engine, "here", count) == set()
    assert leases.acquire("bf-1", "two", 30)
    assert not leases.renew("bf-1", "one", 30)


def test_a_lease_of_a_dead_process_is_taken_on_its_own_machine_only(engine: Engine) -> None:
    leases_of(engine, "here", pid=dead_pid()).acquire("bf-1", "one", 3600)
    assert not leases_of(engine, "there").acquire("bf-1", "two", 30)
    assert leases_of(engine, "here").acquire("bf-1", "two", 30)


def test_of_another_machine_a_lease_is_dead_when_nobody_saw_it_renewed_for_its_length(engine: Engine) -> None:
    """Whatever the other one counts: it may have been started a year ago, or a second."""
    theirs, mine, third = Count(9_000_000.0), Count(5.0), Count(70_000.0)
    there, here = leases_of(engine, "there", theirs), leases_of(engine, "here", mine)
    other = leases_of(engine, "elsewhere", third)
    assert there.acquire("bf-1", "one", 30)
    assert not here.acquire("bf-1", "two", 30)
    mine.now += 29
    assert living_names(engine, "here", mine) == {"bf-1"}
    assert there.renew("bf-1", "one", 30)
    mine.now += 29
    assert not here.acquire("bf-1", "two", 30), "it was renewed meanwhile"
    assert living_names(engine, "elsewhere", third) == {"bf-1"}
    mine.now += 29
    third.now += 29
    assert not other.acquire("bf-1", "three", 30), "two watch, and neither stands in the other's way"
    assert not here.acquire("bf-1", "two", 30)
    mine.now += 1
    assert living_names(engine, "here", mine) == set()
    assert here.acquire("bf-1", "two", 30)
    assert not there.renew("bf-1", "one", 30)


def test_of_many_who_want_a_lease_one_gets_it(engine: Engine) -> None:
    leases = leases_of(engine, "here")
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda n: leases.acquire("bf-1", f"h-{n}", 30), range(8)))
    assert got.count(True) == 1
