"""Signed notes (c2sp.org/signed-note): a text, a blank line, and a line for each key that signed it.

Two kinds of keys are known: Ed25519 over the text itself, as a ledger signs, and timestamped cosignatures
(c2sp.org/tlog-cosignature), as a witness does. Reading is strict: one text has one form, so no byte of a note or a key
can be another without its being seen, but within signatures of keys that nobody asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from tradex_ledger.sealing.base64 import base64, unbase64
from tradex_ledger.sealing.note_errors import KeyTextError, NoteError, SignatureError, UnsignedError
from tradex_ledger.sealing.note_text import (
    ID_BYTES,
    MOST_BYTES,
    MOST_SIGNATURES,
    Signature,
    check_text,
    is_name,
    taken_apart,
    text_of,
)

__all__ = [
    "COSIGNATURE", "ED25519", "KEY_BYTES", "LAST_SECOND", "MOST_BYTES", "MOST_SIGNATURES",
    "Note", "Signature", "SignerKey", "Verified", "VerifierKey",
    "opened", "signed", "signed_too", "signer_key", "taken_apart", "text_of", "verifier_key",
]  # fmt: skip

ED25519 = 0x01
COSIGNATURE = 0x04
KEY_BYTES = 32
LAST_SECOND = 2**63 - 1

_SIGNATURE_BYTES = 64
_TIME_BYTES = 8
_PRIVATE = "PRIVATE+KEY+"


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """The public half: `public` is an Ed25519 key of 32 bytes. Raises: `KeyTextError` for what can be no key."""

    name: str
    kind: int
    public: bytes

    def __post_init__(self) -> None:
        _check_key(self.name, self.kind, self.public)

    @property
    def id(self) -> bytes:
        """Four bytes that tell it from others of its name; no proof of anything."""
        return _key_id(self.name, self.kind, self.public)

    @property
    def text(self) -> str:
        """The line that others are given: `NAME+HASH+KEY`."""
        return f"{self.name}+{self.id.hex()}+{base64(bytes([self.kind]) + self.public)}"

    def check(self, text: str, signature: bytes) -> int | None:
        """The second (of the epoch) that a cosignature was made at; None of a signature over the text itself.

        Raises: `SignatureError` when it is not this key's, over this text.
        """
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        second = None
        if self.kind == COSIGNATURE:
            second, signature = int.from_bytes(signature[:_TIME_BYTES]), signature[_TIME_BYTES:]
        if len(signature) != _SIGNATURE_BYTES or (second or 0) > LAST_SECOND:
            raise SignatureError(self.name, self.id.hex())
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, _message(text, second))
        except (InvalidSignature, ValueError):  # ValueError: bytes that are no point
            raise SignatureError(self.name, self.id.hex()) from None
        return second


@dataclass(frozen=True, slots=True)
class SignerKey:
    """The private half: `secret` is an Ed25519 seed of 32 bytes. Raises: `KeyTextError` for what can be no key."""

    name: str
    kind: int
    secret: bytes

    def __post_init__(self) -> None:
        _check_key(self.name, self.kind, self.secret)

    def __repr__(self) -> str:
        return f"SignerKey({self.name!r}, {self.kind})"  # no log has the secret

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        public = Ed25519PrivateKey.from_private_bytes(self.secret).public_key().public_bytes_raw()
        return VerifierKey(self.name, self.kind, public)

    @property
    def text(self) -> str:
        """The line that is kept where nobody else reads."""
        return f"{_PRIVATE}{self.name}+{self.verifier.id.hex()}+{base64(bytes([self.kind]) + self.secret)}"

    def sign(self, text: str, second: int | None = None) -> bytes:
        """The bytes of its signature over a text; a cosignature is made at a second of the epoch."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        if (second is None) != (self.kind == ED25519) or not 0 <= (second or 0) <= LAST_SECOND:
            raise ValueError(f"a signature of kind {self.kind} at {second}")
        at = b"" if second is None else second.to_bytes(_TIME_BYTES)
        return at + Ed25519PrivateKey.from_private_bytes(self.secret).sign(_message(text, second))


@dataclass(frozen=True, slots=True)
class Verified:
    """Who has signed a note; `second` of the epoch, where it is a cosignature."""

    key: VerifierKey
    second: int | None


@dataclass(frozen=True, slots=True)
class Note:
    """A note that at least one of the keys that were asked for has signed; `unknown` signatures say nothing."""

    text: str
    verified: tuple[Verified, ...]
    unknown: tuple[Signature, ...]

    def by(self, key: VerifierKey) -> bool:
        """Whether that key has signed it."""
        return any(one.key == key for one in self.verified)


def verifier_key(text: str) -> VerifierKey:
    """The key of a line `NAME+HASH+KEY`. Raises: `KeyTextError`."""
    name, kind, public, claimed = _taken_apart(text)
    key = VerifierKey(name, kind, public)
    if key.id != claimed:
        raise KeyTextError(f"its hash is {claimed.hex()}, and that of its name and key is {key.id.hex()}")
    return key


def signer_key(text: str) -> SignerKey:
    """The key of a line `PRIVATE+KEY+NAME+HASH+KEY`. Raises: `KeyTextError`."""
    if not text.startswith(_PRIVATE):
        raise KeyTextError("it does not begin as a private one")
    name, kind, secret, claimed = _taken_apart(text.removeprefix(_PRIVATE))
    key = SignerKey(name, kind, secret)
    if key.verifier.id != claimed:
        raise KeyTextError("its hash is not that of its name and key")
    return key


def signed(text: str, signer: SignerKey, second: int | None = None) -> str:
    """A text as a note of one signature; a cosignature is made at a second of the epoch. Raises: `NoteError`."""
    check_text(text)
    return f"{text}\n{_signature(text, signer, second).line}\n"


def signed_too(note: str, signer: SignerKey, second: int | None = None) -> str:
    """The same note with one more signature below it. Raises: `NoteError`."""
    text, signatures = taken_apart(note)
    if len(signatures) >= MOST_SIGNATURES:
        raise NoteError(f"it has {len(signatures)} signatures already")
    return f"{note}{_signature(text, signer, second).line}\n"


def opened(note: str, keys: Iterable[VerifierKey]) -> Note:
    """What a note says, by at least one of these keys; a signature of any of them that is not good spoils all of it.

    Raises: `NoteError`, `SignatureError`, `UnsignedError`.
    """
    text, signatures = taken_apart(note)
    known = {(key.name, key.id): key for key in keys}
    verified, unknown = [], []
    for one in signatures:
        key = known.get((one.name, one.id))
        if key is None:
            unknown.append(one)
        else:
            verified.append(Verified(key, key.check(text, one.value)))
    if not verified:
        raise UnsignedError(
            {f"{one.name} ({one.id.hex()})" for one in signatures},
            {f"{key.name} ({key.id.hex()})" for key in known.values()},
        )
    return Note(text, tuple(verified), tuple(unknown))


def _key_id(name: str, kind: int, public: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:ID_BYTES]


def _message(text: str, second: int | None) -> bytes:
    return (text if second is None else f"cosignature/v1\ntime {second}\n{text}").encode()


def _signature(text: str, signer: SignerKey, second: int | None) -> Signature:
    return Signature(signer.name, signer.verifier.id, signer.sign(text, second))


def _check_key(name: str, kind: int, material: bytes) -> None:
    if not is_name(name):
        raise KeyTextError("its name is empty, or has a space, a plus or a control character")
    if kind not in (ED25519, COSIGNATURE):
        raise KeyTextError(f"its kind is {kind:#04x}; known are {ED25519:#04x} and {COSIGNATURE:#04x}")
    if len(material) != KEY_BYTES:
        raise KeyTextError(f"it has {len(material)} bytes; an Ed25519 key has {KEY_BYTES}")


def _taken_apart(text: str) -> tuple[str, int, bytes, bytes]:
    """Name, kind, key and claimed hash of a key's line."""
    parts = text.split("+", 2)  # Base 64 may hold a plus, a name may not
    if len(parts) != 3:
        raise KeyTextError("it has not three parts with a plus between them")
    name, claimed, encoded = parts
    data = unbase64(encoded)
    if not data:
        raise KeyTextError("its last part is not Base 64")
    try:
        hash_ = bytes.fromhex(claimed)
    except ValueError:
        hash_ = b""
    if len(hash_) != ID_BYTES or hash_.hex() != claimed:
        raise KeyTextError("its hash is not eight small hex digits")
    return name, data[0], data[1:], hash_
