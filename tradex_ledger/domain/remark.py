"""What a person says with an approval. No I/O here."""

from __future__ import annotations

from dataclasses import dataclass

from tradex_ledger.domain.facts import Facts
from tradex_ledger.domain.reason import check_text
from tradex_ledger.errors import UsageError

LONGEST_COMMENT = 2000


class CommentError(UsageError):
    """A comment that says nothing, or too much."""

    code = "comment"

    def __init__(self, characters: int) -> None:
        super().__init__(
            f"the comment has {characters} characters besides blanks, of 1 to {LONGEST_COMMENT} that it may have",
            mend="say it shortly, or leave it out: an approval needs none",
        )


@dataclass(frozen=True, slots=True)
class Remark:
    """A comment on record, on one line (None: none), and whether the run is to be held before its publication.

    Raises: `CommentError`, what `check_text` raises.
    """

    comment: str | None = None
    hold: bool = False

    def __post_init__(self) -> None:
        if self.comment is None:
            return
        told = " ".join(check_text("comment", " ".join(self.comment.split())).split())
        if not 1 <= len(told) <= LONGEST_COMMENT:
            raise CommentError(len(told))
        object.__setattr__(self, "comment", told)

    def to_event(self) -> Facts:
        """As events carry it."""
        return {"comment": self.comment, "hold": self.hold}


NO_REMARK = Remark()
