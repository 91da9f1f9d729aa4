"""How it looks what becomes of a ledger as a whole: grants, a move, a backup, what was put back."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from tradex_ledger.cli.layouts.lake import epoch_plan
from tradex_ledger.cli.show import Show
from tradex_ledger.cli.words import bytes_text

if TYPE_CHECKING:
    from tradex_ledger.audit.documents.store import BackupDocument, GrantsDocument, MovedDocument, RestoredDocument
    from tradex_ledger.domain.waiting import MovePlan


def grants(show: Show, document: GrantsDocument) -> None:
    """The SQL, or that it was said."""
    if not document.said:
        show.lines(document.sql)
        return
    show.facts({"owner": document.owner, "writer": document.writer, "reader": document.reader})
    show.note(f'next: make who logs in a member of one, as in: GRANT "{document.writer}" TO NAME')


def move_plan(show: Show, document: MovePlan | None) -> None:
    """The move that waits for its approval."""
    if document is None:
        show.note("no move of the ledger waits for its approval")
        return
    show.facts(
        {
            "to": document.to,
            "as epoch": document.epoch,
            "asked for by": document.by,
            "reason": document.reason,
            "digest": document.digest,
        }
    )
    show.note(f"next, somebody else, when nothing runs: tradex ledger copy --approve {document.digest}")


def moved(show: Show, document: MovedDocument) -> None:
    """Where the ledger goes on, and what is to be written for it."""
    show.line(f"the ledger {document.ledger} goes on in {document.to}, in epoch {document.epoch}")
    show.line(f"{document.events} events, root {document.root}")
    show.note(f"next: {document.next}, wherever this ledger is used")


def backup(show: Show, document: BackupDocument) -> None:
    """What was written."""
    show.line(f"{document.file}: {document.events} events, {bytes_text(document.bytes)}, root {document.root}")
    show.note(f"next, where the ledger is lost: tradex ledger restore {quote(document.file)} --reason …")


def restored(show: Show, document: RestoredDocument) -> None:
    """What is there again, and the epoch that waits."""
    show.line(f"the ledger {document.ledger} is there again: {document.events} events, root {document.root}")
    epoch_plan(show, document.epoch)
