"""A ledger in the layout of tiled logs: the files that the specification names, whatever was there before."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from tests.kit import rfc9162
from tests.kit.evidence import LEDGER, ORIGIN, SIGNER, head_of
from tests.kit.stores import STORES, Kind, created
from tests.kit.tiled import add, opened, signed_at, store_of
from tradex_ledger.ledger.ask import events_of
from tradex_ledger.ledger.select import open_store
from tradex_ledger.sealing import tiles
from tradex_ledger.sealing.checkpoint import Checkpoint, opened_checkpoint, sealed
from tradex_ledger.sealing.proving import OtherTreeError, proofs
from tradex_ledger.sealing.roots import light_root
from tradex_ledger.sealing.tiles import OtherTilesError, Tiled, WrongTileError, export, tile_name


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = opened(tmp_path / "ledger.db")
    yield made
    made.dispose()


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_names_are_those_of_the_specification():
    assert tile_name(0, 0) == "tile/0/000"
    assert tile_name("entries", 1234067, 5) == "tile/entries/x001/x234/067.p/5"
    assert tile_name(2, 999) == "tile/2/999"
    assert tile_name(2, 1000, 255) == "tile/2/x001/000.p/255"


def test_the_layout_of_a_size_is_that_of_the_specification(engine: Engine, tmp_path: Path):
    """Its own example: 256 events are a full tile, and one hash above; and one event more."""
    add(engine, 256)
    store, folder = store_of(engine), tmp_path / "tiles"
    assert export(store, folder, head_of(store)) == Tiled(3, 0, 0)
    assert names(folder) == ["checkpoint", "tile/0/000", "tile/1/000.p/1", "tile/entries/000"]
    add(engine, 1)
    export(store, folder, head_of(store))
    assert names(folder)[1:5] == ["tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1", "tile/entries/000"]
    leaves = [rfc9162.leaf_hash(event.entry.encode()) for event in events_of(store, [])]
    assert (folder / "tile/0/000").read_bytes() == b"".join(leaves[:256])
    assert (folder / "tile/0/001.p/1").read_bytes() == leaves[256]
    assert (folder / "tile/1/000.p/1").read_bytes() == rfc9162.mth(leaves[:256])
    bundle = b"".join(len(e.entry).to_bytes(2) + e.entry.encode() for e in events_of(store, [], upto=256))
    assert (folder / "tile/entries/000").read_bytes() == bundle


def test_only_what_is_missing_is_made(engine: Engine, tmp_path: Path):
    add(engine, 300)
    store, folder = store_of(engine), tmp_path / "tiles"
    assert export(store, folder, head_of(store)) == Tiled(5, 0, 0)
    before = {name: (folder / name).stat().st_mtime_ns for name in names(folder)}
    assert export(store, folder, head_of(store)) == Tiled(0, 5, 0)
    add(engine, 300)
    assert export(store, folder, head_of(store)) == Tiled(5, 2, 0)
    after = {name: (folder / name).stat().st_mtime_ns for name in names(folder)}
    assert {name for name in before if before[name] != after[name]} == {"checkpoint"}
    (folder / "tile/0/001").unlink()
    (folder / "tile/0/000").write_bytes(b"cut")
    assert export(store, folder, head_of(store)) == Tiled(2, 5, 0)


def test_a_crash_before_the_checkpoint_is_no_obstacle_and_what_it_left_is_made_again(engine: Engine, tmp_path: Path):
    add(engine, 300)
    store, folder = store_of(engine), tmp_path / "tiles"
    export(store, folder, head_of(store))
    whole = {name: (folder / name).read_bytes() for name in names(folder)}
    (folder / "checkpoint").unlink()
    (folder / "tile/entries/000").write_bytes(b"")
    (folder / "tile/0/000").write_bytes(b"x" * 8192)
    (folder / ".checkpoint-1").write_bytes(b"half")
    assert export(store, folder, head_of(store)) == Tiled(5, 0, 0)
    assert {name: (folder / name).read_bytes() for name in names(folder) if name[0] != "."} == whole


def test_an_entry_that_the_layout_has_no_room_for_is_laid_elsewhere_and_told(engine: Engine, tmp_path: Path):
    add(engine, 256)
    add(engine, 1, tiles.LONGEST)
    add(engine, 255)
    store, folder = store_of(engine), tmp_path / "tiles"
    assert export(store, folder, head_of(store)).elsewhere == 1
    assert "lines/001" in names(folder)
    assert "tile/entries/001" not in names(folder)
    lines = (folder / "lines/001").read_bytes().splitlines()
    assert lines == [event.entry.encode() for event in events_of(store, [], after=256)]
    assert export(store, folder, head_of(store)) == Tiled(0, 5, 1)


def test_a_folder_of_something_else_stays_as_it_is(engine: Engine, tmp_path: Path):
    add(engine, 10)
    store = store_of(engine)
    other = opened(tmp_path / "other.db")
    add(other, 9, length=2)
    mine, theirs, papers = tmp_path / "mine", tmp_path / "theirs", tmp_path / "papers"
    export(store, mine, head_of(store))
    export(store_of(other), theirs, head_of(store_of(other)))
    papers.mkdir()
    (papers / "letter").write_text("dear", encoding="utf-8")
    for folder, why in ((theirs, "9 other events"), (papers, "'letter'")):
        before = {name: (folder / name).read_bytes() for name in names(folder)}
        with pytest.raises(OtherTilesError, match=why):
            export(store, folder, head_of(store))
        assert {name: (folder / name).read_bytes() for name in names(folder)} == before
    with pytest.raises(OtherTilesError, match="10 events already"):
        export(store, mine, signed_at(store, 9))
    with pytest.raises(OtherTilesError, match=f"is of {ORIGIN}:"):  # by its name it is another log
        export(store, mine, head_of(store, f"{ORIGIN}/3"))
    (mine / "checkpoint").write_text("nonsense", encoding="utf-8")
    with pytest.raises(OtherTilesError, match="none"):
        export(store, mine, head_of(store))
    other.dispose()


def test_a_ledger_that_was_changed_gives_no_tiles(engine: Engine, tmp_path: Path):
    add(engine, 300)
    store = store_of(engine)
    head = head_of(store)
    with engine.begin() as connection:
        connection.execute(text("drop trigger tiles_no_update"))
        connection.execute(text("update tiles set hashes = zeroblob(8192)"))
    with pytest.raises(OtherTreeError):
        export(store, tmp_path / "tiles", head)
    leaves = [rfc9162.leaf_hash(event.entry.encode()) for event in events_of(store, [])]
    forged = rfc9162.node(rfc9162.mth([bytes(32)] * 256), rfc9162.mth(leaves[256:]))
    note = sealed(Checkpoint(ORIGIN, 300, forged), SIGNER)
    with pytest.raises(WrongTileError):  # whoever signed what the tiles say has not looked at the events
        export(store, tmp_path / "tiles", opened_checkpoint(note, [SIGNER.verifier]))
    assert not os.path.lexists(tmp_path / "tiles" / "checkpoint")


@pytest.mark.parametrize("kind", STORES[:-1], ids=lambda kind: kind.name)
def test_every_store_gives_the_same_tiles_and_proofs(kind: Kind, tmp_path: Path):
    with kind.fresh(tmp_path) as url, created(url, LEDGER) as made:
        add(made, 300)
        store = open_store(url)
        head, folder = head_of(store), tmp_path / "tiles"
        assert export(store, folder, head) == Tiled(5, 0, 0)
        events = events_of(store, [])
        leaves = [rfc9162.leaf_hash(event.entry.encode()) for event in events]
        assert (folder / "tile/0/000").read_bytes() == b"".join(leaves[:256])
        for event, proof in zip(events, proofs(store, head, events), strict=True):
            assert proof.path == tuple(rfc9162.path(event.position - 1, leaves))
        assert light_root(store, 300) == head.checkpoint.root
