"""Ten years of the built-in pipeline as events alone: what runs and backfills leave on record, written in bulk.

Nothing is decided here and no aggregate is loaded: the facts of a run are filled into texts, in the order and in the
saves in which a driver would record them. They fit together all the same: inputs are digested by the recipe of
`schema/events/run.partition_rebuilt.v2.json`, so a partition is `reused` just where nothing moved, a revert brings the
versions of before back, and only a daily run moves the state. All chance comes from the seed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any, NamedTuple

from tradex_ledger.clock import this_executor
from tradex_ledger.domain.plan import plan_digest
from tradex_ledger.domain.signed import decision_facts
from tradex_ledger.domain.signing import NO_KNOWLEDGE
from tradex_ledger.ledger.entry import canonical, format_time
from tradex_ledger.ledger.merkle import leaf_hash

BRONZE, SILVER, METRICS, BASELINES, SIGNALS = (
    "bronze_x_posts", "silver_social_events", "gold_metrics", "gold_baselines", "gold_signals",
)  # fmt: skip
FOLDERS = {
    BRONZE: "event_date=",
    SILVER: "event_date=",
    METRICS: "feature_version=1/date=",
    BASELINES: "baseline_version=1/date=",
    SIGNALS: "signal_version=1/date=",
}
LAYER_OF = {BRONZE: "bronze", SILVER: "silver", METRICS: "gold", BASELINES: "gold", SIGNALS: "gold"}
DERIVED = {"silver": (SILVER,), "gold": (METRICS, BASELINES, SIGNALS)}
LOOK_BACK = 28
WINDOW = 30
POSTS_A_FILE = 3
EXECUTOR = {**asdict(this_executor()), "host": "made-up", "pid": 1}
"""With the versions of today: an engine that built nothing yet would try itself on files that are not there."""
SOURCE = "files:posts"
ALONE = decision_facts(NO_KNOWLEDGE)
"""What a decision says that is not signed."""
PEOPLE = ("ana", "ben", "carla", "maria")
BACKFILLS = (("temporal", BRONZE, 50), ("dataset", SILVER, 15), ("dataset", METRICS, 10), ("dataset", BASELINES, 17),
             ("forced", SILVER, 8))  # fmt: skip
"""Kind, what it is asked for, and of a hundred so many."""
SPANS = ((7, 15), (31, 35), (92, 25), (366, 15), (800, 6), (4000, 4))
"""Days that a backfill reaches over at most, and of a hundred so many."""
ENDS = (("rejected", 6), ("expired", 2), ("cancelled", 4), ("failed", 6), ("paused", 3), ("held", 5), ("reverted", 4))
"""What else than success a backfill may come to, and of a hundred so many; four of these succeed in the end."""
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"

Row = tuple[int, str, int, str, str, bytes, str]
Facts = dict[str, Any]


class Version(NamedTuple):
    """What a partition holds: its file as entries write it, the digest of that, and of its inputs."""

    file: str
    sha256: str
    rows: int
    bytes: int
    inputs: str


Held = dict[str, list[Version | None]]
"""The versions of each derived dataset by the number of the day."""


@dataclass
class Book:
    """The log that is written: positions, times and versions of streams, and rows on their way into the database."""

    ledger: str
    put: Callable[[Row], None]
    position: int = 0
    at: str = ""
    versions: dict[str, int] = field(default_factory=dict)

    def add(self, stream: str, topic: str, by: str, data: str, v: int = 1) -> None:
        """Append an event, whose data is canonical already."""
        self.position += 1
        version = self.versions[stream] = self.versions.get(stream, 0) + 1
        entry = (
            f'{{"at":"{self.at}","by":"{by}","data":{data},"ledger":"{self.ledger}","position":{self.position},'
            f'"stream":"{stream}","topic":"{topic}","v":{v},"version":{version}}}'
        )
        self.put((self.position, stream, version, topic, self.at, leaf_hash(entry.encode()), entry))


@dataclass(frozen=True)
class Known:
    """What the made-up history takes from the true workspace: its policy, and the logic of its datasets."""

    policy_digest: str
    fingerprints: dict[str, str]


@dataclass(frozen=True)
class BronzeFile:
    """The file of Bronze that stands for a day: each batch of the day is one more link to it."""

    bytes: int
    sha256: str


@dataclass
class Past:
    """The pipeline while its history goes on: what is current, what the clock says, and how much there is to come."""

    book: Book
    known: Known
    first: date
    days: int
    bronze: Sequence[BronzeFile]
    link: Callable[[str, int], None]
    """Lay the file of a day of Bronze (its number) under a path of the lake."""
    chance: Random
    batches_left: int
    iso: list[str] = field(init=False)
    current: Held = field(init=False)
    lines: dict[str, list[str]] = field(init=False)
    contents: list[str] = field(init=False)
    now: datetime = field(init=False)
    ids: int = 0
    today: int = -1
    wish: tuple[str, str, int] | None = None
    """The next backfill: its kind, what it is asked for, over how many days. It waits until there is room for it."""

    def __post_init__(self) -> None:
        self.iso = [(self.first + timedelta(n)).isoformat() for n in range(self.days + 1)]
        self.current = {name: [None] * self.days for names in DERIVED.values() for name in names}
        self.lines = {name: [""] * self.days for name in FOLDERS}
        self.contents = [""] * self.days
        self.now = datetime(self.first.year, self.first.month, self.first.day, tzinfo=UTC)

    def save(self, milliseconds: int = 3) -> None:
        """Let time pass: what is added from here on is one save."""
        self.now += timedelta(milliseconds=milliseconds, microseconds=self.chance.randrange(1000))
        self.book.at = format_time(self.now)

    def new_id(self, prefix: str) -> str:
        """An id of the form of `clock.new_id`, numbered where that has chance."""
        self.ids += 1
        number = (int(self.now.timestamp() * 1000) << 20) | (self.ids & 0xFFFFF)
        return f"{prefix}-{''.join(_ALPHABET[(number >> shift) & 31] for shift in range(60, -1, -5))}"

    def cursor(self, day: int) -> str:
        """The beginning of a day as a cursor."""
        return f"{self.iso[day]}T00:00:00.000000Z"

    def pick(self, shares: Iterable[tuple[Any, int]], otherwise: Any = None) -> Any:
        """One of several, each with its share of a hundred."""
        drawn = self.chance.randrange(100)
        for what, share in shares:
            drawn -= share
            if drawn < 0:
                return what
        return otherwise


def cut(days: Sequence[int]) -> list[tuple[int, int]]:
    """Windows, first and last day, of at most 30 consecutive days each."""
    found: list[tuple[int, int]] = []
    for day in days:
        if found and day == found[-1][1] + 1 and day - found[-1][0] < WINDOW:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found


def closure(past: Past, changed: Iterable[int], of: str, own: int | None = None) -> dict[str, list[int]]:
    """The days of each derived dataset that follow from changed days of one; `own` is the day of a daily run."""
    last, seeds = past.today, set(changed)
    extra = set() if own is None else {own}
    after = {day for one in seeds for day in range(one + 1, min(one + LOOK_BACK, last) + 1)}
    if of == BASELINES:
        found = {BASELINES: seeds, SIGNALS: seeds}
    else:
        found = {METRICS: seeds, BASELINES: after | extra, SIGNALS: seeds | after | extra}
        if of in (BRONZE, SILVER):
            found = {SILVER: seeds, **found}
    return {name: sorted(days) for name, days in found.items() if days}


class Run:
    """A run on its way: what it built so far lies beside what is current, until it publishes."""

    def __init__(self, past: Past, run_id: str, by: str, *, forced: bool = False) -> None:
        self.past, self.id, self.by, self.forced = past, run_id, by, forced
        self.seen: Held = {name: list(versions) for name, versions in past.current.items()}
        self.lines = {name: list(lines) for name, lines in past.lines.items()}
        self.built: dict[str, dict[int, tuple[str, Version]]] = {}
        self.appended = [0, 0]
        self.attempt = 1

    def tell(self, topic: str, data: Facts, v: int = 1, by: str = "") -> None:
        """Append an event of the run."""
        self.past.book.add(self.id, topic, by or self.by, canonical(data).decode(), v)

    def start_layer(self, layer: str, extraction: Facts | None = None) -> None:
        self.past.save()
        facts = {"attempt": self.attempt, "executor": EXECUTOR, "extraction": extraction, "layer": layer}
        self.tell("run.layer_started", facts)

    # -- Bronze

    def extract(self, mode: str, first: int | None, until: int, days: Sequence[int], *, read: int) -> None:
        """Bronze: a batch for each of some days, the look at the source, and the end of the layer."""
        past = self.past
        begin = None if first is None else past.cursor(first)
        extraction = {"cursor_from": begin, "cursor_to": past.cursor(until), "mode": mode, "source": SOURCE}
        self.start_layer("bronze", extraction)
        if days:
            past.save(past.chance.randrange(40, 400))
            for day in days:
                self._append(day, until)
            rows = POSTS_A_FILE * len(days)
            self.published(BRONZE, len(days), rows)
            self.appended = [rows, sum(past.bronze[day].bytes for day in days)]
        look(past, self.id, self.by, begin, past.cursor(until), posts=read, newest=past.iso[past.today])
        self._end_of_bronze(days, read)

    def _end_of_bronze(self, days: Sequence[int], read: int) -> None:
        rows, size = self.appended
        zero = ("beyond", "controls", "moved", "outside", "passed_over", "recounted", "recovered", "rejected",
                "rejected_appended", "undated", "withheld")  # fmt: skip
        source: Facts = dict.fromkeys(zero, 0)
        source |= {"appended": rows, "duplicates": max(0, read - rows), "files": 1, "lines": read, "odd": {}}
        source["posts"] = read
        self.completed = {"bytes": size, "layer": "bronze", "partitions": len(days), "rows": rows, "source": source}

    def _append(self, day: int, until: int) -> None:
        past, file = self.past, self.past.bronze[day]
        path = f"{BRONZE}/{FOLDERS[BRONZE]}{past.iso[day]}/{self.id}-1.parquet"
        past.link(path, day)
        past.contents[day] += ("," if past.contents[day] else "") + file.sha256
        line = f"{BRONZE} {past.iso[day]} {past.contents[day]}"
        past.lines[BRONZE][day] = self.lines[BRONZE][day] = line  # visible at once, whatever becomes of the run
        listed = f'{{"bytes":{file.bytes},"path":"{path}","rows":{POSTS_A_FILE},"sha256":"{file.sha256}"}}'
        past.book.add(
            self.id, "run.batch_appended", self.by,
            f'{{"bytes":{file.bytes},"cursor":"{past.cursor(until)}","dataset":"{BRONZE}","dropped":0,'
            f'"files":[{listed}],"layer":"bronze","logic_version":1,"partition":"{past.iso[day]}",'
            f'"rows":{POSTS_A_FILE}}}',
        )  # fmt: skip

    def complete_bronze(self) -> None:
        self.past.save()
        self.tell("run.layer_completed", {**self.completed, "duration_ms": self.past.chance.randrange(40, 900)}, 3)

    # -- Silver and Gold

    def rebuild(self, layer: str, planned: dict[str, list[int]], fails_at: int = -1, stops_at: int = -1) -> bool:
        """A layer, a save a window. It fails before the window of a number, and goes on; or stops there: False."""
        self.start_layer(layer)
        base, number, start = self.past.book.position, 0, self.past.now
        for dataset in DERIVED[layer]:
            self.built.setdefault(dataset, {})
            for first, last in cut(planned.get(dataset, [])):
                if number == stops_at:
                    return False
                if number == fails_at:
                    self._fail(layer, dataset, first)
                    base = self.past.book.position
                number += 1
                self.past.save(self.past.chance.randrange(20, 400))
                for day in range(first, last + 1):
                    self._partition(dataset, layer, day, base)
        built = [version for name in DERIVED[layer] for _, version in self.built[name].values()]
        self.past.save()
        sums = {"bytes": sum(v.bytes for v in built), "partitions": len(built), "rows": sum(v.rows for v in built)}
        took = int((self.past.now - start) / timedelta(milliseconds=1))
        self.tell("run.layer_completed", {**sums, "duration_ms": took, "layer": layer, "source": None}, 3)
        return True

    def _fail(self, layer: str, dataset: str, day: int) -> None:
        said = "no space left on device while writing a window"
        self.past.save()
        facts = {"attempt": self.attempt, "dataset": dataset, "error": "disk-full", "layer": layer, "message": said}
        self.tell("run.layer_failed", {**facts, "partition": self.past.iso[day]})
        kind = "backfill" if self.id.startswith("bf-") else "incremental_run"
        self.tell(f"{kind}.failed", {"errors": {layer: 1}, "reason": said})
        self.past.save(600_000)
        self.attempt += 1
        self.start_layer(layer)

    def _inputs(self, dataset: str, day: int) -> str:
        lines = self.lines
        if dataset == BASELINES:
            read = [line for line in lines[METRICS][max(0, day - LOOK_BACK) : day] if line]
        elif dataset == SIGNALS:
            read = [line for line in (lines[METRICS][day], lines[BASELINES][day]) if line]
        else:
            line = lines[BRONZE if dataset == SILVER else SILVER][day]
            read = [line] if line else []
        text = "\n".join([f"{dataset} v1 {self.past.iso[day]}", *read])
        return hashlib.sha256(text.encode()).hexdigest()

    def _partition(self, dataset: str, layer: str, day: int, base: int) -> None:
        past, there = self.past, self.past.current[dataset][day]
        inputs, drawn, iso = self._inputs(dataset, day), past.chance.random(), past.iso[day]
        took = 4 + int(drawn * 60)
        if there is not None and there.inputs == inputs and not self.forced:
            outcome, version, took = "reused", there, 0
        elif there is not None and (there.inputs == inputs or drawn < 0.1):
            outcome, version = "identical", there._replace(inputs=inputs)
        else:
            outcome, rows = "written", 18 + int(drawn * 23)
            path = f"{dataset}/{FOLDERS[dataset]}{iso}/{self.id}-1.parquet"
            sha256, size = hashlib.sha256(path.encode()).hexdigest(), 1500 + 30 * rows
            file = f'{{"bytes":{size},"path":"{path}","rows":{rows},"sha256":"{sha256}"}}'
            version = Version(file, sha256, rows, size, inputs)
            self.lines[dataset][day] = f"{dataset} {iso} {sha256}"
        self.seen[dataset][day] = version
        self.built[dataset][day] = (outcome, version)
        past.book.add(
            self.id, "run.partition_rebuilt", self.by,
            f'{{"base":{base},"bytes":{version.bytes},"dataset":"{dataset}","duration_ms":{took},'
            f'"files":[{version.file}],"inputs":"{inputs}","layer":"{layer}","logic_version":1,"outcome":"{outcome}",'
            f'"partition":"{iso}","previous_rows":{"null" if there is None else there.rows},"rows":{version.rows}}}',
            2,
        )  # fmt: skip

    # -- the end

    def find_anomaly(self) -> None:
        """A volume outside its bounds, of the first partition that was written."""
        for dataset, days in self.built.items():
            for day, (outcome, version) in days.items():
                if outcome == "written":
                    self.past.save()
                    facts = {
                        "dataset": dataset,
                        "layer": LAYER_OF[dataset],
                        "logic_version": 1,
                        "rule": "own previous version: drop",
                    }
                    facts |= {"partition": self.past.iso[day], "observed": version.rows}
                    self.tell("run.anomaly_detected", {**facts, "allowed": 20, "expected": version.rows + 40})
                    return

    def publish(self, kind: str) -> None:
        """One save: published, the end of the run, and the locks of its datasets."""
        past = self.past
        past.save()
        told: list[Facts] = []
        totals = dict.fromkeys(("partitions", "rows", "bytes", "written", "identical", "reused"), 0)
        for name, days in sorted(self.built.items()):
            sums = dict.fromkeys(totals, 0)
            for outcome, version in days.values():
                sums["partitions"] += 1
                sums["rows"] += version.rows
                sums["bytes"] += version.bytes
                sums[outcome] += 1
            if days:
                told.append({**sums, "dataset": name, "logic_version": 1})
                totals = {what: count + sums[what] for what, count in totals.items()}
        self.tell("run.published", {"base": past.book.position, "datasets": told})
        totals |= {"appended_rows": self.appended[0], "appended_bytes": self.appended[1]}
        self.tell(kind, {"totals": totals})
        for one in told:
            self.published(one["dataset"], one["partitions"], one["rows"])
        past.current, past.lines = self.seen, self.lines

    def published(self, dataset: str, partitions: int, rows: int) -> None:
        """The lock of a dataset."""
        self.past.book.add(
            f"dataset-{dataset}", "dataset.published", self.by,
            f'{{"logic_version":1,"partitions":{partitions},"rows":{rows},"run":"{self.id}"}}',
        )  # fmt: skip


def look(
    past: Past, run: str | None, by: str, begin: str | None, until: str, *, posts: int, newest: str | None
) -> None:
    """A look at the source, of a run or by itself."""
    past.save()
    zero = ("beyond", "controls", "outside", "rejected", "undated")
    found: Facts = dict.fromkeys(zero, 0)
    found |= {"bytes": 90 * posts, "files": 1, "lines": posts, "newest": newest, "odd": {}, "posts": posts}
    facts: Facts = {"cursor_from": begin, "cursor_to": until, "found": found, "late": None, "passed_over": []}
    facts |= {"pipeline": "x", "run": run, "source": SOURCE}
    past.book.add(past.new_id("look"), "source.looked", by, canonical(facts).decode(), 2)


def told_windows(past: Past, planned: dict[str, list[int]]) -> list[Facts]:
    """The windows of a plan as events carry them."""
    return [
        {"dataset": name, "first": past.iso[first], "last": past.iso[last], "layer": LAYER_OF[name],
         "logic_version": 1, "partitions": last - first + 1}
        for name, days in planned.items()
        for first, last in cut(days)
    ]  # fmt: skip


def daily(past: Past) -> None:
    """The incremental run of the next day; of five, one is given an edit of an earlier day, too."""
    past.today += 1
    day = past.today
    begin = past.cursor(day)
    past.now = max(past.now, datetime.fromisoformat(begin) + timedelta(hours=26))
    past.save()
    run = Run(past, past.new_id("run"), "worker")
    run.tell("incremental_run.started", {"cursor_from": begin, "cursor_to": past.cursor(day + 1), "pipeline": "x"})
    edited = {day - past.chance.randrange(1, 21)} if past.chance.random() < 0.2 else set[int]()
    days = sorted({day} | {one for one in edited if one >= 0})
    run.extract("incremental", day, day + 1, days, read=POSTS_A_FILE * len(days))
    planned = closure(past, days, BRONZE, day)
    past.save()
    facts = {"base": past.book.position, "reason": "the days of the run", "windows": told_windows(past, planned)}
    run.tell("run.plan_extended", facts)
    run.complete_bronze()
    run.rebuild("silver", planned)
    run.rebuild("gold", planned, fails_at=1 if past.chance.random() < 0.02 else -1)
    if past.chance.random() < 0.03:
        run.find_anomaly()
    run.publish("incremental_run.succeeded")
    moved = {"cursor": past.cursor(day + 1), "cursor_before": begin, "run": run.id}
    past.book.add("pipeline-x", "pipeline_state.advanced", run.by, canonical(moved).decode())


def backfill(past: Past, room: int, *, is_last: bool = False) -> bool:
    """The next backfill, of at most `room` events; False: there is not room enough, of the last ones for any at all."""
    if past.wish is None:
        kind, dataset = past.pick((one[:2], one[2]) for one in BACKFILLS)
        past.wish = (kind, dataset, past.chance.randrange(1, min(past.pick(SPANS), past.today + 1) + 1))
    kind, dataset, days = past.wish
    reach = (room - 150) // 4
    if reach < (1 if is_last else days):
        return False
    past.wish, days = None, min(days, reach)
    first = past.chance.randrange(past.today + 2 - days)
    asked = range(first, first + days)
    end = past.pick(ENDS, "completed")
    past.save(20_000)
    run = Run(past, past.new_id("bf"), past.chance.choice(PEOPLE), forced=kind == "forced")
    planned = closure(past, asked, dataset)
    digest = _request(past, run, kind, dataset, asked, planned, review=end == "held")
    other = PEOPLE[(PEOPLE.index(run.by) + 1) % len(PEOPLE)]
    past.save(60_000)
    if end == "rejected":
        why = {"plan_digest": digest, "policy_digest": past.known.policy_digest}
        run.tell("backfill.rejected", {**why, "reason": "the range is too wide, ask for less", **ALONE}, 2, by=other)
        return True
    if end == "expired":
        run.tell("backfill.expired", {"days": 30}, by="worker")
        return True
    facts = {"judged": None, "plan_digest": digest, "policy_digest": past.known.policy_digest, "rule": None}
    run.tell("backfill.approved", {**facts, **ALONE}, 3, by=other)
    if end == "paused":
        past.save()
        run.tell("backfill.paused", {"reason": "after the close of the market, please"}, by=other)
        past.save(600_000)
        run.tell("backfill.resumed", {}, by=other)
    if _drive(past, run, dataset, asked, planned, end):
        _finish(past, run, end, other)
    return True


def _request(
    past: Past, run: Run, kind: str, dataset: str, asked: range, planned: dict[str, list[int]], *, review: bool
) -> str:
    """Requested and planned, in one save. Returns the digest of the plan."""
    layers = list(dict.fromkeys([LAYER_OF[dataset], *(LAYER_OF[name] for name in planned)]))
    ticket = "INC-4300" if kind == "forced" else None
    request = {
        "allow_overlap": [], "cursor": None, "dataset": dataset, "first": past.iso[asked[0]], "group": None,
        "kind": kind, "last": past.iso[asked[-1]], "layers": layers, "mode": "backfill", "override_state": False,
        "priority": "low", "reason": "the API was down, its posts came in later", "review": review,
        "state_use": "ignore", "ticket": ticket,
    }  # fmt: skip
    run.tell("backfill.requested", request)
    count = sum(len(days) for days in planned.values())
    likely = {"rows": 29 * count, "bytes": 2370 * count, "seconds": count // 20, "source_calls": 0}
    pins = {name: {"fingerprint": past.known.fingerprints[name], "logic_version": 1} for name in {dataset, *planned}}
    plan = {
        "base": past.book.position - 1, "definitions": pins,
        "estimate": {name: {"high": 2 * n, "likely": n, "low": n // 2} for name, n in likely.items()},
        "policy_digest": past.known.policy_digest, "source": SOURCE if dataset == BRONZE else None,
        "state_read": None, "windows": told_windows(past, planned),
    }  # fmt: skip
    digest = plan_digest(request, plan)
    run.tell("backfill.planned", {**plan, "digest": digest}, 3)
    return digest


def _drive(past: Past, run: Run, dataset: str, asked: range, planned: dict[str, list[int]], end: str) -> bool:
    """Its layers; False: it was cancelled in between."""
    past.save(30_000)
    if dataset == BRONZE:
        late = min(past.chance.randrange(max(9, len(asked) // 6)), len(asked), past.batches_left)
        past.batches_left -= late
        days = sorted(past.chance.sample(asked, late))
        run.extract("backfill", asked[0], asked[-1] + 1, days, read=POSTS_A_FILE * len(asked))
        run.complete_bronze()
    if SILVER in planned:
        run.rebuild("silver", planned)
    windows = sum(len(cut(planned.get(name, []))) for name in DERIVED["gold"])
    at = past.chance.randrange(windows)
    if not run.rebuild("gold", planned, at if end == "failed" else -1, at if end == "cancelled" else -1):
        past.save()
        run.tell("backfill.cancelled", {"reason": "asked for by mistake, see INC-4211"}, by=PEOPLE[0])
        return False
    return True


def _finish(past: Past, run: Run, end: str, other: str) -> None:
    if past.chance.random() < 0.05:
        run.find_anomaly()
    if end == "held":
        past.save()
        looked_at = hashlib.sha256(run.id.encode()).hexdigest()
        run.tell("run.held", {"anomalies": 0, "candidates": looked_at, "why": "a review was asked for"})
        past.save(600_000)
        run.tell("run.released", {"candidates": looked_at, "reason": "compared with what was there"}, by=other)
        run.attempt += 1
        run.start_layer("publication")
    before = past.current, {**past.lines}
    run.publish("backfill.completed")
    if end == "reverted":
        past.save(60_000)
        names = sorted(name for name, days in run.built.items() if days)
        run.tell("backfill.reverted", {"datasets": names, "reason": "its late posts were another customer's"}, by=other)
        for name in names:
            past.book.add(f"dataset-{name}", "dataset.reverted", other, f'{{"run":"{run.id}"}}')
        past.current, lines = before
        past.lines = {**lines, BRONZE: run.lines[BRONZE]}  # Bronze stays as it is


def live(past: Past, events: int, progress: Callable[[int], None]) -> None:
    """All days, each with its daily run and, ever more with the years, its backfills: so many events, and no other."""
    book, begun = past.book, past.book.position
    for _ in range(past.days):
        daily(past)
        share = (past.today + 1) / past.days
        while backfill(past, int(events * share * share) - (book.position - begun)):
            pass
        progress(book.position)
    while book.position - begun < events:
        if not backfill(past, events - (book.position - begun), is_last=True):
            look(past, None, "worker", None, past.cursor(past.days), posts=9, newest=past.iso[past.today])
