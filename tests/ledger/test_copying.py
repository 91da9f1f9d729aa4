"""A whole ledger from one store into another, and into a file: byte for byte, all or nothing."""

from __future__ import annotations

import resource
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from eventsourcing.persistence import StoredEvent, Tracking
from sqlalchemy import Connection, Engine, text

from tests.kit.small import Ticking
from tests.kit.stores import LEDGER, created
from tradex_ledger.errors import BrokenLedgerError
from tradex_ledger.ledger import backup, merkle
from tradex_ledger.ledger.copying import OtherRootError, check_root, pour, pour_all
from tradex_ledger.ledger.dialects import EventRow
from tradex_ledger.ledger.entry import canonical
from tradex_ledger.ledger.faults import StoreFault
from tradex_ledger.ledger.log import NotAppendedError
from tradex_ledger.ledger.recorder import Recorder
from tradex_ledger.ledger.select import open_store
from tradex_ledger.ledger.sqlite import SQLite
from tradex_ledger.ledger.store import open_engine, store_info, writing
from tradex_ledger.ledger.store_errors import LedgerExistsError, NoLedgerError, StoreInfo

EVENTS = 2_600
"""More than two pages, ten tiles and a rest."""
TEXTS = ["it's", 'a "quoted" \\ text', "\x00\x01\n\x1f", "ä 日本 🚀", "\u2028\x7f", ""]
TABLES = ("events", "tiles", "ledger", "tracking")


def events() -> Iterator[StoredEvent]:
    for n in range(EVENTS):
        said = TEXTS[n % len(TEXTS)]
        state = canonical({"by": said, "data": {"text": said * (n % 7), "n": n}, "v": 1})
        yield StoredEvent(f"bf-{n % 5}", n // 5 + 1, "topic", state if n % 11 else said.encode())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A ledger of odd texts in a file, and how far a follower is."""
    with created(f"sqlite:///{tmp_path_factory.mktemp('made') / 'ledger.db'}") as engine:
        recorder = Recorder(engine, Ticking())
        recorder.insert_events(list(events()), tracking=Tracking("follower", 7))
        yield engine


def content(engine: Engine) -> list[list[tuple[object, ...]]]:
    with engine.connect() as connection:
        found = [connection.execute(text(f"select * from {table} order by 1, 2")).all() for table in TABLES]
        return [[tuple(row) for row in rows] for rows in found]


def carried(source: Engine, target: Engine) -> tuple[int, bytes]:
    with writing(target) as there, writing(source) as here:
        return pour_all(here, there, store_info(source))


def test_a_ledger_is_the_same_in_any_store_and_back(made: Engine, url: str, tmp_path: Path) -> None:
    there, back = open_engine(url, create=True), open_engine(f"sqlite:///{tmp_path / 'back.db'}", create=True)
    try:
        leaves = [row[5] for row in content(made)[0]]
        assert carried(made, there) == (EVENTS, merkle.root(leaves))  # type: ignore[arg-type]  # leaves are bytes
        assert content(there) == content(made)
        carried(there, back)
        assert content(back) == content(made)
        again = Recorder(back, Ticking()).insert_events([StoredEvent("bf-9", 1, "topic", b"state")])
        assert again == [EVENTS + 1]
        with pytest.raises(LedgerExistsError):
            carried(made, there)
    finally:
        there.dispose()
        back.dispose()


def test_leaves_grow_to_the_root_of_the_tree() -> None:
    leaves = [merkle.leaf_hash(bytes([n])) for n in range(70)]
    tree = merkle.Growing()
    for n, leaf in enumerate(leaves):
        assert tree.root() == merkle.root(leaves[:n])
        tree.add([leaf])
    assert tree.root() == merkle.root(leaves)


def put(path: Path, engine: Engine) -> None:
    with backup.opened(path) as (header, pages), writing(engine) as connection:
        pour(connection, StoreInfo(header.ledger, header.format, header.created_at), pages)
        check_root(connection, header.ledger, header.events, bytes.fromhex(header.root))


def test_a_backup_holds_all_that_a_ledger_is(made: Engine, url: str, tmp_path: Path) -> None:
    source = open_store(made.url.render_as_string())
    header = backup.write(source, tmp_path / "one.gz")
    assert (header.ledger, header.events) == (LEDGER, EVENTS)
    there = open_engine(url, create=True)
    try:
        put(tmp_path / "one.gz", there)
        assert content(there)[:3] == content(made)[:3]
        assert backup.write(open_store(url), tmp_path / "two.gz") == header
    finally:
        there.dispose()
    assert (tmp_path / "one.gz").read_bytes() == (tmp_path / "two.gz").read_bytes()


def test_another_root_is_not_taken(made: Engine, tmp_path: Path) -> None:
    there = open_engine(f"sqlite:///{tmp_path / 'there.db'}", create=True)
    with pytest.raises(OtherRootError), writing(there) as connection, writing(made) as here:
        pour_all(here, connection, store_info(made))
        check_root(connection, LEDGER, EVENTS, b"\0" * 32)
    there.dispose()
    with pytest.raises(NoLedgerError):
        open_store(there.url.render_as_string())


def test_what_is_kept_otherwise_than_it_was_laid_down_is_not_taken(
    made: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = open_engine(f"sqlite:///{tmp_path / 'there.db'}", create=True)
    real = SQLite.insert_events

    def other_leaf(self: SQLite, connection: Connection, parts: Iterable[Sequence[EventRow]]) -> None:
        other = ([(*row[:5], bytes(32) if row[0] == 5 else row[5], row[6]) for row in rows] for rows in parts)
        real(self, connection, other)

    monkeypatch.setattr(SQLite, "insert_events", other_leaf)
    with pytest.raises(NotAppendedError, match="position 5 "):
        carried(made, there)
    there.dispose()


def test_a_ledger_that_is_not_sound_is_neither_copied_nor_backed_up(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with created(url) as engine:
        Recorder(engine, Ticking()).insert_events(list(events())[:300])
        with engine.begin() as connection:
            connection.execute(text("drop trigger events_no_update"))
            connection.execute(text("update events set topic = 'other' where position = 200"))
        there = open_engine(f"sqlite:///{tmp_path / 'there.db'}", create=True)
        with pytest.raises(BrokenLedgerError):
            carried(engine, there)
        there.dispose()
    with pytest.raises(BrokenLedgerError):
        backup.write(open_store(url), tmp_path / "backup.gz")
    assert sorted(path.name for path in tmp_path.iterdir() if "gz" in path.name) == []


def test_a_backup_that_was_not_written_as_it_was_meant_gets_no_name(
    made: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = backup._write
    monkeypatch.setattr(backup, "_write", lambda store, told, file: real(store, replace(told, events=EVENTS - 1), file))
    with pytest.raises(backup.BackupError, match="not written as it was meant"):
        backup.write(open_store(made.url.render_as_string()), tmp_path / "backup.gz")
    assert list(tmp_path.iterdir()) == []


@contextmanager
def small_files(most: int) -> Iterator[None]:
    """No file grows beyond so many bytes: as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_no_backup_and_no_ledger_behind(made: Engine, tmp_path: Path) -> None:
    store = open_store(made.url.render_as_string())
    whole, anew = tmp_path / "whole.gz", f"sqlite:///{tmp_path / 'anew.db'}"
    backup.write(store, whole)
    (tmp_path / "full").mkdir()
    with pytest.raises(OSError, match="too large"), small_files(whole.stat().st_size - 1):
        backup.write(store, tmp_path / "full" / "backup.gz")
    assert list((tmp_path / "full").iterdir()) == []
    engine = open_engine(anew, create=True)
    with pytest.raises(StoreFault) as refused, small_files(200_000):
        put(whole, engine)
    assert refused.value.code == "store-disk"
    with pytest.raises(NoLedgerError):
        open_store(anew)
    put(whole, engine)  # with room again, the same call
    engine.dispose()
    assert open_store(anew).position() == EVENTS
