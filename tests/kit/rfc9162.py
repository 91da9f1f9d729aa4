"""The tree of RFC 9162 (and RFC 6962) written down as its text says it: slow, without tiles, and on its own.

Nothing here imports the program, so that the two can be held against each other. Leaves are leaf hashes.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256


class BadProofError(Exception):
    """A proof that has too few hashes, or too many."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of an entry as a leaf (2.1.1)."""
    return sha256(b"\x00" + entry).digest()


def node(left: bytes, right: bytes) -> bytes:
    """The hash of the node above two (2.1.1)."""
    return sha256(b"\x01" + left + right).digest()


def split(count: int) -> int:
    """The largest power of two smaller than n (2.1.1)."""
    k = 1
    while k * 2 < count:
        k *= 2
    return k


def mth(leaves: Sequence[bytes]) -> bytes:
    """MTH (2.1.1)."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return node(mth(leaves[:k]), mth(leaves[k:]))


def path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH (2.1.3.1)."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: Sequence[bytes], whole: bool) -> list[bytes]:
    """SUBPROOF (2.1.4.1)."""
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*subproof(m, leaves[:k], whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), mth(leaves[:k])]


def root_by_path(m: int, size: int, leaf: bytes, proof: Sequence[bytes]) -> bytes:
    """The root that a path leads to: PATH read backwards, not the loop of 2.1.3.2. Raises `BadProofError`."""
    if size == 1:
        if proof:
            raise BadProofError
        return leaf
    if not proof:
        raise BadProofError
    k = split(size)
    if m < k:
        return node(root_by_path(m, k, leaf, proof[:-1]), proof[-1])
    return node(proof[-1], root_by_path(m - k, size - k, leaf, proof[:-1]))


def roots_by_subproof(m: int, size: int, whole: bool, old: bytes, proof: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The roots, of the older tree and of the newer, that a subproof leads to; `old` is taken for a whole older tree.

    SUBPROOF read backwards, not the loop of 2.1.4.2. Raises `BadProofError`.
    """
    if m == size:
        if len(proof) != (0 if whole else 1):
            raise BadProofError
        return (old, old) if whole else (proof[0], proof[0])
    if not proof:
        raise BadProofError
    k = split(size)
    if m <= k:
        older, newer = roots_by_subproof(m, k, whole, old, proof[:-1])
        return older, node(newer, proof[-1])
    older, newer = roots_by_subproof(m - k, size - k, False, old, proof[:-1])
    return node(proof[-1], older), node(proof[-1], newer)


def includes(m: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether a path leads from the leaf to the root."""
    try:
        return 0 <= m < size and root_by_path(m, size, leaf, proof) == root
    except BadProofError:
        return False


def extends(m: int, size: int, old: bytes, new: bytes, proof: Sequence[bytes]) -> bool:
    """Whether a proof shows that the newer tree extends the older."""
    try:
        return 0 < m <= size and roots_by_subproof(m, size, True, old, proof) == (old, new)
    except BadProofError:
        return False
