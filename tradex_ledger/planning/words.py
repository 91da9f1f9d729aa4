"""What a pipeline's rows are called, by who has its definitions at hand, and by who has the ledger alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tradex_ledger.datasets.header import HEADER, fields_of, read_by, source_of
from tradex_ledger.domain.words import Words
from tradex_ledger.ledger.ask import events_of
from tradex_ledger.ledger.select import Store
from tradex_ledger.sources.registry import noun_of

if TYPE_CHECKING:  # definitions load slowly, and who has only the ledger needs none
    from tradex_ledger.datasets.intake import Intake

_STREAM = "dataset-"


def words_in(intakes: Iterable[Intake]) -> Words:
    """As definitions have it. Raises `UnknownReaderError`."""
    found = list(intakes)
    return Words({intake.source: intake.reader.noun for intake in found}, tuple(i.rows.name for i in found))


def words_of(store: Store) -> Words:
    """As the ledger has it, by the newest definition of each source; no words where nothing is registered."""
    nouns: dict[str, str] = {}
    datasets: dict[str, str] = {}
    for event in events_of(store, ["dataset.logic_versioned"]):
        source, reader = _said(event.data["definition"])
        if source is not None and source_of(source) == source:
            nouns[source], datasets[source] = noun_of(read_by(source, reader)), event.stream.removeprefix(_STREAM)
    return Words(nouns, tuple(datasets.values()))


def _said(text: str) -> tuple[str | None, str | None]:
    """The source and the reader that a header names."""
    header = HEADER.search(text)
    try:
        said = fields_of(header) if header else {}
    except (ValueError, RecursionError):  # of another release's making; whoever runs it says so
        return None, None
    return said.get("source"), said.get("reader")
