"""The past can be asked: as of a position or a time, every answer is the one that was given then."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests import worlds
from tests.kit.lake import BRONZE, Key, digests, events, one_process, projection, projections
from tests.kit.rows import rows
from tradex_ledger.domain.request import Request
from tradex_ledger.ledger.store import create_store, database, open_engine
from tradex_ledger.views import NoSuchPositionError, open_views, projected, resolve
from tradex_ledger.workspace import Workspace

SEED = 20140301
MOMENTS = 10
POSITIONS = 3


class Died(BaseException):
    """The process is gone: nothing that handles errors may see it."""


@dataclass
class History:
    """A workspace, and the answers it gave while its history was made: position → answer."""

    workspace: Workspace
    chance: random.Random
    answers: dict[int, dict[str, list[str]]] = field(default_factory=dict)
    contents: dict[int, dict[Key, tuple[int, str]]] = field(default_factory=dict)

    def note(self) -> None:
        """After a command: the projections and what the lake holds."""
        self.answers[self.workspace.ledger.position()] = projections(self.workspace)
        self.contents[self.workspace.ledger.position()] = digests(self.workspace)

    def watch(self, stage: str, done: int, total: int) -> None:
        """While a run is driven, at some of the moments it can be seen."""
        if self.chance.random() < 0.1:
            self.answers[self.workspace.ledger.position()] = projections(self.workspace)

    def die(self, stage: str, done: int, total: int) -> None:
        self.watch(stage, done, total)
        if stage == "silver_social_events":
            raise Died

    def request(self, first: date, last: date, reason: str) -> str:
        found = self.workspace.backfills.request(
            Request(kind="temporal", dataset=BRONZE, first=first, last=last, override_state=False, reason=reason)
        )
        self.note()
        return found.id


@pytest.fixture(scope="module")
def history(real_posts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    """Runs, one of them killed and taken up again, backfills rejected, cancelled, done, and done again."""
    folder = tmp_path_factory.mktemp("as-of")
    source = folder / "posts"
    source.mkdir()
    for day in (6, 7, 9):
        (source / f"2014-01-{day:02}.jsonl.gz").symlink_to(real_posts / f"2014-01-{day:02}.jsonl.gz")
    # One dataset a layer: what is built of Gold is built as Gold is.
    worlds.define(folder / "workspace" / "pipeline", without=worlds.GOLD_OF_GOLD)
    Workspace.create(folder / "workspace", source=f"files:{source}", actor="ana", pipeline="pipeline").close()
    one_process(folder / "workspace", window_partitions=3)
    with Workspace.open(folder / "workspace", actor="ana") as workspace:
        told = History(workspace, random.Random(SEED))
        told.note()
        workspace.incremental.run(last=date(2014, 1, 7), progress=told.watch)
        told.note()
        with pytest.raises(Died):
            workspace.incremental.run(last=date(2014, 1, 9), progress=told.die)
        told.note()
        workspace.incremental.run(last=date(2014, 1, 9), progress=told.watch)
        told.note()
        (source / "2014-01-08.jsonl.gz").symlink_to(real_posts / "2014-01-08.jsonl.gz")
        first, last = date(2014, 1, 7), date(2014, 1, 8)
        workspace.backfills.reject(
            told.request(first, last, "somebody thought the files were here"), reason="not all of them yet"
        )
        cancelled = told.request(first, last, "the files of the 8th came late")
        workspace.backfills.approve(cancelled)
        workspace.runs.cancel(cancelled, reason="the range was meant to be longer")
        for _ in range(2):
            wanted = told.request(first, last, "the files of the 8th came late")
            workspace.backfills.approve(wanted)
            told.note()
            workspace.runs.drive(wanted, progress=told.watch)
            told.note()
        yield told


def differing(found: dict[str, list[str]], expected: dict[str, list[str]]) -> list[str]:
    """The projections that are not the same, with a row that differs (a whole diff would be megabytes)."""
    assert found.keys() == expected.keys()
    return [
        f"{name}: {sorted(set(found[name]) ^ set(expected[name]))[:1]}"
        for name in found
        if found[name] != expected[name]
    ]


def test_enough_was_asked_to_mean_something(history: History):
    newest = history.workspace.ledger.position()
    statuses = {row["status"] for row in projection(history.workspace, "runs")}
    print(f"{len(history.answers)} moments over {newest} positions")
    assert statuses == {"SUCCESS", "REJECTED", "CANCELLED"}
    assert len(history.answers) > MOMENTS
    assert len({repr(answer) for answer in history.answers.values()}) > MOMENTS
    assert len({repr(content) for content in history.contents.values()}) > 4


@pytest.mark.norm("N40")
def test_as_of_a_position_every_projection_answers_as_it_did_then(history: History):
    for position, answer in history.answers.items():
        assert not differing(projections(history.workspace, str(position)), answer), position


@pytest.mark.norm("N40")
def test_as_of_the_time_of_its_event_every_projection_answers_as_it_did_then(history: History):
    at = {event["position"]: event["at"] for event in events(history.workspace, "true")}
    asked = history.chance.sample(sorted(history.answers), POSITIONS)
    for position in history.answers:
        assert resolve(history.workspace.ledger.store, at[position].isoformat()).position == position
    for position in asked:
        moment = at[position].isoformat()
        assert not differing(projections(history.workspace, moment), history.answers[position]), (position, moment)


@pytest.mark.norm("N40")
def test_as_of_a_position_or_its_time_the_lake_holds_what_it_held_then(history: History):
    at = {event["position"]: event["at"] for event in events(history.workspace, "true")}
    for n, (position, content) in enumerate(history.contents.items()):
        as_of = str(position) if n % 2 else f"{at[position].isoformat()}Z"
        assert digests(history.workspace, as_of) == content, as_of


@pytest.mark.norm("N40")
def test_as_of_any_position_the_answers_are_those_of_a_ledger_that_never_got_further(history: History, tmp_path: Path):
    newest = history.workspace.ledger.position()
    for position in sorted(history.chance.sample(range(1, newest + 1), POSITIONS)):
        engine = open_engine(f"sqlite:///{tmp_path / str(position)}.db", create=True)
        create_store(engine, ledger_id=history.workspace.ledger.id, created_at=datetime(2014, 3, 1, tzinfo=UTC))
        with sqlite3.connect(f"{tmp_path / str(position)}.db") as shorter:
            shorter.execute("attach ? as whole", [str(history.workspace.config.folder / "ledger.db")])
            shorter.execute(
                "insert into events select * from whole.events where position <= ? order by position", [position]
            )
        shorter.close()
        store = database(engine)
        with open_views(store, resolve(store, None)) as views:
            alone = {name: sorted(map(repr, rows(views, name))) for name in projected.names()}
        engine.dispose()
        assert not differing(projections(history.workspace, str(position)), alone), position


def test_a_time_between_two_saves_is_the_earlier_one_and_events_of_one_save_are_not_torn(history: History):
    """A time never shows half a save: events that were saved together carry one time."""
    store = history.workspace.ledger.store
    found = events(history.workspace, "true")
    times = sorted({event["at"] for event in found})
    last_of = {event["at"]: event["position"] for event in found}
    assert len(times) < len(found)
    for n in history.chance.sample(range(len(times)), min(60, len(times))):
        assert resolve(store, times[n].isoformat()).position == last_of[times[n]]
        if n + 1 < len(times):
            between = times[n] + (times[n + 1] - times[n]) / 2
            assert resolve(store, between.isoformat()).position == last_of[times[n]]
            offset = between.replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=5))).isoformat()
            assert resolve(store, offset).position == last_of[times[n]]


def test_a_day_takes_in_everything_that_happened_on_it(history: History):
    store = history.workspace.ledger.store
    found = events(history.workspace, "true")
    last_day = found[-1]["at"].date()
    expected = max(event["position"] for event in found if event["at"].date() <= last_day)
    assert resolve(store, last_day.isoformat()).position == expected


def test_before_the_first_event_and_after_the_last_position_there_is_nothing_to_ask(history: History):
    store = history.workspace.ledger.store
    newest = history.workspace.ledger.position()
    for as_of in ("0", str(newest + 1), "2013-12-31", "1999-01-01T00:00:00Z"):
        with pytest.raises(NoSuchPositionError, match=f"1 to {newest}"):
            resolve(store, as_of)
