"""A ledger and its lake verified, as a document: see `tradex_ledger/verifying`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tradex_ledger.audit.documents.verify import Found, NotJudged, VerifyDocument
from tradex_ledger.config import Config
from tradex_ledger.errors import NotFoundError
from tradex_ledger.lake.port import Lake
from tradex_ledger.lake.storage import translate
from tradex_ledger.ledger.select import open_store
from tradex_ledger.sealing.checkpoint import Checkpoint, parsed
from tradex_ledger.sealing.cosigned import witnesses_of
from tradex_ledger.sealing.files import read_file
from tradex_ledger.sealing.note import MOST_BYTES, taken_apart, text_of
from tradex_ledger.sealing.places import places_of
from tradex_ledger.verifying.heads import kept_in
from tradex_ledger.verifying.report import Wanted, verified


def verify(
    config: Config, lake: Lake | None, *, since: str | None = None, heads: Sequence[Path] = ()
) -> VerifyDocument:
    """Verify the ledger of a workspace and, unless None, its lake; by the heads in its places, and in some files.

    `since` is a number of events, or the file of a checkpoint. Raises: what opening a ledger raises, `NotFoundError`
    and `NoteError` for a file that is no checkpoint, `UsageError`, `KeyTextError`.
    """
    store = open_store(config.ledger_url)  # without the folder of a workspace it has no caches
    size, head = _since(since)
    places = places_of(config.folder, store.ledger, config.checkpoints.sinks)
    files = [*heads, *([] if head is None else [Path(str(since))])]
    found = verified(
        Wanted(
            store,
            config.ledger_url,
            lake,
            kept=list(kept_in((places.inside, *places.outside), files)),
            witnesses=witnesses_of(config.checkpoints.witnesses),
            quorum=config.checkpoints.quorum,
            since=size,
            from_head=head,
        )
    )
    return VerifyDocument(
        ledger=found.ledger,
        size=found.size,
        root=found.root.hex(),
        since=found.since,
        sealed=found.sealed,
        unsealed=found.size - (found.sealed or 0),
        quorum=config.checkpoints.quorum,
        cosigned=found.cosigned,
        heads=found.heads,
        files=found.files,
        given_up=found.given_up,
        erased=found.erased,
        found=sum(one.stands_for for one in found.findings),
        findings=[Found(one.kind, one.position, one.last, one.file, one.detail) for one in found.findings],
        unjudged=[NotJudged(one.what, one.why) for one in found.unjudged],
    )


def _since(said: str | None) -> tuple[int, Checkpoint | None]:
    if said is None:
        return 0, None
    if said.isdecimal() and said.isascii() and len(said) < 16 and not Path(said).exists():
        return int(said), None
    try:
        content = read_file(Path(said), MOST_BYTES + 1)
    except OSError as error:
        raise translate(error, f"reading the checkpoint {said}") from error
    if content is None:
        raise NotFoundError(f"there is no file {said}", mend="name a checkpoint that you kept, or a number of events")
    head = parsed(taken_apart(text_of(content))[0])
    return head.size, head
