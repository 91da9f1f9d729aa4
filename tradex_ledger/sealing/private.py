"""A person's own SSH key, to sign with in this process. It is read, used once, and kept nowhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tradex_ledger.domain.signing import NAMESPACE, SignedText
from tradex_ledger.errors import UsageError
from tradex_ledger.sealing.given import read_given
from tradex_ledger.sealing.sshsig import signed

if TYPE_CHECKING:
    from tradex_ledger.sealing.sshsig import Private

LONGEST = 64 * 1024
ELSEWHERE = (
    f"sign the text with ssh-keygen, and hand it in: --print-text FILE; ssh-keygen -Y sign -n {NAMESPACE} -f KEYFILE "
    "FILE; --signature FILE.sig"
)


class PrivateKeyError(UsageError):
    """A key file that nothing can be signed with here."""

    code = "private-key"

    def __init__(self, path: Path, why: str, mend: str = ELSEWHERE) -> None:
        super().__init__(f"{path} cannot sign here: {why}", mend=mend)


def sign_with(path: Path, said: SignedText, passphrase: Callable[[], str | None]) -> str:
    """The signature over a text (armoured) by the key of a file; `passphrase` is asked for one where it takes one.

    Raises: `PrivateKeyError`, `KeyRefusedError`, and what reading the file raises.
    """
    return signed(said.text.encode("utf-8"), _loaded(path, passphrase), namespace=NAMESPACE)


def _loaded(path: Path, passphrase: Callable[[], str | None]) -> Private:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_ssh_private_key

    content = read_given(path, "the private key", LONGEST)
    if content.lstrip()[:4] in {b"ssh-", b"ecds", b"sk-s", b"sk-e"}:
        raise PrivateKeyError(path, "it is the public half", mend=f"name the private one: {path.with_suffix('')}")
    try:
        try:
            found = load_ssh_private_key(content, None)
        except TypeError:  # it is encrypted
            said = passphrase()
            if said is None:
                raise PrivateKeyError(
                    path,
                    "it has a passphrase, which nobody is here to give",
                    "set TRADEX_KEY_PASSPHRASE, or " + ELSEWHERE,
                ) from None
            found = load_ssh_private_key(content, said.encode("utf-8"))
    except UnsupportedAlgorithm as error:
        raise PrivateKeyError(path, _unsupported(str(error))) from None
    except (ValueError, TypeError, UnicodeEncodeError):
        raise PrivateKeyError(path, "it is no private key in OpenSSH's format, or the passphrase is another") from None
    if not isinstance(found, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey):
        raise PrivateKeyError(path, "keys of its kind sign no approvals")
    return found


def _unsupported(why: str) -> str:
    if "bcrypt" in why:
        return "it has a passphrase, and to take that off the package bcrypt is needed, which is not installed"
    return "keys of its kind (a security key's, for one) are used by ssh-keygen only"
