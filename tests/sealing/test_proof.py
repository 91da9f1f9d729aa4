"""A proof is one text, that of the specification, and it holds for one event under one signed checkpoint."""

from __future__ import annotations

from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kit import rfc9162
from tradex_ledger.errors import TradexError
from tradex_ledger.sealing.checkpoint import Checkpoint, sealed
from tradex_ledger.sealing.note import COSIGNATURE, ED25519, SignerKey, VerifierKey, signed_too
from tradex_ledger.sealing.note_errors import UnsignedError
from tradex_ledger.sealing.proof import KIND, NotProvenError, Proof, ProofError, parsed, proven

ORIGIN = "tradex-ledger/af1bd24232408311"
SIGNER = SignerKey(ORIGIN, ED25519, bytes(range(32)))
WITNESS = SignerKey("witness.example/w1", COSIGNATURE, bytes(range(1, 33)))
KEYS, WITNESSES = [SIGNER.verifier], [WITNESS.verifier]
ENTRIES = [b'{"position":%d}' % position for position in range(1, 8)]
LEAVES = [rfc9162.leaf_hash(entry) for entry in ENTRIES]


def note(size: int = 7) -> str:
    """The signed and witnessed checkpoint of the first so many entries."""
    own = sealed(Checkpoint(ORIGIN, size, rfc9162.mth(LEAVES[:size])), SIGNER)
    return signed_too(own, WITNESS, 1_700_000_000)


def proof(index: int = 4, size: int = 7) -> Proof:
    """The proof of an entry in the tree of the first so many."""
    return Proof(index, tuple(rfc9162.path(index, LEAVES[:size])), note(size))


def holds(text: str, entry: bytes = ENTRIES[4], keys: list[VerifierKey] = KEYS) -> bool:
    """Whether a file is a proof of that entry."""
    try:
        proven(parsed(text), entry, keys, WITNESSES)
    except TradexError:
        return False
    return True


def test_a_proof_is_the_text_of_the_specification():
    """Written down here by its words: kind, index, a hash a line from the leaf's sibling up, a blank line, the note."""
    found = proof()
    first, second, third = (line for line in found.text.split("\n")[2:5])
    assert found.text == f"c2sp.org/tlog-proof@v1\nindex 4\n{first}\n{second}\n{third}\n\n{note()}"
    assert [len(line) for line in (first, second, third)] == [44] * 3
    assert KIND == "c2sp.org/tlog-proof@v1"
    assert parsed(found.text) == found


@pytest.mark.parametrize("size", range(1, 8))
def test_every_entry_of_every_tree_is_proven_by_its_own_proof_and_by_no_other(size: int):
    for index in range(size):
        text = proof(index, size).text
        assert proven(parsed(text), ENTRIES[index], KEYS).checkpoint.size == size
        assert [entry for entry in ENTRIES if holds(text, entry)] == [ENTRIES[index]]


def test_the_only_event_of_a_ledger_has_a_path_of_no_hashes():
    assert proof(0, 1).text == f"{KIND}\nindex 0\n\n{note(1)}"
    assert holds(proof(0, 1).text, ENTRIES[0])


def test_no_byte_of_a_proof_can_be_another():
    whole = proof().text.encode()
    for at, byte in enumerate(whole):
        for other in {byte ^ 1, byte ^ 32, 0, 10, 32, 255} - {byte}:
            changed = whole[:at] + bytes([other]) + whole[at + 1 :]
            assert not holds(changed.decode("utf-8", "replace")), changed
        assert not holds((whole[:at] + whole[at + 1 :]).decode("utf-8", "replace")), at
        assert not holds(whole[:at].decode("utf-8", "replace")), at


@given(st.data())
def test_no_lines_of_a_proof_can_be_swapped_doubled_or_come_from_elsewhere(data: st.DataObject):
    lines = proof().text.splitlines(keepends=True)
    others = [*lines, *proof(3).text.splitlines(keepends=True), *proof(4, 6).text.splitlines(keepends=True), "\n"]
    at = data.draw(st.integers(0, len(lines)))
    upto = data.draw(st.integers(at, len(lines)))
    changed = [*lines[:at], *data.draw(st.lists(st.sampled_from(others), max_size=3)), *lines[upto:]]
    text = "".join(changed)
    if text != proof().text and not _only_signs_twice(changed, lines):
        assert not holds(text), text


def _only_signs_twice(changed: list[str], lines: list[str]) -> bool:
    """Good signatures may stand in another order, and each again: a note allows it."""
    rest, signatures = changed[: len(lines) - 2], changed[len(lines) - 2 :]
    return rest == lines[:-2] and set(signatures) == set(lines[-2:])


def test_no_byte_of_an_entry_can_be_another():
    for at in range(len(ENTRIES[4])):
        for bit in range(8):
            other = bytearray(ENTRIES[4])
            other[at] ^= 1 << bit
            with pytest.raises(NotProvenError):
                proven(proof(), bytes(other), KEYS)


def test_another_key_or_origin_does_not_count():
    for other in (
        VerifierKey(ORIGIN, ED25519, WITNESS.verifier.public),
        VerifierKey("tradex-ledger/other", ED25519, SIGNER.verifier.public),
        VerifierKey(ORIGIN, COSIGNATURE, SIGNER.verifier.public),
    ):
        assert not holds(proof().text, keys=[other])
    assert not holds(proof().text, keys=[])


def test_each_witness_that_is_asked_for_must_have_signed():
    own = sealed(Checkpoint(ORIGIN, 7, rfc9162.mth(LEAVES)), SIGNER)
    alone = Proof(4, tuple(rfc9162.path(4, LEAVES)), own)
    assert proven(alone, ENTRIES[4], KEYS).checkpoint.size == 7
    with pytest.raises(UnsignedError, match=r"witness\.example/w1"):
        proven(alone, ENTRIES[4], KEYS, WITNESSES)


def test_a_size_that_was_signed_by_nobody_is_refused():
    """A path alone does not bind the size of the tree; the signature does."""
    for size in range(9):
        if size != 7:
            assert not holds(proof().text.replace("\n7\n", f"\n{size}\n"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no blank line"),
        ("c2sp.org/tlog-proof@v2\nindex 0\n\nx\n", "first line"),
        (f"{KIND}\n\nx\n", "does not say an index"),
        (f"{KIND}\nindex -1\n\nx\n", "does not say an index"),
        (f"{KIND}\nindex 007\n\nx\n", "does not say an index"),
        (f"{KIND}\nindex ٣\n\nx\n", "does not say an index"),
        (f"{KIND}\nindex 99999999999999999999\n\nx\n", "does not say an index"),
        (f"{KIND}\nextra AAAA\nindex 0\n\nx\n", "does not say an index"),
        (f"{KIND}\nindex 0\nAAAA\n\nx\n", "no hash"),
        (f"{KIND}\nindex 0\n{'A' * 43}\n\nx\n", "no hash"),
        (f"{KIND}\nindex 0\n{'A' * 42}B=\n\nx\n", "no hash"),
        (f"{KIND}\r\nindex 0\r\n\r\n\nx\n", "first line"),
        (f"{KIND}\nindex 0" + f"\n{'A' * 43}=" * 64 + "\n\nx\n", "64 hashes"),
    ],
)
def test_what_has_not_the_form_is_refused_with_the_reason(text: str, why: str):
    with pytest.raises(ProofError, match=why):
        parsed(text)


def test_the_hashes_stand_in_the_order_from_the_leaf_up():
    found = proof()
    node = LEAVES[4]
    for way, sibling in zip("rrl", found.path, strict=True):  # 4 of 7: its right neighbour, 6 alone, then the left four
        node = rfc9162.node(node, sibling) if way == "r" else rfc9162.node(sibling, node)
    assert node == rfc9162.mth(LEAVES)
    assert all(one != other for one, other in pairwise(found.path))
    assert found.path[0] == sha256(b"\x00" + ENTRIES[5]).digest()
