"""A run: a formal execution, a backfill or an incremental run (N5). No I/O here.

What happens inside a run is the same for both kinds (`run_events.py`); the life cycles differ and live in
`backfill.py` and `incremental.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from tradex_ledger.domain.anomaly import Anomaly
from tradex_ledger.domain.base import Aggregate, WrongStateError
from tradex_ledger.domain.day import Day, iso
from tradex_ledger.domain.differences import ContentsDiffer
from tradex_ledger.domain.digest import digest_of
from tradex_ledger.domain.extraction import Extraction
from tradex_ledger.domain.facts import Facts
from tradex_ledger.domain.fetched import FetchedPage, Known
from tradex_ledger.domain.instead import wrong_state
from tradex_ledger.domain.layers import LAYERS
from tradex_ledger.domain.life import ENDED
from tradex_ledger.domain.partition import (
    OUTCOMES,
    Batch,
    Candidate,
    PartitionVersion,
    Publication,
    Sums,
    Totals,
)
from tradex_ledger.domain.plan import Window, check_in_plan, count_partitions
from tradex_ledger.domain.policy import Policy
from tradex_ledger.domain.reason import check_reason
from tradex_ledger.domain.run_events import (
    AnomalyDetected,
    BatchAppended,
    ContentsDiffered,
    Held,
    LayerCompleted,
    LayerFailed,
    LayerStarted,
    PageFetched,
    PartitionRebuilt,
    PlanExtended,
    Published,
    Released,
    SlaExceeded,
)
from tradex_ledger.domain.source import Extracted
from tradex_ledger.domain.spending import Spent
from tradex_ledger.errors import RefusedError

PUBLICATION = "publication"


class IncompleteRunError(RefusedError):
    """A run publishes everything it planned, or nothing."""

    code = "incomplete-run"

    def __init__(self, run_id: str, missing: int, planned: int) -> None:
        super().__init__(
            f"{run_id} has {missing} of {planned} planned partitions still to build: nothing of it can be closed",
            mend="drive it again: it resumes",
        )


class Run(Aggregate):
    """What both kinds of run share: layers, candidates, publication."""

    def __init__(self) -> None:
        self.status: str = "REQUESTED"
        self.layers: list[str] = list(LAYERS)
        self.layer: str | None = None
        self.attempt: int = 0
        self.windows: list[Window] = []
        self.appended: dict[str, dict[Day, int]] = {}
        self.candidates: dict[str, dict[Day, PartitionVersion]] = {}
        self.completed_layers: list[str] = []
        self.errors: dict[str, int] = {}
        self.totals: dict[str, int] = {}
        self.published: bool = False
        self.anomalies: dict[str, int] = {}
        self.differing: dict[str, int] = {}
        self.sla_exceeded: bool = False
        self.held_candidates: str | None = None
        self.released_candidates: str | None = None
        self.released_by: str = ""
        self.driven_at: str = ""
        self.fetched: dict[str, dict[int, Known]] = {}
        self.spent: Spent = Spent()

    def add_totals(self, **counts: int) -> None:
        """Assign only: sums that the closing event will carry."""
        for name, count in counts.items():
            self.totals[name] = self.totals.get(name, 0) + count

    # -- queries over the own state

    def next_layer(self) -> str | None:
        """The first layer, in the order of the flow (N18), that is not complete; None when all are."""
        return next((la for la in self.layers if la not in self.completed_layers), None)

    def next_stage(self) -> str:
        """What a driver does next: a layer, or the publication once all layers are complete."""
        return self.next_layer() or PUBLICATION

    def missing_partitions(self) -> int:
        """Planned partitions without a candidate."""
        built = sum(len(days) for days in self.candidates.values())
        return count_partitions(self.windows) - built

    # -- commands

    def check_running(self, action: str) -> None:
        """Raise unless the run is being driven."""
        if self.status != "RUNNING":
            raise WrongStateError(self.id, self.status, action)

    def start_layer(self, layer: str, *, executor: Facts, extraction: Extraction | None, by: str) -> None:
        """Begin a layer; the attempt counts each time a driver takes the run up again."""
        self.check_startable()
        if layer != self.next_stage():
            raise WrongStateError(self.id, f"at layer {self.next_stage()}", f"started at layer {layer}")
        again = self.status != "RUNNING" or self.layer == layer
        self.trigger_event(
            LayerStarted,
            layer=layer,
            attempt=self.attempt + 1 if again else self.attempt,
            executor=executor,
            extraction=extraction and extraction.to_event(),
            by=by,
        )

    def check_startable(self) -> None:
        """Raise unless a driver may take the run up: each kind has its own condition."""
        if self.status in ENDED:
            raise WrongStateError(self.id, self.status, "driven")

    def extend_plan(self, windows: Sequence[Window], *, base: int, reason: str, by: str) -> None:
        """Take in partitions that lie outside the windows known so far."""
        self.check_running("extended")
        if windows:
            self.trigger_event(
                PlanExtended, windows=[window.to_event() for window in windows], base=base, reason=reason, by=by
            )

    def append_batch(self, dataset: str, batch: Batch, *, by: str) -> None:
        """Record one Bronze partition's new file."""
        self.check_running("appended to")
        self.trigger_event(BatchAppended, dataset=dataset, by=by, **batch.to_event())

    def fetch_page(self, page: FetchedPage, *, by: str) -> None:
        """Record a page of a source: what it cost counts, and the run goes on behind it."""
        self.check_running("fetched for")
        self.trigger_event(PageFetched, by=by, **page.to_event())

    def rebuild_partitions(self, dataset: str, candidates: Sequence[Candidate], *, by: str) -> None:
        """Record a window's candidates: one event a partition, one save a window."""
        self.check_running("rebuilt")
        check_in_plan(self.id, self.windows, dataset, [candidate.day for candidate in candidates])
        for candidate in candidates:
            if candidate.version.outcome not in OUTCOMES:
                raise ValueError(f"unknown outcome {candidate.version.outcome!r}")
            self.trigger_event(PartitionRebuilt, dataset=dataset, by=by, **candidate.to_event())

    def complete_layer(self, *, duration_ms: int, source: Extracted | None, by: str) -> None:
        """Close the layer that is running; its sums follow from the candidates and batches.

        Raises: `IncompleteRunError` while a planned partition of the layer has no candidate.
        """
        self.check_running("completed")
        if self.layer != self.next_layer():
            raise WrongStateError(self.id, f"at layer {self.next_stage()}", f"completed at layer {self.layer}")
        planned = [w for w in self.windows if w.layer == self.layer]
        mine = {w.dataset for w in planned}
        built = [c for name in sorted(mine) for c in self.candidates.get(name, {}).values()]
        if len(built) < count_partitions(planned):
            raise IncompleteRunError(self.id, count_partitions(planned) - len(built), count_partitions(planned))
        if self.layer == "bronze":
            partitions = sum(len(days) for days in self.appended.values())
            rows, size = self.totals.get("rows", 0), self.totals.get("bytes", 0)
        else:
            partitions = len(built)
            rows, size = sum(c.rows for c in built), sum(c.bytes for c in built)
        self.trigger_event(
            LayerCompleted,
            layer=self.layer,
            partitions=partitions,
            rows=rows,
            bytes=size,
            duration_ms=duration_ms,
            source=source and source.to_event(),
            by=by,
        )

    def fail_layer(self, *, error: str, message: str, dataset: str | None, partition: str | None, by: str) -> None:
        """Record that this attempt at the layer (or at the publication) ended with an error."""
        self.check_running("failed")
        self.trigger_event(
            LayerFailed,
            layer=self.next_stage(),
            attempt=self.attempt,
            error=error,
            message=message,
            dataset=dataset,
            partition=partition,
            by=by,
        )

    def publish(self, *, base: int, by: str) -> dict[str, Publication]:
        """Make all candidates current. Returns what each touched dataset publishes (its own lock event)."""
        self.check_running("published")
        if self.published:
            raise WrongStateError(self.id, "published", "published again")
        if self.next_layer() is not None or self.missing_partitions() > 0:
            raise IncompleteRunError(self.id, self.missing_partitions(), count_partitions(self.windows))
        told = {name: Publication.of(days.values()) for name, days in sorted(self.candidates.items())}
        datasets = [{"dataset": name, **publication.to_event()} for name, publication in told.items()]
        self.trigger_event(Published, base=base, datasets=datasets, by=by)
        return told

    def progress(self) -> tuple[int, int]:
        """How many of the planned partitions have their candidate, and how many there are."""
        planned = count_partitions(self.windows)
        return planned - self.missing_partitions(), planned

    def candidates_digest(self) -> str:
        """What a reviewer looks at, as one digest: the content of every candidate."""
        return digest_of(
            {
                name: {iso(day): [c.logic_version, [f.sha256 for f in c.files]] for day, c in days.items()}
                for name, days in self.candidates.items()
            }
        )

    def detect_anomaly(self, dataset: str, layer: str, day: Day, anomaly: Anomaly, *, by: str) -> None:
        """Record that the volume of a candidate is strange, once for what was observed."""
        self.check_running("judged")
        if self.anomalies.get(f"{dataset} {iso(day)} {anomaly.rule}") != anomaly.observed:
            version = self.candidates[dataset][day].logic_version
            facts: Facts = {"dataset": dataset, "layer": layer, "logic_version": version, "partition": iso(day)}
            self.trigger_event(AnomalyDetected, by=by, **facts, **anomaly.to_event())

    def tell_contents(self, found: ContentsDiffer, *, by: str) -> None:
        """Record that a partition has other content than an earlier build of the very same inputs."""
        self.trigger_event(ContentsDiffered, by=by, **found.to_event())

    def ambiguous(self) -> list[str]:
        """The candidates (`dataset day`) of which other rows are known to have come of the same inputs."""
        return sorted(name for name, differences in self.differing.items() if differences)

    def exceed_sla(self, *, allowed_ms: int, elapsed_ms: int, by: str) -> None:
        """Record, once, that the run takes longer than it may."""
        if not self.sla_exceeded and self.status not in ENDED:
            layer = self.next_stage()
            self.trigger_event(SlaExceeded, layer=layer, allowed_ms=allowed_ms, elapsed_ms=elapsed_ms, by=by)

    def hold(self, *, why: str, by: str) -> None:
        """Stop before the publication, for somebody to look."""
        self.check_running("held")
        if self.next_layer() is not None or self.missing_partitions() > 0:
            raise IncompleteRunError(self.id, self.missing_partitions(), count_partitions(self.windows))
        anomalies = len(self.anomalies)
        self.trigger_event(Held, why=why, candidates=self.candidates_digest(), anomalies=anomalies, by=by)

    def is_released(self) -> bool:
        """Whether somebody released just the candidates that there are now."""
        return self.released_candidates is not None and self.released_candidates == self.candidates_digest()

    def release(self, *, reason: str, by: str, policy: Policy) -> None:
        """Let a held run publish what was held. If its inputs move after this, it is held again."""
        policy.check_may("approve", by)
        if self.status != "HELD":
            raise wrong_state(self.id, self.status, "released")
        candidates = self.held_candidates
        self.trigger_event(Released, candidates=candidates, reason=check_reason(reason), by=by)

    def closing_totals(self) -> Totals:
        """Sums over the whole run for its closing event (N34); its duration follows from the events' times."""
        sums = Sums.of(version for days in self.candidates.values() for version in days.values())
        appended = {f"appended_{name}": self.totals.get(name, 0) for name in ("rows", "bytes")}
        return Totals(**asdict(sums), **appended)
