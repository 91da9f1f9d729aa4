"""Commands on the heads of the ledger: the key that signs them, where they are laid, what witnesses say of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tradex_ledger.audit.documents.seal import AskedDocument, CosignedDocument, CutDocument, KeysDocument
from tradex_ledger.domain.reason import check_reason
from tradex_ledger.domain.seal import Seal
from tradex_ledger.errors import NotFoundError
from tradex_ledger.lake.storage import translate
from tradex_ledger.sealing import files, keys
from tradex_ledger.sealing.cosigned import take_in, witnesses_of
from tradex_ledger.sealing.cut import cut
from tradex_ledger.sealing.given import write_new
from tradex_ledger.sealing.lines import lines_of
from tradex_ledger.sealing.note import text_of, verifier_key
from tradex_ledger.sealing.request import request_for
from tradex_ledger.workspace.core import Core

if TYPE_CHECKING:
    from tradex_ledger.sealing.note import SignerKey, VerifierKey


class Seals:
    """Commands on the heads of the ledger."""

    def __init__(self, core: Core) -> None:
        self.core = core

    def begin(self) -> None:
        """Make the first key, and announce it, as far as that is not done.

        Raises: `KeyFileError`, `EnvironmentFault`.
        """
        folder, ledger = self.core.config.folder, self.core.ledger
        try:
            if keys.announced(ledger.store):
                return
            signer = keys.read_signer(folder, ledger.id) or keys.make_signer(folder, ledger.id)
            key = signer.verifier
            self.core.ledger.append(Seal.announce_first(key.name, key.id.hex(), key.text, by=self.core.actor))
            keys.publish(folder, self._named(key))
        except OSError as error:
            raise translate(error, f"making the key {keys.path_of(folder)}") from error

    def keys(self) -> KeysDocument:
        """The keys that sign heads, as others are given them, and the places where heads are kept."""
        found = [self._named(key) for key in keys.announced(self.core.ledger.store)]
        published = keys.published(self.core.config.folder)
        own = next((key.text for key in found if published and key.public == published.public), None)
        return KeysDocument([key.text for key in found], own, str(keys.path_of(self.core.config.folder)))

    def new_key(self, *, reason: str, replaces: Sequence[str] = ()) -> KeysDocument:
        """Sign with another key from here on, in the place of the one that lies in this workspace, and of others.

        Raises: `NotAllowedError`, `ReasonError`, `KeyTextError`, `KeyFileError`, `EnvironmentFault`.
        """
        core, folder = self.core, self.core.config.folder
        core.policy.check_may("force", core.actor)
        check_reason(reason)  # before a file is touched
        known = {key.public: key for key in keys.announced(core.ledger.store)}
        before = keys.published(folder)
        gone = [key for key in (*map(verifier_key, replaces), *((before,) if before else ())) if key.public in known]
        try:
            signer = self._unannounced(known) or self._made()
            key = signer.verifier
            told = Seal.announce(
                key.name,
                key.id.hex(),
                key.text,
                replaces=list(dict.fromkeys(known[one.public].text for one in gone)),
                reason=reason,
                by=core.actor,
                policy=core.policy,
            )
            core.ledger.append(told)
            keys.publish(folder, self._named(key))
        except OSError as error:
            raise translate(error, f"making the key {keys.path_of(folder)}") from error
        return self.keys()

    def cut(self) -> CutDocument:
        """Sign the ledger's head, and lay it in every place. Raises: as `sealing.cut.cut`."""
        self.begin()
        return CutDocument.of(cut(self.core.ledger.store, self.core.places))

    def ask_witness(self, file: Path, known: int) -> AskedDocument:
        """Write into a new file what a witness that knows so many events is asked: to cosign the ledger's head.

        Raises: as `cut`, and `NoProofFromError`.
        """
        self.begin()
        made = cut(self.core.ledger.store, self.core.places)
        text = request_for(self.core.ledger.store, made.checkpoint, made.note, known).text
        _write_new(file, text)
        return AskedDocument(str(file), known, made.checkpoint.size)

    def take_in(self, file: Path) -> CosignedDocument:
        """Keep a head that a witness has cosigned. Raises: as `sealing.cosigned.take_in`."""
        try:
            content = files.read_file(file, 1 << 21)
        except OSError as error:
            raise translate(error, f"reading {file}") from error
        if content is None:
            raise NotFoundError(f"there is no file {file}", mend="name what tradex ledger witness has written")
        witnesses = witnesses_of(self.core.config.checkpoints.witnesses)
        found = take_in(self.core.ledger.store, self.core.places.inside, text_of(content), file, witnesses)
        return CosignedDocument.of(found)

    def _named(self, key: VerifierKey) -> VerifierKey:
        """A key by the name that it has in the line of the ledger that goes on."""
        lines = lines_of(self.core.ledger.store)
        return replace(key, name=lines.origin_at(lines.head))

    def _unannounced(self, known: dict[bytes, VerifierKey]) -> SignerKey | None:
        """The key that an attempt which was cut off has laid."""
        found = keys.read_signer(self.core.config.folder, self.core.ledger.id)
        return found if found is not None and found.verifier.public not in known else None

    def _made(self) -> SignerKey:
        keys.retire(self.core.config.folder)
        return keys.make_signer(self.core.config.folder, self.core.ledger.id)


def _write_new(file: Path, text: str) -> None:
    """Write a new file. Raises: `NotFoundError`, `GivenFileError`, `EnvironmentFault`."""
    if not file.parent.is_dir():
        raise NotFoundError(f"there is no folder {file.parent}", mend="make it, or name another place")
    write_new(file, "what the witness is asked", text.encode())
