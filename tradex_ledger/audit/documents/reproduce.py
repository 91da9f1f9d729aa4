"""What came of building again what is on record, as a document."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date

from tradex_ledger.audit.documents.form import IF_ANY
from tradex_ledger.domain.differences import RowDifference
from tradex_ledger.views import AsOf


@dataclass(frozen=True, slots=True)
class Reproduced:
    """A version of a partition (of Bronze: a batch), and what building it again gave.

    `position` is that of its event, `base` the position that its inputs were read as of. `why` says what was in the
    way, or what is not as it was; `file` is the lake file that is meant. Rows and SHA-256 (hex) are of what is on
    record, and `_again` of what was built. Of rows that differ all are counted, and a few are shown.
    """

    dataset: str
    layer: str
    partition: date
    logic_version: int | None
    run_id: str
    position: int
    base: int | None
    verdict: str
    why: str | None
    file: str | None
    rows: int
    rows_again: int | None
    sha256: str | None
    sha256_again: str | None
    rows_missing: int = 0
    rows_added: int = 0
    rows_changed: int = 0
    differences: tuple[RowDifference, ...] = field(default=(), metadata=IF_ANY)


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What was asked to be built again, by which engine that was done, and what came of it.

    `seed` draws the same sample again, as of the same position.
    """

    asked: str
    seed: str | None
    engine: str
    verdicts: dict[str, int]
    partitions: list[Reproduced]
    as_of: AsOf

    @staticmethod
    def of(asked: str, seed: str | None, engine: str, found: list[Reproduced], as_of: AsOf) -> Reproduction:
        """With the verdicts counted, those that did not occur among them."""
        counts = Counter(one.verdict for one in found)
        known = ("identical", "equal", "differs", "not judged")
        return Reproduction(asked, seed, engine, {name: counts[name] for name in known}, found, as_of)

    @property
    def exit_status(self) -> int:
        """0: all is as it was; 1: something differs; 2: nothing does, but something could not be judged."""
        return 1 if self.verdicts.get("differs") else 2 if self.verdicts.get("not judged") else 0
