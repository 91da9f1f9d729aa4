"""The life of runs, from their events: driven when approved, published once, whole, in one save, silent after the end.

What a run may do next, `schema/lifecycle.csv` says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

from tradex_ledger.domain.facts import Facts, facts_of
from tradex_ledger.ledger.entry import Entry, parse
from tradex_ledger.lifecycle import Step, steps
from tradex_ledger.verifying import said
from tradex_ledger.verifying.earlier import Earlier
from tradex_ledger.verifying.finding import BROKEN_INVARIANT, Finding
from tradex_ledger.verifying.page import REBUILT
from tradex_ledger.verifying.said import shelves_of, windows_of
from tradex_ledger.verifying.scan import Built, ordinal

CLOSING = {"bf-": "backfill.completed", "run-": "incremental_run.succeeded"}
_CLOSED = frozenset(CLOSING.values())
_PUBLISHED = "run.published"
_WORK = ("run.layer_started", "run.batch_appended", "run.layer_completed", _PUBLISHED)
_TAKEN_BACK = ("run.contents_differed", "backfill.reverted")
_PLANS = ("backfill.planned", "run.plan_extended")
_BETWEEN = ("backfill.state_overridden",)


@dataclass(slots=True)
class Run:
    """What is known of a run that may go on."""

    status: Step | None = None
    planned: dict[str, set[int]] = field(default_factory=dict)
    planned_twice: bool = False
    built: dict[str, set[int]] = field(default_factory=dict)
    published: int | None = None
    events: dict[str, Entry] = field(default_factory=dict)
    """Of each topic of a backfill the newest: what was asked for, planned and allowed."""

    def plan(self, data: Facts) -> None:
        """Add the windows of a plan."""
        for window in windows_of(data):
            days = self.planned.setdefault(window.dataset, set())
            wanted = range(ordinal(window.first), ordinal(window.last) + 1)
            before = len(days)
            days.update(wanted)
            self.planned_twice |= len(days) < before + len(wanted)


@dataclass(slots=True)
class Publication:
    """A publication whose save is being read: what has still to come."""

    run: str
    position: int
    at: str
    datasets: list[str]
    closed: bool = False


class Runs:
    """All runs of a ledger, event by event, in order of their positions."""

    def __init__(self, earlier: Earlier) -> None:
        self._earlier = earlier
        self._by_id: dict[str, Run] = {}
        self._ended: dict[str, Step] = {}
        """How each run ended: of a run that has ended nothing else is kept, once its part was heard."""
        self._open: Publication | None = None
        self._batches: dict[tuple[str, str], int] = {}
        self._batches_at = ""

    def build(self, built: Mapping[tuple[str, str], Built]) -> Iterator[Finding]:
        """What was rebuilt in the part that is heard next."""
        for (run, dataset), some in built.items():
            if run in self._ended:
                yield _broken(some.first, f"{run} rebuilt {dataset} after its end ({self._ended[run].status})")
            else:
                self._of(run).built.setdefault(dataset, set()).update(some.days)

    def end_part(self, built: Mapping[tuple[str, str], Built]) -> Iterator[Finding]:
        """All events of the part were heard: what was rebuilt there after the run had been published."""
        for (run, dataset), some in built.items():
            published = self._of(run).published if run in self._by_id else None
            if published is not None and some.last > published:
                yield _broken(some.last, f"{run} rebuilt {dataset} after it was published at {published}")
        ended = {name: run.status for name, run in self._by_id.items() if run.status is not None and run.status.is_end}
        for name, status in ended.items():
            self._ended[name] = status
            del self._by_id[name]

    def hear(self, entry: Entry) -> Iterator[Finding]:
        """The next event."""
        yield from self._in_save(entry)
        if entry.stream.startswith(("bf-", "run-")):
            ended = self._ended.get(entry.stream)
            yield from self._life(entry, Run(ended) if ended else self._of(entry.stream))

    def finish(self) -> Iterator[Finding]:
        """What the end of the ledger left open."""
        yield from self._left_open()
        yield from self._left_batches()

    def facts_of(self, run: str) -> Mapping[str, Entry]:
        """What is known of a backfill that may go on: of each topic its newest event."""
        return self._of(run).events

    def _of(self, run: str) -> Run:
        if run not in self._by_id:
            self._by_id[run] = Run()
            self._recall(run, self._by_id[run])
        return self._by_id[run]

    def _recall(self, name: str, run: Run) -> None:
        """What a run did before the part that is judged."""
        for text in self._earlier.of(name):
            entry = parse(text)
            run.events[entry.topic] = entry
            run.status = _steps().get(entry.topic, run.status)
            if entry.topic in _PLANS:
                run.plan(entry.data)
            elif entry.topic == _PUBLISHED:
                run.published = entry.position
            elif entry.topic == REBUILT:
                built = facts_of(said.Built, entry.data)
                run.built.setdefault(built.dataset, set()).add(ordinal(built.partition))

    def _life(self, entry: Entry, run: Run) -> Iterator[Finding]:
        status, topic = run.status, entry.topic
        if status is not None and status.is_end:
            was_success = status.status == "SUCCESS" and entry.stream.startswith("bf-")
            if topic not in _TAKEN_BACK or not was_success:
                yield _broken(entry.position, f"{entry.stream} went on after its end ({topic}, {status.status})")
        elif topic in _WORK and (status is None or not status.is_drivable):
            yield _broken(entry.position, f"{entry.stream} was driven while {_word(status)} ({topic})")
        if topic == "backfill.approved" and (status is None or status.status != "PLANNED"):
            yield _broken(entry.position, f"{entry.stream} was approved while {_word(status)}")
        if entry.stream.startswith("bf-"):
            run.events[topic] = entry
        if topic in _PLANS:
            run.plan(entry.data)
        if topic == _PUBLISHED:
            yield from self._publish(entry, run)
        step = _steps().get(topic)
        if step is not None:
            if topic in _CLOSED and run.published is None:
                yield _broken(entry.position, f"{entry.stream} was closed, and never published")
            run.status = step
            if entry.stream in self._ended:
                self._ended[entry.stream] = step

    def _publish(self, entry: Entry, run: Run) -> Iterator[Finding]:
        if run.published is not None:
            yield _broken(entry.position, f"{entry.stream} was published at {run.published} already")
        run.published = entry.position
        if run.built != run.planned:
            datasets = run.built.keys() | run.planned.keys()
            other = sum(len(run.built.get(one, set()) ^ run.planned.get(one, set())) for one in datasets)
            yield _broken(entry.position, f"{entry.stream} published {other} partitions other than planned")
        if run.planned_twice:
            yield _broken(entry.position, f"{entry.stream} planned a partition twice")
        told = {shelf.dataset: shelf.partitions for shelf in shelves_of(entry.data)}
        counted = {dataset: len(days) for dataset, days in run.built.items()}
        if told != counted:
            yield _broken(entry.position, f"{entry.stream} says it published {told}, and built {counted}")

    # -- what is saved together

    def _in_save(self, entry: Entry) -> Iterator[Finding]:
        """Publication: the run's event, its end, the lock of each dataset. Of a batch: the lock of its dataset."""
        if entry.at != self._batches_at:
            if self._batches:
                yield from self._left_batches()
                self._batches = {}
            self._batches_at = entry.at
        if entry.topic == "run.batch_appended":
            self._batches[entry.stream, facts_of(said.Built, entry.data).dataset] = entry.position
        waiting = self._open
        if waiting is not None:
            if entry.at == waiting.at and self._goes_on(entry, waiting):
                self._open = waiting if waiting.datasets or not waiting.closed else None
                return
            yield from self._left_open()
        if entry.topic == "dataset.published":
            key = (facts_of(said.ByRun, entry.data).run, entry.stream.removeprefix("dataset-"))
            if self._batches.pop(key, None) is None:
                yield _broken(entry.position, f"{key[1]} was published without the publication of {key[0]}")
        elif entry.topic == _PUBLISHED:
            named = [shelf.dataset for shelf in shelves_of(entry.data)]
            self._open = Publication(entry.stream, entry.position, entry.at, named)

    def _goes_on(self, entry: Entry, waiting: Publication) -> bool:
        """Whether an event belongs to a publication that is under way."""
        if not waiting.closed:
            if entry.stream != waiting.run:
                return False
            waiting.closed = entry.topic == CLOSING[f"{waiting.run.partition('-')[0]}-"]
            return waiting.closed or entry.topic in _BETWEEN
        if entry.topic != "dataset.published" or not waiting.datasets:
            return False
        if facts_of(said.ByRun, entry.data).run != waiting.run:
            return False
        if entry.stream != f"dataset-{waiting.datasets[0]}":
            return False
        waiting.datasets.pop(0)
        return True

    def _left_open(self) -> Iterator[Finding]:
        waiting, self._open = self._open, None
        if waiting is None:
            return
        if not waiting.closed:
            yield _broken(waiting.position, f"{waiting.run} was published, and not closed in the same save")
        elif waiting.datasets:
            lacks = ", ".join(waiting.datasets)
            yield _broken(waiting.position, f"{waiting.run} was published without the locks of {lacks}")

    def _left_batches(self) -> Iterator[Finding]:
        for (run, dataset), position in self._batches.items():
            yield _broken(position, f"{run} appended to {dataset} without its lock in the same save")


@cache
def _steps() -> Mapping[str, Step]:
    return {step.topic: step for step in steps()}


def _word(status: Step | None) -> str:
    return "nothing is known of it" if status is None else f"it was {status.status}"


def _broken(position: int, detail: str) -> Finding:
    return Finding(BROKEN_INVARIANT, detail, position)
