"""How it looks what is sealed of a ledger: its keys, its heads, and where they are kept."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from tradex_ledger.cli.cells import cell
from tradex_ledger.cli.show import Show

if TYPE_CHECKING:
    from tradex_ledger.audit.documents.seal import (
        AskedDocument,
        CosignedDocument,
        CutDocument,
        KeysDocument,
        WitnessDocument,
    )
    from tradex_ledger.audit.documents.sealing import SealingDocument

_AGES = ((86_400, "day"), (3_600, "hour"), (60, "minute"))


def sealing(show: Show, document: SealingDocument) -> None:
    """How many events nobody outside could prove yet."""
    newest, outside = document.newest, document.outside
    inside = f"sealed: {newest.size} events" if newest else "sealed: never"
    show.note(f"{inside}, {document.unsealed} are not")
    if outside is None:
        show.note("sealed outside: never; see: tradex ledger checkpoint --help")
    else:
        age = "" if document.outside_age_s is None else f", {age_text(document.outside_age_s)} ago"
        show.note(f"sealed outside: {outside.size} events, until {cell(outside.until)}{age}, in {outside.place}")
    for one in document.unreached:
        show.warning(f"no head in {one.place}: {one.problem}")


def age_text(seconds: int) -> str:
    """How long ago something was, for people."""
    for unit, name in _AGES:
        if seconds >= unit:
            count = seconds // unit
            return f"{count} {name}{'s' if count > 1 else ''}"
    return f"{seconds} s"


def keys(show: Show, document: KeysDocument) -> None:
    """The keys that sign, for whoever verifies."""
    for key in document.keys:
        show.line(key, whole=True)
    show.note(
        f"the secret half of {'one' if len(document.keys) > 1 else 'it'} is in {document.file}"
        if document.own
        else f"no key here signs for this ledger ({document.file})"
    )


def cut(show: Show, document: CutDocument) -> None:
    """The newest head, and where it lies."""
    show.lines(document.note)
    show.note(f"{'signed' if document.is_new else 'signed before'}: {document.file}")
    for one in document.places:
        if one.problem:
            show.warning(f"{one.place} lacks {one.missed}: {one.problem}; the next one catches up")
        else:
            show.note(f"laid in {one.place}" if one.missed else f"is in {one.place}")
    if not document.places:
        show.note("no place outside is named: [checkpoints] sinks in tradex.toml")


def asked(show: Show, document: AskedDocument) -> None:
    """What a witness is asked."""
    show.line(f"{document.file}: asks to cosign {document.size} events, from {document.known}")
    show.note("next, by the witness: tradex ledger witness DIR FILE --out COSIGNED")


def cosigned(show: Show, document: CosignedDocument) -> None:
    """Who has cosigned."""
    show.line(f"{document.size} events, root {document.root}: cosigned by {', '.join(document.by)}")


def witness(show: Show, document: WitnessDocument) -> None:
    """A witness, and what it knows."""
    show.line(document.key, whole=True)
    show.rows(document.logs, ("origin", "size", "root", "at"), "what it has cosigned")
    if document.note:
        show.lines(document.note)
    if document.file:
        show.note(f"next, by who keeps the ledger: tradex ledger checkpoint --cosigned {quote(document.file)}")
