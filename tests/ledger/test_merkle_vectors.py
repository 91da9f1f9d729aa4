"""Every proof of every tree up to 130 leaves is the one that the RFC's text gives, and nothing else passes for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import pytest

from tests.kit import rfc9162
from tradex_ledger.ledger import merkle

MOST = 130
LEAVES = [rfc9162.leaf_hash(b"entry %d" % n) for n in range(MOST)]
ROOTS = [rfc9162.mth(LEAVES[:size]) for size in range(MOST + 1)]
NO_HASH = bytes(32)

# The inputs and roots that the implementations of RFC 6962 have tested each other by since 2012.
INPUTS = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
PUBLISHED = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


def tree(size: int) -> merkle.Tree:
    """The program's tree over the first so many leaves."""

    def no_tile(level: int, tile: int) -> bytes:
        raise AssertionError(f"tile {tile} of level {level} of a tree without one")

    return merkle.Tree(size, no_tile, lambda first, end: LEAVES[first:end])


def one_bit_off(hashes: Sequence[bytes]) -> Iterator[list[bytes]]:
    """The same hashes, in each of them one bit other, and each time one missing, doubled or swapped."""
    for n, found in enumerate(hashes):
        other = found[:-1] + bytes([found[-1] ^ 1])
        yield [*hashes[:n], other, *hashes[n + 1 :]]
        yield [*hashes[:n], *hashes[n + 1 :]]
        yield [*hashes[: n + 1], *hashes[n:]]
        if n and hashes[n - 1] != found:
            yield [*hashes[: n - 1], found, hashes[n - 1], *hashes[n + 1 :]]
    yield [*hashes, NO_HASH]


def test_the_published_roots_are_found_by_both() -> None:
    leaves = [merkle.leaf_hash(bytes.fromhex(entry)) for entry in INPUTS]
    assert leaves == [rfc9162.leaf_hash(bytes.fromhex(entry)) for entry in INPUTS]
    for size, published in enumerate(PUBLISHED, 1):
        assert merkle.root(leaves[:size]).hex() == rfc9162.mth(leaves[:size]).hex() == published


def test_every_root_up_to_130_leaves_is_the_rfcs() -> None:
    growing = merkle.Growing()
    for size in range(MOST + 1):
        assert tree(size).root() == merkle.root(LEAVES[:size]) == growing.root() == ROOTS[size]
        growing.add(LEAVES[size : size + 1])


@pytest.mark.parametrize("first", range(1, MOST + 1, 26))
def test_every_inclusion_proof_is_the_rfcs_and_no_hash_of_it_can_be_another(first: int) -> None:
    for size in range(first, min(first + 26, MOST + 1)):
        mine = tree(size)
        for leaf in range(size):
            proof = mine.inclusion_proof(leaf)
            assert proof == rfc9162.path(leaf, LEAVES[:size])
            assert merkle.verify_inclusion(leaf, size, LEAVES[leaf], proof, ROOTS[size])
            assert not merkle.verify_inclusion(leaf, size, NO_HASH, proof, ROOTS[size])
            assert not merkle.verify_inclusion(leaf, size, LEAVES[leaf], proof, ROOTS[size - 1])
            for other in one_bit_off(proof) if leaf % 5 == size % 5 else ():
                assert not merkle.verify_inclusion(leaf, size, LEAVES[leaf], other, ROOTS[size])


@pytest.mark.parametrize("first", range(1, MOST + 1, 26))
def test_every_consistency_proof_is_the_rfcs_and_no_hash_of_it_can_be_another(first: int) -> None:
    for size in range(first, min(first + 26, MOST + 1)):
        mine = tree(size)
        for old in range(1, size + 1):
            proof = mine.consistency_proof(old)
            assert proof == rfc9162.subproof(old, LEAVES[:size], True)
            assert merkle.verify_consistency(old, size, ROOTS[old], ROOTS[size], proof)
            assert not merkle.verify_consistency(old, size, ROOTS[old - 1], ROOTS[size], proof)
            assert not merkle.verify_consistency(old, size, ROOTS[old], ROOTS[size - 1], proof)
            for other in one_bit_off(proof) if old % 5 == size % 5 else ():
                assert not merkle.verify_consistency(old, size, ROOTS[old], ROOTS[size], other)


def test_a_proof_for_another_leaf_or_size_is_judged_as_the_rfcs_text_judges_it() -> None:
    """A size alone is not bound by a path (two trees may lead the same way); a size with its own root is."""
    most = 20
    for size, leaf in product(range(1, most), range(most)):
        if leaf >= size:
            continue
        proof = tree(size).inclusion_proof(leaf)
        for claimed, said in product(range(-1, most), range(-1, most + 1)):
            found = merkle.verify_inclusion(claimed, said, LEAVES[leaf], proof, ROOTS[size])
            assert found == rfc9162.includes(claimed, said, LEAVES[leaf], proof, ROOTS[size]), (size, leaf, said)
            if said == size and claimed != leaf:
                assert not found
            if 0 <= said != size:
                assert not merkle.verify_inclusion(claimed, said, LEAVES[leaf], proof, ROOTS[said])


def test_a_proof_between_other_sizes_is_judged_as_the_rfcs_text_judges_it() -> None:
    most = 20
    for size, old in product(range(1, most), range(1, most)):
        if old > size:
            continue
        proof = tree(size).consistency_proof(old)
        for claimed, said in product(range(-1, most), range(-1, most)):
            given = claimed, said, ROOTS[old], ROOTS[size], proof
            assert merkle.verify_consistency(*given) == rfc9162.extends(*given), (size, old, claimed, said)
            if claimed >= 0 and said >= 0 and (claimed, said) != (old, size) and (claimed != said or proof):
                assert not merkle.verify_consistency(claimed, said, ROOTS[claimed], ROOTS[said], proof)
