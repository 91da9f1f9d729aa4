"""What happens inside a run, of either kind: declared once, with `run.…` topics. No I/O here."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tradex_ledger.domain.base import Event
from tradex_ledger.domain.day import day_of
from tradex_ledger.domain.facts import Facts
from tradex_ledger.domain.fetched import Known, span_name
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.domain.partition import PartitionVersion
from tradex_ledger.domain.plan import Window
from tradex_ledger.domain.spending import Spent

if TYPE_CHECKING:
    from tradex_ledger.domain.run import Run


class LayerStarted(Event):
    """An executor began (or began again) with a layer of the run (N14, N18)."""

    TOPIC: ClassVar[str] = "run.layer_started"
    layer: str
    attempt: int
    executor: Facts
    extraction: Facts | None

    def apply(self, aggregate: Run) -> None:
        aggregate.status = "RUNNING"
        aggregate.attempt = self.attempt
        aggregate.layer = self.layer
        aggregate.driven_at = self.timestamp.isoformat()


class PlanExtended(Event):
    """Partitions came into the run's plan: days that are newer than the plan, or that Bronze just received."""

    TOPIC: ClassVar[str] = "run.plan_extended"
    base: int
    windows: list[Facts]
    reason: str

    def apply(self, aggregate: Run) -> None:
        aggregate.windows.extend(map(Window.from_event, self.windows))


class BatchAppended(Event):
    """New records became part of Bronze, visible at once (N6, N14, N23)."""

    TOPIC: ClassVar[str] = "run.batch_appended"
    dataset: str
    layer: str
    logic_version: int
    partition: str
    files: list[Facts]
    rows: int
    bytes: int
    dropped: int
    cursor: str

    def apply(self, aggregate: Run) -> None:
        days, day = aggregate.appended.setdefault(self.dataset, {}), day_of(self.partition)
        days[day] = days.get(day, 0) + self.rows
        aggregate.add_totals(appended=1, rows=self.rows, bytes=self.bytes)


class PageFetched(Event):
    """A page of a source that is called was delivered, paid for and kept (N9, N14): its cursor is where to go on."""

    TOPIC: ClassVar[str] = "run.page_fetched"
    source: str
    cursor_from: str
    cursor_to: str
    page: int
    cursor: str | None
    next: str | None
    file: str
    bytes: int
    sha256: str
    rows: int
    calls: int
    micros: int

    def apply(self, aggregate: Run) -> None:
        pages = aggregate.fetched.setdefault(span_name(self.source, self.cursor_from, self.cursor_to), {})
        pages[self.page] = Known(self.cursor, self.sha256, self.next)
        aggregate.spent = aggregate.spent.plus(Spent(self.rows, self.calls, self.micros))


class PartitionRebuilt(Event):
    """A partition version was built: a candidate, seen by nobody but this run until it publishes."""

    TOPIC: ClassVar[str] = "run.partition_rebuilt"
    dataset: str
    layer: str
    logic_version: int
    partition: str
    files: list[Facts]
    rows: int
    bytes: int
    previous_rows: int | None
    outcome: str
    base: int
    inputs: str
    duration_ms: int
    began_at: str | None
    worker: str | None
    class_version = 3

    @staticmethod
    def upcast_v1_v2(data: Facts) -> None:
        """Nothing: since version 2, `inputs` may also name files that are read again."""

    @staticmethod
    def upcast_v2_v3(data: Facts) -> None:
        data.update(began_at=None, worker=None)

    def apply(self, aggregate: Run) -> None:
        if aggregate.differing:
            aggregate.differing.pop(f"{self.dataset} {self.partition}", None)
        files = tuple(map(LakeFile.of, self.files))
        version = PartitionVersion(self.logic_version, files, self.rows, self.bytes, self.inputs, outcome=self.outcome)
        aggregate.candidates.setdefault(self.dataset, {})[day_of(self.partition)] = version


class LayerCompleted(Event):
    """A layer of the run is complete: every partition planned in it has a candidate."""

    TOPIC: ClassVar[str] = "run.layer_completed"
    layer: str
    partitions: int
    rows: int
    bytes: int
    duration_ms: int
    source: Facts | None
    class_version = 3

    @staticmethod
    def upcast_v1_v2(data: Facts) -> None:
        source: Facts | None = data["source"]
        if source is not None:
            source.update(undated=0, controls=0, recounted=0, recovered=0, odd={}, passed_over=0)
            source.update(rejected_appended=None)

    @staticmethod
    def upcast_v2_v3(data: Facts) -> None:
        source: Facts | None = data["source"]
        if source is not None:
            source.update(beyond=0, moved=0, withheld=0)

    def apply(self, aggregate: Run) -> None:
        aggregate.completed_layers.append(self.layer)


class LayerFailed(Event):
    """An attempt at a layer ended with an error; what was built so far stays usable (N34)."""

    TOPIC: ClassVar[str] = "run.layer_failed"
    layer: str
    attempt: int
    error: str
    message: str
    dataset: str | None
    partition: str | None

    def apply(self, aggregate: Run) -> None:
        aggregate.errors[self.layer] = aggregate.errors.get(self.layer, 0) + 1


class Published(Event):
    """All candidates of the run became current, at once."""

    TOPIC: ClassVar[str] = "run.published"
    base: int
    datasets: list[Facts]

    def apply(self, aggregate: Run) -> None:
        aggregate.published = True


class AnomalyDetected(Event):
    """A candidate's volume lies outside its bounds (rows); readers have not seen it (N35)."""

    TOPIC: ClassVar[str] = "run.anomaly_detected"
    dataset: str
    layer: str
    logic_version: int
    partition: str
    rule: str
    expected: int
    observed: int
    allowed: int

    def apply(self, aggregate: Run) -> None:
        aggregate.anomalies[f"{self.dataset} {self.partition} {self.rule}"] = self.observed


class ContentsDiffered(Event):
    """A partition was built with other content than before from the very same inputs, by the same logic.

    `compared`: whether the rows were; where the earlier files are gone, their digests tell, or the number of rows.
    """

    TOPIC: ClassVar[str] = "run.contents_differed"
    dataset: str
    layer: str
    logic_version: int
    partition: str
    inputs: str
    earlier_run: str
    earlier: list[str]
    contents: list[str]
    compared: bool
    differences: list[Facts]

    def apply(self, aggregate: Run) -> None:
        aggregate.differing[f"{self.dataset} {self.partition}"] = len(self.differences)


class SlaExceeded(Event):
    """The run took longer than the policy allows, from its approval on (N35)."""

    TOPIC: ClassVar[str] = "run.sla_exceeded"
    layer: str
    allowed_ms: int
    elapsed_ms: int

    def apply(self, aggregate: Run) -> None:
        aggregate.sla_exceeded = True


class Held(Event):
    """The run is complete and not published: somebody has to look at these very candidates first."""

    TOPIC: ClassVar[str] = "run.held"
    why: str
    candidates: str
    anomalies: int

    def apply(self, aggregate: Run) -> None:
        aggregate.status = "HELD"
        aggregate.held_candidates = self.candidates


class Released(Event):
    """A person let a held run publish these candidates, and no others."""

    TOPIC: ClassVar[str] = "run.released"
    candidates: str
    reason: str

    def apply(self, aggregate: Run) -> None:
        aggregate.status = "APPROVED"
        aggregate.released_candidates = self.candidates
        aggregate.released_by = self.by
