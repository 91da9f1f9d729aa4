"""A file witness: it needs no workspace, and no access to any ledger."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tradex_ledger.audit.documents.seal import SeenDocument, WitnessDocument
from tradex_ledger.clock import utc_now
from tradex_ledger.errors import NotFoundError
from tradex_ledger.lake.storage import translate
from tradex_ledger.locate import check_no_part
from tradex_ledger.sealing import files
from tradex_ledger.sealing.note import text_of, verifier_key
from tradex_ledger.sealing.request import parsed_request
from tradex_ledger.sealing.witness import Seen, Witness, make_witness, open_witness

_MOST_BYTES = 1 << 21


def witness(
    folder: Path,
    request: Path | None = None,
    *,
    new: str | None = None,
    log: str | None = None,
    out: Path | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> WitnessDocument:
    """Make a witness (`new`: its name), have it know a ledger's key (`log`), have it cosign what a request asks.

    Raises: as `sealing.witness` does; `PartOfWorkspaceError`, `NotFoundError`, `EnvironmentFault`.
    """
    if out is not None:
        check_no_part(out)
    try:
        found = make_witness(folder, new) if new is not None else open_witness(folder)
        if log is not None:
            found.trust(verifier_key(log))
        note = None
        if request is not None:
            note = found.cosign(parsed_request(_text(request)), int(clock().timestamp()))
            if out is not None:
                files.replace(out, note.encode(), 0o644)
        return _document(found, note, out)
    except OSError as error:
        raise translate(error, f"working with the witness in {folder}") from error


def _text(request: Path) -> str:
    content = files.read_file(request, _MOST_BYTES)
    if content is None:
        raise NotFoundError(
            f"there is no file {request}", mend="have one written: tradex ledger checkpoint --for-witness FILE"
        )
    return text_of(content)


def _document(found: Witness, note: str | None, out: Path | None) -> WitnessDocument:
    return WitnessDocument(
        found.signer.verifier.text, [_seen(one) for one in found.seen()], note, str(out) if out else None
    )


def _seen(one: Seen) -> SeenDocument:
    if one.newest is None:
        return SeenDocument(one.origin, 0, None, None)
    head = one.newest.checkpoint
    second = max(by.second or 0 for by in one.newest.opened.verified)
    return SeenDocument(one.origin, head.size, head.root.hex(), _moment(second))


def _moment(second: int) -> str | None:
    try:
        return datetime.fromtimestamp(second, UTC).isoformat()
    except (ValueError, OverflowError, OSError):  # later than any year that there is
        return None
