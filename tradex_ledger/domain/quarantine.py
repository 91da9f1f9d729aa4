"""Rows that are held back as known-bad, until somebody releases them: who said so, why, and which. No I/O here.

Each is a stream of its own. As with a retraction, what leaves the rows out is a dataset that reads the notices, which
lie in delivered files; the events name those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar

from tradex_ledger.domain.base import Aggregate, CreatedEvent, Event
from tradex_ledger.domain.policy import Policy
from tradex_ledger.domain.reason import check_reason
from tradex_ledger.errors import RefusedError

RIGHT = "retract"


class ReleasedError(RefusedError):
    """What is to be released is held back no more."""

    code = "released-already"

    def __init__(self, quarantine: str, rows: Sequence[str] = ()) -> None:
        more = f" and {len(rows) - 3} more" if len(rows) > 3 else ""
        what = f"{', '.join(rows[:3])}{more} of {quarantine}" if rows else f"all of {quarantine}"
        super().__init__(f"{what} is released already", mend=f"see what is held back: tradex bronze list {quarantine}")


class NotHeldError(RefusedError):
    """What is to be released was never held back by that quarantine."""

    code = "not-quarantined"

    def __init__(self, quarantine: str, rows: Sequence[str]) -> None:
        more = f" and {len(rows) - 3} more" if len(rows) > 3 else ""
        super().__init__(
            f"{quarantine} does not hold back {', '.join(rows[:3])}{more}",
            mend=f"see what it holds back: tradex bronze list {quarantine}",
        )


@dataclass(frozen=True, slots=True)
class Which:
    """Which rows of a dataset of Bronze: `rows` by the first column of their key, whatever is delivered of them; or
    what some `batches` (positions of their events) appended. `keys` is how many that are, `shared` of how many of its
    rows an earlier batch has another delivery."""

    dataset: str
    rows: list[str]
    batches: list[int]
    keys: int
    shared: int


class Quarantine(Aggregate):
    """What was held back together."""

    TOPIC: ClassVar[str] = "quarantine"

    def __init__(self) -> None:
        self.rows: list[str] = []
        self.batches: list[int] = []
        self.released: set[str] = set()
        self.is_over = False

    class Told(CreatedEvent):
        """Somebody said that rows are known to be bad, and are to be left out until they are released."""

        TOPIC: ClassVar[str] = "quarantine.told"
        pipeline: str
        source: str
        dataset: str
        rows: list[str]
        batches: list[int]
        keys: int
        shared: int
        reason: str
        file: str
        sha256: str

        def apply(self, aggregate: Quarantine) -> None:
            aggregate.rows = list(self.rows)
            aggregate.batches = list(self.batches)

    class Released(Event):
        """Somebody said that some of the rows, or all that were left, are good after all."""

        TOPIC: ClassVar[str] = "quarantine.released"
        rows: list[str]
        keys: int
        is_over: bool
        reason: str
        file: str
        sha256: str

        def apply(self, aggregate: Quarantine) -> None:
            aggregate.released |= set(self.rows)
            aggregate.is_over = self.is_over

    @classmethod
    def tell(
        cls,
        quarantine_id: str,
        which: Which,
        *,
        pipeline: str,
        source: str,
        reason: str,
        file: tuple[str, str],
        by: str,
        policy: Policy,
    ) -> Quarantine:
        """Put on record which rows are held back, and why. `file` has the notices: its name relative to the source, and
        its digest (SHA-256, hex). Raises: `NotAllowedError`."""
        policy.check_may(RIGHT, by)
        facts = {**asdict(which), "reason": check_reason(reason), "file": file[0], "sha256": file[1]}
        return cls._create(cls.Told, id=quarantine_id, pipeline=pipeline, source=source, by=by, **facts)

    def left(self, held: Sequence[str], wanted: Sequence[str] = ()) -> list[str]:
        """Those of the rows that it `held` from the beginning that would be released: all that are left, or those that
        are wanted. Raises: `ReleasedError`, `NotHeldError`."""
        if unknown := sorted(set(wanted) - set(held)):
            raise NotHeldError(self.id, unknown)
        if self.is_over or (again := sorted(self.released & set(wanted))):
            raise ReleasedError(self.id, [] if self.is_over else again)
        return sorted(set(wanted or held) - self.released)

    def release(
        self, held: Sequence[str], rows: Sequence[str], *, keys: int, reason: str, file: tuple[str, str], by: str,
        policy: Policy,
    ) -> None:  # fmt: skip
        """Let go of some rows, of which so many `keys` were held back. Raises: `NotAllowedError`, and as `left`."""
        policy.check_may(RIGHT, by)
        going = self.left(held, rows)
        facts = {"rows": going, "keys": keys, "is_over": self.released | set(going) >= set(held)}
        self.trigger_event(self.Released, **facts, reason=check_reason(reason), file=file[0], sha256=file[1], by=by)
