"""The evidence of a run as a folder's files: what else is in it follows from its events, the proofs and the checkpoint.

So the same ledger and checkpoint give the same bytes, and whoever checks a folder makes it again from its own events.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from tradex_ledger import resources
from tradex_ledger.audit.decisions import signed_texts, signers
from tradex_ledger.audit.report import report
from tradex_ledger.errors import BrokenLedgerError
from tradex_ledger.ledger.entry import Entry, parse
from tradex_ledger.sealing.approvals import DECISIONS
from tradex_ledger.sealing.checkpoint import Checkpoint
from tradex_ledger.sealing.proof import SUFFIX, Proof

CHECKPOINT, SUMS, ENTRIES, PROOFS = "checkpoint", "SHA256SUMS", "entries", "proofs"
HELP = "VERIFY.md"
REPORT = "report.html"
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}", re.ASCII).fullmatch
PROGRAMS = ("check.go", "check.cjs")


class StrangeNameError(BrokenLedgerError):
    """A ledger calls something by what can be no part of a file's name, nor of a command."""

    code = "strange-name"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the ledger calls something {name[:80]!a}, which can be no name of a file: no evidence is written of it",
            mend="find who wrote it: tradex audit verify; then put back the last good copy of the ledger",
        )


@dataclass(frozen=True, slots=True)
class Subject:
    """What a folder is evidence of: a run, in the ledger of a checkpoint; what is named and is not on record.

    Raises: `StrangeNameError`.
    """

    run: str
    ledger: str
    head: Checkpoint
    lacking: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in (self.run, self.ledger, *self.head.origin.split("/")):
            _check(name)


def files(
    subject: Subject, entries: Sequence[bytes], proofs: Sequence[Proof], *, told: bool = True
) -> dict[str, bytes]:
    """All files of a folder by their names in it, from the entries in their order, each with its proof; `told`: with
    the report of the run.

    Raises: `NotCanonicalError` for bytes that are no entry; `StrangeNameError`.
    """
    parsed = [parse(entry) for entry in entries]
    found = {CHECKPOINT: proofs[0].note.encode()}
    for entry, content, proof in zip(parsed, entries, proofs, strict=True):
        found[f"{ENTRIES}/{number(entry.position)}.json"] = content
        found[f"{PROOFS}/{number(entry.position)}{SUFFIX}"] = proof.text.encode()
    found |= derived(subject, parsed)
    found |= {name: resources.read_text("schema", "evidence", name).encode() for name in PROGRAMS}
    found[HELP] = help_text(subject, parsed).encode()
    for name in found:
        for part in name.split("/"):
            _check(part)
    if told:
        found[REPORT] = report(subject, parsed, entries, proofs[0].note)
    found[SUMS] = sums(found)
    return dict(sorted(found.items()))


def number(position: int) -> str:
    """A position as the names of files begin with it: they sort by it."""
    return f"{position:015}"


def derived(subject: Subject, entries: Sequence[Entry]) -> dict[str, bytes]:
    """The files that say again what entries say, for who reads no JSON."""
    found = {
        "keys/ledger.pub": _lines(_announced(entries)),
        "keys/allowed_signers": signers(entries).encode(),
        "files.sha256": _lines(_written(subject.run, entries)),
    }
    for entry in entries:
        found |= {name: text.encode() for name, text in _texts(entry)}
    return found


def sums(found: dict[str, bytes]) -> bytes:
    """Digests of files as `sha256sum -c` takes them."""
    return _lines(f"{sha256(content).hexdigest()}  {name}" for name, content in sorted(found.items()) if name != SUMS)


def _check(name: str) -> None:
    """Raise for what is no plain name: it would lead elsewhere, or say something to a shell."""
    if not _WORD(name):
        raise StrangeNameError(name)


def _texts(entry: Entry) -> Iterator[tuple[str, str]]:
    """The texts that stand in an entry, each with the name of its file."""
    at = number(entry.position)
    match entry.topic, entry.data:
        case "dataset.logic_versioned", {"definition": str(text), "logic_version": int(version)}:
            yield f"definitions/{at}-{entry.stream.removeprefix('dataset-')}-v{version}.sql", text
        case "policy.recorded" | "policy.set", {"text": str(text), "digest": str(digest)}:
            yield f"policies/{at}-{digest}.toml", text
    for ending, text in signed_texts(entry):
        yield f"approvals/{at}.{ending}", text


def _announced(entries: Sequence[Entry]) -> Iterator[str]:
    for entry in entries:
        if entry.topic == "seal.key_announced":
            yield str(entry.data.get("key"))


def _written(run: str, entries: Sequence[Entry]) -> Iterator[str]:
    for entry in entries:
        listed = entry.data.get("files")
        if entry.stream == run and isinstance(listed, list):
            for file in listed:
                match file:
                    case {"sha256": str(digest), "path": str(path)}:
                        yield f"{digest}  {path}"


def _lines(lines: Iterator[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def help_text(subject: Subject, entries: Sequence[Entry]) -> str:
    """How a folder is checked, step by step, by tools of others."""
    decided = [entry for entry in entries if entry.topic in DECISIONS]
    unsigned = [e for e in decided if not e.data.get("signature")]
    values = {
        "RUN": subject.run,
        "LEDGER": subject.ledger,
        "ORIGIN": subject.head.origin,
        "SIZE": str(subject.head.size),
        "COUNT": str(len(entries)),
        "VERSIONS": str(sum(entry.stream == subject.run for entry in entries)),
        "LACKING": f"Not on record, so not here: {', '.join(subject.lacking) or 'nothing'}.",
        "APPROVALS": " ".join(map(_approval, unsigned)) or (_ALL_SIGNED if decided else _NONE_DECIDED),
    }
    text = resources.read_text("schema", "evidence", HELP)
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


_NONE_DECIDED = "Nobody had to approve this run."
_ALL_SIGNED = "Each decision on its plan was signed by who made it."


def _approval(entry: Entry) -> str:
    how = "that of a rule of the policy" if entry.data.get("rule") else "not signed by who made it"
    return f"The decision at position {entry.position} is {how}: it stands in the event alone."
