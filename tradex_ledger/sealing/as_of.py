"""A checkpoint file as a position: "as of what you signed then"."""

from __future__ import annotations

import os
from pathlib import Path

from tradex_ledger.errors import UsageError
from tradex_ledger.lake.storage import translate
from tradex_ledger.ledger.select import Store
from tradex_ledger.sealing.files import read_file
from tradex_ledger.sealing.heads import counts, verified
from tradex_ledger.sealing.lines import lines_of
from tradex_ledger.sealing.note_text import MOST_BYTES, text_of


class GivenUpHeadError(UsageError):
    """A head of a line of the ledger that was lost: this ledger was never so."""

    code = "head-given-up"

    def __init__(self, file: Path, size: int) -> None:
        super().__init__(
            f"{file} is a head of {size} events that were lost and given up: this ledger was never so",
            mend="name a head of this ledger: tradex ledger checkpoint",
        )


def position_of(store: Store, file: Path) -> int | None:
    """The position that a checkpoint file stands for; None where there is no such file.

    It must be signed for this ledger, and the ledger must have that root at that size. Raises: `NoteError`,
    `SignatureError`, `UnsignedError`, `HeadError`, `GivenUpHeadError`, `EnvironmentFault`.
    """
    try:
        content = read_file(file, MOST_BYTES + 1) if os.path.isfile(file) else None  # noqa: PTH113 — it never raises
    except OSError as error:
        raise translate(error, f"reading the checkpoint {file}") from error
    if content is None:
        return None
    lines = lines_of(store)
    found = verified(store, lines, text_of(content), str(file)).checkpoint
    if not counts(store, lines, found, str(file)):
        raise GivenUpHeadError(file, found.size)
    return found.size
