"""Public keys of SSH, and what a signature of each kind says. `cryptography` is loaded when one is used.

RFC 4253 (6.6), 5656, 8332, 8709; PROTOCOL.u2f of OpenSSH for keys on a security key. A key is a value that was parsed
whole: a kind that is not listed, a short RSA key, a point that is on no curve, or a byte too many is refused.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tradex_ledger.errors import UsageError
from tradex_ledger.sealing.base64 import base64, unbase64
from tradex_ledger.sealing.wire import Reader, WireError, mpint, string, strings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    Public = EllipticCurvePublicKey | Ed25519PublicKey | RSAPublicKey

ED25519, RSA = "ssh-ed25519", "ssh-rsa"
ECDSA = {f"ecdsa-sha2-nistp{bits}": bits for bits in (256, 384, 521)}
SK_ED25519, SK_ECDSA = "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"
KINDS = (ED25519, *ECDSA, RSA, SK_ED25519, SK_ECDSA)
"""The kinds of keys that sign approvals."""
RSA_LEAST, RSA_MOST = 2048, 16384
LONGEST_LINE = 8192
USER_PRESENT = 0x01
_RSA_HASHES = {"rsa-sha2-256": "sha256", "rsa-sha2-512": "sha512"}


class KeyRefusedError(UsageError):
    """What was given is no public key that can sign approvals."""

    code = "ssh-key"

    def __init__(self, why: str, mend: str = "") -> None:
        super().__init__(
            f"that is no public key that signs approvals: {why}",
            mend=mend or f"give the .pub file of a key of one of these kinds: {', '.join(KINDS)}",
        )


class SignatureError(ValueError):
    """A signature is not by that key over those bytes; whoever checks one says of what."""


@dataclass(frozen=True, slots=True)
class SshKey:
    """A public key: its kind, its bytes (`blob`), and of what is in them the numbers and the application it is for."""

    kind: str
    blob: bytes
    numbers: tuple[bytes, ...] | tuple[int, ...]
    application: bytes | None = None

    @property
    def line(self) -> str:
        """As a `.pub` file has it, without a comment."""
        return f"{self.kind} {base64(self.blob)}"

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` prints it."""
        return "SHA256:" + base64(hashlib.sha256(self.blob).digest()).rstrip("=")

    def check(self, signature: bytes, message: bytes) -> None:
        """Raise `SignatureError` unless the signature (in the encoding of SSH) is by this key over the message."""
        reader = Reader(signature)
        try:
            algorithm, raw = reader.word(), reader.string()
            message = message if self.application is None else _touched(self.application, message, reader)
            reader.end()
            if self.kind == RSA:
                _check_rsa(self, algorithm, raw, message)
            elif algorithm != self.kind:
                raise SignatureError(f"it says {algorithm}, the key is {self.kind}")
            elif self.kind in {ED25519, SK_ED25519}:
                _check_ed25519(self, raw, message)
            else:
                _check_ecdsa(self, raw, message)
        except WireError as error:
            raise SignatureError(str(error)) from None


def key_of(blob: bytes) -> SshKey:
    """The key that these bytes are. Raises: `KeyRefusedError`."""
    reader = Reader(blob)
    try:
        kind = reader.word()
        if kind not in KINDS:
            raise KeyRefusedError(_why_not(kind))
        numbers = _numbers(kind, reader)
        application = reader.word().encode("ascii") if kind in {SK_ED25519, SK_ECDSA} else None
        reader.end()
    except WireError as error:
        raise KeyRefusedError(str(error)) from None
    key = SshKey(kind, blob, numbers, application)
    try:
        _public(key)
    except ValueError:
        raise KeyRefusedError(f"its numbers are no key of the kind {kind}") from None
    return key


def key_of_line(line: str) -> SshKey:
    """The key of a line as a `.pub` file has it: kind, base64, and a comment or none. Raises: `KeyRefusedError`."""
    if len(line) > LONGEST_LINE:
        raise KeyRefusedError(f"a line of more than {LONGEST_LINE} characters is none")
    kind, _, rest = line.strip(" \t\r\n").partition(" ")
    text = rest.lstrip(" ").partition(" ")[0]
    if kind not in KINDS:
        raise KeyRefusedError(_why_not(kind))
    key = key_of(_bytes_of(text))
    if key.kind != kind:
        raise KeyRefusedError(f"the line says {kind}, the key is {key.kind}")
    return key


def _bytes_of(text: str) -> bytes:
    found = unbase64(text)
    if not found:
        raise KeyRefusedError("its base64 is broken off, or not written as base64 is")
    return found


def _why_not(kind: str) -> str:
    if "PRIVATE" in kind or kind.startswith("-----BEGIN"):
        return "it is a private key, or no key"
    if "-cert-" in kind:
        return "it is a certificate, and authorities that certify keys are not supported"
    if kind == "ssh-dss":
        return "DSA is broken"
    return f"nothing here knows the kind {kind[:80]!r}"


def _numbers(kind: str, reader: Reader) -> tuple[bytes, ...] | tuple[int, ...]:
    if kind in {ED25519, SK_ED25519}:
        return (reader.string(),)
    if kind == RSA:
        return reader.mpint(RSA_MOST), reader.mpint(RSA_MOST)
    curve = reader.word()
    if curve != f"nistp{_bits(kind)}":
        raise KeyRefusedError(f"it says {kind}, its curve is {curve}")
    return (reader.string(),)


def _bits(kind: str) -> int:
    return ECDSA.get(kind, 256)


def _public(key: SshKey) -> Public:
    """The key as `cryptography` has it. Raises `ValueError` for numbers that are none, `KeyRefusedError`."""
    first, second = key.numbers[0], key.numbers[-1]
    if isinstance(first, bytes):
        return _of_bytes(key.kind, first)
    from cryptography.hazmat.primitives.asymmetric import rsa

    assert isinstance(second, int)
    if second.bit_length() < RSA_LEAST:
        raise KeyRefusedError(f"an RSA key of {second.bit_length()} bits is too short: {RSA_LEAST} is the least")
    return rsa.RSAPublicNumbers(first, second).public_key()


def _of_bytes(kind: str, found: bytes) -> Public:
    if kind in {ED25519, SK_ED25519}:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        return Ed25519PublicKey.from_public_bytes(found)
    from cryptography.hazmat.primitives.asymmetric import ec

    if found[:1] != b"\x04":
        raise ValueError("a point is written in full")
    curve = {256: ec.SECP256R1(), 384: ec.SECP384R1(), 521: ec.SECP521R1()}[_bits(kind)]
    return ec.EllipticCurvePublicKey.from_encoded_point(curve, found)


def _touched(application: bytes, message: bytes, reader: Reader) -> bytes:
    """What a security key signs: whom for, that somebody touched it, how often it has signed, and the message."""
    seen = reader.take(5)  # flags, and a counter of four bytes
    if not seen[0] & USER_PRESENT:
        raise SignatureError("nobody touched the security key")
    return hashlib.sha256(application).digest() + seen + hashlib.sha256(message).digest()


def _check_rsa(key: SshKey, algorithm: str, raw: bytes, message: bytes) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    if algorithm not in _RSA_HASHES:
        raise SignatureError(f"it says {algorithm}: of an RSA key only {' and '.join(_RSA_HASHES)} count")
    public = _public(key)
    assert isinstance(public, RSAPublicKey)
    if len(raw) != (public.key_size + 7) // 8:
        raise SignatureError("it is not as long as its key")
    digest = hashes.SHA256() if _RSA_HASHES[algorithm] == "sha256" else hashes.SHA512()
    try:
        public.verify(raw, message, padding.PKCS1v15(), digest)
    except InvalidSignature:
        raise SignatureError("it is not over this text, or not by this key") from None


def _check_ed25519(key: SshKey, raw: bytes, message: bytes) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    public = _public(key)
    assert isinstance(public, Ed25519PublicKey)
    try:
        public.verify(raw, message)
    except InvalidSignature:
        raise SignatureError("it is not over this text, or not by this key") from None


def _check_ecdsa(key: SshKey, raw: bytes, message: bytes) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    bits = _bits(key.kind)
    reader = Reader(raw)
    r, s = reader.mpint(bits), reader.mpint(bits)
    reader.end()
    public = _public(key)
    assert isinstance(public, ec.EllipticCurvePublicKey)
    digest = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}[bits]
    try:
        public.verify(encode_dss_signature(r, s), message, ec.ECDSA(digest))
    except InvalidSignature:
        raise SignatureError("it is not over this text, or not by this key") from None


def of_public(public: Public) -> SshKey:
    """The key that `cryptography` has, as SSH writes it. Raises: `KeyRefusedError`."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key_of_line(public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode("ascii"))


def ecdsa_signature(kind: str, r: int, s: int) -> bytes:
    """A signature by an ECDSA key, in the encoding of SSH."""
    return strings([kind.encode("ascii"), mpint(r) + mpint(s)])


def plain_signature(algorithm: str, raw: bytes) -> bytes:
    """A signature by any other key, in the encoding of SSH."""
    return string(algorithm.encode("ascii")) + string(raw)
