"""SSH keys of every kind, made here, and signatures put together field by field, so that each can be put wrong."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from tests.kit.signing import private_of
from tradex_ledger.domain.signing import NAMESPACE
from tradex_ledger.sealing import ssh_key
from tradex_ledger.sealing.ssh_key import SshKey, key_of
from tradex_ledger.sealing.sshsig import MAGIC, _raw, armoured, signed_data
from tradex_ledger.sealing.wire import mpint, string, strings

if TYPE_CHECKING:
    from tradex_ledger.sealing.sshsig import Private

SK = {"ed25519-sk": ssh_key.SK_ED25519, "ecdsa-sk": ssh_key.SK_ECDSA}
PLAIN = ("ed25519", "ecdsa-256", "ecdsa-384", "ecdsa-521", "rsa")
EVERY = (*PLAIN, *SK)
APPLICATION = b"ssh:"


@cache
def private(kind: str) -> Private:
    """A private key of a kind; that of a security key is the one inside it."""
    if kind.startswith("ed25519"):
        return private_of(kind)
    if kind == "rsa":
        return rsa.generate_private_key(65537, 2048)
    curve = {"384": ec.SECP384R1(), "521": ec.SECP521R1()}.get(kind[-3:], ec.SECP256R1())
    return ec.generate_private_key(curve)


@cache
def public(kind: str) -> SshKey:
    """Its public half."""
    own = ssh_key.of_public(private(kind).public_key())
    if kind not in SK:
        return own
    raw = own.numbers[0]
    assert isinstance(raw, bytes)
    middle = [b"nistp256"] if kind == "ecdsa-sk" else []
    return key_of(strings([SK[kind].encode(), *middle, raw, APPLICATION]))


def raw_signature(kind: str, data: bytes, *, flags: int = 1, counter: int = 7) -> bytes:
    """A signature over the very bytes that a key signs, in the encoding of SSH."""
    if kind not in SK:
        return _raw(private(kind), public(kind), data)
    seen = bytes([flags]) + counter.to_bytes(4)
    touched = hashlib.sha256(APPLICATION).digest() + seen + hashlib.sha256(data).digest()
    key: Any = private(kind)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        raw = key.sign(touched)
    else:
        raw = b"".join(map(mpint, decode_dss_signature(key.sign(touched, ec.ECDSA(SHA256())))))
    return string(SK[kind].encode()) + string(raw) + seen


@dataclass(frozen=True)
class Fields:
    """All that a signature is made of; whoever wants one that is wrong replaces some."""

    key: bytes
    signature: bytes
    magic: bytes = MAGIC
    version: int = 1
    namespace: bytes = NAMESPACE.encode()
    reserved: bytes = b""
    hash: bytes = b"sha512"
    after: bytes = b""

    def blob(self) -> bytes:
        fields = [self.key, self.namespace, self.reserved, self.hash, self.signature]
        return self.magic + self.version.to_bytes(4) + strings(fields) + self.after

    def armour(self, **changes: Any) -> str:
        return armoured(replace(self, **changes).blob())


def fields(kind: str, message: bytes, *, hash_name: str = "sha512", **how: int) -> Fields:
    """A signature that holds."""
    data = signed_data(message, NAMESPACE, hash_name)
    return Fields(public(kind).blob, raw_signature(kind, data, **how), hash=hash_name.encode())
