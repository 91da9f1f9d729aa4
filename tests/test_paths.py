"""Paths: a relative one belongs to the file it stands in, and no name is read as anything but a name."""

from __future__ import annotations

import json
import os
import shutil
import tomllib
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kit import small
from tests.kit.check import check_everything
from tradex_ledger.audit.query import query
from tradex_ledger.cli.main import run
from tradex_ledger.config import FILE, load_config
from tradex_ledger.datasets.statement import connect
from tradex_ledger.driving.drive import PlanOutdatedError
from tradex_ledger.fresh import write_config
from tradex_ledger.ledger import segments
from tradex_ledger.ledger.select import open_store
from tradex_ledger.paths import UnusablePathError, file_list, literal, written
from tradex_ledger.paths import given as path_given
from tradex_ledger.pipelines.x.demo.story import tell
from tradex_ledger.sources.files import FilesPlace, FolderUnreadable
from tradex_ledger.sources.places import open_place
from tradex_ledger.views import open_views, resolve
from tradex_ledger.workspace import Workspace

ODD = (
    "q? 100%20 #1",
    "s'q d\"q `b` $HOME",
    "st*r [x] {a,b} **",
    "n\nl\t📈 é",
    "-C",
    "~nobody",
    "a;b & c|d",
    "?mode=ro",
)
NOT_UTF8 = os.fsdecode(b"caf\xe9")
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder `a` with posts, and `b` beside it, whose folder of that name is empty."""
    small.deliver(tmp_path / "a" / "posts", days=2)
    (tmp_path / "b" / "posts").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a")
    monkeypatch.setenv("TRADEX_ACTOR", "ana")
    return tmp_path


def uri(workspace: Path) -> str:
    found: str = tomllib.loads((workspace / FILE).read_text(encoding="utf-8"))["source"]["uri"]
    return found


def posts_of(workspace: Path) -> int:
    with Workspace.open(workspace, reading=True) as opened:
        found = query(opened.ledger.store, opened.core.lake, "select count(*) from bronze_x_posts").rows
    number: int = found[0][0]
    return number


# -- relative paths


def test_from_every_folder_the_same_posts(here: Path, monkeypatch: pytest.MonkeyPatch):
    assert run(["init", "ws", "--source", "files:posts"]) == 0
    assert uri(Path("ws")) == f"files:{here / 'a' / 'posts'}"
    monkeypatch.chdir(here / "b")
    assert run(["-C", "../a/ws", "run", "--to", "2024-01-09"]) == 0
    assert posts_of(here / "a" / "ws") > 0
    monkeypatch.chdir("/")
    (here / "a" / "posts").rename(here / "elsewhere")
    assert run(["-C", str(here / "a" / "ws"), "run", "--to", "2024-01-10"]) == 6


def test_a_relative_source_in_the_settings_lies_beside_them(here: Path, monkeypatch: pytest.MonkeyPatch):
    assert run(["init", "ws", "--source", "files:posts"]) == 0
    settings_file = Path("ws", FILE)
    text = settings_file.read_text(encoding="utf-8")
    settings_file.write_text(text.replace(uri(Path("ws")), "files:posts"), encoding="utf-8")
    with pytest.raises(FolderUnreadable, match="a/ws/posts"), Workspace.open("ws", actor="ana") as workspace:
        workspace.incremental.run(last=small.day(9))
    shutil.copytree("posts", "ws/posts")
    monkeypatch.chdir(here / "b")
    with Workspace.open("../a/ws", actor="ana") as workspace:
        assert workspace.incremental.run(last=small.day(9)).status == "SUCCESS"
    assert posts_of(here / "a" / "ws") > 0


def test_a_workspace_is_whole_in_its_folder(here: Path):
    shutil.copytree("posts", "ws/in/posts")
    paths = {
        "--lake": str(here / "a" / "ws" / "a lake"),
        "--ledger": f"sqlite:///{here / 'a' / 'ws' / 'x.db'}",
        "--pipeline": str(here / "a" / "ws" / "own"),
    }
    assert run(["init", "ws", "--source", "files:ws/in/posts", *(part for pair in paths.items() for part in pair)]) == 0
    content = tomllib.loads(Path("ws", FILE).read_text(encoding="utf-8"))
    names = ("ledger", "lake", "pipeline")
    assert [content["workspace"][name] for name in names] == ["sqlite:///x.db", "a lake", "own"]
    assert content["source"]["uri"] == "files:in/posts"
    assert run(["-C", "ws", "run", "--to", "2024-01-01"]) == 0
    first = posts_of(Path("ws"))
    with Workspace.open("ws", actor="ana") as workspace:
        backfill = small.request(workspace, 1, 1)
        workspace.backfills.approve(backfill)
    shutil.move("ws", here / "b" / "moved")
    shutil.rmtree("posts")
    with Workspace.open(here / "b" / "moved", actor="ana") as workspace:
        assert workspace.runs.drive(backfill).status == "SUCCESS"  # the plan means the folder that moved with it
        assert workspace.incremental.run(last=small.day(9)).status == "SUCCESS"
        check_everything(workspace)
    assert posts_of(here / "b" / "moved") > first > 0
    assert not Path("ws").exists()


def test_the_guard_of_the_plan_compares_what_is_meant(here: Path):
    assert run(["init", "ws", "--source", "files:posts"]) == 0
    settings_file = Path("ws", FILE)
    text, made = settings_file.read_text(encoding="utf-8"), uri(Path("ws"))
    Path("link").symlink_to("posts")
    with Workspace.open("ws", actor="ana") as workspace:
        workspace.incremental.run(last=small.day(1))
        planned = small.request(workspace, 1, 1)
        workspace.backfills.approve(planned)
        settings_file.write_text(text.replace(made, "files:../../b/posts"), encoding="utf-8")
        with pytest.raises(PlanOutdatedError):
            workspace.runs.drive(planned)
        settings_file.write_text(text.replace(made, "files:.././link"), encoding="utf-8")
        assert workspace.runs.drive(planned).status == "SUCCESS"


@pytest.mark.parametrize("old", ["files:posts", "files:./posts/", "files:../ws/posts", "files:~/ws/posts"])
def test_an_old_plan_means_what_lies_beside_its_settings(tmp_path: Path, old: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "ws" / "posts").mkdir(parents=True)
    source = open_place("files:posts", tmp_path / "ws")
    assert source.describe() == "files:posts"
    assert source.is_meant(old)
    assert not source.is_meant("files:other")
    assert not open_place("files:posts", tmp_path).is_meant("files:posts/posts")


def test_a_home_is_a_home_in_the_settings_and_on_the_command_line(here: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(here / "a"))
    monkeypatch.chdir(here / "b")
    assert run(["init", "~/ws", "--source", "files:~/posts"]) == 0
    assert uri(here / "a" / "ws") == f"files:{here / 'a' / 'posts'}"
    text = (here / "a" / "ws" / FILE).read_text(encoding="utf-8")
    (here / "a" / "ws" / FILE).write_text(text.replace(str(here / "a"), "~"), encoding="utf-8")
    assert run(["-C", "~/ws", "run", "--to", "2024-01-09"]) == 0
    monkeypatch.setenv("TRADEX_WORKSPACE", "~/ws")
    assert run(["status"]) == 0
    assert next(tell("~/demo", actor="ana")).title
    assert (here / "a" / "demo" / FILE).is_file()
    assert not list((here / "b").glob("~*"))


def test_a_link_before_dots_leads_where_the_system_says(tmp_path: Path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "er")
    assert path_given("link/../posts", tmp_path) == tmp_path / "deep" / "posts"
    assert path_given("../x/./y", tmp_path / "deep") == tmp_path / "x" / "y"


def test_what_lies_in_the_folder_is_relative_however_it_was_reached(tmp_path: Path):
    (tmp_path / "ws" / "~x").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "ws")
    (tmp_path / "ws" / "current").symlink_to(tmp_path)
    for text in ("ws/posts", "link/posts", "ws/current", "ws", "ws/~x/posts"):
        kept = written(tmp_path / text, tmp_path / "ws")
        assert not Path(kept).is_absolute()
        assert path_given(kept, tmp_path / "ws").resolve() == (tmp_path / text).resolve()
    assert written(tmp_path / "ws2", tmp_path / "ws") == str(tmp_path / "ws2")


# -- names that are more than names elsewhere


@given(TEXTS, TEXTS, TEXTS)
@settings(max_examples=200)
def test_settings_are_read_back_as_they_were_written(ledger: str, lake: str, source: str):
    written_file: list[str] = []

    class File:
        def write_text(self, text: str, encoding: str) -> None:
            written_file.append(text)

    write_config(File(), ledger=ledger, lake=lake, source=source, pipeline=lake)  # type: ignore[arg-type]  # a file that only looks like one
    content = tomllib.loads(written_file[0])
    assert content["workspace"]["ledger"] == ledger
    assert content["workspace"]["lake"] == content["workspace"]["pipeline"] == lake
    assert content["source"]["uri"] == source


def test_a_whole_workspace_below_odd_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    root = tmp_path.joinpath(*ODD)
    # What the names would fit if they were patterns: files of others must not be read.
    for other in ("q! 100%20 #1", "q? 100  #1"):
        (tmp_path / other).mkdir()
    (root.parents[5] / "star x a zz").mkdir(parents=True)
    small.deliver(root / "posts [1]*?", days=4)
    source = f"files:{root / 'posts [1]*?'}"
    with Workspace.create(root / "ws", source=source, pipeline="own *[p]", actor="ana", clock=small.Ticking()) as made:
        assert made.core.pipeline.definitions
    with small.reopen(root / "ws") as workspace:
        workspace.incremental.run(last=small.day(4))
        assert small.backfill(workspace, 1, 2).status == "SUCCESS"
        edited = workspace.config.folder / "own *[p]" / "gold_signals.sql"
        edited.write_text(edited.read_text(encoding="utf-8").replace("3", "4"), encoding="utf-8")
        workspace.datasets.bump("gold_signals", reason="spikes start at 4, not at 3, INC-1")
        assert small.backfill(workspace, 2, 3, kind="logical", dataset="gold_signals").status == "SUCCESS"
        rows = query(
            workspace.ledger.store, workspace.core.lake, "select count(*), count(distinct post_id) from bronze_x_posts"
        )
        assert rows.rows[0][0] >= rows.rows[0][1] > 0
        assert query(workspace.ledger.store, workspace.core.lake, "select * from gold_signals_v1").rows
        assert isinstance(workspace.audit.diff_versions("gold_signals", 1, 2), list)
        store = open_store(workspace.config.ledger_url, workspace.config.folder)
        monkeypatch.setattr(segments, "EVENTS", 64)  # caches are used, too
        open_views(store, resolve(store, None)).close()
        open_views(store, resolve(store, None)).close()
        check_everything(workspace)
    assert sorted(path.name for path in root.iterdir()) == ["posts [1]*?", "ws"]


@pytest.mark.parametrize("name", ["b\\s", "\\", "a\\[x]"])
def test_a_backslash_is_a_name_where_duckdb_need_not_name_it(tmp_path: Path, name: str):
    small.deliver(tmp_path / name / "posts", days=2)
    ledger = f"sqlite:///{tmp_path / name}/x.db"
    folder = tmp_path / "ws"
    with Workspace.create(folder, source=f"files:{tmp_path / name / 'posts'}", ledger=ledger, actor="ana") as workspace:
        assert workspace.incremental.run(last=small.day(2)).status == "SUCCESS"
    assert posts_of(folder) > 0
    assert (tmp_path / name / "x.db").is_file()
    refusals: list[dict[str, Any]] = [
        {"folder": tmp_path / name / "ws"},
        {"folder": tmp_path / "ws2", "lake": f"../{name}/lake"},
    ]
    for refused in refusals:
        with pytest.raises(UnusablePathError, match="backslash") as caught:
            Workspace.create(**refused, source=f"files:{tmp_path / name / 'posts'}", actor="ana")
        assert caught.value.mend
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["ws", name])


@pytest.mark.parametrize("what", ["folder", "source", "lake", "ledger", "pipeline"])
def test_what_is_not_utf8_is_refused_before_anything_is_made(tmp_path: Path, what: str):
    small.deliver(tmp_path / "posts", days=1)
    small.deliver(tmp_path / NOT_UTF8, days=1)
    before = sorted(tmp_path.rglob("*"))
    choices = {
        "folder": str(tmp_path / "ws"),
        "source": f"files:{tmp_path / 'posts'}",
        "lake": "lake",
        "ledger": "sqlite:///ledger.db",
        "pipeline": "own",
    }
    choices[what] = {"source": f"files:{tmp_path / NOT_UTF8}", "ledger": f"sqlite:///{NOT_UTF8}/x.db"}.get(
        what, str(tmp_path / NOT_UTF8 / "x")
    )
    with pytest.raises(UnusablePathError, match=r"caf\\xe9") as caught:
        Workspace.create(**choices, actor="ana")  # type: ignore[arg-type]  # settings, by their names
    assert caught.value.mend
    assert sorted(tmp_path.rglob("*")) == before


def test_a_workspace_that_was_moved_below_such_a_name_is_refused_by_name(here: Path):
    assert run(["init", "ws", "--source", "files:posts"]) == 0
    Path(NOT_UTF8).mkdir()
    shutil.move("ws", Path(NOT_UTF8, "ws"))
    Path("link").symlink_to(NOT_UTF8)
    assert run(["-C", "link/ws", "status"]) == 6


def test_an_argument_that_is_not_utf8_ends_in_a_line(here: Path, capsys: pytest.CaptureFixture[str]):
    for arguments in (["init", NOT_UTF8, "--source", "files:posts"], ["-C", NOT_UTF8, "status"], ["query", NOT_UTF8]):
        assert run([*arguments, "--json"]) == 2
        shown = capsys.readouterr()
        assert "caf\\xe9 is not valid UTF-8" in json.loads(shown.out)["error"]["message"]
        assert shown.err.startswith("error: ")


@given(st.lists(st.sampled_from(list("ab*?[]!-{},^~")), min_size=1, max_size=8).map("".join))
@settings(max_examples=60)
def test_a_pattern_of_a_path_fits_that_path_only(tmp_path_factory: pytest.TempPathFactory, name: str):
    folder = tmp_path_factory.mktemp("lake")
    for other in ("a", "b", "ab", "aa", "-", "!", "a-b", name):
        (folder / other).mkdir(exist_ok=True)
        target = str(folder / other / "x.parquet").replace("'", "''")
        duckdb.execute(f"copy (select 1) to '{target}' (format parquet)")
    wanted = str(folder / name / "x.parquet")
    found = duckdb.execute(f"select filename from read_parquet({file_list([wanted])}, filename = true)").fetchall()
    assert found == [(wanted,)]
    assert literal("plain/path") == "plain/path"


def test_no_connection_spills_into_the_current_folder():
    with connect() as connection:
        place = connection.execute("select current_setting('temp_directory')").fetchall()[0][0]
    assert Path(place).is_absolute()
    assert Path.cwd() not in Path(place).parents
    assert not Path(place).exists()


def test_spilling_works_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with connect() as connection:
        connection.execute("set memory_limit = '60MB'")
        connection.execute("set enable_external_access = false")
        place = Path(connection.execute("select current_setting('temp_directory')").fetchall()[0][0])
        connection.execute("create table t as select i, hash(i)::varchar || repeat('x', 40) s from range(2000000) r(i)")
        assert place.is_dir()
    assert not place.exists()
    assert list(tmp_path.iterdir()) == []


def test_the_settings_resolve_what_they_name(tmp_path: Path):
    file = tmp_path / FILE
    write_config(file, ledger="sqlite:///a?b#c.db", lake="la%20ke", source="files:po?sts", pipeline="p")
    config = load_config(file)
    assert config.ledger_url == f"sqlite:///{tmp_path}/a?b#c.db"
    assert (config.lake, config.pipeline) == (f"{tmp_path}/la%20ke", tmp_path / "p")
    assert config.source == f"files:{tmp_path}/po?sts"
    assert open_place(str(config.source), config.folder) == FilesPlace(tmp_path / "po?sts", tmp_path)
