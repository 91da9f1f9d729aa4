"""Signatures by SSH keys over texts: SSHSIG version 1 (PROTOCOL.sshsig of OpenSSH), read strictly, and made.

What `ssh-keygen -Y sign` writes is read here, and what is made here `ssh-keygen -Y verify` takes. A signature has one
spelling: whatever else says the same in other bytes (another version, a reserved field that is filled, bytes after the
end, other line ends) is refused.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tradex_ledger.errors import RefusedError
from tradex_ledger.sealing.base64 import base64, unbase64
from tradex_ledger.sealing.ssh_key import (
    ECDSA,
    ED25519,
    KeyRefusedError,
    SignatureError,
    SshKey,
    ecdsa_signature,
    key_of,
    of_public,
    plain_signature,
)
from tradex_ledger.sealing.wire import Reader, WireError, strings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    Private = EllipticCurvePrivateKey | Ed25519PrivateKey | RSAPrivateKey

MAGIC, VERSION = b"SSHSIG", 1
HASHES = ("sha256", "sha512")
BEGIN, END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
WIDTH = 70  # of ssh-keygen
WIDTHS = (64, WIDTH, 72, 76)  # of other programs, and of the specification
LONGEST = 16 * 1024
"""Characters: a signature by the longest RSA key has a third of that."""


class InvalidSignatureError(RefusedError):
    """A signature does not hold: it is none, of another kind, over another text, or by another key."""

    code = "signature-invalid"

    def __init__(self, why: str, mend: str = "") -> None:
        super().__init__(
            f"the signature does not count: {why}",
            mend=mend or "sign the very text that was printed: ssh-keygen -Y sign -n NAMESPACE -f KEYFILE FILE",
        )


@dataclass(frozen=True, slots=True)
class SshSignature:
    """A signature as it was read: by which key, for which namespace, over a digest of which kind. It is unchecked."""

    key: SshKey
    namespace: str
    hash: str
    signature: bytes

    def check(self, message: bytes, *, namespace: str) -> SshKey:
        """The key that it is by. Raises `InvalidSignatureError` unless it is over the message, for that namespace."""
        if self.namespace != namespace:
            raise InvalidSignatureError(
                f"it was made for {self.namespace!r}, not for {namespace!r}",
                mend=f"sign the text with: ssh-keygen -Y sign -n {namespace} -f KEYFILE FILE",
            )
        try:
            self.key.check(self.signature, signed_data(message, namespace, self.hash))
        except SignatureError as error:
            raise InvalidSignatureError(str(error)) from None
        return self.key


def signed_data(message: bytes, namespace: str, hash_name: str) -> bytes:
    """The bytes that a key signs for a message."""
    digest = hashlib.new(hash_name, message).digest()
    return MAGIC + strings([namespace.encode("ascii"), b"", hash_name.encode("ascii"), digest])


def parsed(armour: str) -> SshSignature:
    """The signature that a text is, as `ssh-keygen -Y sign` writes it. Raises: `InvalidSignatureError`."""
    reader = Reader(_dearmoured(armour))
    try:
        if reader.take(len(MAGIC)) != MAGIC:
            raise InvalidSignatureError("it is no signature of SSHSIG")
        if (version := reader.number()) != VERSION:
            raise InvalidSignatureError(f"it is of version {version} of SSHSIG; {VERSION} is the one that is known")
        blob, namespace = reader.string(), reader.word()
        if reader.string():
            raise InvalidSignatureError("its reserved field says something that nobody here knows")
        hash_name, signature = reader.word(), reader.string()
        reader.end()
    except WireError as error:
        raise InvalidSignatureError(str(error)) from None
    if hash_name not in HASHES:
        raise InvalidSignatureError(f"it is over a digest of the kind {hash_name}; {' and '.join(HASHES)} count")
    try:
        key = key_of(blob)
    except KeyRefusedError as error:
        raise InvalidSignatureError(error.message) from None
    return SshSignature(key, namespace, hash_name, signature)


def _dearmoured(armour: str) -> bytes:
    if len(armour) > LONGEST:
        raise InvalidSignatureError(f"a text of more than {LONGEST} characters is none")
    lines = armour.split("\n")
    if len(lines) < 4 or (lines[0], lines[-2], lines[-1]) != (BEGIN, END, ""):
        raise InvalidSignatureError(
            f"it is not one text from {BEGIN} to {END}, each on a line of its own",
            mend="hand in the .sig file as ssh-keygen -Y sign wrote it",
        )
    body = lines[1:-2]
    width = len(body[0]) if len(body) > 1 else WIDTH
    text = "".join(body)
    if width not in WIDTHS or any(len(line) != width for line in body[:-1]) or not 0 < len(body[-1]) <= width:
        raise InvalidSignatureError("its lines are not as long as those of a signature")
    found = unbase64(text)
    if found is None:
        raise InvalidSignatureError("its base64 is broken off, or not written as base64 is")
    return found


def armoured(blob: bytes) -> str:
    """A signature's bytes as `ssh-keygen` writes them."""
    text = base64(blob)
    lines = [text[at : at + WIDTH] for at in range(0, len(text), WIDTH)]
    return "\n".join([BEGIN, *lines, END, ""])


def signed(message: bytes, private: Private, *, namespace: str, hash_name: str = "sha512") -> str:
    """A signature over a message, made in this process. Raises: `KeyRefusedError`."""
    key = of_public(private.public_key())
    signature = _raw(private, key, signed_data(message, namespace, hash_name))
    fields = [key.blob, namespace.encode("ascii"), b"", hash_name.encode("ascii"), signature]
    return armoured(MAGIC + VERSION.to_bytes(4) + strings(fields))


def _raw(private: Private, key: SshKey, data: bytes) -> bytes:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    if isinstance(private, ed25519.Ed25519PrivateKey):
        return plain_signature(ED25519, private.sign(data))
    if isinstance(private, ec.EllipticCurvePrivateKey):
        digest = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}[ECDSA[key.kind]]
        return ecdsa_signature(key.kind, *decode_dss_signature(private.sign(data, ec.ECDSA(digest))))
    return plain_signature("rsa-sha2-512", private.sign(data, padding.PKCS1v15(), hashes.SHA512()))
