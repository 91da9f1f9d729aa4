"""Appends a second on PostgreSQL, on a ledger that is long already: 1 M events (`--large`: 10 M), all of them ours.

The recorder (tree, guards and notice included) takes turns with a bare COPY of just as many rows of the same kind into
a table with the same columns and indexes, as full, without guards, as durable; then single saves, and all of it read
back with each leaf hashed again. The server is one of its own, with its settings as they come (`fsync` on).
CPU seconds are those of this process and of the server.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import psutil
import psycopg
from eventsourcing.persistence import StoredEvent

from tests.benchmarks import measure
from tests.benchmarks.bench_append import SAVE, made_events
from tests.kit import postgres
from tradex_ledger.ledger.log import append
from tradex_ledger.ledger.mapper import EntryMapper
from tradex_ledger.ledger.recorder import Recorder
from tradex_ledger.ledger.rows import check_range
from tradex_ledger.ledger.select import open_store, read
from tradex_ledger.ledger.store import create_store, open_engine, writing

FILL = 20_000
"""Events of a save while the ledger is made."""
BARE = """
create table bare (like events including all);
insert into bare select * from events;
analyze events; analyze bare;
"""


class Long:
    """A ledger of so many events, and a bare table as long."""

    def __init__(self, url: str, size: int) -> None:
        self.url, self.mapper, self.made = url, EntryMapper(), 0
        self.engine = open_engine(url, create=True)
        create_store(self.engine, ledger_id="bench", created_at=datetime.now(UTC))
        self.recorder = Recorder(self.engine, lambda: datetime.now(UTC))
        while self.made < size:
            with writing(self.engine) as connection:
                append(connection, "bench", lambda: datetime.now(UTC), self.stored(FILL))
        self.bare = psycopg.connect(url)
        self.bare.execute(BARE)
        self.bare.commit()
        self.size = size

    def stored(self, count: int) -> list[StoredEvent]:
        """The next events."""
        events = [self.mapper.to_stored_event(event) for event in made_events(self.made, count)]
        self.made += count
        return events

    def saves(self, stored: list[list[StoredEvent]]) -> None:
        for save in stored:
            self.recorder.insert_events(save)

    def copies(self, rows: list[list[tuple[object, ...]]]) -> None:
        for some in rows:
            with self.bare.cursor() as cursor, cursor.copy("copy bare from stdin (format binary)") as copy:
                copy.set_types(("int8", "text", "int8", "text", "text", "bytea", "text"))
                for row in some:
                    copy.write_row(row)
            self.bare.commit()

    def rows(self, saves: int) -> list[list[tuple[object, ...]]]:
        """Those of the last saves."""
        found = self.bare.execute("select * from events order by position desc limit %s", [saves * SAVE]).fetchall()
        return [found[first : first + SAVE] for first in range(0, len(found), SAVE)]

    def read_back(self) -> int:
        """Every event through the door of readers, each held against its row; how many."""
        store, count = open_store(self.url), 0
        last = store.position()
        for first in range(1, last + 1, FILL):
            upto = min(first + FILL - 1, last)
            count += sum(
                1 for _ in check_range("bench", store.select(read("range"), first=first, last=upto), first, upto)
            )
        return count


def measured(server: postgres.Server, work: Callable[[], object]) -> tuple[float, float, float]:
    """Wall seconds, and CPU seconds of this process and of the server."""
    assert server.process is not None
    here, there, wall = time.process_time(), _server_cpu(server.process.pid), time.perf_counter()
    work()
    return time.perf_counter() - wall, time.process_time() - here, _server_cpu(server.process.pid) - there


def _server_cpu(pid: int) -> float:
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return sum(sum(one.cpu_times()[:2]) for one in family)


def main() -> None:
    parser = measure.parser(__doc__)
    parser.add_argument("--large", action="store_true", help="10 M events")
    parser.add_argument("--events", type=int, default=1_000_000, help="how long the ledger is, for a slope")
    parser.add_argument("--version", choices=postgres.VERSIONS, default="18")
    given = parser.parse_args()
    size, saves, times = (
        (40_000, 5, 2) if given.quick else (10_000_000 if given.large else given.events, 40, given.times or 5)
    )
    found: dict[str, list[tuple[float, float, float]]] = {"ours": [], "bare": [], "one": []}
    with postgres.server(given.version, fsync=True) as server, postgres.fresh(server.url()) as url:
        ledger = Long(url, size)
        for _ in range(times):
            stored = [ledger.stored(SAVE) for _ in range(saves)]
            found["ours"].append(measured(server, partial(ledger.saves, stored)))
            rows = ledger.rows(saves)
            found["bare"].append(measured(server, partial(ledger.copies, rows)))
            single = [[event] for event in ledger.stored(200)]
            found["one"].append(measured(server, partial(ledger.saves, single)))
        counted: list[int] = []
        back = measured(server, lambda: counted.append(ledger.read_back()))
        ledger.bare.close()
        ledger.engine.dispose()
    n = saves * SAVE

    def rate(name: str, count: int, which: int = 0) -> str:
        return measure.spread([count / cost[which] for cost in found[name]], 0)

    pairs = list(zip(found["ours"], found["bare"], strict=True))
    measure.table(
        f"PostgreSQL {given.version}, {size:,} events and more, {SAVE:,} a save",
        [
            ("", "median [min, max]", "goal"),
            ("recorder, events/s (wall)", rate("ours", n), "≥ 30,000"),
            ("recorder, events a CPU s of the client", rate("ours", n, 1), ""),
            ("recorder, events a CPU s of the server", rate("ours", n, 2), ""),
            ("bare COPY, rows/s (wall)", rate("bare", n), ""),
            ("recorder / bare COPY, by wall", measure.spread([b[0] / a[0] for a, b in pairs]), "≥ 0.6"),
            (
                "recorder / bare COPY, by CPU of both",
                measure.spread([(b[1] + b[2]) / (a[1] + a[2]) for a, b in pairs]),
                "",
            ),
            ("single saves a second (wall)", rate("one", 200), "≥ 500"),
            ("read back and hashed again, events/s", f"{counted[0] / back[0]:,.0f}", "≥ 200,000"),
        ],
    )


if __name__ == "__main__":
    main()
