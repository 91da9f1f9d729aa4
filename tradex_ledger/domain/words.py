"""The words in which messages speak of a pipeline's Bronze: what its rows are called, where they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ROW = "row"


@dataclass(frozen=True, slots=True)
class Words:
    """`nouns` are what a row is called (`post`; more of them with an s), by source; `datasets` those of the rows."""

    nouns: Mapping[str, str] = field(default_factory=dict)
    datasets: tuple[str, ...] = ()

    def row(self, *sources: str) -> str:
        """What a row of these sources is called (none: of any): `row`, where they have no word in common."""
        found = {self.nouns.get(source, ROW) for source in sources or self.nouns}
        return found.pop() if len(found) == 1 else ROW

    @property
    def bronze(self) -> str:
        """What a backfill asks for to read all sources again: the dataset of their rows, or the layer of several."""
        return self.datasets[0] if len(self.datasets) == 1 else "bronze"


NO_WORDS = Words()
