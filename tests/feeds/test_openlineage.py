"""Lineage by the schemas that OpenLineage publishes: whole, the same each time, each once in a file, too."""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource

from tests.feeds import told
from tests.kit import small
from tests.kit.receiver import Receiver
from tests.kit.tree import ROOT
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.base import EVENTS
from tradex_ledger.domain.incremental import IncrementalRun
from tradex_ledger.feeds import openlineage
from tradex_ledger.feeds.port import Message
from tradex_ledger.feeds.story import Piece, Story
from tradex_ledger.ledger.ask import events_of
from tradex_ledger.ledger.entry import Entry
from tradex_ledger.workspace import Workspace

HERE = Path(__file__).parent / "openlineage"
OURS = ROOT / "schema" / "openlineage" / "facets.json"
ENDS = {"COMPLETE", "ABORT", "FAIL"}


@cache
def registry() -> Registry[Any]:
    texts = [json.loads(path.read_text("utf-8")) for path in (*sorted(HERE.glob("*.json")), OURS)]
    return Registry().with_resources([(one["$id"], Resource.from_contents(one)) for one in texts])


def check(schema: str, said: object) -> None:
    found = jsonschema.Draft202012Validator(
        {"$ref": schema}, registry=registry(), format_checker=jsonschema.FormatChecker()
    )
    assert [error.message for error in found.iter_errors(said)] == []


def messages(workspace: Workspace, namespace: str | None = None) -> list[Message]:
    store, tell = workspace.ledger.store, openlineage.teller(namespace)
    return [one for row in events_of(store, openlineage.TOPICS) for one in tell(store, row)]


def facets_of(said: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from said["run"]["facets"].values()
    yield from said["job"]["facets"].values()
    for one in (*said["inputs"], *said["outputs"]):
        for kind in ("facets", "inputFacets", "outputFacets"):
            yield from one.get(kind, {}).values()


def ledger_of(said: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = said["run"]["facets"]["tradex_ledger"]
    return found


@pytest.fixture(scope="module")
def all_said(seen: Path) -> list[dict[str, Any]]:
    with small.reopen(seen) as workspace:
        return [json.loads(one.body) for one in messages(workspace)]


def test_each_is_valid_and_so_is_each_of_its_facets(all_said: list[dict[str, Any]]):
    known = set()
    for said in all_said:
        assert said["schemaURL"] == "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
        check(said["schemaURL"], said)
        uuid.UUID(said["run"]["runId"])
        for facet in facets_of(said):
            known.add(facet["_schemaURL"].rpartition("/")[2])
            check(facet["_schemaURL"], facet)
    published = {path.stem for path in HERE.glob("*Facet.json")}
    ours = set(json.loads(OURS.read_text("utf-8"))["$defs"])
    assert known == published | ours


def test_what_breaks_a_schema_would_be_found(all_said: list[dict[str, Any]]):
    said = json.loads(json.dumps(all_said[0]))
    del ledger_of(said)["leaf"]
    with pytest.raises(AssertionError, match="leaf"):
        check(ledger_of(said)["_schemaURL"], ledger_of(said))
    said["eventType"] = "BEGIN"
    with pytest.raises(AssertionError, match="BEGIN"):
        check(said["schemaURL"], said)


def test_each_run_starts_once_and_ends_behind_that(all_said: list[dict[str, Any]]):
    states = defaultdict(list)
    for said in all_said:
        states[said["job"]["name"], said["run"]["runId"]].append(said["eventType"])
    for (job, _), told_states in states.items():
        starts = told_states.count("START")
        assert starts <= 1, job
        if starts:
            behind = told_states[told_states.index("START") + 1 :]
            assert ENDS & set(behind), job
            assert not ENDS & set(told_states[: told_states.index("START")])
        else:
            assert set(told_states) == {"OTHER"}, job
    of_pieces = [found for (job, _), found in states.items() if not job.startswith(("backfill.", "incremental."))]
    assert all(found[0] == "START" and len(found) == 2 and found[1] in ENDS for found in of_pieces)
    ended = {state for found in states.values() for state in found}
    assert ended == {"START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"}


def test_a_failure_says_why_and_an_attempt_is_told_from_the_next(all_said: list[dict[str, Any]]):
    failed = [said for said in all_said if said["eventType"] == "FAIL"]
    assert failed
    assert all(said["run"]["facets"]["errorMessage"]["message"] for said in failed)
    runs = {said["run"]["facets"]["parent"]["run"]["runId"] for said in failed if "parent" in said["run"]["facets"]}
    for run in runs:
        attempts = [
            (said["job"]["name"], said["eventType"])
            for said in all_said
            if said["run"]["facets"].get("parent", {}).get("run", {}).get("runId") == run
        ]
        jobs = [job for job, state in attempts if state == "FAIL"]
        assert all((job, "COMPLETE") in attempts for job in jobs)


def test_lineage_leads_from_the_source_to_gold(all_said: list[dict[str, Any]]):
    edges = {(one["name"], out["name"]) for said in all_said for one in said["inputs"] for out in said["outputs"]}
    assert edges == {
        ("bronze_x_posts", "silver_social_events"),
        ("silver_social_events", "gold_metrics"),
        ("gold_metrics", "gold_baselines"),
    }
    bronze = [said for said in all_said if said["job"]["name"] == "bronze" and said["eventType"] == "COMPLETE"]
    assert {out["name"] for said in bronze for out in said["outputs"]} >= {"bronze_x_posts"}


def test_what_a_publication_changed_bears_its_position_as_a_version(all_said: list[dict[str, Any]]):
    changed = [said for said in all_said if ledger_of(said)["topic"] in ("run.published", "backfill.reverted")]
    assert {ledger_of(said)["topic"] for said in changed} == {"run.published", "backfill.reverted"}
    for said in changed:
        assert said["outputs"]
        at = str(ledger_of(said)["position"])
        assert {out["facets"]["version"]["datasetVersion"] for out in said["outputs"]} == {at}


def volume(out: dict[str, Any]) -> tuple[int, int]:
    facet = out["outputFacets"]["outputStatistics"]
    return facet["rowCount"], facet["size"]


def test_what_was_built_by_a_run_adds_up_to_what_it_published(all_said: list[dict[str, Any]]):
    built: dict[tuple[str, str], tuple[int, int]] = {}
    for said in all_said:
        where = ledger_of(said)
        if where["topic"] == "run.layer_completed" and said["job"]["name"] != "bronze":
            built |= {(where["stream"], out["name"]): volume(out) for out in said["outputs"]}
    published = {
        (ledger_of(said)["stream"], out["name"]): volume(out)
        for said in all_said
        if ledger_of(said)["topic"] == "run.published"
        for out in said["outputs"]
    }
    assert published
    assert published.items() <= built.items()


def test_the_same_is_told_of_an_event_whatever_came_after(ws: Path):
    with small.reopen(ws) as workspace:
        before = messages(workspace)
        small.request(workspace, 2, 2)
        after = messages(workspace)
    assert after[: len(before)] == before
    assert len(after) > len(before)
    assert len({one.id for one in after}) == len(after)


def test_every_event_that_moves_a_run_is_told(all_said: list[dict[str, Any]]):
    moves = {topic for topic in EVENTS if topic.partition(".")[0] in (Backfill.TOPIC, IncrementalRun.TOPIC)}
    assert moves <= set(openlineage.TOPICS)
    assert set(openlineage.TOPICS) <= set(EVENTS)


def test_a_namespace_of_ones_own_is_that_of_jobs_and_datasets(seen: Path):
    with small.reopen(seen) as workspace:
        for one in messages(workspace, "desk://lake"):
            said = json.loads(one.body)
            used = {said["job"]["namespace"], *(ds["namespace"] for ds in (*said["inputs"], *said["outputs"]))}
            assert used <= {"desk://lake", "desk://lake/sources"}


def entry(version: int, topic: str, **data: Any) -> Entry:
    return Entry("2024-01-01T00:00:00.000000Z", "ana", data, "ledger", version, "bf-1", topic, 1, version)


def test_an_attempt_whose_driver_died_is_over_when_the_next_begins():
    window = {"layer": "gold", "dataset": "gold_metrics", "first": "2024-01-02", "last": "2024-01-03"}
    later = {**window, "first": "2024-01-01", "last": "2024-01-02"}
    events = (
        entry(1, "backfill.planned", windows=[window, later, {**window, "layer": "silver", "dataset": "other"}]),
        entry(2, "backfill.approved"),
        entry(3, "run.layer_started", layer="gold", attempt=1, extraction=None),
        entry(4, "run.layer_started", layer="gold", attempt=2, extraction=None),
    )
    story = Story("bf-1", events)
    days = ("2024-01-01", "2024-01-03")
    assert story.open_pieces() == (Piece("gold", 1, "gold_metrics", *days),)
    assert story.begun_pieces() == (Piece("gold", 2, "gold_metrics", *days),)
    ended = Story("bf-1", (*events, entry(5, "run.layer_failed", layer="gold"), entry(6, "backfill.cancelled")))
    assert (ended.open_pieces(), ended.has_started()) == ((), True)
    assert not Story("bf-1", events[:1]).has_started()


# -- where it goes


def send(ws: Path, name: str | None = None) -> list[str]:
    with small.reopen(ws) as workspace:
        _, wrong = workspace.feeds.send(name)
    return [error.code for error in wrong]


def test_a_file_has_each_once_however_often_its_writer_is_cut_off(ws: Path):
    told.feed(ws, "lineage", "file:out/lineage.jsonl")
    with small.reopen(ws) as workspace:
        whole = b"".join(one.body + b"\n" for one in messages(workspace))
        found = messages(workspace)
    file = ws / "out" / "lineage.jsonl"
    file.parent.mkdir()
    several = next(number for number, one in enumerate(found) if one.part == 2)
    # A crash leaves whole lines whose position is not put down yet, and behind them a part of one.
    for lines, torn in ((several, 0), (several, 7), (0, 3)):
        file.write_bytes(b"".join(one.body + b"\n" for one in found[:lines]) + found[lines].body[:torn])
        with small.reopen(ws) as workspace:
            name = f"lineage{lines}{torn}"
        told.feed(ws, name, "file:out/lineage.jsonl")
        assert send(ws, name) == []
        assert file.read_bytes() == whole
    assert send(ws, "lineage") == []
    assert file.read_bytes() == whole


def test_a_file_of_somebody_else_is_not_appended_to(ws: Path):
    (ws / "notes.jsonl").write_text('{"mine": 1}\n')
    told.feed(ws, "lineage", "file:notes.jsonl")
    assert send(ws) == ["feed-file"]
    assert (ws / "notes.jsonl").read_text() == '{"mine": 1}\n'


@pytest.mark.parametrize("content", [b"SQLite\n\0half", b"PAR1 in one line", b"\n\n", b'{"mine": 1}', b"{\n"])
def test_of_a_file_of_somebody_else_nothing_is_cut_off(ws: Path, content: bytes):
    (ws / "theirs").write_bytes(content)
    told.feed(ws, "lineage", "file:theirs")
    assert send(ws) == ["feed-file"]
    assert (ws / "theirs").read_bytes() == content


def test_a_file_that_knows_another_history_of_the_same_ledger_is_not_gone_on_with(ws: Path):
    told.feed(ws, "lineage", "file:lineage.jsonl")
    assert send(ws) == []
    file = ws / "lineage.jsonl"
    *lines, last = file.read_bytes().splitlines(keepends=True)
    for leaf, position in (("0" * 64, None), (None, 1_000_000)):
        said = json.loads(last)
        ledger_of(said)["leaf"] = leaf or ledger_of(said)["leaf"]
        ledger_of(said)["position"] = position or ledger_of(said)["position"]
        file.write_bytes(b"".join(lines) + json.dumps(said).encode() + b"\n")
        told.feed(ws, f"again{position}".lower(), "file:lineage.jsonl")
        with small.reopen(ws) as workspace:
            (error,) = workspace.feeds.send(f"again{position}".lower())[1]
        assert (error.code, "that this ledger has not" in error.message) == ("feed-file", True)


def test_a_file_that_cannot_be_written_is_told_of(ws: Path):
    (ws / "full.jsonl").symlink_to("/dev/full")
    told.feed(ws, "lineage", "file:full.jsonl")
    assert send(ws) == ["feed-down"]


def test_a_receiver_gets_it_with_its_token(ws: Path, there: Receiver, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LINEAGE_TOKEN", "t0ken-4711")
    told.feed(ws, "lineage", f"{there.url}/api/v1/lineage", token_env='"LINEAGE_TOKEN"')
    there.answers = [201, 500, 503]
    assert send(ws) == []
    with small.reopen(ws) as workspace:
        assert [one.body for one in there.taken] == [one.body for one in messages(workspace)]
    assert {one.headers["authorization"] for one in there.got} == {"Bearer t0ken-4711"}
    assert {(one.path, one.headers["content-type"]) for one in there.got} == {("/api/v1/lineage", "application/json")}
