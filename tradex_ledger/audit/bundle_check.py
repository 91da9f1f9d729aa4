"""Whether a folder of evidence holds: offline, by the keys that are given, from the bytes that lie there.

Each event must be proven under the one checkpoint, and all else be what follows from the events. What is found is a
list: one broken file does not hide another.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tradex_ledger.audit.bundle import (
    CHECKPOINT,
    ENTRIES,
    HELP,
    PROGRAMS,
    PROOFS,
    REPORT,
    SUMS,
    Subject,
    derived,
    number,
    sums,
)
from tradex_ledger.audit.decisions import unsound
from tradex_ledger.audit.report import FORMS, form_of, report
from tradex_ledger.errors import NotFoundError, TradexError
from tradex_ledger.ledger.backup import LONGEST
from tradex_ledger.ledger.entry import Entry, canonical, parse
from tradex_ledger.sealing.checkpoint import SignedCheckpoint
from tradex_ledger.sealing.note import VerifierKey, text_of
from tradex_ledger.sealing.proof import SUFFIX, check_path, parsed, signed_by_all

_RUNS = ("backfill.requested", "incremental_run.started")
_OURS = (HELP, *PROGRAMS)
"""What a folder has beside the evidence: another release writes it otherwise."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a file of a folder."""

    file: str
    problem: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of it: the run, how many events are proven, the checkpoint; without findings all of it holds."""

    run: str
    proven: int
    signed: SignedCheckpoint | None
    findings: list[Finding]


def read_folder(folder: Path) -> dict[str, bytes]:
    """All files of a folder by their names in it. Raises: `NotFoundError`, `OSError`."""
    if not (folder / CHECKPOINT).is_file():
        raise NotFoundError(
            f"{folder} is no folder of evidence: it has no file {CHECKPOINT}",
            mend="name the folder that was written: tradex audit export RUN -o DIR",
        )
    return {_name(folder, path): _content(path) for path in sorted(folder.rglob("*")) if not _is_folder(path)}


def _name(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix().encode("utf-8", "backslashreplace").decode()


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _content(path: Path) -> bytes:
    """The bytes of a file; none of what leads elsewhere, never ends, or is longer than any file of evidence."""
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_size > LONGEST:
        return b""
    return path.read_bytes()


def checked(files: Mapping[str, bytes], keys: Iterable[VerifierKey], witnesses: Iterable[VerifierKey] = ()) -> Checked:
    """What holds of a folder's files, by the keys of the ledger, and of witnesses that must have signed."""
    findings: list[Finding] = []
    try:
        signed = signed_by_all(text_of(files.get(CHECKPOINT, b"")), keys, witnesses)
    except TradexError as error:
        return Checked("", 0, None, [Finding(CHECKPOINT, error.message)])
    entries: list[Entry] = []
    for name in sorted(name for name in files if name.startswith(f"{ENTRIES}/")):
        proof = f"{PROOFS}/{Path(name).stem}{SUFFIX}"
        try:
            entries.append(_proven(name, files[name], files.get(proof, b""), signed))
        except (TradexError, _UnfitError) as error:
            findings.append(Finding(name, str(error)))
    run = next((entry.stream for entry in entries if entry.topic in _RUNS), "")
    findings += _incomplete(run, entries)
    try:
        findings += _derived(files, run, signed, entries) if not findings else []
    except TradexError as error:  # of an event that was signed, and is none that this program would have written
        findings.append(Finding(ENTRIES, str(error)))
    return Checked(run, len(entries), signed, findings)


class _UnfitError(Exception):
    """A file is sound, and is not the one that should be there: only within this module."""


def _proven(name: str, content: bytes, proof: bytes, signed: SignedCheckpoint) -> Entry:
    """The entry of a file, which its proof shows to be at its position. Raises where it does not."""
    if not proof:
        raise _UnfitError("there is no proof of it")
    given = parsed(text_of(proof))
    if given.note != signed.note:
        raise _UnfitError("its proof leads to another checkpoint")
    check_path(given, content, signed.checkpoint)
    entry = parse(content)
    if type(entry.data) is not dict or canonical(entry._asdict()) != content:
        raise _UnfitError("it is not in the form that entries are written in")
    if entry.position != given.position or name != f"{ENTRIES}/{number(entry.position)}.json":
        raise _UnfitError(f"it is the event of position {entry.position}")
    return entry


def _incomplete(run: str, entries: Sequence[Entry]) -> list[Finding]:
    """Whether the story of the run has a gap."""
    if not run:
        return [Finding(ENTRIES, "there is no beginning of a run among them")]
    versions = [0, *(entry.version for entry in entries if entry.stream == run)]
    return [
        Finding(ENTRIES, f"the run's event {before + 1} is missing")
        for before, after in pairwise(versions)
        if after != before + 1
    ]


def _derived(files: Mapping[str, bytes], run: str, signed: SignedCheckpoint, entries: Sequence[Entry]) -> list[Finding]:
    """What is there and does not follow from the events, or follows and is not there; decisions that do not hold."""
    subject = Subject(run, entries[0].ledger, signed.checkpoint)
    wanted = derived(subject, entries)
    own = {name for name in files if name.startswith((f"{ENTRIES}/", f"{PROOFS}/")) or name in (CHECKPOINT, SUMS)}
    proofs = {f"{PROOFS}/{number(entry.position)}{SUFFIX}" for entry in entries}
    findings = [
        Finding(name, "there is no event to it") for name in own if name.startswith(PROOFS) and name not in proofs
    ]
    findings += _told(files, subject, entries)
    for name in sorted(wanted.keys() | files.keys() - own - {*_OURS, REPORT}):
        if name not in wanted:
            findings.append(Finding(name, "it is nothing that the events say"))
        elif files.get(name) != wanted[name]:
            findings.append(Finding(name, "it is not what the events say" if name in files else "it is missing"))
    if files.get(SUMS) != sums(dict(files)):
        findings.append(Finding(SUMS, "its digests are not those of the files"))
    unfit = [Finding(f"{ENTRIES}/{number(entry.position)}.json", why) for entry, why in unsound(entries)]
    return findings + unfit


def _told(files: Mapping[str, bytes], subject: Subject, entries: Sequence[Entry]) -> Iterator[Finding]:
    """Whether the report says what the events say. Evidence of before had none."""
    found = files.get(REPORT)
    if found is None:
        return
    form = form_of(found)
    if form not in FORMS:
        yield Finding(
            REPORT, "it is no report" if form is None else f"its form {form} is of another release: check with that"
        )
        return
    leaves = [files[f"{ENTRIES}/{number(entry.position)}.json"] for entry in entries]
    if report(subject, entries, leaves, files[CHECKPOINT].decode(), form=form) != found:
        yield Finding(REPORT, "it is not what the events say")
