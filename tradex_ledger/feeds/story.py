"""What a run had told up to one of its events, as far as lineage needs it: from its own stream, and no clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tradex_ledger.domain.facts import Facts
from tradex_ledger.ledger.ask import PAGE, Told, events_of, of_stream
from tradex_ledger.ledger.entry import Entry
from tradex_ledger.ledger.rows import entry_of
from tradex_ledger.ledger.select import Store

LAYERS = ("run.layer_started", "run.layer_completed", "run.layer_failed")
ENDS = ("backfill.cancelled", "incremental_run.cancelled")
STARTS = ("backfill.approved", "incremental_run.started")
_PLANS = ("backfill.planned", "run.plan_extended")
_FEW = (*LAYERS, *ENDS, *STARTS, *_PLANS, "backfill.requested")
_BUILT = ("run.partition_rebuilt", "run.batch_appended")


class Piece(NamedTuple):
    """An attempt at a layer, or at a dataset of it: a run of its own, below the run."""

    layer: str
    attempt: int
    dataset: str | None
    first: str | None = None
    last: str | None = None

    @property
    def name(self) -> str:
        """What its job is called."""
        return self.dataset or self.layer


class Volume(NamedTuple):
    """What a run has built, or appended, of a dataset."""

    rows: int
    bytes: int
    files: int


class Story(NamedTuple):
    """The few events of a run up to one of them, that one included, oldest first."""

    run: str
    events: tuple[Entry, ...]

    def newest(self, *topics: str) -> Facts | None:
        """What the newest event of the topics says."""
        return next((one.data for one in reversed(self.events) if one.topic in topics), None)

    def has_started(self) -> bool:
        """Whether it was allowed to run."""
        return self.newest(*STARTS) is not None

    def open_pieces(self) -> tuple[Piece, ...]:
        """The pieces that were begun and have not ended, before its last event."""
        found: tuple[Piece, ...] = ()
        for number, one in enumerate(self.events[:-1]):
            if one.topic == LAYERS[0]:
                found = self._pieces(number)
            elif one.topic in (*LAYERS, *ENDS):
                found = ()
        return found

    def begun_pieces(self) -> tuple[Piece, ...]:
        """Those that its last event begins, an attempt at a layer."""
        return self._pieces(len(self.events) - 1)

    def _pieces(self, number: int) -> tuple[Piece, ...]:
        begun = self.events[number].data
        layer, attempt = str(begun.get("layer")), int(begun.get("attempt", 1))
        spans: dict[str, tuple[str, str]] = {}
        for plan in (one.data for one in self.events[:number] if one.topic in _PLANS):
            for window in (one for one in plan.get("windows", ()) if one.get("layer") == layer):
                name, first, last = window.get("dataset"), window.get("first"), window.get("last")
                known = spans.get(name, (first, last))
                spans[name] = (min(first, known[0]), max(last, known[1]))
        if begun.get("extraction") is not None or not spans:
            return (Piece(layer, attempt, None),)
        return tuple(Piece(layer, attempt, name, *spans[name]) for name in sorted(spans))


def story(store: Store, row: Told) -> Story:
    """Of the run whose event a row is. Raises: `BrokenRowError`."""
    found = [one for one in of_stream(store, row.stream, _FEW) if one.version < row.version]
    return Story(row.stream, tuple(entry_of(store.ledger, one) for one in (*reversed(found), row)))


def volumes(store: Store, row: Told, layer: str) -> dict[str, Volume]:
    """What the run has built of each dataset of a layer, up to an event; what was built twice counts once."""
    built: dict[tuple[str, str, int], Volume] = {}
    for told in _built(store, row):
        data = entry_of(store.ledger, told).data
        if data.get("layer") != layer:
            continue
        files = data.get("files", ())
        # What is appended to a day adds to it; what is rebuilt takes its place.
        number = told.position if told.topic == _BUILT[1] else 0
        where = (str(data.get("dataset")), str(data.get("partition")), number)
        built[where] = Volume(int(data.get("rows", 0)), int(data.get("bytes", 0)), len(files))
    found: dict[str, Volume] = {}
    for (dataset, _, _), one in built.items():
        before = found.get(dataset, Volume(0, 0, 0))
        found[dataset] = Volume(before.rows + one.rows, before.bytes + one.bytes, before.files + one.files)
    return found


def _built(store: Store, row: Told) -> Iterator[Told]:
    """The run's own builds, page by page: there may be very many."""
    begun = of_stream(store, row.stream, (*STARTS, "backfill.requested"))
    after = min((one.position for one in begun), default=row.position)
    while found := _page(store, row, after):
        yield from (one for one in found if one.stream == row.stream)
        after = found[-1].position


def _page(store: Store, row: Told, after: int) -> Sequence[Told]:
    return events_of(store, _BUILT, after=after, upto=row.position, limit=PAGE)
