"""The read side as a file: it says what a query says, as of any position, and is there whole or not at all."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests import worlds as made
from tests.golden import worlds
from tests.kit import small
from tests.kit.lake import listing, read_dataset
from tests.kit.lake_folder import root_of
from tradex_ledger.audit import rebuild as rebuilding
from tradex_ledger.audit.documents.projection import UnknownProjectionError, contracts
from tradex_ledger.audit.look import Look
from tradex_ledger.audit.rebuild import rebuild
from tradex_ledger.cli.main import run
from tradex_ledger.errors import EnvironmentFault, NotFoundError
from tradex_ledger.ledger.backup import FileThereError
from tradex_ledger.ledger.tree import stored_tree
from tradex_ledger.views import add_events, add_projections, open_views, projected, resolve
from tradex_ledger.workspace import Workspace

AT = small.Ticking()


def silent(done: int, total: int) -> None:
    """Nobody listens."""


def written(look: Look, target: Path, as_of: str | None = None, **more: Any) -> Any:
    position = resolve(look.store, as_of)
    return rebuild(look.store, look.lake, target, as_of=position, made_at=AT(), progress=silent, **more)


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Look]:
    """The newest world in which the operating rules did what they do."""
    folder = tmp_path_factory.mktemp("rules")
    packed = [path for path in worlds.files() if path.name.endswith("_rules.tar.gz")][-1]
    with worlds.opened(worlds.unpacked(packed, folder), f"sqlite:///{folder / 'ledger.db'}") as look:
        yield look


@pytest.fixture
def week(tmp_path: Path) -> Iterator[Workspace]:
    with small.reopen(made.copied(tmp_path)) as workspace:
        yield workspace


@pytest.mark.parametrize("as_of", [None, "300", "40"])
def test_it_says_of_each_projection_what_a_query_says(rules: Look, tmp_path: Path, as_of: str | None):
    file = tmp_path / "case.duckdb"
    written(rules, file, as_of)
    position = resolve(rules.store, as_of)
    with duckdb.connect(str(file), read_only=True) as own, open_views(rules.store, position) as views:
        add_projections(views, projected.names())
        add_events(views)
        for name in (*projected.names(), "events", "lifecycle"):
            assert own.execute(f'describe "{name}"').fetchall() == views.execute(f'describe "{name}"').fetchall(), name
            ours, theirs = (sorted(one.execute(f'from "{name}"').fetchall(), key=repr) for one in (own, views))
            assert ours == theirs, name
        about = own.execute('select ledger, position, "at", root, lake from about').fetchall()
    root = stored_tree(rules.store, position.position).root().hex()
    assert about == [(rules.store.ledger, position.position, position.at, root, rules.lake.name)]


def test_of_a_long_ledger_too(tmp_path: Path):
    look = Look.open(made.long())
    file = tmp_path / "case.duckdb"
    written(look, file)
    with duckdb.connect(str(file), read_only=True) as own, open_views(look.store, resolve(look.store, None)) as views:
        names = ("runs", "partitions", "partition_history", "recent_history", "partition_engines", "alerts", "volumes")
        add_projections(views, names)
        for name in names:
            ours, theirs = (sorted(one.execute(f'from "{name}"').fetchall(), key=repr) for one in (own, views))
            assert ours == theirs, name
        assert own.execute("select count(*), max(position) from events").fetchall() == [(made.LONG, made.LONG)]


def test_its_columns_say_what_they_mean(rules: Look, tmp_path: Path):
    written(rules, tmp_path / "case.duckdb")
    with duckdb.connect(str(tmp_path / "case.duckdb"), read_only=True) as own:
        said = own.execute(
            "select table_name, column_name, comment from duckdb_columns() where not internal"
        ).fetchall()
    found = {(table, column): comment for table, column, comment in said}
    for contract in contracts():
        assert all(found[contract.name, one.name] == one.meaning for one in contract.columns)


def test_datasets_are_views_over_the_lake_as_it_was(week: Workspace, tmp_path: Path):
    before = listing(week)
    file = tmp_path / "case.duckdb"
    found = week.projections.rebuild(file)
    assert found.warnings == []
    with duckdb.connect(str(file), read_only=True) as own:
        for name in ("gold_signals", "silver_social_events", "bronze_x_posts"):
            assert own.execute(f"from {name} order by all").fetchall() == read_dataset(week, name)
        assert own.execute("from gold_signals_v1 order by all").fetchall() == read_dataset(week, "gold_signals")
        assert own.execute("from bronze_x_posts__undated").fetchall() == []
    assert listing(week) == before


def test_files_that_are_gone_are_said_and_a_copy_of_the_lake_can_be_named(week: Workspace, tmp_path: Path):
    lake = root_of(week)
    first = min(lake.glob("gold_signals/*/*/*.parquet"))
    for path in lake.glob("gold_metrics/*/*/*.parquet"):
        path.unlink()
    copy = tmp_path / "copy"
    lake.rename(copy)
    (copy / first.relative_to(lake)).unlink()
    file = tmp_path / "case.duckdb"
    found = week.projections.rebuild(file, copy=copy)
    assert [text.partition(" ")[2][:22] for text in found.warnings if "gold_signals " in text] == [
        "files of gold_signals "
    ]
    assert "gold_metrics has no view" in found.warnings
    with duckdb.connect(str(file), read_only=True) as own:
        with pytest.raises(duckdb.IOException, match=first.name):
            own.execute("from gold_signals").fetchall()
        assert own.execute("from silver_social_events").fetchall()


@dataclass(frozen=True, slots=True)
class Bucket:
    name: str = "s3://bucket/lake"

    def at_hand(self) -> None:
        """It would have to be brought."""


def test_a_lake_that_is_no_folder_has_no_views_and_that_is_said(rules: Look, tmp_path: Path):
    bucket: Any = Bucket()
    found = written(Look(rules.store, rules.config, bucket), tmp_path / "case.duckdb")
    assert found.lake is None
    assert found.warnings == [
        "the lake is no folder: datasets have no views here; copy its files, and name the folder: --lake DIR"
    ]


def test_what_is_there_is_not_written_over(week: Workspace, tmp_path: Path):
    file = tmp_path / "case.duckdb"
    file.write_text("mine", encoding="utf-8")
    with pytest.raises(FileThereError):
        week.projections.rebuild(file)
    assert file.read_text(encoding="utf-8") == "mine"
    with pytest.raises(NotFoundError):
        week.projections.rebuild(tmp_path / "nowhere" / "case.duckdb")


def test_what_is_interrupted_or_has_no_room_leaves_nothing(week: Workspace, tmp_path: Path, monkeypatch: Any):
    room = tmp_path / "room"
    room.mkdir()

    def interrupted(stage: str, done: int, total: int) -> None:
        assert stage == "write case.duckdb"
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        week.projections.rebuild(room / "case.duckdb", progress=interrupted)
    assert list(room.iterdir()) == []

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(rebuilding, "write_whole", full)
    with pytest.raises(EnvironmentFault, match="the disk is full"):
        week.projections.rebuild(room / "case.duckdb")
    assert list(room.iterdir()) == []


def test_the_commands_say_what_there_is(week: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder, file = str(week.config.folder), tmp_path / "case.duckdb"
    assert run(["projection", "list"]) == 0
    assert capsys.readouterr().out.count("\n") == len(projected.names()) + 1
    assert run(["projection", "list", "runs", "--json"]) == 0
    (contract,) = json.loads(capsys.readouterr().out)
    assert contract["columns"][0] == {"name": "run_id", "type": "VARCHAR", "meaning": "its id"}
    assert run(["projection", "list", "nothing"]) == 4
    with pytest.raises(UnknownProjectionError):
        contracts("nothing")
    assert run(["-C", folder, "projection", "rebuild", "-o", str(file), "--as-of", "20", "--json"]) == 0
    capsys.readouterr()
    assert run(["-C", folder, "projection", "rebuild", "-o", str(file)]) == 3
    with duckdb.connect(str(file), read_only=True) as own:
        assert own.execute("select max(position) from events").fetchall() == [(20,)]
