"""Signed notes and checkpoints are read as the specifications say, and no byte of one is another unseen."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from tradex_ledger.errors import TradexError
from tradex_ledger.sealing.checkpoint import Checkpoint, opened_checkpoint, origin_of, parsed, sealed
from tradex_ledger.sealing.note import (
    COSIGNATURE,
    ED25519,
    LAST_SECOND,
    SignerKey,
    VerifierKey,
    opened,
    signed,
    signed_too,
    signer_key,
    taken_apart,
    text_of,
    verifier_key,
)
from tradex_ledger.sealing.note_errors import KeyTextError, NoteError, SignatureError, UnsignedError

# The example of c2sp.org/signed-note.
FOREIGN_KEY: Final = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
FOREIGN_NOTE: Final = (
    "This is an example message.\n\n— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
# The first key and the first two messages of RFC 8032, section 7.1, tests 1 and 2, as keys of notes.
SECRET: Final = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC: Final = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")

LEDGER: Final = SignerKey("tradex-ledger/0123", ED25519, SECRET)
WITNESS: Final = SignerKey("example.org/witness", COSIGNATURE, bytes(range(32)))
STRANGER: Final = SignerKey("example.org/stranger", ED25519, bytes(32))
HEAD: Final = Checkpoint("tradex-ledger/0123", 20_852_163, hashlib.sha256(b"root").digest())
NOTE: Final = sealed(HEAD, LEDGER)
COSIGNED: Final = signed_too(signed_too(NOTE, WITNESS, 1_679_315_147), STRANGER)


def test_the_example_of_the_specification_opens():
    note = opened(FOREIGN_NOTE, [verifier_key(FOREIGN_KEY)])
    assert note.text == "This is an example message.\n"
    assert [one.key.name for one in note.verified] == ["example.com/foo"]
    assert verifier_key(FOREIGN_KEY).text == FOREIGN_KEY


def test_a_key_has_the_public_half_of_rfc_8032_and_the_id_of_the_specification():
    assert LEDGER.verifier.public == PUBLIC
    assert LEDGER.verifier.id == hashlib.sha256(b"tradex-ledger/0123\n\x01" + PUBLIC).digest()[:4]
    assert WITNESS.verifier.id == hashlib.sha256(b"example.org/witness\n\x04" + WITNESS.verifier.public).digest()[:4]


def test_a_cosignature_is_over_the_time_and_the_body():
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    _, signatures = taken_apart(COSIGNED)
    value = signatures[1].value
    assert value[:8] == (1_679_315_147).to_bytes(8, "big")
    message = f"cosignature/v1\ntime 1679315147\n{HEAD.text}".encode()
    Ed25519PublicKey.from_public_bytes(WITNESS.verifier.public).verify(value[8:], message)


@pytest.mark.parametrize("key", [LEDGER, WITNESS])
def test_keys_are_written_and_read_back(key: SignerKey):
    assert signer_key(key.text) == key
    assert verifier_key(key.verifier.text) == key.verifier
    assert key.text.startswith("PRIVATE+KEY+")
    assert base64.b64encode(key.secret).decode()[4:40] not in repr(key)


def test_a_checkpoint_is_three_lines_and_comes_back():
    assert parsed(HEAD.text) == HEAD
    assert HEAD.text == f"tradex-ledger/0123\n20852163\n{base64.b64encode(HEAD.root).decode()}\n"
    assert origin_of("0123") == HEAD.origin
    found = opened_checkpoint(COSIGNED, [LEDGER.verifier], [WITNESS.verifier])
    assert found.checkpoint == HEAD
    assert {one.key: one.second for one in found.opened.verified} == {
        LEDGER.verifier: None,
        WITNESS.verifier: 1_679_315_147,
    }
    assert [one.name for one in found.opened.unknown] == ["example.org/stranger"]


def test_a_witness_alone_does_not_make_a_checkpoint_of_the_ledger():
    with pytest.raises(UnsignedError):
        opened_checkpoint(signed(HEAD.text, WITNESS, 5), [LEDGER.verifier], [WITNESS.verifier])


def test_a_key_of_another_name_does_not_sign_for_a_ledger():
    other = Checkpoint("tradex-ledger/4567", HEAD.size, HEAD.root)
    with pytest.raises(UnsignedError):
        opened_checkpoint(signed(other.text, LEDGER), [LEDGER.verifier])
    with pytest.raises(ValueError, match="does not sign for"):
        sealed(other, LEDGER)


def test_the_same_bytes_are_no_key_of_another_kind():
    cosigner = SignerKey(LEDGER.name, COSIGNATURE, LEDGER.secret)
    assert cosigner.verifier.id != LEDGER.verifier.id
    with pytest.raises(UnsignedError):
        opened(NOTE, [cosigner.verifier])


def test_a_blank_line_within_the_text_is_text():
    text = "first\n\n— nobody AAAAAAAA\n\nlast\n"
    assert opened(signed(text, LEDGER), [LEDGER.verifier]).text == text


@pytest.mark.parametrize(
    "note",
    [
        "",
        "text\n",
        "text\n\n",
        NOTE[:-1],
        NOTE + "\n",
        NOTE + "more\n",
        NOTE.replace("— ", "- "),
        NOTE.replace("— ", "—  "),
        NOTE.replace("\n\n", "\n"),
        NOTE.replace("\n", "\r\n"),
        NOTE.replace("20852163", "2085\t2163"),
        NOTE.replace("20852163", "2085\ud8002163"),
        "text\n\n— b AAAAAAAA\n" + "— a AAAAAAAA\n" * 100,
        "text\n\n— a AAAA\n",
        "text\n\n— a+b AAAAAAAA\n",
        "text\n\n— a AAAAAAAA \n",
        "x" * 1_000_001 + "\n\n— a AAAAAAAA\n",
    ],
)
def test_what_has_not_the_form_of_a_note_is_none(note: str):
    with pytest.raises(NoteError):
        opened(note, [LEDGER.verifier])


def test_a_file_that_is_no_text_is_no_note():
    for content in (b"\xff" + NOTE.encode(), b"x" * 1_000_001):
        with pytest.raises(NoteError):
            text_of(content)
    assert text_of(NOTE.encode()) == NOTE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "o\n1\n",
        HEAD.text[:-1],
        HEAD.text + "extension\n",
        HEAD.text + "\n",
        HEAD.text.replace("20852163", "020852163"),
        HEAD.text.replace("20852163", "+20852163"),
        HEAD.text.replace("20852163", " 20852163"),
        HEAD.text.replace("20852163", "20_852_163"),
        HEAD.text.replace("20852163", "٢"),
        HEAD.text.replace("20852163", "9223372036854775808"),
        HEAD.text.replace("20852163", "-1"),
        HEAD.text.replace("tradex-ledger/0123", ""),
        HEAD.text.replace("=", ""),
        "o\n1\n" + base64.b64encode(bytes(31)).decode() + "\n",
    ],
)
def test_what_has_not_the_form_of_a_checkpoint_is_none(text: str):
    with pytest.raises(NoteError):
        parsed(text)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "name",
        "name+00000000",
        FOREIGN_KEY.upper(),
        FOREIGN_KEY + "\n",
        " " + FOREIGN_KEY,
        FOREIGN_KEY.replace("example.com/foo", ""),
        FOREIGN_KEY.replace("+530d903a", "+530D903A"),
        FOREIGN_KEY.replace("+530d903a", "+ 530d903"),
        FOREIGN_KEY.replace("+530d903a", ""),
        FOREIGN_KEY + "=",
        f"a+00000000+{base64.b64encode(bytes([2]) + PUBLIC).decode()}",
        f"a+00000000+{base64.b64encode(bytes([1]) + PUBLIC[1:]).decode()}",
        LEDGER.text,
    ],
)
def test_what_is_no_key_is_told_without_saying_it(line: str):
    with pytest.raises(KeyTextError) as told:
        verifier_key(line)
    assert not line.rpartition("+")[2] or line.rpartition("+")[2] not in str(told.value)
    with pytest.raises(KeyTextError):
        signer_key(line.replace("PRIVATE", "PUBLIC"))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_byte_of_a_signed_checkpoint_can_be_another(data: st.DataObject):
    content = bytearray(sealed(HEAD, LEDGER).encode())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises((NoteError, SignatureError, UnsignedError)):
        opened_checkpoint(text_of(bytes(content)), [LEDGER.verifier])


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_byte_of_a_cosignature_can_be_another_unseen(data: st.DataObject):
    """The line is refused, or is one of a key that nobody asked for: it counts for nothing."""
    note = signed_too(NOTE, WITNESS, 1_679_315_147)
    content = bytearray(note.encode())
    place = data.draw(st.integers(len(NOTE.encode()), len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    try:
        found = opened_checkpoint(text_of(bytes(content)), [LEDGER.verifier], [WITNESS.verifier])
    except (NoteError, SignatureError, UnsignedError):
        return
    assert not found.opened.by(WITNESS.verifier)


@settings(max_examples=200, deadline=None)
@given(st.data(), st.sampled_from([LEDGER, WITNESS]))
def test_no_byte_of_a_key_can_be_another(data: st.DataObject, key: SignerKey):
    """Its name is part of its hash, and its hash is of the public half."""
    for text, read in ((key.text, signer_key), (key.verifier.text, verifier_key)):
        content = bytearray(text.encode())
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= data.draw(st.integers(1, 255))
        with pytest.raises((KeyTextError, UnicodeDecodeError)):
            read(content.decode())


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_opened_or_refused_by_a_typed_error(text: str):
    for read in (
        lambda: opened(text, [LEDGER.verifier]),
        lambda: parsed(text),
        lambda: verifier_key(text),
        lambda: signer_key(text),
    ):
        with pytest.raises(TradexError):
            read()


@settings(max_examples=100, deadline=None)
@given(
    st.text(st.characters(codec="utf-8", min_codepoint=0x20), max_size=50),
    st.integers(0, LAST_SECOND),
    st.sampled_from([LEDGER, WITNESS]),
)
def test_what_is_signed_opens_to_the_same(line: str, second: int, key: SignerKey):
    note = signed(f"{line}\n", key, second if key.kind == COSIGNATURE else None)
    found = opened(note, [key.verifier])
    assert (found.text, found.unknown) == (f"{line}\n", ())


def test_a_cosignature_of_a_second_that_no_clock_has_is_none():
    second = LAST_SECOND + 1
    message = f"cosignature/v1\ntime {second}\n{HEAD.text}".encode()
    value = second.to_bytes(8, "big") + Ed25519PrivateKey.from_private_bytes(WITNESS.secret).sign(message)
    with pytest.raises(SignatureError):
        WITNESS.verifier.check(HEAD.text, value)


def test_a_key_says_no_more_than_its_kind_can():
    with pytest.raises(ValueError, match="signature of kind"):
        LEDGER.sign("text\n", 5)
    with pytest.raises(ValueError, match="signature of kind"):
        WITNESS.sign("text\n")
    with pytest.raises(KeyTextError):
        VerifierKey("a b", ED25519, PUBLIC)
    with pytest.raises(SignatureError):
        LEDGER.verifier.check("text\n", bytes(65))
    with pytest.raises(SignatureError):
        VerifierKey("a", ED25519, b"\xff" * 32).check("text\n", bytes(64))
