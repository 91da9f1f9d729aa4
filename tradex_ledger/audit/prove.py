"""What is handed to who trusts neither ledger nor program: proofs, evidence, tiles; and their check, offline."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from tradex_ledger.audit import bundle
from tradex_ledger.audit.bundle_check import checked, read_folder
from tradex_ledger.audit.documents.evidence import (
    CheckDocument,
    EvidenceDocument,
    FoundDocument,
    HeadDocument,
    ProofDocument,
    ReportDocument,
    TilesDocument,
)
from tradex_ledger.audit.evidence import gathered
from tradex_ledger.audit.report import archive_of
from tradex_ledger.audit.report import report as made
from tradex_ledger.audit.report_words import Fact
from tradex_ledger.config import Config
from tradex_ledger.errors import NotFoundError, TradexError
from tradex_ledger.lake.storage import translate
from tradex_ledger.ledger.ask import END, at_positions
from tradex_ledger.ledger.backup import FileThereError
from tradex_ledger.ledger.entry import parse
from tradex_ledger.ledger.named import find_run
from tradex_ledger.ledger.select import Store
from tradex_ledger.sealing import files, proof, tiles
from tradex_ledger.sealing.approvals import DECISIONS
from tradex_ledger.sealing.checkpoint import SignedCheckpoint, parsed
from tradex_ledger.sealing.cosigned import witnesses_of
from tradex_ledger.sealing.covering import first_covering, newest_signed
from tradex_ledger.sealing.note import VerifierKey, taken_apart, text_of, verifier_key
from tradex_ledger.sealing.places import places_of
from tradex_ledger.sealing.proving import NotCoveredError, proofs
from tradex_ledger.views import Asked, AsOf, resolve

_LATER = re.compile(r"[1-9][0-9]{0,8}").fullmatch


def prove(store: Store, config: Config, position: int, file: Path | None) -> ProofDocument:
    """The proof that an event is at a position, by the newest checkpoint; laid in a new file where one is named.

    Raises: `NoSuchPositionError`, `NotCoveredError`, `FileThereError`, `BrokenLedgerError`, `EnvironmentFault`.
    """
    resolve(store, str(position))
    signed = _newest(store, config, position)
    (event,) = at_positions(store, [position])
    (found,) = proofs(store, signed, [event])
    if file is not None:
        _check_parent(file)
        try:
            if not files.lay(file, found.text.encode(), 0o644):
                raise FileThereError(file)
        except OSError as error:
            raise translate(error, f"writing {file}") from error
    place = None if file is None else str(file)
    return ProofDocument(position, event.topic, event.stream, HeadDocument.of(signed), place, found.text)


def export(store: Store, config: Config, prefix: str, folder: Path) -> EvidenceDocument:
    """Lay the evidence of a run in a new folder: all of it is there, or there is none.

    Raises: as `prove`, and `ShortIdError`, `NoSuchStreamError`, `AmbiguousIdError`, `StrangeNameError`.
    """
    run = find_run(store, prefix)
    signed = _newest(store, config, 1)
    found = gathered(store, run, upto=signed.checkpoint.size)
    proven = proofs(store, signed, found.events)
    subject = bundle.Subject(found.run, store.ledger, signed.checkpoint, tuple(found.lacking))
    laid = bundle.files(subject, [event.entry.encode() for event in found.events], proven)
    _lay_folder(folder, laid)
    decisions = [event for event in found.events if event.topic in DECISIONS]
    is_signed = [event for event in decisions if event.data.get("signature")]
    return EvidenceDocument(
        found.run,
        str(folder),
        len(found.events),
        len(laid),
        HeadDocument.of(signed),
        [event.position for event in is_signed],
        [event.position for event in decisions if event not in is_signed],
        found.lacking,
    )


def report(
    store: Store, config: Config, prefix: str, as_of: Asked = None, *, rows: Callable[[str, AsOf], Fact] | None = None
) -> tuple[str, bytes]:
    """The report of a run as of a position, by the head that covered that first (None: as of the newest head), with the
    evidence in it; the same bytes whenever it is asked. `rows` says which rows it changed, as of a position.

    Returns the run's id and the report. Raises: as `export`; `NoSuchPositionError`, `UsageError`.
    """
    run, at = find_run(store, prefix), resolve(store, as_of)
    if as_of is None:
        signed = _newest(store, config, 1)
        at = resolve(store, str(signed.checkpoint.size))
    else:
        signed = _first(store, config, at.position)
    found = gathered(store, run, upto=at.position, as_of=at.position if as_of is not None else END)
    proven = proofs(store, signed, found.events)
    subject = bundle.Subject(run, store.ledger, signed.checkpoint, tuple(found.lacking))
    content = [event.entry.encode() for event in found.events]
    laid = bundle.files(subject, content, proven, told=False)
    told = made(
        subject,
        [parse(entry) for entry in content],
        content,
        proven[0].note,
        alone=(laid[bundle.HELP].decode(), archive_of(laid)),
        rows=None if rows is None else rows(run, at),
        position=at.position,
    )
    return run, told


def lay_report(content: bytes, run: str, file: Path) -> ReportDocument:
    """Lay a report in a new file. Raises: `FileThereError`, `NotFoundError`, `EnvironmentFault`."""
    _check_parent(file)
    try:
        if not files.lay(file, content, 0o644):
            raise FileThereError(file)
    except OSError as error:
        raise translate(error, f"writing {file}") from error
    return ReportDocument(run, str(file), len(content), sha256(content).hexdigest())


def lay_tiles(store: Store, config: Config, folder: Path) -> TilesDocument:
    """Lay what a folder lacks of the ledger's tiles, as of the newest checkpoint. Raises: as `tiles.export`."""
    signed = _newest(store, config, 1)
    try:
        made = tiles.export(store, folder, signed)
    except OSError as error:
        raise translate(error, f"writing the tiles in {folder}") from error
    return TilesDocument(str(folder), HeadDocument.of(signed), made.made, made.there, made.elsewhere)


def check(path: Path, keys: Sequence[str], witnesses: Sequence[str], entry: Path | None) -> CheckDocument:
    """What holds of a folder of evidence, or of a proof and the entry that it is of, by verifier keys; offline.

    Raises: `KeyTextError`, `NotFoundError`, `EnvironmentFault`.
    """
    known, others = [verifier_key(key.strip()) for key in keys], witnesses_of([key.strip() for key in witnesses])
    try:
        return _check_folder(path, known, others) if entry is None else _check_proof(path, known, others, entry)
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no file {error.filename}", mend="name one that is there") from error
    except OSError as error:
        raise translate(error, f"reading {path}") from error


def _check_folder(folder: Path, keys: Sequence[VerifierKey], witnesses: Sequence[VerifierKey]) -> CheckDocument:
    content = read_folder(folder)
    found = checked(content, _in_line(content[bundle.CHECKPOINT], keys), witnesses)
    return CheckDocument(
        found.run or None,
        found.proven,
        HeadDocument.of(found.signed) if found.signed else None,
        [FoundDocument(one.file, one.problem) for one in found.findings],
    )


def _check_proof(
    file: Path, keys: Sequence[VerifierKey], witnesses: Sequence[VerifierKey], entry: Path
) -> CheckDocument:
    content = file.read_bytes()
    try:
        found = proof.parsed(text_of(content))
        signed = proof.proven(found, entry.read_bytes(), _in_line(found.note.encode(), keys), witnesses)
    except TradexError as error:
        return CheckDocument(None, 0, None, [FoundDocument(str(file), error.message)])
    return CheckDocument(None, 1, HeadDocument.of(signed), [])


def _in_line(note: bytes, keys: Sequence[VerifierKey]) -> list[VerifierKey]:
    """The keys by the name that they have in the line of a ledger's history that a note is of."""
    try:
        origin = parsed(taken_apart(text_of(note))[0]).origin
    except TradexError:
        return list(keys)  # who opens it says what is wrong
    base, _, number = origin.rpartition("/")
    return [replace(key, name=origin) if key.name == base and _LATER(number) else key for key in keys]


def _newest(store: Store, config: Config, position: int) -> SignedCheckpoint:
    """The newest checkpoint, to prove a position by. Raises: `NotCoveredError`, and what `newest_signed` raises."""
    settings = config.checkpoints
    places = places_of(config.folder, store.ledger, settings.sinks)
    signed = newest_signed(store, places, witnesses_of(settings.witnesses))
    if signed is None:
        raise NotCoveredError(position, 0)
    return signed


def _first(store: Store, config: Config, position: int) -> SignedCheckpoint:
    """The checkpoint that covered a position first. Raises: `NotCoveredError`, and what `first_covering` raises."""
    settings = config.checkpoints
    places = places_of(config.folder, store.ledger, settings.sinks)
    signed = first_covering(store, places, witnesses_of(settings.witnesses), position)
    if signed is None:
        newest = newest_signed(store, places, witnesses_of(settings.witnesses))
        raise NotCoveredError(position, newest.checkpoint.size if newest else 0)
    return signed


def _check_parent(path: Path) -> None:
    if not path.parent.is_dir():
        raise NotFoundError(f"there is no folder {path.parent}", mend="make it, or name another place")


def _lay_folder(folder: Path, content: dict[str, bytes]) -> None:
    """Lay a new folder; a crash before it has its name leaves a hidden one. Raises: `FileThereError`."""
    _check_parent(folder)
    if os.path.lexists(folder):
        raise FileThereError(folder)
    half_made = folder.with_name(f".{folder.name}-{os.getpid()}")
    try:
        shutil.rmtree(half_made, ignore_errors=True)  # a crash of a process of that number
        for name, data in content.items():
            path = half_made / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        os.sync()  # many files: one by one would take minutes
        half_made.rename(folder)
        files.sync(folder.parent)
    except OSError as error:
        if os.path.lexists(folder) and half_made.exists():
            raise FileThereError(folder) from None
        raise translate(error, f"writing {folder}") from error
    finally:
        with suppress(OSError):
            shutil.rmtree(half_made)
