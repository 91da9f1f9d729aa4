"""Appends a second: saves of 1,000 events at the recorder, SQLite with synchronous=FULL, Merkle tree included.

Beside it a bare `sqlite3.executemany` of the very rows that were stored, into a table with the same columns and
indexes but no guards, with the same pragmas and as many commits; and the recorder with the mapper before it. The
mapper hands events over as they are: in both, the recorder writes them down.
The three take turns, each in a new database.
"""

from __future__ import annotations

import gc
import sqlite3
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from eventsourcing.persistence import StoredEvent

from tests.benchmarks import measure
from tradex_ledger import resources
from tradex_ledger.domain.base import UNSAVED
from tradex_ledger.domain.run_events import PartitionRebuilt
from tradex_ledger.ledger.mapper import EntryMapper
from tradex_ledger.ledger.recorder import Recorder
from tradex_ledger.ledger.sqlite import SETTINGS
from tradex_ledger.ledger.store import create_store, open_engine

SAVE = 1_000
GOAL, GOAL_RATIO = 25_000, 0.5


def made_events(first: int, count: int) -> list[PartitionRebuilt]:
    """Events as a rebuild records them, one file each."""
    return [
        PartitionRebuilt(
            originator_id=f"bf-{n // 5_000:09d}",
            originator_version=n % 5_000 + 1,
            timestamp=UNSAVED,
            by="bench",
            dataset="silver_social_events",
            layer="silver",
            logic_version=1,
            partition=f"20{n % 90 + 10}-{n % 12 + 1:02d}-{n % 28 + 1:02d}",
            files=[
                {
                    "path": f"silver_social_events/event_date=2024-01-01/bf-{n:013d}-1.parquet",
                    "bytes": 100_000 + n,
                    "rows": 20_000 + n,
                    "sha256": f"{n:064x}",
                }
            ],
            rows=20_000 + n,
            bytes=100_000 + n,
            previous_rows=None,
            outcome="written",
            base=n,
            inputs=f"{n:064x}",
            duration_ms=40,
            began_at="2026-01-10T12:00:00.000000Z",
            worker="4711@bench",
        )
        for n in range(first, first + count)
    ]


def measured(work: Callable[[], None]) -> tuple[float, float]:
    """CPU and wall seconds of this process, of which all work is part."""
    gc.collect()  # what was made for it is not
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall


class Round:
    """One turn of the three, over the same events."""

    def __init__(self, folder: Path, saves: int) -> None:
        folder.mkdir()
        self.folder, self.saves, self.mapper = folder, saves, EntryMapper()
        self.events = [made_events(n * SAVE, SAVE) for n in range(saves)]
        self.stored = [[self._stored(event) for event in save] for save in self.events]

    def _stored(self, event: PartitionRebuilt) -> StoredEvent:
        return self.mapper.to_stored_event(event)

    def _recorder(self, name: str) -> Recorder:
        engine = open_engine(f"sqlite:///{self.folder / name}", create=True)
        create_store(engine, ledger_id="bench", created_at=datetime.now(UTC))
        return Recorder(engine, lambda: datetime.now(UTC))

    def recorder(self) -> tuple[float, float]:
        recorder = self._recorder("recorder.db")

        def work() -> None:
            for save in self.stored:
                recorder.insert_events(save)

        return measured(work)

    def mapped(self) -> tuple[float, float]:
        recorder = self._recorder("mapped.db")

        def work() -> None:
            for save in self.events:
                recorder.insert_events([self._stored(event) for event in save])

        return measured(work)

    def bare(self) -> tuple[float, float]:
        """The rows that `recorder` stored, tiles left out."""
        with sqlite3.connect(self.folder / "recorder.db") as source:
            rows = source.execute("select position, stream, version, topic, at, leaf, entry from events").fetchall()
        assert len(rows) == self.saves * SAVE
        target = sqlite3.connect(self.folder / "bare.db", isolation_level=None)
        for setting in SETTINGS:
            target.execute(f"PRAGMA {setting}")
        for statement in resources.read_text("schema", "ledger", "sqlite.sql").split(";"):
            if "events" in statement and "TRIGGER" not in statement and "CREATE" in statement:
                target.execute(statement)

        def work() -> None:
            for first in range(0, len(rows), SAVE):
                target.execute("BEGIN IMMEDIATE")
                target.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)", rows[first : first + SAVE])
                target.execute("COMMIT")

        cost = measured(work)
        target.close()
        return cost


def main() -> None:
    given = measure.parser(__doc__).parse_args()
    saves, times = (20, 2) if given.quick else (100, given.times or 7)
    n = saves * SAVE
    found: dict[str, list[tuple[float, float]]] = {"recorder": [], "mapped": [], "bare": []}
    with measure.folder(given.work) as work:
        for turn in range(times):
            one = Round(work / f"append-{turn}", saves)
            for name, costs in found.items():
                costs.append(getattr(one, name)())

    def rate(name: str, which: int) -> str:
        return measure.spread([n / cost[which] for cost in found[name]], 0)

    def ratio(name: str, which: int) -> str:
        pairs = zip(found[name], found["bare"], strict=True)
        return measure.spread([bare[which] / ours[which] for ours, bare in pairs])

    measure.table(
        f"{n:,} events, {SAVE:,} a save",
        [
            ("", "median [min, max]", "goal"),
            ("recorder, events/s (wall)", rate("recorder", 1), f"≥ {GOAL:,}"),
            ("recorder, events/CPU s", rate("recorder", 0), ""),
            ("recorder with mapper, events/s (wall)", rate("mapped", 1), ""),
            ("recorder with mapper, events/CPU s", rate("mapped", 0), ""),
            ("bare executemany, rows/s (wall)", rate("bare", 1), ""),
            ("bare executemany, rows/CPU s", rate("bare", 0), ""),
            ("recorder / bare, by wall", ratio("recorder", 1), f"≥ {GOAL_RATIO}"),
            ("recorder / bare, by CPU", ratio("recorder", 0), ""),
            ("recorder with mapper / bare, by wall", ratio("mapped", 1), f"≥ {GOAL_RATIO}"),
            ("recorder with mapper / bare, by CPU", ratio("mapped", 0), ""),
        ],
    )


if __name__ == "__main__":
    main()
