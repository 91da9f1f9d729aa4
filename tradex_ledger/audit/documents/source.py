"""What looks at the sources found: the newest of each, and what is in the JSON of its row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from tradex_ledger.domain.not_read import NotRead
from tradex_ledger.domain.words import ROW
from tradex_ledger.planning.words import words_of
from tradex_ledger.relations.runs import SOURCE_LOOKS
from tradex_ledger.sources import LATER
from tradex_ledger.sources.places import OF_EACH, names_in

if TYPE_CHECKING:
    from tradex_ledger.audit.reader import Reader
    from tradex_ledger.relations.runs import SourceLook

_OF_EACH = f"""
    qualify row_number() over (
        partition by regexp_extract(source, '{OF_EACH}', 1) order by position desc
    ) = 1
    order by position desc
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """A look at a source. `name` is the source's, None where it is the only one; `noun` is what a row is called."""

    look: SourceLook
    name: str | None
    noun: str


@dataclass(frozen=True, slots=True)
class Looks:
    """The newest look at each source, by name; `noun` is what they all have, where they have a word in common."""

    of_each: tuple[Seen, ...] = ()
    noun: str = ROW

    @property
    def newest(self) -> SourceLook | None:
        """The last of them."""
        return max((seen.look for seen in self.of_each), key=lambda look: look.position, default=None)

    @property
    def several(self) -> list[SourceLook]:
        """All of them, where there are several sources."""
        return [seen.look for seen in self.of_each] if len(self.of_each) > 1 else []


def newest_looks(reader: Reader, where: str = "true", *values: object) -> Looks:
    """Among the looks of which `where` holds (SQL of ours). Where the newest names no source, that is the only one."""
    words = words_of(reader.store)
    looks = reader.read(SOURCE_LOOKS, f"{where} order by position desc limit 1", *values)
    if looks and names_in(looks[0].source):
        looks = reader.read(SOURCE_LOOKS, where + _OF_EACH, *values)
    named = sorted((name, look) for look in looks for name in names_in(look.source)[:1])
    if not named:
        return Looks(tuple(Seen(look, None, words.row()) for look in looks), words.row())
    seen = tuple(Seen(look, name, words.row(name)) for name, look in named)
    return Looks(seen, words.row(*(name for name, _ in named)))


def passed_over(look: SourceLook) -> list[NotRead]:
    """What was not read, by reason."""
    if not look.passed_over:
        return []
    return [NotRead(**item) for item in orjson.loads(look.passed_over_why)]


def later(look: SourceLook) -> int:
    """Rows that are later than the clock was: they are read again."""
    return int(orjson.loads(look.odd or "{}").get(LATER, 0))
