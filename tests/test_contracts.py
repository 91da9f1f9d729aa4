"""What was promised to ledgers that are out there: frozen contracts, the tables of the DDL, worlds and events of before
that are read as those of today."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from jsonschema import Draft202012Validator

from tests.golden import frozen, worlds
from tests.golden.record import HERE as GOLDEN
from tests.golden.record import answers
from tests.kit.tree import ROOT
from tradex_ledger.clock import utc_now
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.base import ENVELOPE, EVENTS, Event
from tradex_ledger.ledger.application import ledger_in
from tradex_ledger.ledger.entry import Entry, parse, parse_time
from tradex_ledger.ledger.event import event_of
from tradex_ledger.ledger.store import create_store, open_engine
from tradex_ledger.resources import read_text

JSON = {
    str: "string",
    int: "integer",
    bool: "boolean",
    float: "number",
    list: "array",
    dict: "object",
    type(None): "null",
}


OURS = {topic: cls for topic, cls in EVENTS.items() if cls.__module__.startswith("tradex_ledger.")}
"""The events of the program: other tests of the same process may have some of their own."""


def schema_of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(read_text("schema", "events", name))
    return found


def newest(topic: str) -> dict[str, Any]:
    return schema_of(f"{topic}.v{EVENTS[topic].class_version}.json")


# -- contracts


def test_no_contract_of_an_event_was_edited_and_each_is_on_the_list():
    assert frozen.problems(frozen.listed(), frozen.found()) == []


def test_the_list_of_contracts_would_tell(tmp_path: Path):
    for name in ("run.held.v1.json", "run.released.v1.json"):
        (tmp_path / name).write_text(read_text("schema", "events", name), encoding="utf-8")
    known = frozen.found(tmp_path)
    (tmp_path / "run.held.v1.json").write_text("{}", encoding="utf-8")
    (tmp_path / "run.released.v1.json").unlink()
    (tmp_path / "run.lost.v1.json").write_text("{}", encoding="utf-8")
    assert [text.partition(" ")[0] for text in frozen.problems(known, frozen.found(tmp_path))] == [
        "run.held.v1.json", "run.released.v1.json", "run.lost.v1.json",
    ]  # fmt: skip


def kinds_of(hint: Any) -> set[str]:
    """What JSON may hold for a field of that type."""
    if get_origin(hint) in (Union, types.UnionType):
        return set().union(*(kinds_of(one) for one in get_args(hint)))
    if hint is Any:
        return set(JSON.values())
    supertype = getattr(hint, "__supertype__", None)  # a NewType
    return kinds_of(supertype) if supertype else {JSON[get_origin(hint) or hint]}


def kinds_in(schema: dict[str, Any]) -> set[str]:
    """What a schema lets JSON hold."""
    if "enum" in schema or "const" in schema:
        return {JSON[type(value)] for value in schema.get("enum", [schema.get("const")])}
    if found := schema.get("anyOf", schema.get("oneOf")):
        return set().union(*map(kinds_in, found))
    said = schema["type"]
    return {said} if isinstance(said, str) else set(said)


@pytest.mark.parametrize("topic", sorted(OURS))
def test_a_contract_and_its_class_say_the_same_types(topic: str):
    hints = {name: hint for name, hint in get_type_hints(EVENTS[topic]).items() if name in EVENTS[topic].FACTS}
    said = newest(topic)["properties"]
    assert said.keys() == hints.keys()
    differing = {name: (kinds_of(hint), kinds_in(said[name])) for name, hint in hints.items()}
    assert {name: pair for name, pair in differing.items() if pair[0] != pair[1]} == {}


def test_a_fresh_ledger_is_what_the_ddl_says(tmp_path: Path):
    engine = open_engine(f"sqlite:///{tmp_path / 'ledger.db'}", create=True)
    create_store(engine, ledger_id="00000000000000aa", created_at=parse_time("2026-01-10T12:00:00.000000Z"))
    engine.dispose()
    with sqlite3.connect(":memory:") as bare:
        bare.executescript(read_text("schema", "ledger", "sqlite.sql"))
    with sqlite3.connect(tmp_path / "ledger.db") as made:
        assert master(made) == master(bare)
    assert len(master(bare)) > 10


def master(connection: sqlite3.Connection) -> list[tuple[str, ...]]:
    return connection.execute("select type, name, tbl_name, sql from sqlite_master order by type, name").fetchall()


# -- worlds of the past


@pytest.fixture(scope="module", params=worlds.files(), ids=lambda path: path.name.removesuffix(".tar.gz"))
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> worlds.World:
    return worlds.unpacked(request.param, tmp_path_factory.mktemp("world"))


def narrowed(found: Any, then: Any) -> Any:
    """What is found, of what was recorded: answers may grow, they may not change."""
    if isinstance(then, dict) and isinstance(found, dict):
        return {name: narrowed(found.get(name), value) for name, value in then.items()}
    return found


def test_a_world_of_the_past_answers_what_it_answered(world: worlds.World, tmp_path: Path):
    with worlds.opened(world, f"sqlite:///{tmp_path / 'ledger.db'}") as look:
        queries = json.loads(worlds.text_of(worlds.asked(look)))
        ledger = ledger_in(open_engine(f"sqlite:///{tmp_path / 'ledger.db'}"), utc_now)
        found = json.loads(worlds.text_of(answers(ledger)))
        ledger.close()
    then = world.answers
    assert queries == then["queries"]
    assert narrowed(found["aggregates"], then["aggregates"]) == then["aggregates"]
    for name, rows in then["projections"].items():
        columns = list(rows[0]) if rows else []
        shown = [{column: row[column] for column in columns} for row in found["projections"][name]]
        assert sorted(shown, key=json.dumps) == sorted(rows, key=json.dumps), name


def test_the_newest_worlds_hold_every_kind_of_event_in_its_newest_version(tmp_path: Path):
    """Where this fails there are new events: `make golden` packs worlds that have them, beside those that are there."""
    number = max(int(found[1]) for path in worlds.files() if (found := worlds.NAME.fullmatch(path.name)))
    seen: dict[str, int] = {}
    for path in worlds.files(number):
        for line in worlds.unpacked(path, tmp_path / path.name).lines:
            entry = parse(line)
            seen[entry.topic] = max(entry.v, seen.get(entry.topic, 0))
    assert seen == {topic: cls.class_version for topic, cls in OURS.items()}


TOLD = """
import hashlib, sys
from pathlib import Path
from tests.golden import worlds
print(hashlib.sha256(worlds.packed(worlds.tell("days", Path(sys.argv[1])))).hexdigest())
"""


@pytest.mark.soak
def test_a_world_is_told_the_very_same_way_by_another_process(tmp_path: Path):
    room, told = tmp_path / "room", set()
    for _ in range(2):
        room.mkdir()
        done = subprocess.run([sys.executable, "-c", TOLD, str(room)], cwd=ROOT, capture_output=True, check=True)
        told.add(done.stdout)
        shutil.rmtree(room)
    assert len(told) == 1


# -- events of before


def lines_of_before() -> Iterator[tuple[str, Entry]]:
    for path in sorted(GOLDEN.glob("ledger_v*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            entry = parse(line)
            if entry.v and entry.v < EVENTS[entry.topic].class_version:
                yield line, entry


def test_every_event_of_an_older_version_is_told_as_one_of_today():
    seen = set()
    for line, entry in lines_of_before():
        Draft202012Validator(schema_of(f"{entry.topic}.v{entry.v}.json")).validate(entry.data)
        event = event_of(line.encode(), entry.stream, entry.version, entry.topic)
        Draft202012Validator(newest(entry.topic)).validate(facts_of(event))
        seen.add((entry.topic, entry.v))
    assert {("backfill.planned", 1), ("run.layer_completed", 1), ("dataset.logic_versioned", 1)} <= seen


def facts_of(event: Event) -> dict[str, Any]:
    return {name: value for name, value in vars(event).items() if name not in ENVELOPE}


def test_a_plan_of_the_first_release_is_told_as_one_of_today_and_its_bytes_stay():
    """A real one: `backfill.planned` named no source at first (v1), and has been bound to what it plans since (v3)."""
    line, entry = next((line, entry) for line, entry in lines_of_before() if entry.topic == "backfill.planned")
    assert (entry.v, Backfill.Planned.class_version) == (1, 3)
    assert "source" not in entry.data
    event = event_of(line.encode(), entry.stream, entry.version, entry.topic)
    assert isinstance(event, Backfill.Planned)
    assert event.source is None
    assert event.digest == entry.data["digest"]
    assert parse(line).data == entry.data


# -- policies


def test_each_digest_of_a_policy_stands_for_a_text_on_record(world: worlds.World, tmp_path: Path):
    """From the first policy on record on; ledgers of before had theirs in a file."""
    with worlds.opened(world, f"sqlite:///{tmp_path / 'ledger.db'}") as look:
        named = look.query(
            "select distinct data ->> '$.policy_digest' from events where data ->> '$.policy_digest' <> ''"
        )
        known = look.query("select digest from policy_history where text is not null")
    assert {digest for (digest,) in named.rows} <= {digest for (digest,) in known.rows}
