"""A workspace whose ledger holds as many events as are wanted, up to tens of millions: `made_ledger.py N FOLDER`.

A true workspace is made first: `tradex init`, posts of forty days, one run over them. Then its ledger is written anew,
in bulk: its first events, the years before (`made_history.py`), its run. Entries, leaves, tiles, versions and
columns are those that the program would have written; only the guards come after the rows. Of the years before, the
files of Silver and Gold are not there, and those of Bronze hold three posts a day, since a run asks all of Bronze where
a post belongs. So `tradex run` of one more day works on it: its posts lie in FOLDER/next, to be moved to
FOLDER/workspace/posts.

The same N and seed give the same ledger, byte for byte, under the same versions of everything that makes it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import secrets
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks import made_history as history
from tests.benchmarks.made_history import BASELINES, BRONZE, POSTS_A_FILE, Book, BronzeFile, Facts, Known, Past
from tests.kit.years import write_years
from tradex_ledger import resources
from tradex_ledger.config import FILE
from tradex_ledger.domain.policy_record import PolicyRecord
from tradex_ledger.domain.seal import ANNOUNCED
from tradex_ledger.lake.folder import lay
from tradex_ledger.lake.markers import MARKS, Marker
from tradex_ledger.ledger.entry import Entry, canonical, parse
from tradex_ledger.ledger.merkle import TILE_WIDTH, root
from tradex_ledger.pipelines.x.demo.stream import day_of_posts
from tradex_ledger.sealing import keys, places
from tradex_ledger.workspace import Workspace

TRUE_FIRST, TRUE_DAYS = date(2024, 1, 1), 40
"""The days that the true run is over: more than a partition looks back."""
MOST_DAYS, EVENTS_A_DAY, LEAST = 3650, 60, 2_500
ROWS_A_SAVE = 20_000


def make(folder: Path, events: int, *, seed: int = 7, progress: Callable[[int], None] = lambda _: None) -> Path:
    """A workspace of so many events, in a new folder. Returns the workspace's.

    Raises: `ValueError` for so few events that the true run and a month before it have no room.
    """
    if events < LEAST:
        raise ValueError(f"{events:,} events are too few: at least {LEAST:,}")
    workspace = _true_workspace(folder, seed)
    # Without its key, which is chance: it is made with the first head that somebody asks for.
    true = [entry for entry in _entries(workspace / "ledger.db") if entry.topic != ANNOUNCED]
    cut = next(n for n, entry in enumerate(true) if entry.topic == "incremental_run.started")
    made = events - len(true)
    days = min(MOST_DAYS, made // EVENTS_A_DAY)
    first = TRUE_FIRST - timedelta(days)
    lake, ledger = workspace / "lake", hashlib.sha256(f"{events} {seed}".encode()).hexdigest()[:16]
    files = list(_bronze_files(folder / "bronze", first, days, lake))
    bulk = Bulk(workspace / "ledger.db.new")
    book = Book(ledger, bulk.put)
    past = Past(
        book, _known(true), first, days, files,
        link=Links(lake, folder / "bronze", [(first + timedelta(n)).isoformat() for n in range(days)]),
        chance=Random(seed), batches_left=max(2 * days, events // 300),
    )  # fmt: skip
    past.save()
    _copy(true[:cut], book, past)
    history.live(past, made, progress)
    _copy(true[cut:], book, past)
    bulk.close(ledger, past.first)
    (workspace / "ledger.db.new").replace(workspace / "ledger.db")
    shutil.rmtree(folder / "bronze")
    shutil.rmtree(workspace / ".cache", ignore_errors=True)
    for folder_of in (keys.FOLDER, places.FOLDER):
        shutil.rmtree(workspace / folder_of)
    shutil.rmtree(lake / MARKS)
    lay(lake, Marker(0, book.position, bulk.last.hex(), ledger))
    progress(book.position)
    return workspace


# -- the true workspace


def _true_workspace(folder: Path, seed: int) -> Path:
    """Forty days, run at once by a clock of its own; and ten posts of the day after, which wait in `next`."""
    workspace = folder / "workspace"
    posts = workspace / "posts"
    write_years(posts, seed, TRUE_FIRST, TRUE_DAYS, 40)
    until = TRUE_FIRST + timedelta(TRUE_DAYS)
    one_more = [delivery.line for delivery in day_of_posts(seed, until, 40) if delivery.kind == "post"][:10]
    (folder / "next").mkdir()
    (folder / "next" / f"{until}.jsonl").write_bytes(b"\n".join(one_more))
    # One worker, and a clock that stands: how often leases are renewed, and which window is done first, is chance.
    now = datetime(until.year, until.month, until.day, 2, tzinfo=UTC)
    first, unsigned = PolicyRecord.record, lambda policy, by: first(replace(policy, signed=()), by=by)
    drawn, others = Random(seed), secrets.randbits
    # The last digits of ids have 20 bits; a library that draws while it is imported has others.
    with mock.patch("secrets.randbits", lambda bits: drawn.getrandbits(bits) if bits == 20 else others(bits)):
        with mock.patch.object(PolicyRecord, "record", unsigned):  # nobody signs what is made up
            Workspace.create(
                workspace, source=f"files:{posts}", start=TRUE_FIRST, actor="ana", clock=lambda: now
            ).close()
        settings = workspace / FILE
        text = settings.read_text(encoding="utf-8")
        settings.write_text(
            text.replace("# workers = 2 ", "workers = 1 ").replace("[policy]", "[policy]\nsigned = []", 1),
            encoding="utf-8",
        )
        assert settings.read_text(encoding="utf-8") != text
        with Workspace.open(workspace, actor="ana", clock=lambda: now) as opened:
            opened.incremental.run(last=until - timedelta(1))
    return workspace


def _entries(database: Path) -> list[Entry]:
    with closing(sqlite3.connect(database)) as connection:
        return [parse(entry) for (entry,) in connection.execute("select entry from events order by position")]


def _known(true: list[Entry]) -> Known:
    policy = next(entry for entry in true if entry.topic == "policy.recorded")
    versioned = [entry for entry in true if entry.topic == "dataset.logic_versioned"]
    return Known(
        policy.data["digest"],
        {entry.stream.removeprefix("dataset-"): entry.data["fingerprint"] for entry in versioned},
    )


def _copy(entries: list[Entry], book: Book, past: Past) -> None:
    """True events at their new place: positions and versions go on, what a machine is and took is made even."""
    shift = book.position + 1 - entries[0].position
    for entry in entries:
        data = {**entry.data}
        if "base" in data:
            data["base"] += shift
        if "duration_ms" in data:
            data["duration_ms"] = 40
        if "began_at" in data:
            data["began_at"] = data["worker"] = None
        if "executor" in data:
            data["executor"] = history.EXECUTOR
        if entry.topic == "pipeline_state.opened":
            data["cursor"] = past.cursor(0)
        if entry.topic == "run.partition_rebuilt":
            _remember(data, past)
        book.at = max(book.at, entry.at) if past.today >= 0 else book.at
        book.add(entry.stream, entry.topic, entry.by, canonical(data).decode(), entry.v)


def _remember(data: Facts, past: Past) -> None:
    """The first true days look back at made-up ones: they are digested as if they had been there."""
    name, iso = data["dataset"], data["partition"]
    if name == BASELINES:
        day = (date.fromisoformat(iso) - past.first).days
        metrics = past.lines[history.METRICS]
        read = [line for line in metrics[day - history.LOOK_BACK : day] if line]
        data["inputs"] = hashlib.sha256("\n".join([f"{name} v1 {iso}", *read]).encode()).hexdigest()
    elif name == history.METRICS:
        content = ",".join(file["sha256"] for file in data["files"])
        past.lines[name].append(f"{name} {iso} {content}" if content else "")


# -- Bronze


def _bronze_files(folder: Path, first: date, days: int, lake: Path) -> Iterator[BronzeFile]:
    """A file of three posts a day, with the columns of a true one."""
    schema = pq.read_schema(next((lake / BRONZE).rglob("*.parquet"))).remove_metadata()
    folder.mkdir()
    for n in range(days):
        path, day = folder / f"{first + timedelta(n)}.parquet", first + timedelta(n)
        pq.write_table(pa.Table.from_pylist([_post(day, k) for k in range(POSTS_A_FILE)], schema), path)
        content = path.read_bytes()
        yield BronzeFile(len(content), hashlib.sha256(content).hexdigest())


def _post(day: date, number: int) -> Facts:
    at = datetime(day.year, day.month, day.day, 9 + number)
    milliseconds = int(at.replace(tzinfo=UTC).timestamp() * 1000) - 1_288_834_974_657
    post_id, text = str((milliseconds << 22) + number), f"$TSLA on {day}, number {number}"
    payload = json.dumps({"id": post_id, "text": text, "author_id": "9", "created_at": f"{at.isoformat()}.000Z"})
    return {
        "payload": payload, "post_id": post_id, "author_id": "9", "created_at": at, "event_date": day, "text": text,
        "lang": "en", "is_retweet": False, "likes": 1, "retweets": 0, "revised_at": at, "is_whole": True,
        "revision": hashlib.sha256(payload.encode()).hexdigest(), "source": f"files:made-up:{number}",
        "run_id": "run-0000000000000", "ingested_at": at + timedelta(1),
    }  # fmt: skip


@dataclass
class Links:
    """Lays the file of a day under each path that an event names."""

    lake: Path
    files: Path
    days: list[str]

    def __call__(self, path: str, day: int) -> None:
        target, name = self.lake / path, self.days[day]
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(self.files / f"{name}.parquet", target)


# -- the database


@dataclass
class Bulk:
    """A database of events that is filled without its guards: they come last, and with them its indexes."""

    path: Path
    rows: list[history.Row] = field(default_factory=list)
    pending: list[list[bytes]] = field(default_factory=lambda: [[]])
    """Hashes by level that are no full tile yet."""
    laid: list[int] = field(default_factory=lambda: [0])
    last: bytes = b""

    def __post_init__(self) -> None:
        self.path.unlink(missing_ok=True)
        self.connection = sqlite3.connect(self.path, isolation_level=None)
        for setting in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-200000", "locking_mode=EXCLUSIVE"):
            self.connection.execute(f"PRAGMA {setting}").close()
        for statement in _statements():
            if statement.lstrip().startswith("CREATE TABLE"):
                self.connection.execute(statement)
        self.connection.execute("BEGIN")

    def put(self, row: history.Row) -> None:
        """Take a row; now and then many are written."""
        self.rows.append(row)
        self.last = row[5]
        self._grow(0, row[5])
        if len(self.rows) == ROWS_A_SAVE:
            self._write()

    def _write(self) -> None:
        self.connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)", self.rows)
        self.rows.clear()

    def _grow(self, level: int, added: bytes) -> None:
        pending = self.pending[level]
        pending.append(added)
        if len(pending) == TILE_WIDTH:
            hashes, above = b"".join(pending), root(pending)
            self.connection.execute("INSERT INTO tiles VALUES (?, ?, ?)", (level, self.laid[level], hashes))
            self.laid[level] += 1
            pending.clear()
            if len(self.pending) == level + 1:
                self.pending.append([])
                self.laid.append(0)
            self._grow(level + 1, above)

    def close(self, ledger: str, created: date) -> None:
        """The rest of the rows, the ledger's identity, its indexes and guards."""
        self._write()
        self.connection.execute("INSERT INTO ledger VALUES (1, ?, 1, ?)", (ledger, f"{created}T00:00:00.000000Z"))
        self.connection.execute("COMMIT")
        for statement in _statements():
            self.connection.execute(statement)
        self.connection.execute("PRAGMA journal_mode=WAL").close()
        self.connection.close()


def _statements() -> Iterator[str]:
    statement = ""
    for line in resources.read_text("schema", "ledger", "sqlite.sql").splitlines(keepends=True):
        if not statement and (line.startswith("--") or not line.strip()):
            continue
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("events", type=int, metavar="N")
    options.add_argument("folder", type=Path, metavar="FOLDER", help="a new folder")
    options.add_argument("--seed", type=int, default=7)
    given = options.parse_args()
    given.folder.mkdir(parents=True)
    since, told = time.perf_counter(), [0.0]

    def progress(position: int) -> None:
        seconds = time.perf_counter() - since
        if seconds - told[0] >= 5 or position == given.events:
            told[0] = seconds
            print(f"{position:,} of {given.events:,} events, {seconds:.0f} s", file=sys.stderr, flush=True)

    print(make(given.folder.resolve(), given.events, seed=given.seed, progress=progress))


if __name__ == "__main__":
    main()
