"""The proofs of events under a signed checkpoint, found in the tree and held against its root before they leave.

The unfinished edge of the tree at a checkpoint is made of thousands of hashes; it is kept beside the ledger's other
caches. Whatever is wrong with what was kept, a path that does not lead to the signed root is looked for without it.
"""

from __future__ import annotations

from collections.abc import Sequence

from tradex_ledger.errors import BrokenLedgerError, NotFoundError
from tradex_ledger.keyed import Caches, read_sealed, write_sealed
from tradex_ledger.ledger.ask import Told
from tradex_ledger.ledger.merkle import HASH_SIZE, Tree, edge_widths, verify_inclusion
from tradex_ledger.ledger.rows import check_row
from tradex_ledger.ledger.select import Store
from tradex_ledger.ledger.tree import ask_tree
from tradex_ledger.sealing.checkpoint import Checkpoint, SignedCheckpoint
from tradex_ledger.sealing.proof import Proof

_FOLDER, _FILE, _LABEL = "tree", "edge", "edge of a tree"


class NotCoveredError(NotFoundError):
    """An event is younger than the newest checkpoint that was signed."""

    code = "not-sealed"

    def __init__(self, position: int, size: int) -> None:
        super().__init__(
            f"position {position} is under no signed checkpoint: the newest is over the first {size:,} events",
            mend="sign one over all events, then ask again: tradex ledger checkpoint",
        )


class OtherTreeError(BrokenLedgerError):
    """The ledger is not the one that a checkpoint was signed of: an event, or a tile, up to there is another."""

    code = "other-tree"

    def __init__(self, head: Checkpoint, found: bytes) -> None:
        super().__init__(
            f"the first {head.size:,} events of this ledger have the root {found.hex()}, and its signed checkpoint "
            f"says {head.root.hex()}: one of them was changed since, and nothing is proven by it",
            mend="find what: tradex audit verify; then put back the last good copy of the ledger",
        )


def proofs(store: Store, signed: SignedCheckpoint, events: Sequence[Told]) -> list[Proof]:
    """A proof of each event, held against the signed root.

    Raises: `NotCoveredError`, `OtherTreeError`; `BrokenLedgerError` for a row or a tile that is not sound.
    """
    head = signed.checkpoint
    for event in events:
        check_row(store.ledger, event)
        if event.position > head.size:
            raise NotCoveredError(event.position, head.size)
    kept = _kept_edge(store.caches, head.size)
    for edge in ([kept] if kept else []) + [[]]:
        paths, made = ask_tree(store, head.size, lambda tree: _paths(tree, events), edge)
        if all(
            verify_inclusion(event.position - 1, head.size, event.leaf, path, head.root)
            for event, path in zip(events, paths, strict=True)
        ):
            if made != kept:
                keep_edge(store.caches, head.size, made)
            return [Proof(e.position - 1, tuple(path), signed.note) for e, path in zip(events, paths, strict=True)]
    raise OtherTreeError(head, ask_tree(store, head.size, Tree.root))


def _paths(tree: Tree, events: Sequence[Told]) -> tuple[list[list[bytes]], list[bytes]]:
    return [tree.inclusion_proof(event.position - 1) for event in events], tree.edge()


def keep_edge(caches: Caches, size: int, edge: Sequence[bytes]) -> None:
    """Keep the edge of the tree of that size, as `Tree.edge` gives it: only that of the last one is kept."""
    folder = caches.made(_FOLDER)
    if folder is not None:
        write_sealed(folder / _FILE, b"%d\n" % size + b"".join(edge), _LABEL)


def _kept_edge(caches: Caches, size: int) -> list[bytes]:
    """What was kept of the tree of that size; nothing where that is of another one."""
    path = caches.path(_FOLDER, _FILE)
    content = read_sealed(path, _LABEL) if path else None
    if content is None:
        return []
    of_size, _, hashes = content.partition(b"\n")
    if of_size != b"%d" % size:
        return []
    edge = []
    for width in edge_widths(size):
        edge.append(hashes[: width * HASH_SIZE])
        hashes = hashes[width * HASH_SIZE :]
    return edge
