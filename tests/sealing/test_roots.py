"""The root that a head is held against is that of the tree, whatever a cache says."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests import worlds
from tests.kit import small
from tests.kit.sealed import grow
from tradex_ledger.ledger import merkle
from tradex_ledger.ledger.merkle import hashes_of
from tradex_ledger.ledger.select import Store
from tradex_ledger.ledger.tree import MissingTileError
from tradex_ledger.sealing import roots
from tradex_ledger.sealing.roots import root_at
from tradex_ledger.workspace import Workspace


def test_a_root_that_is_remembered_is_that_of_these_leaves_and_of_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(roots, "_MANY", 1)
    ws = worlds.copied(tmp_path, days=1, until=None)
    with small.reopen(ws) as workspace:
        end, store = grow(workspace, 600), workspace.ledger.store
        leaves = hashes_of(store.leaves(1, end) or b"")
        for size in (1, 255, 256, 257, 512, 600, end):
            for _ in range(2):  # made, and remembered
                assert root_at(store, size) == merkle.root(leaves[:size])
        made: list[int] = []
        light = roots.light_root

        def counted(of: Store, size: int) -> bytes:
            made.append(size)
            return light(of, size)

        monkeypatch.setattr(roots, "light_root", counted)
        root_at(store, end)
        assert made == []
        with pytest.raises(MissingTileError):
            root_at(store, end + 1)
    with sqlite3.connect(ws / "ledger.db") as connection:
        for (name,) in connection.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            connection.execute(f"drop trigger {name}")
        connection.execute("update events set leaf = zeroblob(32) where position = ?", (end - 1,))
    with Workspace.open(ws, reading=True) as workspace:
        assert root_at(workspace.ledger.store, end) == merkle.root([*leaves[: end - 2], bytes(32), leaves[end - 1]])
