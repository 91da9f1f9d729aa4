"""A ledger as files in the layout of tiled logs (c2sp.org/tlog-tiles), for whoever serves or follows it by that.

    checkpoint · tile/LEVEL/N · tile/LEVEL/N.p/WIDTH · tile/entries/N · tile/entries/N.p/WIDTH

What is there under the folder's own checkpoint stays as it is; what is missing is made, each file whole or not there,
and the new checkpoint is laid last. A crash before that leaves files that no checkpoint names: they are made again.

The layout gives an entry two bytes for its length. Entries that have one of more than 65,535 bytes among them are laid
elsewhere, under `lines/N`, an entry a line; how often is told.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import cast

from tradex_ledger.errors import BrokenLedgerError, RefusedError
from tradex_ledger.ledger.merkle import HASH_SIZE, TILE_HEIGHT, TILE_WIDTH, Tree, hashes_of, root
from tradex_ledger.ledger.rows import Row, check_range
from tradex_ledger.ledger.select import Store, read
from tradex_ledger.ledger.tree import MissingTileError, ask_tree
from tradex_ledger.sealing.checkpoint import Checkpoint, SignedCheckpoint, parsed
from tradex_ledger.sealing.note import taken_apart, text_of
from tradex_ledger.sealing.note_errors import NoteError
from tradex_ledger.sealing.proving import OtherTreeError

CHECKPOINT = "checkpoint"
LONGEST = (1 << 16) - 1
"""Bytes of an entry that the layout has room for."""
_FULL = TILE_WIDTH * HASH_SIZE
_ENTRIES, _LINES = "entries", "lines/"


class OtherTilesError(RefusedError):
    """The folder holds something else than the beginning of this ledger."""

    code = "other-tiles"

    def __init__(self, folder: Path, what: str) -> None:
        super().__init__(
            f"{folder} {what}: nothing is written there", mend="name a folder that is not there, or is of this ledger"
        )


class WrongTileError(BrokenLedgerError):
    """A tile of the ledger is not what the events, or the tiles, below it give."""

    code = "wrong-tile"

    def __init__(self, level: int, tile: int) -> None:
        super().__init__(
            f"tile {tile} of level {level} of the ledger is not what lies below it gives",
            mend="find what was changed: tradex audit verify; then put back the last good copy of the ledger",
        )


@dataclass(frozen=True, slots=True)
class Tiled:
    """What came of it: so many files were made, so many were there; how many of them are `lines/…`."""

    made: int
    there: int
    elsewhere: int


def export(store: Store, folder: Path, signed: SignedCheckpoint) -> Tiled:
    """Make what a folder lacks of the ledger as of a checkpoint.

    Raises: `OtherTilesError`, `OtherTreeError`, `WrongTileError`; `BrokenLedgerError` for an event that is not sound;
    `OSError`.
    """
    head = signed.checkpoint
    found = ask_tree(store, head.size, Tree.root)
    if found != head.root:
        raise OtherTreeError(head, found)
    known = _known(store, folder, head)
    made, there, elsewhere = 0, 0, 0
    for file in _files(store, head.size):
        # Under the folder's own checkpoint a file is for good; one that a crash cut short is not.
        name = next((n for n in file.names if _is_there(folder / n, file)), "") if file.end <= known else ""
        if name:
            there += 1
        else:
            name, content = file.make()
            _lay(folder / name, content)
            made += 1
        elsewhere += name.startswith(_LINES)
    os.sync()  # before a checkpoint says that all of it is there
    _lay(folder / CHECKPOINT, signed.note.encode())
    return Tiled(made, there, elsewhere)


@dataclass(frozen=True, slots=True)
class _File:
    """A file of the layout over the events up to `end`: the names that it may have, its bytes, where their number is
    known; how its name and content are made.
    """

    names: tuple[str, ...]
    end: int
    size: int | None
    make: Callable[[], tuple[str, bytes]]


def tile_name(level: int | str, tile: int, width: int = TILE_WIDTH) -> str:
    """Where a tile lies: its number in groups of three digits, all but the last after an `x`; `width` of a partial."""
    digits = f"{tile:03}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    partial = "" if width == TILE_WIDTH else f".p/{width}"
    return "/".join(("tile", str(level), *(f"x{group}" for group in groups[:-1]), groups[-1])) + partial


def _files(store: Store, size: int) -> Iterator[_File]:
    """All files of a tree of that size but the checkpoint: the leaves, their entries, and the tiles above."""
    for tile, width in _tiles(size):
        yield from _lowest(store, tile, width)
    level = 1
    while size >> (TILE_HEIGHT * level):
        for tile, width in _tiles(size >> (TILE_HEIGHT * level)):
            yield _above(store, level, tile, width)
        level += 1


def _tiles(count: int) -> Iterator[tuple[int, int]]:
    """The tiles that so many hashes fill, each with its width; the last may be partial."""
    for tile in range(-(-count // TILE_WIDTH)):
        yield tile, min(TILE_WIDTH, count - tile * TILE_WIDTH)


def _lowest(store: Store, tile: int, width: int) -> Iterator[_File]:
    """A tile of leaves, and the entries of it."""
    first, end = tile * TILE_WIDTH + 1, tile * TILE_WIDTH + width
    name, entries = tile_name(0, tile, width), tile_name(_ENTRIES, tile, width)
    lines = entries.replace(f"tile/{_ENTRIES}/", _LINES)

    @cache
    def rows() -> list[Row]:
        found = cast("list[Row]", store.select(read("range"), first=first, last=end))
        return list(check_range(store.ledger, found, first, end))

    def make_leaves() -> tuple[str, bytes]:
        return name, _as_stored(store, 0, tile, b"".join(row[5] for row in rows()))

    def make_entries() -> tuple[str, bytes]:
        found = [row[6].encode() for row in rows()]
        if max(map(len, found)) > LONGEST:
            return lines, b"".join(entry + b"\n" for entry in found)
        return entries, b"".join(len(entry).to_bytes(2) + entry for entry in found)

    yield _File((name,), end, width * HASH_SIZE, make_leaves)
    yield _File((entries, lines), end, None, make_entries)


def _above(store: Store, level: int, tile: int, width: int) -> _File:
    """A tile above the leaves, made of the full ones below it."""
    name, first = tile_name(level, tile, width), tile * TILE_WIDTH

    def make() -> tuple[str, bytes]:
        hashes = b"".join(root(hashes_of(_stored(store, level - 1, first + n))) for n in range(width))
        return name, _as_stored(store, level, tile, hashes)

    return _File((name,), (first + width) << (TILE_HEIGHT * level), width * HASH_SIZE, make)


def _stored(store: Store, level: int, tile: int) -> bytes:
    found = store.select(read("tile"), level=level, tile=tile)
    if not found:
        raise MissingTileError(level, tile)
    return bytes(found[0][0])


def _as_stored(store: Store, level: int, tile: int, hashes: bytes) -> bytes:
    """The hashes of a tile that was made of what is below it; where it is full, the ledger has it, too."""
    if len(hashes) == _FULL and _stored(store, level, tile) != hashes:
        raise WrongTileError(level, tile)
    return hashes


def _known(store: Store, folder: Path, head: Checkpoint) -> int:
    """How many events the folder's own checkpoint is over; 0 for a folder that is empty, or not finished."""
    try:
        note = (folder / CHECKPOINT).read_bytes()
    except FileNotFoundError:
        with suppress(FileNotFoundError):
            names = sorted(path.name for path in folder.iterdir())
            if other := [name for name in names if name not in ("tile", "lines") and not name.startswith(".")]:
                raise OtherTilesError(folder, f"has {other[0]!r} in it, and no checkpoint") from None
        return 0
    try:
        own = parsed(taken_apart(text_of(note))[0])
    except NoteError as error:
        raise OtherTilesError(folder, f"has a checkpoint that is none ({error.message})") from None
    if own.origin != head.origin:
        raise OtherTilesError(folder, f"is of {own.origin}")
    if own.size > head.size:
        raise OtherTilesError(folder, f"is of {own.size:,} events already, and the checkpoint of {head.size:,}")
    if own.size and ask_tree(store, own.size, Tree.root) != own.root:
        raise OtherTilesError(folder, f"is of {own.size:,} other events than this ledger's")
    return own.size


def _is_there(path: Path, file: _File) -> bool:
    """Whether it is there, as long as it has to be."""
    with suppress(OSError):
        size = path.stat().st_size
        return size == file.size if file.size is not None else size > 0
    return False


def _lay(path: Path, content: bytes) -> None:
    """Put a file in its place, whole; a crash before it has its name leaves a hidden one that nobody reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half_made = path.with_name(f".{path.name}-{os.getpid()}")
    half_made.write_bytes(content)
    half_made.replace(path)
