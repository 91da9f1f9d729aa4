"""The root that is said with every answer is that of the tree, and of no other tiles than those that are there."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests import worlds
from tradex_ledger.ledger import roots
from tradex_ledger.ledger.merkle import root
from tradex_ledger.ledger.roots import root_of
from tradex_ledger.ledger.select import Store, open_store
from tradex_ledger.ledger.tree import MissingTileError, stored_tree


@pytest.fixture
def long(tmp_path: Path) -> tuple[Store, Path]:
    """A ledger of some thousands of events, of one's own."""
    folder = tmp_path / "ws"
    folder.mkdir()
    with (
        closing(sqlite3.connect(worlds.long() / "ledger.db")) as from_,
        closing(sqlite3.connect(folder / "ledger.db")) as to,
    ):
        from_.backup(to)
    return open_store(f"sqlite:///{folder / 'ledger.db'}", folder), folder


def remembered(store: Store) -> Path:
    path = store.caches.path("roots")
    assert path is not None
    return path


def test_it_is_the_root_of_the_tree_at_every_kind_of_size(long: tuple[Store, Path]):
    store, _ = long
    newest = store.position()
    leaves = store.leaves(1, newest)
    assert leaves is not None
    sizes = {0, 1, 2, 3, 255, 256, 257, 511, 512, 513, 767, 4095, 4096, 4097, newest - 1, newest}
    for size in sorted(size for size in sizes if size <= newest):
        found = root_of(store, size)
        assert found == root([leaves[n * 32 : n * 32 + 32] for n in range(size)]) == stored_tree(store, size).root()
    assert remembered(store).exists()
    assert root_of(store, newest) == stored_tree(store, newest).root()


def test_what_is_remembered_of_a_tile_counts_for_that_tile_alone(long: tuple[Store, Path]):
    store, folder = long
    newest = store.position()
    before = root_of(store, newest)
    assert remembered(store).exists()
    with closing(sqlite3.connect(folder / "ledger.db")) as ledger:
        for (name,) in ledger.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            ledger.execute(f'drop trigger "{name}"')
        ledger.execute("update tiles set hashes = zeroblob(8192) where level = 0 and tile = 1")
        ledger.commit()
        after = root_of(store, newest)
        assert after != before
        assert after == stored_tree(store, newest).root()
        ledger.execute("delete from tiles where level = 0 and tile = 1")
        ledger.commit()
    with pytest.raises(MissingTileError):
        root_of(store, newest)


def test_what_somebody_else_put_there_is_not_believed(long: tuple[Store, Path], monkeypatch: pytest.MonkeyPatch):
    store, _ = long
    newest = store.position()
    before = root_of(store, newest)
    file = remembered(store)
    for content in (b"", b"rubbish", file.read_bytes()[:-1] + b"x"):
        file.write_bytes(content)
        assert root_of(store, newest) == before
    monkeypatch.setattr(roots, "_MOST", 3)
    file.unlink()
    assert root_of(store, newest) == before
    assert root_of(store, newest) == before
