"""The tree is the one RFC 9162 defines, however it was grown."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from eventsourcing.persistence import StoredEvent
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from tests.kit.rfc9162 import mth, path, subproof
from tests.kit.stores import created
from tradex_ledger.ledger import merkle, tables
from tradex_ledger.ledger.entry import compose
from tradex_ledger.ledger.recorder import Recorder
from tradex_ledger.ledger.store import database, ledger_id, reading, writing
from tradex_ledger.ledger.tree import MissingTileError, stored_tree

LEAVES = [merkle.leaf_hash(str(n).encode()) for n in range(1100)]
sizes = st.integers(0, len(LEAVES))


class Log:
    """A tree grown append by append, with its tiles in memory."""

    def __init__(self) -> None:
        self.leaves: list[bytes] = []
        self.tiles: dict[tuple[int, int], bytes] = {}

    def append(self, leaves: Sequence[bytes]) -> None:
        for level, tile, hashes in merkle.new_tiles(len(self.leaves), leaves, self.read_tiles, self.read_leaves):
            assert (level, tile) not in self.tiles
            self.tiles[level, tile] = hashes
        self.leaves += leaves

    def read_tile(self, level: int, tile: int) -> bytes:
        return self.tiles[level, tile]

    def read_tiles(self, level: int, first: int, end: int) -> Sequence[bytes]:
        return [self.tiles[level, tile] for tile in range(first, end)]

    def read_leaves(self, first: int, end: int) -> Sequence[bytes]:
        assert end <= len(self.leaves)
        return self.leaves[first:end]

    def tree(self, size: int) -> merkle.Tree:
        return merkle.Tree(size, self.read_tile, self.read_leaves)


def grown(appends: Sequence[Sequence[bytes]]) -> Log:
    log = Log()
    for leaves in appends:
        log.append(leaves)
    return log


WHOLE = grown([LEAVES])


def test_hashes_are_those_of_the_rfc() -> None:
    assert merkle.leaf_hash(b"entry") == sha256(b"\x00entry").digest()
    assert merkle.node_hash(b"l", b"r") == sha256(b"\x01lr").digest()
    assert merkle.root([]) == sha256(b"").digest()


@given(st.lists(st.binary(max_size=4).map(merkle.leaf_hash), max_size=70))
def test_the_root_over_leaves_at_hand_is_the_rfcs(leaves: list[bytes]) -> None:
    assert merkle.root(leaves) == mth(leaves)


@given(sizes)
def test_the_root_of_any_size_is_the_rfcs(size: int) -> None:
    assert WHOLE.tree(size).root() == mth(LEAVES[:size])


@given(st.lists(st.integers(0, 600), max_size=5))
def test_the_way_of_growing_leaves_no_trace(steps: list[int]) -> None:
    appends, start = [], 0
    for step in steps:
        appends.append(LEAVES[start : start + step])
        start = min(start + step, len(LEAVES))
    log = grown(appends)
    assert log.tiles == grown([LEAVES[:start]]).tiles
    assert log.tree(start).root() == mth(LEAVES[:start])


@given(st.data())
def test_inclusion_proofs_are_the_rfcs_and_prove_only_their_leaf(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, len(LEAVES)))
    leaf = data.draw(st.integers(0, size - 1))
    proof = WHOLE.tree(size).inclusion_proof(leaf)
    root = mth(LEAVES[:size])
    assert proof == path(leaf, LEAVES[:size])
    assert merkle.verify_inclusion(leaf, size, LEAVES[leaf], proof, root)
    assert not merkle.verify_inclusion(leaf, size, merkle.leaf_hash(b"forged"), proof, root)
    assert not merkle.verify_inclusion(leaf, size, LEAVES[leaf], [*proof, root], root)
    assert not merkle.verify_inclusion(leaf, size, LEAVES[leaf], proof, LEAVES[leaf][::-1])
    assert not merkle.verify_inclusion(size, size, LEAVES[leaf], proof, root)
    if proof:
        assert not merkle.verify_inclusion(leaf, size, LEAVES[leaf], proof[:-1], root)
        assert not merkle.verify_inclusion(leaf ^ 1, size, LEAVES[leaf], proof, root)


@given(st.data())
def test_consistency_proofs_are_the_rfcs_and_prove_only_their_trees(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, len(LEAVES)))
    old = data.draw(st.integers(1, size))
    proof = WHOLE.tree(size).consistency_proof(old)
    old_root, root = mth(LEAVES[:old]), mth(LEAVES[:size])
    assert proof == subproof(old, LEAVES[:size], True)
    assert merkle.verify_consistency(old, size, old_root, root, proof)
    assert not merkle.verify_consistency(old, size, root[::-1], root, proof)
    assert not merkle.verify_consistency(old, size, old_root, old_root[::-1], proof)
    assert not merkle.verify_consistency(old, size, old_root, root, [*proof, root])
    assert not merkle.verify_consistency(0, size, old_root, root, proof)


@given(st.data())
def test_a_tree_with_its_edge_is_the_same_and_reads_no_tile_to_make_it_again(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, len(LEAVES)))
    whole = WHOLE.tree(size)
    edge = whole.edge()
    read: list[tuple[int, int]] = []

    def read_tile(level: int, tile: int) -> bytes:
        read.append((level, tile))
        return WHOLE.read_tile(level, tile)

    with_edge = merkle.Tree(size, read_tile, WHOLE.read_leaves, edge)
    assert with_edge.root() == whole.root()
    assert read == []
    leaf = data.draw(st.integers(0, size - 1))
    assert with_edge.inclusion_proof(leaf) == whole.inclusion_proof(leaf)
    assert {level for level, _ in read} <= {0}
    assert {tile for _, tile in read} <= {leaf // merkle.TILE_WIDTH}
    for wrong in ([], [hashes[32:] for hashes in edge], [*edge, b""]):  # of another size: it is made again
        assert merkle.Tree(size, WHOLE.read_tile, WHOLE.read_leaves, wrong).root() == whole.root()


def test_a_leaf_or_an_older_size_outside_the_tree_is_refused() -> None:
    for leaf in (-1, 3):
        with pytest.raises(IndexError):
            WHOLE.tree(3).inclusion_proof(leaf)
    for old in (0, 4):
        with pytest.raises(IndexError):
            WHOLE.tree(3).consistency_proof(old)


def test_tiles_become_full_at_the_boundaries_and_not_before() -> None:
    leaf, width = LEAVES[0], merkle.TILE_WIDTH
    log = grown([[leaf] * (width**2 - 1)])
    assert len(log.tiles) == width - 1
    log.append([leaf])
    assert sorted(log.tiles)[-1] == (1, 0)
    # All leaves alike: each perfect subtree hashes its half with itself.
    expected = leaf
    for _ in range(8):
        expected = merkle.node_hash(expected, expected)
    assert log.tiles[1, 0] == expected * width
    for _ in range(8):
        expected = merkle.node_hash(expected, expected)
    assert log.tree(width**2).root() == expected
    log.append([leaf])
    tree = log.tree(width**2 + 1)
    assert tree.root() == merkle.node_hash(expected, leaf)
    for n in (0, width**2 - 1, width**2):
        assert merkle.verify_inclusion(n, width**2 + 1, leaf, tree.inclusion_proof(n), tree.root())


def test_tiles_in_the_database_equal_those_of_all_leaves(engine: Engine) -> None:
    recorder = Recorder(engine, lambda: datetime.now(UTC))
    chance, size = random.Random(9162), 0
    for step in [1, 254, 1, 1, *(chance.randint(1, 400) for _ in range(20)), 2000]:
        recorder.insert_events([StoredEvent("s", size + n, "t", b"x") for n in range(step)])
        size += step
    with reading(engine) as connection:
        rows = connection.execute(select(tables.tiles)).all()
        entries = connection.execute(select(tables.events.c.entry).order_by(tables.events.c.position)).scalars()
        leaves = [merkle.leaf_hash(entry.encode()) for entry in entries]
        assert len(leaves) == size
        assert {(level, tile): hashes for level, tile, hashes in rows} == grown([leaves]).tiles
        for at_size in (0, 1, 256, 257, 1000, size):
            assert stored_tree(database(engine), at_size).root() == mth(leaves[:at_size])
        with pytest.raises(MissingTileError):
            stored_tree(database(engine), size + 256).root()


@pytest.mark.parametrize("lost", [None, 0, 100, 254])
def test_a_tile_over_tiles_of_earlier_saves_is_made_of_all_of_them_or_not_at_all(
    tmp_path: Path, lost: int | None
) -> None:
    with created(f"sqlite:///{tmp_path / 'ledger.db'}") as engine:
        hashes = _lay_tiles(engine, lost)
        recorder, size = Recorder(engine, lambda: datetime.now(UTC)), len(hashes) * merkle.TILE_WIDTH
        more = [StoredEvent("s", 2 + n, "t", b"x") for n in range(merkle.TILE_WIDTH)]
        if lost is not None:
            with pytest.raises(MissingTileError, match=f"tile {lost} of level 0"):
                recorder.insert_events(more)
            assert recorder.max_notification_id() == size, "the save left nothing behind"
            return
        recorder.insert_events(more)
        with reading(engine) as connection:
            rows = connection.execute(select(tables.tiles)).all()
    made = {(level, tile): found for level, tile, found in rows}
    children = [*hashes, made[0, len(hashes)]]
    assert made[1, 0] == b"".join(merkle.root(merkle.hashes_of(child)) for child in children)


def _lay_tiles(engine: Engine, lost: int | None) -> list[bytes]:
    """All tiles but one of which the first above them is made, past the guards, and their last event."""
    hashes = [merkle.leaf_hash(str(n).encode()) * merkle.TILE_WIDTH for n in range(merkle.TILE_WIDTH - 1)]
    size, at = len(hashes) * merkle.TILE_WIDTH, "2026-01-10T12:00:00.000000Z"
    entry = compose(ledger_id(engine), size, at, "s", 1, "t", state=b"x")
    row = (size, "s", 1, "t", at, merkle.leaf_hash(entry), entry.decode())
    with writing(engine) as connection:
        for guard in ("events_dense_insert", "tiles_dense_insert"):
            connection.exec_driver_sql(f"drop trigger {guard}")
        connection.exec_driver_sql("insert into events values (?, ?, ?, ?, ?, ?, ?)", row)
        there = [(tile, found) for tile, found in enumerate(hashes) if tile != lost]
        connection.exec_driver_sql("insert into tiles values (0, ?, ?)", there)
    return hashes
