"""The contracts under `schema/`: the data of each event, and the columns of each projection."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from jsonschema import Draft202012Validator

from tests import worlds
from tests.kit import small, story_of_rules, x_platform
from tests.kit.check import check_everything, read_record
from tests.kit.examples import blocks, commands, words
from tests.kit.lake import projection
from tradex_ledger.domain.base import EVENTS, CreatedEvent, Event
from tradex_ledger.domain.retraction import Retraction
from tradex_ledger.ledger.entry import Entry
from tradex_ledger.resources import names, read_text
from tradex_ledger.views import add_projections, open_views, projected, resolve
from tradex_ledger.workspace import Workspace

TOPICS = {
    "alerts.acknowledged",
    "alerts.delivered",
    "alerts.receiver_reached",
    "alerts.opened",
    "approver_keys.added",
    "approver_keys.opened",
    "approver_keys.proposed",
    "approver_keys.rejected",
    "approver_keys.revoked",
    "backfill.approved",
    "backfill.cancelled",
    "backfill.completed",
    "backfill.expired",
    "backfill.failed",
    "backfill.paused",
    "backfill.planned",
    "backfill.rejected",
    "backfill.requested",
    "backfill.resumed",
    "backfill.reverted",
    "backfill.state_overridden",
    "dataset.engine_accepted",
    "dataset.engine_checked",
    "dataset.erasure_approved",
    "dataset.erasure_ended",
    "dataset.erasure_planned",
    "dataset.files_erased",
    "dataset.files_lost",
    "dataset.files_pruned",
    "dataset.logic_versioned",
    "dataset.loss_declared",
    "dataset.partitions_protected",
    "dataset.partitions_unprotected",
    "dataset.prune_planned",
    "dataset.published",
    "dataset.registered",
    "dataset.reverted",
    "dataset.version_deprecated",
    "dataset.version_restored",
    "incremental_run.cancelled",
    "incremental_run.failed",
    "incremental_run.started",
    "incremental_run.succeeded",
    "lake.collected",
    "lake.epoch_begun",
    "lake.epoch_planned",
    "lake.ledger_move_planned",
    "lake.ledger_moved",
    "lake.opened",
    "ledger.clock_accepted",
    "ledger.clock_held_back",
    "ledger.cursor_ahead",
    "ledger.cursor_behind",
    "pipeline_state.advanced",
    "pipeline_state.opened",
    "pipeline_state.overridden",
    "policy.expired",
    "policy.proposed",
    "policy.recorded",
    "policy.rejected",
    "policy.set",
    "quarantine.released",
    "quarantine.told",
    "retraction.told",
    "run.anomaly_detected",
    "run.contents_differed",
    "run.batch_appended",
    "run.held",
    "run.layer_completed",
    "run.layer_failed",
    "run.layer_started",
    "run.page_fetched",
    "run.partition_rebuilt",
    "run.plan_extended",
    "run.published",
    "run.released",
    "run.sla_exceeded",
    "seal.key_announced",
    "source.looked",
    "source_count.taken",
}
STREAMS = {
    "alerts": re.compile(r"^alerts$"),
    "approver_keys": re.compile(r"^approver_keys$"),
    "backfill": re.compile(r"^bf-[0-9a-z]{13}$"),
    "incremental_run": re.compile(r"^run-[0-9a-z]{13}$"),
    "run": re.compile(r"^(bf|run)-[0-9a-z]{13}$"),
    "dataset": re.compile(r"^dataset-[a-z][a-z0-9_]*$"),
    "ledger": re.compile(r"^clock-[0-9a-z-]+$"),
    "lake": re.compile(r"^lake$"),
    "source": re.compile(r"^look-[0-9a-z]{13}$"),
    "retraction": re.compile(r"^retr-[0-9a-z]{13}$"),
    "quarantine": re.compile(r"^quar-[0-9a-z]{13}$"),
    "seal": re.compile(r"^seal-[0-9a-f]{8}$"),
    "source_count": re.compile(r"^count-[0-9a-z]{13}$"),
    "policy": re.compile(r"^policy$"),
    "pipeline_state": re.compile(r"^pipeline-[a-z][a-z0-9_]*$"),
}


def event_classes(base: type[Event] = Event) -> Iterator[type[Event]]:
    """Every event class of the domain that has a topic of its own."""
    for cls in base.__subclasses__():
        if cls.__module__.startswith("tradex_ledger.") and "TOPIC" in vars(cls) and "." in cls.TOPIC:
            yield cls
        yield from event_classes(cls)


CLASSES = {cls.TOPIC: EVENTS[cls.TOPIC] for cls in event_classes()}


def schema_of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(read_text("schema", "events", name))
    return found


def newest(topic: str) -> dict[str, Any]:
    """The schema of the version of an event that is written now."""
    return schema_of(f"{topic}.v{getattr(CLASSES[topic], 'class_version', 1)}.json")


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Every schema of an object inside a schema."""
    if isinstance(schema, dict):
        if "properties" in schema and schema.get("type") == "object":
            yield schema
        for value in schema.values():
            yield from objects(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from objects(value)


# -- the files


def test_the_topics_are_these_and_no_others():
    assert set(CLASSES) == TOPICS
    assert all(topic == cls.TOPIC for topic, cls in CLASSES.items())


def test_every_event_class_has_a_schema_for_each_of_its_versions_and_every_schema_its_class():
    expected = {
        f"{topic}.v{version}.json"
        for topic, cls in CLASSES.items()
        for version in range(1, getattr(cls, "class_version", 1) + 1)
    }
    assert set(names("schema/events")) == expected


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_a_schema_has_the_very_fields_of_its_class(topic: str):
    envelope = get_type_hints(CreatedEvent, include_extras=True).keys() | {"TOPIC"}
    fields = {name for name in get_type_hints(CLASSES[topic]) if name not in envelope}
    schema = newest(topic)
    assert set(schema["properties"]) == fields


@pytest.mark.parametrize("name", names("schema/events"))
def test_a_schema_is_strict_and_says_what_each_field_means(name: str):
    schema = schema_of(name)
    Draft202012Validator.check_schema(schema)
    topic, version = re.fullmatch(r"(.+)\.v(\d+)\.json", name).groups()  # type: ignore[union-attr]  # every name in the folder is such a one
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:tradex-ledger:event:{topic}:v{version}"
    assert schema["title"] == topic
    assert schema["description"].endswith(".")
    for part in objects(schema):
        assert part["additionalProperties"] is False
        assert part["required"] == sorted(part["properties"])
        assert all(field["description"].endswith(".") for field in part["properties"].values())


# -- what is really written


@pytest.fixture(scope="module")
def told() -> Iterator[Workspace]:
    """A small workspace in which each kind of event of an ordinary day happened; it is looked at only."""

    def tell(folder: Path) -> None:
        source = folder / "posts"
        small.deliver(source)
        with small.create(folder / "ws", f"files:{source}") as workspace:
            small.tell_everything(workspace, source)

    with small.reopen(worlds.made("ordinary", tell) / "ws") as workspace:
        yield workspace


@pytest.fixture(scope="module")
def entries(told: Workspace) -> list[Entry]:
    return read_record(told).entries


@pytest.fixture(scope="module")
def ruled() -> Iterator[Workspace]:
    """Another, in which the operating rules did what they do."""
    folder = worlds.made("ruled", lambda folder: story_of_rules.tell(folder / "ws", folder / "posts").close())
    with story_of_rules.used_by(folder / "ws", "ana", days=13) as workspace:
        yield workspace


@pytest.fixture(scope="module")
def called(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A third, whose source is called."""
    with x_platform.platform(20), x_platform.create(tmp_path_factory.mktemp("called") / "ws") as workspace:
        workspace.incremental.run(last=date(2024, 3, 1))
        workspace.backfills.plan(x_platform.outage(1, 1))
        told: dict[str, Any] = {
            "pipeline": "x",
            "source": "x_retractions",
            "rows": ["17"],
            "job": None,
            "file": ("1.jsonl", "0" * 64),
        }
        workspace.ledger.append(Retraction.tell("retr-0000000000001", reason="LEGAL-17, its author", by="ana", **told))
        x_platform.quarantine(workspace)
        yield workspace


@pytest.fixture(scope="module")
def all_entries(entries: list[Entry], ruled: Workspace, called: Workspace) -> list[Entry]:
    return [*entries, *read_record(ruled).entries, *read_record(called).entries]


def test_the_stories_hold_together(told: Workspace, ruled: Workspace, called: Workspace):
    check_everything(told)
    check_everything(ruled)
    check_everything(called)


def test_every_kind_of_event_happened(all_entries: list[Entry]):
    assert {entry.topic for entry in all_entries} == TOPICS


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_every_event_of_a_real_story_is_as_its_schema_says(all_entries: list[Entry], topic: str):
    version = getattr(CLASSES[topic], "class_version", 1)
    validators = {v: Draft202012Validator(schema_of(f"{topic}.v{v}.json")) for v in range(1, version + 1)}
    found = [entry for entry in all_entries if entry.topic == topic]
    for entry in found:
        problems = [f"{e.json_path}: {e.message}" for e in validators[entry.v].iter_errors(entry.data)]
        assert not problems, f"{entry.topic} at {entry.position}: {problems}"
        assert STREAMS[topic.partition(".")[0]].match(entry.stream), entry.stream
        assert entry.by


@pytest.mark.norm("N14")
@pytest.mark.norm("N22")
def test_a_backfill_of_bronze_says_mode_and_cursors_of_its_own(entries: list[Entry]):
    asked = [
        e.data["extraction"]
        for e in entries
        if e.topic == "run.layer_started" and e.stream.startswith("bf-") and e.data["layer"] == "bronze"
    ]
    assert asked
    for extraction in asked:
        assert extraction["mode"] == "backfill"
        assert extraction["cursor_from"] == "2024-01-02T00:00:00.000000Z"
        assert extraction["cursor_to"] == "2024-01-04T00:00:00.000000Z"
    requests = [e.data for e in entries if e.topic == "backfill.requested"]
    assert {(r["mode"], r["override_state"]) for r in requests} == {("backfill", False)}


@pytest.mark.norm("N18")
def test_the_layers_of_each_run_that_succeeded_came_in_the_order_of_the_flow(entries: list[Entry]):
    done = {e.stream for e in entries if e.topic in ("backfill.completed", "incremental_run.succeeded")}
    assert len(done) == 3
    for run_id in done:
        layers = [e.data["layer"] for e in entries if e.stream == run_id and e.topic == "run.layer_completed"]
        assert layers == ["bronze", "silver", "gold"]


@pytest.mark.norm("N8")
@pytest.mark.norm("N20")
def test_the_state_moved_with_the_success_of_incremental_runs_and_with_nothing_else(entries: list[Entry]):
    moves = [e for e in entries if e.topic.startswith("pipeline_state.") and e.topic != "pipeline_state.opened"]
    assert len(moves) == 2
    for move in moves:
        cause = [e for e in entries if e.topic == "incremental_run.succeeded" and e.stream == move.data["run"]]
        assert [e.at for e in cause] == [move.at]


@pytest.mark.norm("N34")
def test_each_backfill_shows_range_datasets_volume_duration_and_errors_by_stage(told: Workspace):
    (row,) = [r for r in projection(told, "runs") if r["run_kind"] == "backfill" and r["status"] == "SUCCESS"]
    assert (row["range_from"], row["range_to"]) == ("2024-01-02", "2024-01-03")
    assert row["datasets"] == ["gold_baselines", "gold_metrics", "gold_signals", "silver_social_events"]
    assert row["appended_rows"] == 1
    assert row["built_partitions"] == row["planned_partitions"] > 0
    assert row["rows"] > 0
    assert row["bytes"] > 0
    assert row["duration_ms"] > 0
    assert row["errors_by_stage"] == {"bronze": 1}


def test_a_run_that_is_at_work_again_after_a_failure_has_not_ended(told: Workspace, entries: list[Entry]):
    (failed,) = [e for e in entries if e.topic == "backfill.failed"]
    again = next(
        e
        for e in entries
        if (e.stream, e.topic) == (failed.stream, "run.layer_started") and e.position > failed.position
    )
    seen = {}
    for position in (failed.position, again.position):
        (row,) = [r for r in projection(told, "runs", str(position)) if r["run_id"] == failed.stream]
        seen[row["status"]] = row["ended_at"] is None, row["duration_ms"] is None
    assert seen == {"FAILED": (False, False), "RUNNING": (True, True)}


@pytest.mark.norm("N17")
def test_gold_is_kept_by_day_and_logic_version_and_only_runs_put_it_there(ruled: Workspace, all_entries: list[Entry]):
    gold = [row for row in projection(ruled, "partitions") if row["layer"] == "gold"]
    components = {"gold_metrics": "feature_version", "gold_baselines": "baseline_version"}
    assert {row["dataset"]: row["component"] for row in gold} == {**components, "gold_signals": "signal_version"}
    for row in gold:
        for file in row["files"]:
            assert f"{row['component']}={row['logic_version']}/" in file["path"]
            assert f"date={row['partition']}" in file["path"]
    makers = {entry.topic for entry in all_entries if entry.data.get("files") and entry.data.get("layer") == "gold"}
    assert makers == {"run.partition_rebuilt"}


# -- projections


def described(connection: Any, name: str) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in connection.execute(f'describe "{name}"').fetchall()]


def test_every_projection_has_its_columns_on_record_and_nothing_else_does():
    assert names("schema/projections") == [f"{name}.json" for name in projected.names()]


@pytest.mark.parametrize("name", projected.names())
def test_a_projection_has_the_columns_that_are_on_record(told: Workspace, name: str):
    contract = json.loads(read_text("schema", "projections", f"{name}.json"))
    assert contract["name"] == name
    assert contract["row"]
    assert all(column["meaning"] for column in contract["columns"])
    with open_views(told.ledger.store, resolve(told.ledger.store, None)) as connection:
        add_projections(connection, [name])
        assert described(connection, name) == [(c["name"], c["type"]) for c in contract["columns"]]


@pytest.mark.parametrize("name", projected.names())
def test_nor_others_where_every_kind_of_event_happened(ruled: Workspace, name: str):
    test_a_projection_has_the_columns_that_are_on_record(ruled, name)


RARE = [name for name in projected.names() if "-- Empty without " in read_text("projections", f"{name}.sql")]


def test_some_projections_are_not_worked_out_where_they_are_empty():
    assert len(RARE) == 5


@pytest.mark.parametrize("name", RARE)
def test_what_is_said_to_be_empty_without_a_topic_is_so_by_its_own_statement(ruled: Workspace, name: str):
    sql = read_text("projections", f"{name}.sql")
    said = re.search(r"^-- Empty without (\S+)\.$", sql, re.MULTILINE)
    assert said
    with open_views(ruled.ledger.store, resolve(ruled.ledger.store, None)) as connection:
        add_projections(connection, ["partitions"])  # as they were with it
        assert connection.execute(f"from ({sql})").fetchall()
        assert connection.execute("delete from ledger_events where topic = $1", [said[1]]).fetchall() > [(0,)]
        connection.execute(f"create table by_statement as {sql}")
        add_projections(connection, [name])
        assert described(connection, "by_statement") == described(connection, name)
        assert connection.execute("from by_statement").fetchall() == []


def test_columns_do_not_depend_on_what_happened(tmp_path: Path):
    (tmp_path / "posts").mkdir()
    with Workspace.create(tmp_path / "ws", source=f"files:{tmp_path / 'posts'}", clock=small.Ticking()) as fresh:
        for name in projected.names():
            test_a_projection_has_the_columns_that_are_on_record(fresh, name)


@pytest.mark.parametrize("name", projected.names())
def test_a_projection_follows_from_the_events_of_its_topics_alone(ruled: Workspace, name: str):
    store = ruled.ledger.store
    everything = select_all(store, name)
    assert select_all(store, name, name) == everything


def select_all(store: Any, name: str, *only: str) -> list[Any]:
    with open_views(store, resolve(store, None), *only) as connection:
        add_projections(connection, [name])
        return sorted(connection.execute(f'from "{name}"').fetchall(), key=repr)


def test_each_projection_says_of_which_events_it_is():
    assert [name for name in projected.names() if not projected.topics_of(name)] == [
        "calendar",
        "costs",
        "event_days",
        "runs",
        "topics",
    ]


# -- the worked example

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "new_projection"


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with the two files of the example where its README says that they go."""
    tree = tmp_path_factory.mktemp("extended")
    for name in ("projections", "schema"):
        shutil.copytree(ROOT / name, tree / name)
    (tree / "tradex_ledger").symlink_to(ROOT / "tradex_ledger")
    table = re.findall(r"^\| `(\S+)` \| `(\S+)` \|$", (EXAMPLE / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(table) == 2
    for here, there in table:
        shutil.copyfile(EXAMPLE / here, tree / there)
    return tree


def test_a_projection_is_two_files_and_is_asked_like_any_other(extended: Path, told: Workspace):
    (block,) = blocks("examples/new_projection/README.md", "sh")
    program = "import sys; from tradex_ledger.cli.signals import start; start()"
    answers = []
    for command in commands(block.text):
        done = subprocess.run(
            [sys.executable, "-c", program, "-C", str(told.config.folder), *words(command)[3:], "--json"],
            cwd=extended,
            env={**os.environ, "PYTHONPATH": str(extended)},
            capture_output=True,
            check=True,
        )
        answers.append(json.loads(done.stdout))
    now, then = answers
    named = [[dict(zip(now["columns"], row, strict=True))[name] for name in ("layer", "failures", "runs")]
             for row in now["rows"]]  # fmt: skip
    assert named == [["bronze", 1, 1]] * 2  # two kinds of errors, each once
    assert then["as_of"]["position"] == 120


def test_its_contract_is_that_of_its_columns(told: Workspace):
    contract = json.loads((EXAMPLE / "failure_causes.json").read_text(encoding="utf-8"))
    sql = (EXAMPLE / "failure_causes.sql").read_text(encoding="utf-8")
    with open_views(told.ledger.store, resolve(told.ledger.store, None)) as connection:
        connection.execute(f"create table failure_causes as {sql}")
        assert described(connection, "failure_causes") == [(c["name"], c["type"]) for c in contract["columns"]]
