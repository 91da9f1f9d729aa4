"""How a verdict looks: what is wrong and where, what could not be judged, how far the ledger is sealed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradex_ledger.cli.show import Show

if TYPE_CHECKING:
    from tradex_ledger.audit.documents.verify import VerifyDocument


def verdict(show: Show, document: VerifyDocument) -> None:
    """A finding a line, then the sum."""
    if document.findings or show.output is not None:
        show.rows([one.shown for one in document.findings], ("kind", "where", "detail"))
    for one in document.unjudged:
        show.warning(f"not judged: {one.what}: {one.why}")
    since = f" from {document.since + 1} on" if document.since else ""
    erased = f", {document.erased} of them erased" if document.erased else ""
    gone = f"({document.given_up} given up{erased})"
    files = "" if document.files is None else f", {document.files} files hashed {gone}"
    show.line(f"{document.ledger}: {document.size} events{since}{files}, root {document.root}")
    show.line(f"sealed: {_sealed(document)}")
    if document.quorum:
        show.line(f"cosigned: {_cosigned(document)}")
    if document.findings:
        show.note("1 finding" if document.found == 1 else f"{document.found} findings")
    else:
        show.note("nothing is wrong" if not document.unjudged else "nothing is wrong with what could be judged")


def _sealed(document: VerifyDocument) -> str:
    if document.sealed is None and document.heads:
        return f"by none of the {document.heads} heads that were looked at: none of them holds"
    if document.sealed is None:
        return "never; what was rewritten as a whole, or cut off, nobody can see"
    return f"up to {document.sealed} by a signed head that holds; {document.unsealed} events since"


def _cosigned(document: VerifyDocument) -> str:
    witnesses = "1 witness" if document.quorum == 1 else f"{document.quorum} witnesses"
    if document.cosigned is None:
        return f"never: no head that holds has been cosigned by {witnesses} of the settings"
    return f"up to {document.cosigned} by {witnesses} or more; {document.size - document.cosigned} events since"
