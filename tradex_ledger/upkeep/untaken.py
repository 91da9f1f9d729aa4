"""Notices of quarantines that were laid down, and that no run has taken yet."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from tradex_ledger.domain.advice import Advice
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.day import Day, day_of
from tradex_ledger.domain.extraction import Extraction
from tradex_ledger.domain.layers import LAYERS
from tradex_ledger.domain.quarantine import Quarantine
from tradex_ledger.ledger.ask import Told, events_of, of_stream
from tradex_ledger.ledger.select import Store
from tradex_ledger.planning.overlap import active_backfills
from tradex_ledger.planning.scope import Scope
from tradex_ledger.relations.runs import RUN_LAYERS, RunLayer
from tradex_ledger.sources.places import names_in
from tradex_ledger.upkeep.requests import quoted_command
from tradex_ledger.views import resolve, shared_views

_TOPICS = [Quarantine.Told.TOPIC, Quarantine.Released.TOPIC]


def untaken(scope: Scope) -> Iterator[Advice]:
    """A request for each day on which notices were laid down that no run has asked for since: until then Silver and
    Gold have what is held back, or lack what was released."""
    store = scope.ledger.store
    told = events_of(store, _TOPICS)
    if not told:
        return
    with shared_views(store, resolve(store, None), RUN_LAYERS.name) as connection:
        layers = RUN_LAYERS.read(connection, f"layer = '{LAYERS[0]}' and status = 'COMPLETED'")
    datasets = {intake.source: intake.rows.name for intake in scope.intakes}
    active = active_backfills(scope.ledger)
    waits: dict[tuple[str, Day], list[Told]] = {}
    for one in told:
        source = _source_of(store, one)
        day = day_of(one.at[:10])
        if source not in datasets or any(_took(layer, source, one) for layer in layers):
            continue
        if not any(_will_take(backfill, datasets[source], day) for backfill in active):
            waits.setdefault((datasets[source], day), []).append(one)
    for (dataset, day), some in waits.items():
        names = sorted({one.stream for one in some})
        reason = (
            f"{', '.join(names[:3])}{' and more' if len(names) > 3 else ''}: no run has taken the notices of it yet"
        )
        yield Advice(
            kind="temporal",
            dataset=dataset,
            first=day,
            last=day,
            partitions=1,
            reason=reason,
            command=quoted_command("temporal", dataset, day, day, reason),
        )


def _source_of(store: Store, told: Told) -> str:
    """The source that a notice was laid down for: the first event of its stream says it."""
    if "source" in told.data:
        return str(told.data["source"])
    (first,) = of_stream(store, told.stream, [Quarantine.Told.TOPIC])
    return str(first.data["source"])


def _took(layer: RunLayer, source: str, told: Told) -> bool:
    """Whether a run that began after it was told asked its source for that day."""
    if not layer.extraction or layer.started_at.isoformat() < told.at.rstrip("Z"):
        return False
    asked = Extraction(**orjson.loads(layer.extraction))
    if source not in (names_in(asked.source) or (source,)):
        return False
    return (asked.cursor_from or "")[:10] <= told.at[:10] < (asked.cursor_to or "")[:10]  # both are midnights


def _will_take(backfill: Backfill, dataset: str, day: Day) -> bool:
    """Whether a backfill that has not read its source yet will ask it for that day."""
    asked = backfill.request
    is_meant = asked.dataset in (dataset, LAYERS[0]) and backfill.next_layer() == LAYERS[0]
    return is_meant and asked.first <= day <= asked.last
