"""The ledger as an application: loading, old events, unknown events, saves that conflict."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import orjson
import pytest
from eventsourcing.persistence import StoredEvent
from sqlalchemy import Engine, text

from tests.golden.record import answers, load
from tests.kit.facts import EXECUTOR, candidate, opened, plan, registered, requested, submit, versioned, window
from tests.kit.given import Fact, state, stored, whole
from tests.kit.stores import LEDGER
from tests.kit.tree import GOLDEN
from tradex_ledger.clock import utc_now
from tradex_ledger.domain.alerts import AlertLog
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.base import EVENTS, UNSAVED, CreatedEvent, Event
from tradex_ledger.domain.dataset import Dataset
from tradex_ledger.domain.day import day_of
from tradex_ledger.domain.pipeline_state import PipelineState
from tradex_ledger.domain.policy import Policy
from tradex_ledger.domain.protection import Protection
from tradex_ledger.ledger import loading
from tradex_ledger.ledger.application import Ledger, WriterConflictError, ledger_in
from tradex_ledger.ledger.ask import tracked
from tradex_ledger.ledger.entry import canonical
from tradex_ledger.ledger.event import UnknownEventError
from tradex_ledger.ledger.loading import ALL_EVENTS
from tradex_ledger.ledger.log import Happened
from tradex_ledger.ledger.mapper import EntryMapper
from tradex_ledger.ledger.named import AmbiguousIdError, NoSuchStreamError, ShortIdError
from tradex_ledger.ledger.recorder import Recorder
from tradex_ledger.ledger.rows import Row, check_row_of

DAYS = 28


@contextmanager
def opened_ledger(engine: Engine) -> Iterator[Ledger]:
    ledger = ledger_in(engine, utc_now)
    try:
        yield ledger
    finally:
        ledger.close()


def test_how_far_a_follower_has_come_is_kept_beside_the_events_and_only_grows(engine: Engine) -> None:
    with opened_ledger(engine) as ledger, opened_ledger(engine) as another:
        assert tracked(ledger.store, "feed desk") is None
        ledger.track("feed desk", 0)
        ledger.track("feed desk", 7)
        assert [tracked(one.store, "feed desk") for one in (ledger, another)] == [7, 7]
        for earlier in (7, 3):
            with pytest.raises(WriterConflictError, match="feed desk"):
                another.track("feed desk", earlier)
        another.track("feed other", 3)
        assert (tracked(ledger.store, "feed desk"), tracked(ledger.store, "feed other")) == (7, 3)
        assert ledger.position() == 0


def drive_a_month(ledger: Ledger) -> str:
    """A backfill of 28 days, saved step by step."""
    whole = plan(window(first="2024-01-01", last=f"2024-01-{DAYS}", partitions=DAYS))
    backfill = submit()
    backfill.record_plan(whole, by="ana")
    backfill.approve(whole.digest, by="ben", policy=Policy())
    ledger.append(backfill)
    for layer in ("bronze", "silver"):
        backfill.start_layer(layer, executor=EXECUTOR, extraction=None, by="driver")
        ledger.append(backfill)
        if layer == "silver":
            for number in range(1, DAYS + 1):
                facts = candidate(f"2024-01-{number:02}", rows=number)
                backfill.rebuild_partitions("silver_social_events", [facts], by="driver")
                ledger.append(backfill)
        backfill.complete_layer(duration_ms=1, source=None, by="driver")
        ledger.append(backfill)
    return backfill.id


# -- loading


def many(engine: Engine, stream: str, topic: str, count: int, **facts: Any) -> None:
    """Events of one topic, as many as a stream gathers in years."""
    recorder = Recorder(engine, utc_now)
    with opened_ledger(engine) as ledger:
        first = ledger.version_of(stream) + 1
    said = {"originator_id": stream, "timestamp": UNSAVED, "by": "ana", **facts}
    made = [EVENTS[topic](originator_version=n, **said) for n in range(first, first + count)]
    recorder.insert_events([Happened(event) for event in made])


def publications(engine: Engine, count: int) -> None:
    many(engine, "dataset-silver_x", "dataset.published", count, run="run-1", logic_version=1, partitions=1, rows=9)


HELD = Protection(day_of("2024-01-01"), day_of("2024-01-02"), "a hold of number 2")


def made_dataset(ledger: Ledger) -> Dataset:
    dataset = Dataset.register(
        "silver_x", pipeline="x", layer="silver", partition_column="event_date", component=None, by="ana"
    )
    dataset.protect(
        day_of("2024-01-01"), day_of("2024-01-02"), reason="a legal hold on these days", by="ana", policy=Policy()
    )
    ledger.append(dataset)
    return dataset


def test_an_aggregate_of_a_long_stream_is_the_same_as_when_all_events_are_replayed(engine: Engine):
    with opened_ledger(engine) as ledger:
        made_dataset(ledger)
        ledger.append(PipelineState.open("x", cursor=None, by="ana"))
        ledger.append(AlertLog.open(0, by="ana"))
        for round_ in range(3):
            publications(engine, 200)
            moves = {"run": "run-1", "cursor_before": None, "cursor": f"2024-01-0{round_ + 1}T00:00:00Z"}
            many(engine, "pipeline-x", "pipeline_state.advanced", 200, **moves)
            many(engine, "pipeline-x", "pipeline_state.overridden", 1, **moves | {"cursor": "2024-01-09T00:00:00Z"})
            many(engine, "alerts", "alerts.receiver_reached", 1, receiver=f"r{round_}", position=round_, beyond=[])
            many(engine, "alerts", "alerts.delivered", 200, position=round_ + 1, receivers=2, beyond=[])
            dataset = ledger.get(Dataset, "dataset-silver_x")
            dataset.unprotect(
                day_of("2024-01-01"), day_of("2024-01-02"), reason="the hold is over by now", by="ana", policy=Policy()
            )
            dataset.protect(
                day_of("2024-01-01"),
                day_of("2024-01-02"),
                reason=f"a hold of number {round_}",
                by="ana",
                policy=Policy(),
            )
            ledger.append(dataset)
        for cls, stream in ((Dataset, "dataset-silver_x"), (PipelineState, "pipeline-x"), (AlertLog, "alerts")):
            replayed = whole(engine, stream)
            assert state(ledger.get(cls, stream)) == state(replayed)
            assert ledger.get(cls, stream).version == replayed.version > ALL_EVENTS
        assert ledger.get(PipelineState, "pipeline-x").cursor == "2024-01-09T00:00:00Z"
        assert ledger.get(Dataset, "dataset-silver_x").protected == [HELD]


@pytest.mark.parametrize("kind", sorted(EVENTS))
def test_an_event_that_supersedes_the_earlier_ones_of_its_topic_assigns_every_time_the_same_names(kind: str):
    if not EVENTS[kind].SUPERSEDES:
        return

    class Assigned:
        pass

    event = object.__new__(EVENTS[kind])
    for name in EVENTS[kind].FACTS:
        object.__setattr__(event, name, "a value")
    kept: Any = Assigned()
    event.apply(kept)  # what it reads of the aggregate, or changes in place, would not be there
    assert vars(kept)


def test_of_a_long_stream_only_the_events_that_count_are_read(engine: Engine, monkeypatch: pytest.MonkeyPatch):
    with opened_ledger(engine) as ledger:
        made_dataset(ledger)
        publications(engine, 3_000)
        read: list[int] = []

        def noted(ledger: str, row: Row, stream: str) -> bytes:
            read.append(row[2])
            return check_row_of(ledger, row, stream)

        monkeypatch.setattr(loading, "check_row_of", noted)
        assert ledger.get(Dataset, "dataset-silver_x").version == 3_002
        assert read == [1, 2, 3_002]


def test_a_stream_is_read_by_the_index_over_stream_and_topic(engine: Engine):
    with engine.connect() as connection:
        for statement in (
            "select topic, count(*), sum(version), max(version) from events where stream = 'a' group by topic",
            "select * from events where stream = 'a' and topic in ('b', 'c')",
        ):
            if engine.dialect.name == "sqlite":
                way = str(connection.execute(text(f"explain query plan {statement}")).fetchall())
                assert "INDEX events_by_stream_topic (stream=?" in way
            else:
                connection.execute(text("set local enable_seqscan = off"))  # of so few rows it would read all
                way = " ".join(connection.execute(text(f"explain {statement}")).scalars())
                assert "events_by_stream_topic" in way
                assert "(stream = 'a'" in way


# -- events of other versions


class Arrived(CreatedEvent):
    """An event whose second version says kilograms, where the first said grams."""

    TOPIC: ClassVar[str] = "test_parcel.arrived"
    class_version: ClassVar[int] = 3
    weight_kg: int
    colour: str

    @staticmethod
    def upcast_v1_v2(data: dict[str, Any]) -> None:
        data["weight_kg"] = data.pop("weight_g") // 1000

    @staticmethod
    def upcast_v2_v3(data: dict[str, Any]) -> None:
        data["colour"] = "brown"


def handed_back(topic: str, version: int, data: dict[str, Any]) -> StoredEvent:
    """An event of some version as the ledger hands it back."""
    entry = {"at": "2024-01-01T00:00:00.000000Z", "by": "ana", "data": data, "ledger": LEDGER, "position": 1}
    entry |= {"stream": "parcel-1", "topic": topic, "v": version, "version": 1}
    return StoredEvent("parcel-1", 1, topic, canonical(entry))


@pytest.mark.parametrize(
    ("version", "data"),
    [(1, {"weight_g": 5000}), (2, {"weight_kg": 5}), (3, {"weight_kg": 5, "colour": "brown"})],
)
def test_an_old_event_is_brought_to_the_newest_version_step_by_step(version: int, data: dict[str, Any]):
    event: Any = EntryMapper().to_domain_event(handed_back(Arrived.TOPIC, version, data))
    assert type(event) is Arrived
    assert (event.weight_kg, event.colour, event.by) == (5, "brown", "ana")


def test_an_event_is_written_in_the_newest_version():
    fact = Fact(Arrived, "ana", {"weight_kg": 5, "colour": "red"})
    entry = orjson.loads(stored("parcel-1", 1, fact).state)
    assert (entry["v"], entry["data"]) == (3, {"colour": "red", "weight_kg": 5})


def test_an_event_of_a_newer_version_is_refused_by_name():
    with pytest.raises(UnknownEventError, match=r"test_parcel\.arrived v4") as caught:
        EntryMapper().to_domain_event(handed_back(Arrived.TOPIC, 4, {"weight_kg": 5}))
    assert caught.value.code == "unknown-event"
    assert "newer" in caught.value.mend


@pytest.mark.parametrize(
    "topic",
    [
        "backfill.teleported",
        "run.nothing",
        "nothing.at.all",
        "dataset",
        "pipeline_state",
        "snapshot",
        "snapshot.taken",
        "",
    ],
)
def test_an_event_that_nobody_knows_is_refused_by_name(topic: str):
    with pytest.raises(UnknownEventError) as caught:
        EntryMapper().to_domain_event(handed_back(topic, 1, {}))
    assert topic in caught.value.message


@pytest.mark.parametrize("topic", ["antigravity", "this", "json.tool", "os:system", "subprocess:run"])
def test_the_topic_of_an_event_never_makes_the_program_import_or_call_anything(topic: str):
    module = topic.partition(":")[0]
    known = module in sys.modules
    with pytest.raises(UnknownEventError):
        EntryMapper().to_domain_event(handed_back(topic, 1, {}))
    assert (module in sys.modules) == known


def test_an_unknown_event_in_a_stream_stops_its_replay_and_no_other(engine: Engine):
    with opened_ledger(engine) as ledger:
        ledger.append(PipelineState.open("x", cursor=None, by="ana"))
        body = canonical({"by": "ana", "data": {}, "v": 1})
        Recorder(engine, utc_now).insert_events(
            [StoredEvent("dataset-a", 1, "dataset.teleported", body)],
        )
        with pytest.raises(UnknownEventError, match=r"dataset\.teleported v1"):
            ledger.get(Dataset, "dataset-a")
        assert ledger.get(PipelineState, "pipeline-x").pipeline == "x"


# -- saves and look-ups


def test_of_two_saves_from_the_same_version_the_second_conflicts_and_stores_nothing(engine: Engine):
    with opened_ledger(engine) as ledger:
        run_id = drive_a_month(ledger)
        state_of_x = PipelineState.open("x", cursor=None, by="ana")
        one, two = ledger.get(Backfill, run_id), ledger.get(Backfill, run_id)
        one.cancel(reason="the vendor delivered other days", by="ben", policy=Policy())
        ledger.append(one)
        before = ledger.position()
        two.cancel(reason="the vendor delivered nothing new", by="eve", policy=Policy())
        with pytest.raises(WriterConflictError) as caught:
            ledger.append(state_of_x, two)
        assert caught.value.streams == ["pipeline-x", run_id]
        assert ledger.position() == before
        assert ledger.version_of("pipeline-x") == 0


def test_an_append_returns_the_position_after_it(engine: Engine):
    with opened_ledger(engine) as ledger:
        assert ledger.position() == 0
        assert ledger.append(submit()) == 1
        assert ledger.append() == 1
        assert ledger.append(PipelineState.open("x", cursor=None, by="ana")) == ledger.position() == 2


def test_a_stream_that_is_not_there_or_of_another_kind_is_not_found(engine: Engine):
    with opened_ledger(engine) as ledger:
        ledger.append(submit())
        for cls, stream in ((Backfill, "bf-2"), (Dataset, "bf-1"), (Backfill, "")):
            with pytest.raises(NoSuchStreamError) as caught:
                ledger.get(cls, stream)
            assert caught.value.exit_status == 4


def test_a_run_is_found_by_any_unique_beginning_of_its_id(engine: Engine):
    with opened_ledger(engine) as ledger:
        for run_id in ("bf-1111", "bf-11112", "bf-1112", "bf-2222a"):
            ledger.append(submit(run_id=run_id))
        assert ledger.find_run("bf-2222") == ledger.find_run("2222") == "bf-2222a"
        assert ledger.find_run("bf-1111") == ledger.find_run("1111") == "bf-1111"  # whole ids come first
        ledger.append(submit(run_id="bf-2222b"))
        with pytest.raises(AmbiguousIdError, match="2 runs"):
            ledger.find_run("bf-2222")
        for short in ("", "bf-", "bf-222", "222", "run-"):
            with pytest.raises(ShortIdError, match="too short for an id"):
                ledger.find_run(short)
        for missing in ("bf-3333", "run-1111", "xyzz"):
            with pytest.raises(NoSuchStreamError, match=missing):
                ledger.find_run(missing)


def test_every_kind_of_aggregate_comes_back_as_it_was_saved(engine: Engine):
    with opened_ledger(engine) as ledger:
        body: dict[str, tuple[Fact, ...]] = {
            "dataset-silver_x": (registered(), versioned()),
            "pipeline-x": (opened(),),
            "bf-1": (requested(),),
        }
        recorder = Recorder(engine, utc_now)
        for stream, facts in body.items():
            for version, fact in enumerate(facts, start=1):
                entry = orjson.loads(stored(stream, version, fact).state)
                state_bytes = canonical({name: entry[name] for name in ("by", "data", "v")})
                recorder.insert_events([StoredEvent(stream, version, fact.kind.TOPIC, state_bytes)])
        assert ledger.get(Dataset, "dataset-silver_x").logic_version == 1
        assert ledger.get(PipelineState, "pipeline-x").pipeline == "x"
        assert ledger.get(Backfill, "bf-1").status == "REQUESTED"
        assert issubclass(Backfill.Requested, Event)


# -- a ledger of the past


def narrowed(found: Any, recorded: Any) -> Any:
    """What is found, of what was recorded: answers may grow, they may not change."""
    if isinstance(recorded, dict) and isinstance(found, dict):
        return {name: narrowed(found.get(name), value) for name, value in recorded.items()}
    return found


@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDEN.glob("ledger_v*.jsonl")))
def test_a_golden_ledger_of_every_format_is_replayed_to_the_recorded_answers(name: str, url: str):
    lines = (GOLDEN / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    recorded = json.loads((GOLDEN / f"{name}.answers.json").read_text(encoding="utf-8"))
    engine, held = load(lines, url)
    assert held == lines  # byte for byte: the form of an entry is the same
    with opened_ledger(engine) as ledger:
        found = answers(ledger)
    engine.dispose()
    assert narrowed(found["aggregates"], recorded["aggregates"]) == recorded["aggregates"]
    for projection, rows in recorded["projections"].items():
        shown = [
            {column: row[column] for column in rows[0]} if rows else row for row in found["projections"][projection]
        ]
        assert sorted(shown, key=json.dumps) == sorted(rows, key=json.dumps), projection


@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDEN.glob("ledger_v*.jsonl")))
def test_a_plan_of_any_version_has_the_digest_it_was_approved_by(name: str, url: str):
    engine, _ = load((GOLDEN / f"{name}.jsonl").read_text(encoding="utf-8").splitlines(), url)
    with opened_ledger(engine) as ledger:
        planned = [ledger.get(Backfill, run_id) for run_id in ledger.streams_of("backfill.requested")]
        assert planned
        for backfill in planned:
            assert backfill.plan
            assert backfill.plan.bound_to(backfill.request.to_event()) == backfill.plan
    engine.dispose()


def test_there_is_a_golden_ledger():
    assert (GOLDEN / "ledger_v1.jsonl").is_file()
