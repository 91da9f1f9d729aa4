"""The key that signs the heads of a ledger: a file beside the settings, and its public half on record.

The file is for nobody else to read: who has it can sign heads that were never this ledger's. So one that others could
have read is refused, and another takes its place (`tradex ledger key --new`). Whoever only looks needs none: which keys
count, the ledger says.
"""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path
from shlex import quote

from tradex_ledger.domain.seal import ANNOUNCED
from tradex_ledger.errors import RefusedError
from tradex_ledger.ledger import ask
from tradex_ledger.ledger.rows import entry_of
from tradex_ledger.ledger.select import Store
from tradex_ledger.sealing import files
from tradex_ledger.sealing.checkpoint import origin_of
from tradex_ledger.sealing.lines import Lines
from tradex_ledger.sealing.note import ED25519, KEY_BYTES, SignerKey, VerifierKey, signer_key, verifier_key
from tradex_ledger.sealing.note_errors import KeyTextError

FOLDER = "keys"
FILE = "checkpoint.key"
PUBLIC = "checkpoint.pub"
_MOST_BYTES = 1_000
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class KeyFileError(RefusedError):
    """The file of a key is not to be believed: somebody else has it, had it, or could have put it there."""

    code = "key-file"

    def __init__(self, path: Path, why: str, mend: str = "") -> None:
        super().__init__(
            f"{path} {why}",
            mend=mend or "move it away; another key takes its place: tradex ledger key --new --reason …",
        )


class NoKeyError(RefusedError):
    """There is no key here that signs for this ledger."""

    code = "no-signer"

    def __init__(self, path: Path, why: str, mend: str) -> None:
        super().__init__(f"{path} {why}", mend=mend)


def path_of(workspace: Path) -> Path:
    """Where the key of a workspace lies."""
    return workspace / FOLDER / FILE


def read_signer(workspace: Path, ledger: str) -> SignerKey | None:
    """The key in a workspace, as the first line of its ledger names it; None where there is none.

    Raises: `KeyFileError` for one that others can read or write, of another user, or of another ledger; `OSError`.
    """
    path = path_of(workspace)
    if not os.path.lexists(path):
        return None
    _check_folder(path.parent)
    found = read_secret(path)
    if found.name != origin_of(ledger):
        raise KeyFileError(path, f"is the key of {found.name}; this ledger is {ledger}")
    return found


def read_secret(path: Path) -> SignerKey:
    """The key in a file that is this user's alone. Raises: `KeyFileError`, `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            raise KeyFileError(path, "is no file of this user's own", "let the user run this who made it")
        if found.st_mode & _OTHERS:
            raise KeyFileError(
                path,
                f"is {stat.filemode(found.st_mode)}: others can have read it",
                f"if nobody has: chmod 600 {quote(str(path))}; else move it away: tradex ledger key --new --reason …",
            )
        content = os.read(descriptor, _MOST_BYTES)
    finally:
        os.close(descriptor)
    try:
        return signer_key(content.decode("utf-8").removesuffix("\n"))
    except (KeyTextError, UnicodeDecodeError):
        raise KeyFileError(path, "holds no key: it was changed, or was never one") from None


def make_signer(workspace: Path, ledger: str) -> SignerKey:
    """A key of chance, laid in a workspace; of two who make one, the first one's counts.

    A crash before it has its name leaves none; after it, the key is there, and whoever comes next announces it.
    Raises: `KeyFileError`, `OSError`.
    """
    path = path_of(workspace)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    _check_folder(path.parent)
    made = SignerKey(origin_of(ledger), ED25519, os.urandom(KEY_BYTES))
    files.lay(path, f"{made.text}\n".encode(), 0o600)
    found = read_signer(workspace, ledger)
    assert found is not None  # it was just laid
    return found


def published(workspace: Path) -> VerifierKey | None:
    """The public half that lies in a workspace; None where there is none that can be read."""
    try:
        content = files.read_file(path_of(workspace).with_name(PUBLIC), _MOST_BYTES)
        return verifier_key((content or b"").decode("utf-8").removesuffix("\n"))
    except (OSError, UnicodeDecodeError, KeyTextError):
        return None


def retire(workspace: Path) -> Path | None:
    """Move the key of a workspace to a name beside it, where nothing signs with it; None where there is none.

    Raises `OSError`.
    """
    path, key = path_of(workspace), published(workspace)
    if not os.path.lexists(path):
        return None
    retired = path.with_name(f"retired-{key.id.hex() if key else 'unknown'}.key")
    path.replace(retired)
    files.sync(path.parent)
    return retired


def publish(workspace: Path, key: VerifierKey) -> None:
    """Lay the public half beside the key, for whoever hands it on. Raises `OSError`."""
    path, content = path_of(workspace).with_name(PUBLIC), f"{key.text}\n".encode()
    if files.read_file(path, _MOST_BYTES) != content:
        files.replace(path, content, 0o644)


def announced(store: Store, upto: int = ask.END) -> tuple[VerifierKey, ...]:
    """The keys that count for a head of so many events, oldest first, as they were announced.

    Raises: `BrokenRowError`, `KeyTextError`.
    """
    keys: dict[bytes, VerifierKey] = {}
    for row in ask.events_of(store, (ANNOUNCED,), upto=upto):
        facts = entry_of(store.ledger, row).data
        key = verifier_key(str(facts.get("key")))
        replaced = facts.get("replaces")
        for line in replaced if isinstance(replaced, list) else []:
            keys.pop(verifier_key(str(line)).public, None)
        keys[key.public] = key
    return tuple(keys.values())


def keys_of(store: Store, lines: Lines, number: int, size: int) -> tuple[VerifierKey, ...]:
    """The keys that count for a head of a line and size, by the name that they have in that line."""
    name = origin_of(lines.ledger, number)
    return tuple(replace(key, name=name) for key in announced(store, lines.told_at(number, size)))


def _check_folder(folder: Path) -> None:
    """Raise unless a folder is this user's alone to write: who writes to it can put another key there."""
    found = folder.stat(follow_symlinks=False)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise KeyFileError(folder, "is no folder of this user's own", "let the user run this who made it")
    if found.st_mode & _OTHERS_WRITE:
        raise KeyFileError(
            folder,
            f"is {stat.filemode(found.st_mode)}: others can put another key there",
            f"if nobody has: chmod 700 {quote(str(folder))}",
        )
