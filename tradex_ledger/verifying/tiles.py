"""The tiles of the tree against the events that they are over.

Where they differ, two things are told by the tree: what the entries give (`computed`), and what was written down when
they were appended (`told`: the stored tile, or the leaf beside the event where there is none yet). A checkpoint kept
elsewhere says which of the two is right.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.ledger import merkle
from tradex_ledger.ledger.merkle import HASH_SIZE, TILE_WIDTH
from tradex_ledger.ledger.select import Store, read
from tradex_ledger.verifying import finding
from tradex_ledger.verifying.finding import Finding
from tradex_ledger.verifying.page import Page

IN_THE_TREE = "its entry is not the one that stands in the tree"
TILE_BYTES = TILE_WIDTH * HASH_SIZE
NOTHING = b"\0" * HASH_SIZE


@dataclass(slots=True)
class Leaves:
    """Of each position from `first` on the hash of its entry, None where there is none, and the leaf beside it."""

    first: int
    computed: list[bytes | None] = field(default_factory=list)
    beside: list[bytes | None] = field(default_factory=list)

    def add(self, page: Page, last: int) -> None:
        """Add those of a page, up to a position."""
        first = self.first + len(self.computed)
        if len(page.rows) == last - first + 1 and page.rows[0][0] == first and page.rows[-1][0] == last:
            self.computed += page.hashes
            as_stored = page.hashes == [*page.columns.leaf]
            self.beside += page.hashes if as_stored else [_leaf(row[5]) for row in page.rows]
            return
        there = {row[0]: (own, _leaf(row[5])) for row, own in zip(page.rows, page.hashes, strict=True)}
        for position in range(first, last + 1):
            own, beside = there.get(position, (None, None))
            self.computed.append(own)
            self.beside.append(beside)


def _leaf(beside: object) -> bytes | None:
    """The leaf beside an event; None where there stands something else."""
    return beside if isinstance(beside, bytes) and len(beside) == HASH_SIZE else None


class Roots(NamedTuple):
    """The roots over the full tiles of some events: by their entries, and by the tiles as they are stored."""

    computed: bytes
    told: bytes
    findings: list[Finding]


def roots_of(store: Store, leaves: Leaves) -> Roots:
    """The roots over the tiles of leaves that begin at a position where a tile does; what differs is found."""
    begin = (leaves.first - 1) // TILE_WIDTH
    count = len(leaves.computed) // TILE_WIDTH
    stored = stored_tiles(store, 0, begin, begin + count)
    computed, told, findings = [], [], []
    for number in range(count):
        some = slice(number * TILE_WIDTH, (number + 1) * TILE_WIDTH)
        own, tile = leaves.computed[some], stored.get(begin + number)
        whole = [one for one in own if one is not None]
        if own == leaves.beside[some] == whole and tile == b"".join(whole):
            computed.append(merkle.root(whole))
            told.append(computed[-1])
            continue
        if tile is None:
            findings.append(Finding(finding.TILE_CHANGED, f"tile {begin + number} of level 0 is missing, or no tile"))
        written = leaves.beside[some] if tile is None else merkle.hashes_of(tile)
        findings += _differences(leaves, some, tile)
        computed.append(merkle.root([one or other or NOTHING for one, other in zip(own, written, strict=True)]))
        told.append(merkle.root([one or NOTHING for one in written]))
    findings += _differences(leaves, slice(count * TILE_WIDTH, len(leaves.computed)), None)
    return Roots(b"".join(computed), b"".join(told), findings)


def stored_tiles(store: Store, level: int, begin: int, upto: int) -> dict[int, bytes]:
    """The stored tiles of a level from begin to before upto; what cannot be read, or is none, is missing."""
    try:
        rows = store.select(read("tiles_of_level"), level=level, begin=begin, upto=upto)
    except EnvironmentFault:
        return {}
    return {tile: bytes(hashes) for tile, hashes in rows if not isinstance(hashes, str) and len(hashes) == TILE_BYTES}


def _differences(leaves: Leaves, some: slice, tile: bytes | None) -> Iterator[Finding]:
    written = merkle.hashes_of(tile) if tile is not None else leaves.computed[some]
    each = zip(leaves.computed[some], leaves.beside[some], written, strict=True)
    for position, (own, beside, told) in enumerate(each, leaves.first + some.start):
        if own is None:
            yield Finding(finding.MISSING, "there is no event", position)
        elif own != beside:
            yield Finding(finding.ALTERED, "its entry is not the one that its leaf is the hash of", position)
        elif own != told:
            number = (position - 1) // TILE_WIDTH
            yield Finding(finding.ALTERED, f"{IN_THE_TREE} (tile {number} of level 0)", position)
