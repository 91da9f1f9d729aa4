"""How it looks what is proven of a ledger, and what a check of it has found."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from tradex_ledger.cli.show import Show

if TYPE_CHECKING:
    from tradex_ledger.audit.documents.evidence import (
        CheckDocument,
        EvidenceDocument,
        HeadDocument,
        ProofDocument,
        ReportDocument,
        TilesDocument,
    )


def proof(show: Show, document: ProofDocument) -> None:
    """The proof, or where it lies."""
    if document.file is None:
        show.lines(document.text)
    else:
        show.line(document.file)
    show.note(f"{document.topic} of {document.stream}, at position {document.position}, {_by(document.checkpoint)}")


def evidence(show: Show, document: EvidenceDocument) -> None:
    """Where it lies, and what is not in it."""
    show.line(f"{document.folder}: {document.events} events of {document.run}, in {document.files} files")
    show.note(f"proven {_by(document.checkpoint)}")
    for position in document.unsigned:
        show.note(f"the decision at position {position} was not signed by who made it")
    for text in document.lacking:
        show.warning(f"not on record, so not in it: {text}")
    show.note(f"next: tradex audit check {quote(document.folder)} --key VKEY (those of the ledger: tradex ledger key)")
    show.note(f"how it is checked without this program stands in {document.folder}/VERIFY.md")


def report(show: Show, document: ReportDocument) -> None:
    """Where it lies, and its digest."""
    show.line(f"{document.file}: {document.run}, {document.bytes} bytes")
    show.note(f"sha256 {document.sha256}")
    show.note("it needs neither this program nor a network; how it is checked stands at its end")


def tiles(show: Show, document: TilesDocument) -> None:
    """What was laid."""
    show.line(f"{document.folder}: {document.made} files made, {document.there} were there")
    show.note(_by(document.checkpoint))
    if document.elsewhere:
        show.warning(
            f"{document.elsewhere} bundles hold an entry that the layout has no room for, and are under lines/ instead"
        )


def check(show: Show, document: CheckDocument) -> None:
    """That it holds, or what does not."""
    if document.findings:
        show.rows(document.findings, ("file", "problem"))
        show.note("it does not hold")
        return
    what = f"events of {document.run}" if document.run else "event"
    show.line(f"it holds: {document.proven} {what}")
    if document.checkpoint:
        show.note(f"proven {_by(document.checkpoint)}")


def _by(head: HeadDocument) -> str:
    cosigned = f", cosigned by {', '.join(head.cosigned_by)}" if head.cosigned_by else ", cosigned by nobody"
    return f"by the checkpoint of {head.origin} over {head.size} events{cosigned}"
