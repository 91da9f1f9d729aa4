"""What verifying a ledger came to, as a document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Found(NamedTuple):
    """Something that is not as it must be: its kind, where (positions from…to, or a file), and what it is."""

    kind: str
    position: int | None
    last: int | None
    file: str | None
    detail: str

    @property
    def shown(self) -> Shown:
        """The same for a table of people."""
        last = "" if self.last is None else f"…{self.last}"
        where = "" if self.position is None else f"{self.position}{last}"
        return Shown(self.kind, " ".join(part for part in (where, self.file) if part), self.detail)


class Shown(NamedTuple):
    """A finding as a line: kind, position or file, and what it is."""

    kind: str
    where: str
    detail: str


class NotJudged(NamedTuple):
    """What could not be judged, and why."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class VerifyDocument:
    """A ledger of `size` events (root in hex), the files that were hashed (None: nobody asked for them), how many
    findings there are in all (`found`), the first of each kind of them, and what was not judged.

    `given_up` counts files that nobody expects there any more, `erased` those of them that law wanted rows of gone.
    `since`: events up to there were taken as they lie there. `sealed`: the size of the newest signed head that holds,
    of the `heads` that were looked at; `unsealed`: the events behind it. `cosigned`: the size of the newest of them
    that `quorum` of the witnesses in the settings have cosigned (0: none need to).
    """

    ledger: str
    size: int
    root: str
    since: int
    sealed: int | None
    unsealed: int
    quorum: int
    cosigned: int | None
    heads: int
    files: int | None
    given_up: int
    erased: int
    found: int
    findings: list[Found]
    unjudged: list[NotJudged]

    @property
    def exit_status(self) -> int:
        """0: all is right. 1: something is not. 2: something could not be judged."""
        return 1 if self.findings else 2 if self.unjudged else 0
