"""Where things stand in numbers: each metric with its name, its unit and what it means, by the rules of OpenMetrics.

https://prometheus.io/docs/specs/om/open_metrics_spec. What is told follows from projections as of the newest position,
from the clock, and from what stands beside the ledger: heads, the lake's marker, who follows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from tradex_ledger import __version__
from tradex_ledger.audit.documents.feeds import feeds
from tradex_ledger.audit.documents.followers import lag
from tradex_ledger.audit.documents.held import datasets
from tradex_ledger.audit.documents.sealing import sealing
from tradex_ledger.audit.documents.source import later, newest_looks
from tradex_ledger.audit.reader import Reader
from tradex_ledger.lake.known import last_published
from tradex_ledger.ledger.ask import at_positions
from tradex_ledger.relations.runs import PIPELINE_STATE

if TYPE_CHECKING:
    from tradex_ledger.attempts import Failed
    from tradex_ledger.audit.look import Look

Labels = tuple[tuple[str, str], ...]
_RUNS = "select run_kind, status, count(*) from runs group by all order by all"
_STATUSES = "select distinct status from lifecycle order by 1"
_WAITING = "select count(*), min(requested_at) from runs where status = 'PLANNED'"
_LATE = "select count(*) from runs where sla_exceeded and status in (select status from lifecycle where is_active)"
_ALERTS = "select alert, count(*), count(*) filter (not delivered) from alerts group by 1 order by 1"
_LAYERS = """
    select
        layer, count(*), coalesce(sum(rows), 0)::bigint, coalesce(sum(bytes), 0)::bigint,
        coalesce(sum(duration_ms), 0)::bigint, sum(errors)::bigint
    from run_layers
    group by 1
    order by 1
"""
_STALE = "select dataset, count(*) from stale_partitions group by 1 order by 1"


class Follower(Protocol):
    """What follows the ledger: a feed, a subscription, a mirror."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def position(self) -> int | None: ...
    @property
    def behind(self) -> int: ...
    @property
    def since(self) -> str | None: ...
    @property
    def failed(self) -> Failed | None: ...
    @property
    def problem(self) -> str | None: ...


class Metric(NamedTuple):
    """One metric: a counter only grows; samples are values under labels."""

    name: str
    kind: Literal["gauge", "counter"]
    unit: str
    help: str
    samples: tuple[tuple[Labels, float], ...]


class _Runs(NamedTuple):
    kind: str
    status: str
    runs: int


class _Waiting(NamedTuple):
    runs: int
    since: datetime | None


class _Alerts(NamedTuple):
    alert: str
    all: int
    undelivered: int


class _Layer(NamedTuple):
    layer: str
    runs: int
    rows: int
    bytes: int
    duration_ms: int
    errors: int


class _Late(NamedTuple):
    runs: int


class _Name(NamedTuple):
    name: str


class _Stale(NamedTuple):
    dataset: str
    partitions: int


def metrics(look: Look, now: datetime, mirrors: Iterable[Follower] = ()) -> list[Metric]:
    """All of them, in a steady order; `mirrors` are told by who knows them."""
    reader = Reader(look.store)
    try:
        return [
            *_ledger(look, reader, now),
            *_runs(reader, now),
            *_layers(reader),
            *_held(reader, now),
            *_sealed(look, reader, now),
            *_lake(look, reader),
            *_followers(look, mirrors, now),
        ]
    finally:
        reader.close()


def _one(name: str, help: str, value: float, unit: str = "", kind: Literal["gauge", "counter"] = "gauge") -> Metric:
    return Metric(name, kind, unit, help, (((), value),))


def _many(
    name: str,
    help: str,
    samples: Iterable[tuple[Labels, float]],
    unit: str = "",
    kind: Literal["gauge", "counter"] = "gauge",
) -> Metric:
    return Metric(name, kind, unit, help, tuple(samples))


def _age(since: datetime | str, now: datetime) -> float:
    moment = datetime.fromisoformat(since) if isinstance(since, str) else since
    return (now - (moment if moment.tzinfo else moment.replace(tzinfo=UTC))).total_seconds()


def _ledger(look: Look, reader: Reader, now: datetime) -> Iterator[Metric]:
    position = reader.as_of.position
    labels = (("ledger", look.store.ledger), ("version", __version__))
    yield _many("tradex_release", "Which ledger this is, and the release that looks at it.", [(labels, 1)])
    yield _one("tradex_ledger_events", "Events in the ledger: its newest position.", position, kind="counter")
    for newest in at_positions(look.store, [position]):
        age = _age(newest.at, now)
        yield _one("tradex_ledger_last_event_age_seconds", "Time since the newest event.", age, "seconds")


def _runs(reader: Reader, now: datetime) -> Iterator[Metric]:
    found = {(r.kind, r.status): r.runs for r in reader.ask(_Runs, _RUNS, over=("runs",))}
    known = [one.name for one in reader.ask(_Name, _STATUSES, over=())]
    kinds = ("backfill", "incremental")
    samples = (
        ((("kind", kind), ("status", status)), found.get((kind, status), 0)) for kind in kinds for status in known
    )
    yield _many("tradex_runs", "Runs of each kind by their status.", samples)
    (waiting,) = reader.ask(_Waiting, _WAITING, over=("runs",))
    yield _one("tradex_approvals_waiting", "Backfills that wait for an approval.", waiting.runs)
    oldest = _age(waiting.since, now) if waiting.since else 0
    help = "How long the oldest of them has waited; 0 when none does."
    yield _one("tradex_approval_oldest_age_seconds", help, oldest, "seconds")
    (late,) = reader.ask(_Late, _LATE, over=("runs",))
    yield _one("tradex_runs_late", "Runs that are not over and have taken longer than the policy allows.", late.runs)
    alerts = reader.ask(_Alerts, _ALERTS, over=("alerts",))
    by_kind = [((("alert", one.alert),), one) for one in alerts]
    yield _many("tradex_alerts", "Alerts ever, by kind.", [(to, one.all) for to, one in by_kind], kind="counter")
    undelivered = sum(one.undelivered for one in alerts)
    yield _one("tradex_alerts_open", "Alerts that no receiver was told of.", undelivered)


def _layers(reader: Reader) -> Iterator[Metric]:
    found = [((("layer", one.layer),), one) for one in reader.ask(_Layer, _LAYERS, over=("run_layers",))]
    told = (
        ("runs", "", "Runs that have come to a layer.", [one.runs for _, one in found]),
        ("rows", "", "Rows that runs have built or appended, by layer.", [one.rows for _, one in found]),
        ("bytes", "bytes", "Bytes that runs have built or appended, by layer.", [one.bytes for _, one in found]),
        ("seconds", "seconds", "Time that layers took until complete.", [one.duration_ms / 1000 for _, one in found]),
        ("errors", "", "Attempts at a layer that failed.", [one.errors for _, one in found]),
    )
    for name, unit, help, values in told:
        samples = zip((to for to, _ in found), values, strict=True)
        yield _many(f"tradex_layer_{name}", help, samples, unit, "counter")


def _held(reader: Reader, now: datetime) -> Iterator[Metric]:
    found = [((("dataset", one.dataset), ("layer", one.layer)), one) for one in datasets(reader)]
    yield _many("tradex_dataset_partitions", "Current partitions.", [(to, one.partitions) for to, one in found])
    yield _many("tradex_dataset_rows", "Rows of the current partitions.", [(to, one.rows) for to, one in found])
    sizes = [(to, one.bytes) for to, one in found]
    yield _many("tradex_dataset_bytes", "Bytes of the current partitions.", sizes, "bytes")
    stale = {one.dataset: one.partitions for one in reader.ask(_Stale, _STALE, over=("stale_partitions",))}
    help = "Partitions whose inputs have changed, or that were never built."
    samples = [((("dataset", one.dataset),), stale.get(one.dataset, 0)) for _, one in found]
    yield _many("tradex_dataset_stale_partitions", help, samples)
    looks = newest_looks(reader)
    late = [((("source", seen.name or ""),), seen.look) for seen in looks.of_each]
    help = "Rows that came later than the day they are of was passed, as the newest look at the source found them."
    yield _many("tradex_source_late_rows", help, [(to, look.late_posts or 0) for to, look in late])
    help = "Rows whose time lies behind the clock of the newest look."
    yield _many("tradex_source_future_rows", help, [(to, later(look)) for to, look in late])
    cursors = [((("pipeline", one.pipeline),), one.cursor) for one in reader.read(PIPELINE_STATE)]
    known = [(to, datetime.fromisoformat(cursor)) for to, cursor in cursors if cursor]
    help = "The cursor: before that time all is processed (Unix time)."
    yield _many("tradex_cursor_timestamp_seconds", help, [(to, at.timestamp()) for to, at in known], "seconds")
    help = "How far the cursor lies behind the clock."
    yield _many("tradex_cursor_age_seconds", help, [(to, _age(at, now)) for to, at in known], "seconds")


def _sealed(look: Look, reader: Reader, now: datetime) -> Iterator[Metric]:
    found = sealing(look.store, look.config, reader.as_of.position, now)
    kept = [(where, one) for where, one in (("anywhere", found.newest), ("outside", found.outside)) if one]
    help = "Position up to which a signed head seals the ledger."
    yield _many("tradex_sealed_position", help, [((("where", where),), one.size) for where, one in kept])
    help = "Time since the last event that the newest signed head is of."
    ages = [((("where", where),), _age(one.until, now)) for where, one in kept if one.until]
    yield _many("tradex_checkpoint_age_seconds", help, ages, "seconds")
    yield _one("tradex_unsealed_events", "Events behind the newest signed head.", found.unsealed)
    yield _one("tradex_sealing_places_unreached", "Places whose heads could not be read.", len(found.unreached))


def _lake(look: Look, reader: Reader) -> Iterator[Metric]:
    """Of a lake that this user may not look into, nothing."""
    try:
        found = [one.position for one in look.lake.markers() if one.ledger == look.store.ledger]
    except OSError:
        return
    marked, head = max(found, default=0), reader.as_of.position
    published = last_published(look.store, upto=head)
    help = "Events between the newest publication and the one that the lake is marked with."
    yield _one("tradex_lake_behind_events", help, max(published - marked, 0))
    help = "Events that the lake knows of and the ledger has lost."
    yield _one("tradex_ledger_behind_events", help, max(marked - head, 0))


def _followers(look: Look, mirrors: Iterable[Follower], now: datetime) -> Iterator[Metric]:
    groups: tuple[tuple[str, Iterable[Follower]], ...] = (("feed", feeds(look.store, look.config)), ("mirror", mirrors))
    for what, found in groups:
        known = [((("name", one.name), ("kind", one.kind)), one) for one in found]
        position = f"Position that a {what} has come to."
        yield _many(f"tradex_{what}_position", position, [(to, one.position or 0) for to, one in known])
        behind = f"Positions that the ledger is further than a {what}."
        yield _many(f"tradex_{what}_behind_events", behind, [(to, one.behind) for to, one in known])
        waits = f"How long the oldest event that a {what} lacks has waited; 0 when none does."
        lags = [(to, lag(one.since, now).total_seconds()) for to, one in known]
        yield _many(f"tradex_{what}_lag_seconds", waits, lags, "seconds")
        fails = f"1 where a {what} is not as it should be, or lacks something and the last attempt failed."
        failing = [(to, float(bool(one.problem or (one.failed and one.since)))) for to, one in known]
        yield _many(f"tradex_{what}_failing", fails, failing)
