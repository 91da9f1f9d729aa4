"""What a look at the source found beside posts, out of the JSON of its row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from tradex_ledger.sources import LATER

if TYPE_CHECKING:
    from tradex_ledger.relations.runs import SourceLook


@dataclass(frozen=True, slots=True)
class PassedOver:
    """What was not read for one reason: how many, and the names of the first few."""

    why: str
    count: int
    names: list[str]


def passed_over(look: SourceLook) -> list[PassedOver]:
    """What was not read, by reason."""
    if not look.passed_over:
        return []
    return [
        PassedOver(**{name: item[name] for name in PassedOver.__slots__}) for item in orjson.loads(look.passed_over_why)
    ]


def later(look: SourceLook) -> int:
    """Posts that are later than the clock was: they are read again."""
    return int(orjson.loads(look.odd or "{}").get(LATER, 0))
