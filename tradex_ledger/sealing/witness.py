"""A file witness: a folder that remembers the newest head of each ledger, and cosigns what extends it.

It needs no network and no access to the ledger: a request comes as a file (`request.py`), the cosigned head goes back
as one. What it has cosigned it never takes back: a smaller head, another root of the same size, or one without proof is
refused. The rules are those of c2sp.org/tlog-witness. Its key is a file that only its user can read; who keeps it is
somebody else than who keeps the ledger.

What a crash leaves: a head is remembered, durable, before its cosignature is told. So whoever got no answer asks again.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from shlex import quote

from tradex_ledger.errors import BrokenLedgerError, ConflictError, NotFoundError, RefusedError
from tradex_ledger.ledger.merkle import root, verify_consistency
from tradex_ledger.sealing import files
from tradex_ledger.sealing.checkpoint import Checkpoint, SignedCheckpoint, opened_checkpoint, parsed
from tradex_ledger.sealing.keys import read_secret
from tradex_ledger.sealing.note import (
    COSIGNATURE,
    KEY_BYTES,
    MOST_BYTES,
    SignerKey,
    VerifierKey,
    signed_too,
    taken_apart,
    text_of,
    verifier_key,
)
from tradex_ledger.sealing.request import Request

KEY = "witness.key"
_LOGS = "logs"
_LOCK = "lock"
_KEYS = "keys"
_NOTE = "checkpoint"
_MOST_KEYS = 100_000


class NoWitnessError(NotFoundError):
    """There is no witness in that folder."""

    code = "no-witness"

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"there is no witness in {folder}",
            mend=f"make one: tradex ledger witness {quote(str(folder))} --new NAME",
        )


class WitnessExistsError(RefusedError):
    """There is a witness in that folder already."""

    code = "witness-exists"

    def __init__(self, folder: Path) -> None:
        super().__init__(f"there is a witness in {folder} already", mend="look at it: tradex ledger witness DIR")


class UnknownLogError(NotFoundError):
    """The witness does not know whose head that is."""

    code = "unknown-log"

    def __init__(self, origin: str) -> None:
        super().__init__(
            f"this witness knows no key of {origin}",
            mend="say it once, as whoever keeps the ledger has given it to you (tradex ledger key): --log VKEY",
        )


class KnowsOtherSizeError(ConflictError):
    """The request proves from another head than the one that the witness knows."""

    code = "witness-knows"

    def __init__(self, old: int, known: int) -> None:
        super().__init__(
            f"the request proves from {old} events, and this witness knows {known}",
            mend=f"ask for one from there: tradex ledger checkpoint --for-witness FILE --from {known}",
        )


class RolledBackError(BrokenLedgerError):
    """A head of fewer events than the witness has cosigned."""

    code = "rolled-back"

    def __init__(self, known: Checkpoint, asked: Checkpoint) -> None:
        super().__init__(
            f"this witness has cosigned {known.size} events of {known.origin} (root {known.root.hex()}), and is asked "
            f"to cosign {asked.size} (root {asked.root.hex()}): it does not go back",
            mend="put back the newest copy of the ledger; one that lost events goes on in an epoch, by another origin",
        )


class NotExtendedError(BrokenLedgerError):
    """A head that does not extend the one that the witness has cosigned."""

    code = "not-extended"

    def __init__(self, known: Checkpoint, asked: Checkpoint) -> None:
        super().__init__(
            f"the head of {asked.size} events (root {asked.root.hex()}) does not extend the one of {known.size} events "
            f"(root {known.root.hex()}) of {known.origin} that this witness has cosigned: two histories, or no proof",
            mend="keep both files: they show it; have the ledger verified by somebody else than who keeps it",
        )


@dataclass(frozen=True, slots=True)
class Seen:
    """What a witness knows of a ledger: its keys, and the newest head that it cosigned; None: none yet."""

    origin: str
    keys: tuple[VerifierKey, ...]
    newest: SignedCheckpoint | None


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness in a folder. Raises, whatever is done: `KeyFileError`, `NoteError`, `SignatureError`, `OSError`."""

    folder: Path
    signer: SignerKey

    def trust(self, key: VerifierKey) -> None:
        """Know a ledger by a key, from here on; what another one of it signed counts as well."""
        with self._locked():
            folder = self._folder(key.name)
            known = self._keys(folder)
            if key not in known:
                folder.mkdir(parents=True, exist_ok=True)
                lines = "".join(f"{one.text}\n" for one in (*known, key))
                files.replace(folder / _KEYS, lines.encode(), 0o600)
                for place in (folder.parent, self.folder):
                    files.sync(place)

    def seen(self) -> list[Seen]:
        """The ledgers that it knows, by their origins."""
        folders = sorted((self.folder / _LOGS).iterdir()) if (self.folder / _LOGS).is_dir() else []
        found = []
        for folder in folders:
            keys = self._keys(folder)
            if keys:
                found.append(Seen(keys[0].name, keys, self._newest(folder, keys)))
        return sorted(found, key=lambda one: one.origin)

    def cosign(self, request: Request, second: int) -> str:
        """The note of a request with this witness's signature, made at a second of the epoch; it is remembered first.

        Raises: `UnknownLogError`, `KnowsOtherSizeError`, `RolledBackError`, `NotExtendedError`, `UnsignedError`.
        """
        with self._locked():
            asked = parsed(taken_apart(request.note)[0])
            folder = self._folder(asked.origin)
            keys = self._keys(folder)
            if not keys:
                raise UnknownLogError(asked.origin)
            opened_checkpoint(request.note, keys)
            newest = self._newest(folder, keys)
            known = Checkpoint(asked.origin, 0, root([])) if newest is None else newest.checkpoint
            _check(request, known, asked)
            at = max([second, *(one.second or 0 for one in (newest.opened.verified if newest else ()))])
            text, signatures = taken_apart(request.note)
            own = [one for one in signatures if any((key.name, key.id) == (one.name, one.id) for key in keys)]
            note = "".join((f"{text}\n", *(f"{one.line}\n" for one in own)))  # of nobody else it is not asked
            cosigned = signed_too(note, self.signer, at)
            files.replace(folder / _NOTE, cosigned.encode(), 0o600)
            return cosigned

    def _newest(self, folder: Path, keys: tuple[VerifierKey, ...]) -> SignedCheckpoint | None:
        content = files.read_file(folder / _NOTE, MOST_BYTES + 1)
        if content is None:
            return None
        found = opened_checkpoint(text_of(content), keys, [self.signer.verifier])
        if not found.opened.by(self.signer.verifier) or self._folder(found.checkpoint.origin) != folder:
            raise _ForgottenError(folder / _NOTE)
        return found

    def _keys(self, folder: Path) -> tuple[VerifierKey, ...]:
        content = files.read_file(folder / _KEYS, _MOST_KEYS)
        return tuple(map(verifier_key, content.decode("utf-8").splitlines())) if content else ()

    def _folder(self, origin: str) -> Path:
        return self.folder / _LOGS / sha256(origin.encode()).hexdigest()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """That nobody else is asked meanwhile: two who are asked at once would each go on from the same head."""
        descriptor = os.open(self.folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


class _ForgottenError(BrokenLedgerError):
    """What a witness remembers is not what it wrote."""

    code = "witness-memory"

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is not what this witness has cosigned last: it was changed",
            mend="put that file back from a backup; a witness that forgets is none",
        )


def open_witness(folder: Path) -> Witness:
    """The witness in a folder. Raises: `NoWitnessError`, `KeyFileError`, `OSError`."""
    path = folder / KEY
    if not os.path.lexists(path):
        raise NoWitnessError(folder)
    return Witness(folder, read_secret(path))


def make_witness(folder: Path, name: str) -> Witness:
    """A new witness of that name in a folder. Raises: `WitnessExistsError`, `KeyTextError`, `OSError`."""
    signer = SignerKey(name, COSIGNATURE, os.urandom(KEY_BYTES))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not files.lay(folder / KEY, f"{signer.text}\n".encode(), 0o600):
        raise WitnessExistsError(folder)
    return open_witness(folder)


def _check(request: Request, known: Checkpoint, asked: Checkpoint) -> None:
    """Raise unless a head extends the known one, as the proof of the request shows."""
    if asked.size < known.size:
        raise RolledBackError(known, asked)
    if asked.size == known.size:
        if asked.root != known.root:
            raise NotExtendedError(known, asked)
        return  # asked again: it got no answer
    if request.old != known.size:
        raise KnowsOtherSizeError(request.old, known.size)
    is_shown = verify_consistency(known.size, asked.size, known.root, asked.root, request.proof)
    if not (is_shown if known.size else not request.proof):
        raise NotExtendedError(known, asked)
