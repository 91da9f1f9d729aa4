"""Proofs are found in the ledger's tree, and none leaves that does not lead to the signed root."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from tests.kit import rfc9162
from tests.kit.evidence import ORIGIN, SIGNER
from tests.kit.tiled import add, opened, signed_at, store_of
from tradex_ledger.keyed import read_sealed, write_sealed
from tradex_ledger.ledger.ask import at_positions, events_of
from tradex_ledger.ledger.select import Store, open_store
from tradex_ledger.ledger.tree import MissingTileError
from tradex_ledger.sealing.checkpoint import Checkpoint, opened_checkpoint, sealed
from tradex_ledger.sealing.proof import parsed, proven
from tradex_ledger.sealing.proving import NotCoveredError, OtherTreeError, proofs

SIZE = 700


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = opened(tmp_path / "ledger.db")
    add(made, SIZE)
    yield made
    made.dispose()


@pytest.fixture
def store(engine: Engine, tmp_path: Path) -> Store:
    """With caches, in its folder."""
    return open_store(store_of(engine).url, tmp_path)  # type: ignore[attr-defined]  # a file


def edge(store: Store) -> Path:
    found = store.caches.path("tree", "edge")
    assert found is not None
    return found


@pytest.mark.parametrize("size", [1, 255, 256, 257, SIZE])
def test_every_event_up_to_a_checkpoint_is_proven_by_it(store: Store, size: int):
    signed = signed_at(store, size)
    leaves = [event.leaf for event in events_of(store, [], upto=size)]
    events = [event for event in events_of(store, [], upto=size) if event.position % 17 == size % 17]
    for event, proof in zip(events, proofs(store, signed, events), strict=True):
        assert proof.path == tuple(rfc9162.path(event.position - 1, leaves))
        assert proven(parsed(proof.text), event.entry.encode(), [SIGNER.verifier]) == signed


def test_what_is_younger_than_the_checkpoint_is_told_with_what_mends_it(store: Store):
    with pytest.raises(NotCoveredError, match=r"position 257 .* first 256 events") as caught:
        proofs(store, signed_at(store, 256), at_positions(store, [257]))
    assert "tradex ledger checkpoint" in caught.value.mend


def test_the_edge_of_the_tree_is_made_once_for_a_checkpoint(store: Store, engine: Engine):
    signed, events = signed_at(store, SIZE), at_positions(store, [1])
    found = proofs(store, signed, events)
    with engine.begin() as connection:  # what only the edge is made of
        connection.execute(text("drop trigger tiles_no_delete"))
        connection.execute(text("delete from tiles where level = 0 and tile = 1"))
    assert proofs(store, signed, events) == found
    edge(store).unlink()
    with pytest.raises(MissingTileError):
        proofs(store, signed, events)


def test_a_poisoned_edge_is_of_no_effect_and_made_again(store: Store):
    signed, events = signed_at(store, SIZE), at_positions(store, [1, 600])
    found = proofs(store, signed, events)
    path = edge(store)
    whole = read_sealed(path, "edge of a tree")
    assert whole is not None
    for content in (b"", b"700\n", b"700\n" + bytes(64), b"700\n" + bytes(640), b"701\n" + whole[4:]):
        assert write_sealed(path, content, "edge of a tree")  # as who has the user's key could
        assert proofs(store, signed, events) == found
        assert read_sealed(path, "edge of a tree") == whole
    path.write_bytes(b"anything")
    assert proofs(store, signed, events) == found


def test_a_ledger_that_is_not_the_one_that_was_signed_proves_nothing(store: Store, engine: Engine):
    signed = signed_at(store, SIZE)
    other = opened_checkpoint(sealed(Checkpoint(ORIGIN, SIZE, bytes(32)), SIGNER), [SIGNER.verifier])
    with pytest.raises(OtherTreeError, match=signed.checkpoint.root.hex()):
        proofs(store, other, at_positions(store, [1]))
    proofs(store, signed, at_positions(store, [1]))  # the edge is kept now
    with engine.begin() as connection:
        connection.execute(text("drop trigger tiles_no_update"))
        connection.execute(text("update tiles set hashes = zeroblob(8192) where level = 0 and tile = 0"))
    with pytest.raises(OtherTreeError):
        proofs(store, signed, at_positions(store, [1]))
