"""Segments are a cache of the events: whatever happens to their files, the answers stay the same."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests import worlds
from tradex_ledger.ledger import columnar, segments
from tradex_ledger.ledger.select import Store, open_store
from tradex_ledger.ledger.store import database, open_engine
from tradex_ledger.views import add_projections, open_view, projected

EVENTS = 256  # a segment in here: one tile
FULL = worlds.LONG // EVENTS
TOPICS = ("run.published", "dataset.published")
Names = tuple[str, ...]
SOME = ("costs", "definitions", "partition_history", "partitions", "runs")
"""What asks the events for most; all of them are written over the same table, which is compared itself."""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A ledger of nine full segments and a tail."""
    return bare(tmp_path / "workspace")


def bare(workspace: Path) -> Path:
    """The ledger alone."""
    workspace.mkdir()
    shutil.copy(worlds.long() / "ledger.db", workspace)
    return workspace


@pytest.fixture(scope="module")
def segmented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ledger with all segments that it can have."""
    workspace = bare(tmp_path_factory.mktemp("segmented") / "workspace")
    answers(opened(workspace))
    assert len(files(opened(workspace))) == FULL
    return workspace


@pytest.fixture
def full(segmented: Path, tmp_path: Path) -> Store:
    """A copy of that."""
    return opened(shutil.copytree(segmented, tmp_path / "full"))


@pytest.fixture
def store(workspace: Path) -> Store:
    return opened(workspace)


def opened(workspace: Path) -> Store:
    return open_store(f"sqlite:///{workspace / 'ledger.db'}", workspace)


def files(store: Store) -> list[Path]:
    return sorted(folder(store).glob("*"))


def folder(store: Store) -> Path:
    found = store.caches.path("segments")
    assert found is not None
    return found


def answers(
    store: Store, upto: int = worlds.LONG, topics: tuple[str, ...] = (), size: int = EVENTS, names: Names = SOME
) -> dict[str, Any]:
    """Every row of `events` and of projections: of what is kept in its order, else in that of their texts."""
    with pytest.MonkeyPatch.context() as smaller:
        smaller.setattr(segments, "EVENTS", size)
        with open_view(store, upto, None, topics).connection as connection:
            add_projections(connection, names)
            found = {name: connection.execute(f'from "{name}"').fetchall() for name in (*names, "events")}
            return {
                n: rows if n != "events" and projected.kept(n) else sorted(map(repr, rows)) for n, rows in found.items()
            }


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the ledger says when there is no segment at all."""
    store = opened(bare(tmp_path_factory.mktemp("expected") / "workspace"))
    found = answers(store, size=1 << 20)
    assert files(store) == []
    return found


def test_the_answers_are_the_same_when_segments_are_made_and_when_they_are_read(
    store: Store, expected: dict[str, Any]
) -> None:
    assert answers(store) == expected
    made = files(store)
    assert len(made) == FULL
    assert answers(store, names=projected.names()) == answers(store, size=1 << 20, names=projected.names())
    assert answers(store) == expected
    assert files(store) == made


@pytest.mark.parametrize("name", ["version=3", "tier=prod"])
def test_a_folder_that_is_called_like_a_hive_partition_is_just_a_folder(
    workspace: Path, store: Store, expected: dict[str, Any], tmp_path: Path, name: str
) -> None:
    shutil.copytree(workspace, tmp_path / name / "deep")
    moved = opened(tmp_path / name / "deep")
    assert answers(moved) == expected
    assert len(files(moved)) == FULL
    assert answers(moved) == expected


@pytest.mark.parametrize("upto", [255, 256, 257, 1_400])
@pytest.mark.parametrize("topics", [(), TOPICS])
def test_as_of_any_position_and_for_some_topics_the_answers_are_the_same(
    store: Store, upto: int, topics: tuple[str, ...]
) -> None:
    plain = answers(store, upto, topics, size=1 << 20)
    assert answers(store, upto, topics) == plain
    assert answers(store, upto, topics) == plain


def test_through_an_engine_the_answers_are_the_same(workspace: Path, store: Store, expected: dict[str, Any]) -> None:
    engine = open_engine(f"sqlite:///{workspace / 'ledger.db'}")
    assert answers(database(engine, workspace)) == expected
    assert answers(database(engine, workspace)) == expected
    assert len(files(store)) == FULL
    engine.dispose()


def _delete(path: Path) -> None:
    path.unlink()


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _swap(path: Path) -> None:
    """The bytes of another segment under this one's name."""
    other = next(p for p in path.parent.iterdir() if p != path)
    path.write_bytes(other.read_bytes())


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("harm", [_delete, _empty, _cut, _flip, _swap])
def test_a_segment_that_is_not_as_it_was_written_is_made_again(
    full: Store, expected: dict[str, Any], harm: Callable[[Path], None]
) -> None:
    before = {path.name: path.read_bytes() for path in files(full)}
    harm(files(full)[2])
    assert answers(full) == expected
    assert {path.name: path.read_bytes() for path in files(full)} == before


def test_where_a_segment_cannot_be_written_the_ledger_is_read(full: Store, expected: dict[str, Any]) -> None:
    _folder(files(full)[1])
    assert answers(full) == expected


def test_where_no_segment_can_be_written_the_ledger_is_read(store: Store, expected: dict[str, Any]) -> None:
    folder(store).parent.mkdir(parents=True)
    folder(store).write_text("a file where the folder would be", encoding="utf-8")
    assert answers(store) == expected


def test_the_segments_of_another_ledger_are_not_used(full: Store, tmp_path: Path) -> None:
    """A ledger that was put back from an older copy, and went on otherwise, under the segments of the first."""
    shutil.copy(worlds.long(seed=8) / "ledger.db", tmp_path / "full")
    before, store = folder(full), opened(tmp_path / "full")
    folder(store).parent.mkdir()
    before.rename(folder(store))
    plain = answers(store, size=1 << 20)
    assert answers(store) == plain
    assert answers(store) == plain


def segment_at(store: Store, first: int, recipe: str) -> segments.Segment | None:
    with pytest.MonkeyPatch.context() as smaller:
        smaller.setattr(segments, "EVENTS", EVENTS)
        return segments.Segments(store, recipe).at(first)


def test_segments_of_another_recipe_are_not_used(store: Store) -> None:
    first, other = segment_at(store, 1, "one"), segment_at(store, 1, "other")
    assert first is not None and other is not None
    assert first.binding != other.binding


def test_two_engines_share_their_segments(full: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in files(full)}
    with monkeypatch.context() as other_host:
        other_host.setattr(duckdb, "__version__", "99.0.0")
        recipe = importlib.reload(columnar).RECIPE
    assert recipe == importlib.reload(columnar).RECIPE
    answers(full)
    assert {path.name: path.stat().st_mtime_ns for path in files(full)} == before


def test_two_releases_leave_each_other_their_segments_and_older_ones_go(store: Store) -> None:
    with duckdb.connect() as connection:
        connection.execute("create table one as select 1 as position, 'a' as topic")
        made = []
        for recipe in ("one", "two", "one", "two", "three", "four"):
            segment = segment_at(store, 1, recipe)
            assert segment is not None
            path = segment.path(files(store)) or segment.write(connection, "one")
            assert path is not None
            made.append(path)
    assert made[0] == made[2] and made[1] == made[3]
    assert {path for path in made if path.exists()} == {made[1], made[4], made[5]}


def test_a_range_that_is_not_full_has_no_segment(store: Store) -> None:
    assert segment_at(store, 1 + FULL * EVENTS, "recipe") is None
