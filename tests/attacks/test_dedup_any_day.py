"""A post has one day, whatever day it is delivered with again, at any distance, in any run, beside any other."""

from __future__ import annotations

import json
import random
import shlex
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests import worlds
from tests.kit import small
from tests.kit.contents import contents, current_files
from tests.kit.lake import events
from tradex_ledger import keyed
from tradex_ledger.cli.main import run as call
from tradex_ledger.datasets.statement import connect
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.day import Day, iso
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.domain.policy import NotAllowedError
from tradex_ledger.domain.request import Request
from tradex_ledger.driving import append as append_module
from tradex_ledger.driving import elsewhere
from tradex_ledger.driving.homes import NOTHING_MOVED
from tradex_ledger.driving.keys import number_of, spans_of
from tradex_ledger.driving.two_days import near_other_days
from tradex_ledger.errors import EnvironmentFault, RefusedError
from tradex_ledger.lake.inputs import InputFile
from tradex_ledger.lake.local import LocalLake
from tradex_ledger.views import AsOf, shared_views
from tradex_ledger.workspace import BUILT_IN, Workspace

BRONZE = ("bronze_x_posts", "bronze_x_posts__rejected", "bronze_x_posts__undated")
# A backfill rebuilds something: as little as there can be, and what shows a post that counts twice.
COUNTS = """-- /// dataset
-- layer = "silver"
-- partition = "event_date"
-- key = ["event_date"]
-- reads = { bronze_x_posts = "0d" }
-- ///
select event_date, count(distinct post_id) as posts, count(*) as versions from bronze_x_posts group by all
"""
LEAVES_OUT = COUNTS.replace("-- ///\nselect", '-- references = ["left_out.csv"]\n-- ///\nselect').replace(
    "from bronze_x_posts",
    "from bronze_x_posts b where not exists "
    "(from left_out l where l.post_id = b.post_id and l.event_date = b.event_date::varchar)",
)
SNOWFLAKE = 1_741_941_000_000_000_000  # of the first of January 2024
Row = tuple[str, str, date]


@pytest.fixture(autouse=True)
def _of_this_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in (keyed.CONFIG_HOME, keyed.CACHE_HOME):
        monkeypatch.setenv(name, str(tmp_path / name))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "posts"
    folder.mkdir()
    return folder


@pytest.fixture
def workspace(tmp_path: Path, source: Path) -> Iterator[Workspace]:
    def begin(folder: Path) -> None:
        (folder / "posts").mkdir()
        define(folder / "ws" / "pipeline")
        worlds.create(folder, pipeline="pipeline")

    with small.reopen(worlds.copy("dedup", begin, tmp_path)) as workspace:
        yield workspace


def define(pipeline: Path) -> None:
    pipeline.mkdir(parents=True)
    for name in BRONZE:
        shutil.copy(BUILT_IN / f"{name}.sql", pipeline)
    (pipeline / "silver_counts.sql").write_text(COUNTS)


def made(root: Path, source: Path, **policy: Any) -> Workspace:
    define(root / "pipeline")
    return small.create(root / "ws", f"files:{source}", pipeline=str(root / "pipeline"), **policy)


def post(number: int | str, day: int, text: str = "$TSLA", **more: Any) -> dict[str, Any]:
    moment = f"{date(2023, 12, 31) + timedelta(day)}T10:00:00.000Z"
    return {"id": str(number), "text": text, "author_id": "9", "created_at": moment, **more}


def deliver(source: Path, name: str, *posts: dict[str, Any] | str) -> None:
    lines = [one if isinstance(one, str) else json.dumps(one) for one in posts]
    (source / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def bronze(workspace: Workspace, dataset: str = BRONZE[0], columns: str = "post_id, text, event_date") -> list[Any]:
    with shared_views(workspace.ledger.store, AsOf(workspace.ledger.position(), None)) as connection:
        files = current_files(connection, workspace, dataset)
    if not files:
        return []
    return duckdb.execute(
        f"select {columns} from read_parquet($1, hive_partitioning = false) order by all", [files]
    ).fetchall()


def repeated(workspace: Workspace) -> list[Any]:
    """By SQL of its own, over all files: keys that stand twice, posts of two days, lines that are known twice."""
    found: list[Any] = []
    with shared_views(workspace.ledger.store, AsOf(workspace.ledger.position(), None)) as connection:
        posts = current_files(connection, workspace, BRONZE[0])
        lines = [f for name in BRONZE[1:] for f in current_files(connection, workspace, name)]
    for files, key, more in (
        (posts, "post_id, revision", ""),
        (posts, "post_id", "and count(distinct event_date) > 1"),
        (lines, "file, line, raw_sha256", ""),
    ):
        over = "count(*) > 1" if not more else f"true {more}"
        if files:
            found += duckdb.execute(
                f"select {key}, count(*) from read_parquet($1, hive_partitioning = false, union_by_name = true) "
                f"group by {key} having {over}",
                [files],
            ).fetchall()
    return found


def counted(workspace: Workspace) -> dict[date, tuple[int, int]]:
    """What is built on Bronze: posts and versions by day."""
    with shared_views(workspace.ledger.store, AsOf(workspace.ledger.position(), None)) as connection:
        files = current_files(connection, workspace, "silver_counts")
    rows = duckdb.execute("from read_parquet($1, hive_partitioning = false)", [files]).fetchall()
    return {day: (posts, versions) for day, posts, versions in rows if versions}


def source_of(workspace: Workspace) -> dict[str, Any]:
    (*_, last) = events(workspace, "topic = 'run.layer_completed' and layer = 'bronze'")
    found: dict[str, Any] = json.loads(last["data"])["source"]
    return found


@pytest.mark.parametrize("again", [2, 9], ids=["an earlier day", "a later day"])
@pytest.mark.parametrize("how", ["incremental", "backfill"])
def test_a_post_that_comes_again_with_another_day_is_one_post(workspace: Workspace, source: Path, again: int, how: str):
    """The example: 200 posts, 10 of them again with another day, outside of the backfill's range: 210 rows."""
    deliver(source, "a", *(post(SNOWFLAKE + n, 5) for n in range(200)))
    workspace.incremental.run(last=small.day(6))
    deliver(source, "b", *(post(SNOWFLAKE + n, again) for n in range(10)))
    if how == "incremental" and again == 9:
        workspace.incremental.run(last=small.day(11))
    else:
        if again == 9:
            workspace.incremental.run(last=small.day(7))
        small.backfill(workspace, again, again)
    assert len(bronze(workspace)) == 200
    assert repeated(workspace) == []
    assert counted(workspace) == {small.day(5): (200, 200)}
    assert (source_of(workspace)["posts"], source_of(workspace)["duplicates"]) == (10, 10)
    small.backfill(workspace, again, again)
    assert len(bronze(workspace)) == 200


def test_within_one_delivery_the_first_one_says_the_day(workspace: Workspace, source: Path):
    deliver(source, "a", post(7, 6), post(7, 2), post(8, 3), post(8, 3), post(9, 4, "one"), post(9, 5, "other"))
    deliver(source, "b", post(7, 1), post(8, 2))
    workspace.incremental.run(last=small.day(7))
    assert bronze(workspace) == [
        ("7", "$TSLA", small.day(6)),
        ("8", "$TSLA", small.day(3)),
        ("9", "one", small.day(4)),
        ("9", "other", small.day(4)),
    ]
    assert (source_of(workspace)["moved"], source_of(workspace)["duplicates"]) == (1, 4)


def test_it_is_the_same_day_however_small_the_batches_are(tmp_path: Path, source: Path):
    deliver(source, "a", post(7, 25), post(7, 2), post(8, 3), post(8, 26))
    found = []
    for size in (1, 3, 30):
        with made(tmp_path / str(size), source, window_partitions=size) as workspace:
            workspace.incremental.run(last=small.day(30))
            found.append(bronze(workspace))
    assert found[0] == found[1] == found[2] == [("7", "$TSLA", small.day(25)), ("8", "$TSLA", small.day(3))]


def test_an_edit_of_a_made_up_id_goes_to_the_day_of_its_post_and_that_day_is_built_again(
    workspace: Workspace, source: Path
):
    """It used to stand on both days, and counted on both."""
    deliver(source, "a", post(11, 3, "before"), post(12, 3))
    workspace.incremental.run(last=small.day(4))
    deliver(source, "b", post(13, 8, "after", edit_history_tweet_ids=["11", "13"]), post(14, 8))
    workspace.incremental.run(last=small.day(9))
    assert repeated(workspace) == []
    assert [row[1:] for row in bronze(workspace) if row[0] == "11"] == [
        ("after", small.day(3)),
        ("before", small.day(3)),
    ]
    assert counted(workspace) == {small.day(3): (2, 3), small.day(8): (1, 1)}
    assert source_of(workspace)["moved"] == 1
    # What was delivered is told as it was delivered.
    assert {row[1].day for row in bronze(workspace, columns="text, created_at") if row[0] == "after"} == {8}


def test_a_rule_that_approved_one_day_does_not_drive_the_days_of_edited_posts(tmp_path: Path, source: Path):
    """Edits delivered on one day are filed under the days of their posts, which come into the plan."""
    with made(tmp_path, source, may_approve=["boss"], rule_max_partitions=1) as workspace:
        deliver(source, "a", *(post(10 + n, n) for n in range(1, 6)))
        workspace.incremental.run(last=small.day(6))
        deliver(source, "b", *(post(20 + n, 8, "after", edit_history_tweet_ids=[f"{10 + n}"]) for n in range(1, 6)))
        run_id = small.request(workspace, 8, 8)
        assert workspace.ledger.get(Backfill, run_id).approved_rule == "at most 1 partitions"
        held = workspace.runs.drive(run_id)
        assert (held.status, sum(window.partitions for window in held.windows)) == ("HELD", 1)
        (told,) = events(workspace, "topic = 'run.held'")
        assert "and now 6 partitions: a person has to look (silver_counts: days that follow from what" in told["data"]
        with pytest.raises(NotAllowedError):
            workspace.runs.release(run_id, reason=small.REASON)
        assert counted(workspace) == {small.day(n): (1, 1) for n in range(1, 6)}
        assert len(bronze(workspace)) == 10, "what was paid for is kept"
        with pytest.raises(RefusedError):
            workspace.runs.drive(run_id)
    with small.reopen(tmp_path / "ws", "boss") as boss:
        boss.runs.release(run_id, reason=small.REASON)
        assert boss.runs.drive(run_id).status == "SUCCESS"
        assert counted(boss) == {small.day(n): (1, 2) for n in range(1, 6)}
        (extended,) = events(boss, f"topic = 'run.plan_extended' and run_id = '{run_id}'")
        reason = json.loads(extended["data"])["reason"]
        assert reason == "days that follow from what was appended or published since"
        assert repeated(boss) == []


def test_what_a_failed_or_cancelled_run_put_into_bronze_counts(
    workspace: Workspace, source: Path, monkeypatch: pytest.MonkeyPatch
):
    """Bronze has no candidates: what was saved is there, whatever became of its run."""
    deliver(source, "a", post(7, 3), post(8, 4))
    workspace.incremental.run(last=small.day(4))
    deliver(source, "b", post(9, 3))
    run_id = small.request(workspace, 3, 3)
    workspace.backfills.approve(run_id)
    with monkeypatch.context() as broken, pytest.raises(EnvironmentFault):
        broken.setattr("tradex_ledger.driving.drive._rebuild_layer", _torn)
        workspace.runs.drive(run_id)
    workspace.runs.cancel(run_id, reason="not needed any more")
    deliver(source, "c", post(9, 6))
    workspace.incremental.run(last=small.day(7))
    assert [row[2] for row in bronze(workspace) if row[0] == "9"] == [small.day(3)]
    assert repeated(workspace) == []


def _torn(*_: Any) -> None:
    raise EnvironmentFault("torn", mend="run it again")


def test_a_post_of_a_protected_day_is_left_out_and_told_and_comes_in_later(
    workspace: Workspace, source: Path, capsys: pytest.CaptureFixture[str]
):
    deliver(source, "a", post(11, 3, "before"), post(12, 3))
    workspace.incremental.run(last=small.day(4))
    workspace.datasets.protect("bronze_x_posts", first=small.day(3), last=small.day(3), reason="a legal hold, LEG-12")
    again = post(12, 8)
    deliver(source, "b", post(13, 8, "after", edit_history_tweet_ids=["11", "13"]), again)
    run = workspace.incremental.run(last=small.day(9))
    assert run.status == "SUCCESS"
    assert len(bronze(workspace)) == 2
    told = source_of(workspace)
    assert (told["withheld"], told["duplicates"], told["appended"]) == (1, 1, 0)
    workspace.datasets.unprotect(
        "bronze_x_posts", first=small.day(3), last=small.day(3), reason="the hold is over, LEG-12"
    )
    small.backfill(workspace, 8, 8)
    assert counted(workspace) == {small.day(3): (2, 3)}
    assert repeated(workspace) == []


def test_two_runs_at_once_leave_one_row(workspace: Workspace, source: Path, monkeypatch: pytest.MonkeyPatch):
    """The other run saves the very post, of another day, between our look and our save."""
    deliver(source, "a", post(7, 2))
    workspace.incremental.run(last=small.day(3))
    deliver(source, "b", post(8, 3), post(10, 3))
    ours = small.request(workspace, 3, 3)
    workspace.backfills.approve(ours)
    folder, placed = workspace.config.folder, LocalLake.place
    done: list[bool] = []

    def place(self: LocalLake, *what: Any) -> Any:
        if not done:
            done.append(True)
            deliver(source, "c", post(8, 6), post(9, 6))
            with small.reopen(folder, "bob") as other:
                other.incremental.run(last=small.day(7))
        return placed(self, *what)

    monkeypatch.setattr(LocalLake, "place", place)
    workspace.runs.drive(ours)
    assert bronze(workspace, columns="post_id, event_date") == [
        ("10", small.day(3)),
        ("7", small.day(2)),
        ("8", small.day(6)),
        ("9", small.day(6)),
    ]
    assert repeated(workspace) == []
    assert counted(workspace) == {small.day(2): (1, 1), small.day(3): (1, 1), small.day(6): (2, 2)}


def test_a_line_that_is_no_post_is_known_under_whatever_day_it_was_read(workspace: Workspace, source: Path):
    # Its own time is still to come when it is read first: then its day is that of the file's name, and later its own.
    no_post = json.dumps({"created_at": "2024-02-20T10:00:00.000Z", "text": "no id"})
    deliver(source, "2024-01-02-x", no_post, post(7, 2))
    workspace.incremental.run(last=small.day(3))
    assert len(bronze(workspace, BRONZE[1], "event_date, reason")) == 1
    with Workspace.open(
        workspace.config.folder, actor="ana", clock=small.Ticking(datetime(2024, 3, 1, tzinfo=UTC))
    ) as later:
        small.backfill(later, date(2024, 2, 20), date(2024, 2, 20))
        assert repeated(later) == []
        assert len(bronze(later, BRONZE[1], "event_date, reason")) == 1


# -- what an earlier release left


@pytest.mark.parametrize("base", [SNOWFLAKE, "made-up-"], ids=["ids of the platform", "any ids"])
def test_posts_that_stood_on_two_days_before_are_told_with_the_days(
    workspace: Workspace, source: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], base: Any
):
    def ids(first: int, until: int) -> list[int | str]:
        return [f"{base}{n}" if isinstance(base, str) else base + n for n in range(first, until)]

    deliver(source, "a", *(post(one, 2) for one in ids(0, 40)), *(post(one, 3) for one in ids(40, 80)))
    workspace.incremental.run(last=small.day(4))
    again, edit = ids(10, 13), ids(50, 51)[0]
    deliver(
        source, "b", *(post(one, 6) for one in again), post(edit, 7, "after"), *(post(one, 6) for one in ids(80, 99))
    )
    assert [item.kind for item in workspace.backfills.propose(source=True) if item.kind == "two days"] == []
    with monkeypatch.context() as before:
        before.setattr(append_module, "find_moved", lambda *_, **__: NOTHING_MOVED)
        workspace.incremental.run(last=small.day(7))
    assert len(repeated(workspace)) == 3 + 4, "the rule of before: versions that stand twice, posts of two days"
    (told,) = [item for item in workspace.backfills.propose(source=True) if item.kind == "two days"]
    assert (told.posts, [iso(day) for day in told.days or ()]) == (4, [f"2024-01-0{n}" for n in (2, 3, 6, 7)])
    assert "4 posts stand in bronze_x_posts on several days each (2024-01-02, 2024-01-03, " in told.reason
    folder = str(workspace.config.folder)
    assert call(["-C", folder, *shlex.split(told.command or "")[1:], "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["rows"]
    assert {str(row[0] if isinstance(row, list) else row["post_id"]) for row in listed} == {
        str(n) for n in (*again, edit)
    }
    assert call(["-C", folder, "backfill", "propose"]) == 0
    assert "# 4 posts stand in bronze_x_posts on several days each" in capsys.readouterr().out
    assert not any(item.is_request for item in workspace.backfills.propose(source=True)), "there is nothing to request"
    # The way out that docs/upgrading.md describes.
    pipeline = workspace.config.folder / "pipeline"
    lines = [f"{one},2024-01-06" for one in again] + [f"{edit},2024-01-07"]
    (pipeline / "left_out.csv").write_text("\n".join(["post_id,event_date", *lines]) + "\n")
    (pipeline / "silver_counts.sql").write_text(LEAVES_OUT)
    with small.reopen(workspace.config.folder) as mended:
        mended.datasets.bump("silver_counts", reason="posts that count on two days, INC-4305")
        order: Any = {"kind": "logical", "dataset": "silver_counts", "override_state": False, "reason": small.REASON}
        run_id = mended.backfills.request(Request(**order, first=small.day(1), last=small.day(7))).id
        mended.backfills.approve(run_id)
        mended.runs.drive(run_id)
        assert counted(mended) == {small.day(2): (40, 40), small.day(3): (40, 40), small.day(6): (19, 19)}


def test_files_that_share_numbers_with_another_day_are_found_by_their_spans():
    chance = random.Random(14)
    for _ in range(300):
        known = []
        for n in range(chance.randrange(1, 9)):
            lows = sorted(chance.sample(range(60), 2 * chance.randrange(1, 4)))
            spans = tuple((lows[i], lows[i + 1]) for i in range(0, len(lows), 2))
            file = LakeFile(str(n), 0, 0, "")
            known.append((InputFile(Day(chance.randrange(4)), file, LocalLake(Path())), spans))
        shared = {
            one.file.path
            for one, its in known
            for other, theirs in known
            if one.day != other.day and any(a <= d and c <= b for a, b in its for c, d in theirs)
        }
        assert {file.file.path for file, _ in near_other_days(known)} == shared


# -- the index is a cache


def keys_folder(workspace: Workspace) -> Path:
    return small.caches(workspace.config.folder) / "keys"


def spoil_nothing(folder: Path) -> None: ...


def spoil_all(folder: Path) -> None:
    shutil.rmtree(folder)


def spoil_numbers(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name != "spans":
            path.write_bytes(b"")


def spoil_spans(folder: Path) -> None:
    path = folder / "spans"
    path.write_bytes(path.read_bytes().replace(b"1741941", b"1741942"))


def spoil_swap(folder: Path) -> None:
    paths = [path for path in folder.iterdir() if path.name != "spans"]
    for path in paths:
        path.write_bytes(paths[0].read_bytes())


def spoil_flips(folder: Path) -> None:
    chance = random.Random(9162)
    for path in folder.iterdir():
        data = bytearray(path.read_bytes())
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)


def spoil_folder(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("a file where the folder was")


SPOILS = [spoil_nothing, spoil_all, spoil_numbers, spoil_spans, spoil_swap, spoil_flips, spoil_folder]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Posts whose ids say nothing of their days: the keys of all files overlap."""
    root = tmp_path_factory.mktemp("filled")
    (root / "posts").mkdir()
    chance = random.Random(7438)
    ids = [str(chance.randrange(10**18)) if n % 3 else f"made-up-{n}" for n in range(120)]
    for day in range(1, 5):
        deliver(root / "posts", f"day-{day}", *(post(ids[30 * (day - 1) + n], day) for n in range(30)))
    (root / "ids").write_text("\n".join(ids))
    with made(root, root / "posts") as workspace:
        workspace.incremental.run(last=small.day(5))
    return root


@pytest.mark.parametrize("spoil", SPOILS)
def test_the_index_is_not_believed_when_it_does_not_fit(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Any
):
    folder = small.copied(filled, tmp_path / "copy")
    with small.reopen(folder) as workspace:  # the key of this test makes an index of its own
        small.backfill(workspace, 1, 1)
    with small.reopen(folder) as workspace:
        spoil(keys_folder(workspace))
        ids = (filled / "ids").read_text().split("\n")
        deliver(tmp_path / "copy" / "posts", "again", *(post(one, 8) for one in ids))
        workspace.incremental.run(last=small.day(9))
        assert len(bronze(workspace)) == 120
        assert repeated(workspace) == []


def test_without_a_key_the_index_is_computed(filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = small.copied(filled, tmp_path / "copy")
    for name in (keyed.CONFIG_HOME, keyed.CACHE_HOME, "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    ids = (filled / "ids").read_text().split("\n")
    deliver(tmp_path / "copy" / "posts", "again", *(post(one, 8) for one in ids))
    with small.reopen(folder) as workspace:
        shutil.rmtree(keys_folder(workspace), ignore_errors=True)
        workspace.incremental.run(last=small.day(9))
        assert len(bronze(workspace)) == 120
        assert not keys_folder(workspace).exists() or not list(keys_folder(workspace).iterdir())


def test_one_odd_key_does_not_widen_the_span_of_the_others():
    numbers = [*range(1000, 2000), 5, 2**63]
    raw = b"".join(n.to_bytes(8, "little") for n in sorted(numbers))
    spans = spans_of(raw)
    assert spans[0] == (5, 5)
    assert spans[-1] == (2**63, 2**63)
    assert sum(high - low for low, high in spans) < 1000
    assert all(any(low <= n <= high for low, high in spans) for n in numbers)


@pytest.mark.parametrize("rows", [1, 2, 3, 100])
def test_the_days_of_a_post_are_seen_together_however_small_the_parts_are(rows: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(elsewhere, "_STAGED_ROWS", rows)
    posts = [
        ("11", 1),
        ("12", 2),
        ("11", 3),
        ("12", 2),
        ("made-up", 9),
        ("13", 4),
        ("made-up", 8),
        (None, 5),
        (None, 6),
    ]
    with connect() as connection:
        connection.execute("create table staged (post_id varchar, event_date date)")
        connection.executemany("insert into staged values (?, make_date(2024, 1, ?))", posts)
        parts = list(elsewhere._parts(connection, "post_id", "event_date"))
        numbers = connection.execute(f"select {number_of('id')} from (values ('11'), ('made-up')) t(id)").fetchall()
        assert sorted(n for part in parts for n in part.several) == sorted(n for (n,) in numbers)
        assert sum(len(part.numbers) for part in parts) == 7  # what has no id is found by none
        assert all(list(part.numbers) == sorted(part.numbers) for part in parts)
        connection.execute("delete from staged")
        assert list(elsewhere._parts(connection, "post_id", "event_date")) == []


# -- over random deliveries


def deliveries(chance: random.Random) -> list[list[dict[str, Any]]]:
    """Four deliveries: new posts, old ones again (with another day, too), edits, all with ids of every kind."""
    known: list[dict[str, Any]] = []
    found = []
    for number in range(4):
        batch = []
        for n in range(18):
            kind = chance.random()
            if known and kind < 0.4:
                batch.append(dict(chance.choice(known)) | {"created_at": post(0, chance.randint(1, 20))["created_at"]})
            elif known and kind < 0.6:
                batch.append(dict(chance.choice(known)) | {"text": f"$TSLA {number} {n}"})
            else:
                base = chance.choice([SNOWFLAKE, 1, 10**25])
                batch.append(post(base + chance.randrange(10**6), chance.randint(1, 20), f"$GE {number} {n}"))
        known += batch
        found.append(batch)
    return found


def expected(batches: list[list[dict[str, Any]]]) -> list[Row]:
    """The rule, told by SQL of its own: the first delivery of a post says its day, each version of it stands once."""
    rows = [(n, one["id"], one["text"], one["created_at"][:10]) for n, one in enumerate(p for b in batches for p in b)]
    with duckdb.connect() as connection:
        connection.execute("create table delivered (n integer, id varchar, text varchar, day date)")
        connection.executemany("insert into delivered values (?, ?, ?, ?)", rows)
        return connection.execute(
            "select distinct id, text, first_value(day) over (partition by id order by n) from delivered order by all"
        ).fetchall()


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(n, marks=pytest.mark.soak) for n in range(2, 10))])
def test_whatever_is_delivered_each_version_of_a_post_stands_once_on_the_day_of_its_post(
    tmp_path: Path, source: Path, seed: int
):
    batches = deliveries(random.Random(seed))
    with made(tmp_path / "bit by bit", source) as workspace:
        for number, batch in enumerate(batches):
            deliver(source, f"{number}", *batch)
            if number == 0:
                workspace.incremental.run(last=small.day(24))
            else:
                small.backfill(workspace, 1, 20)
        assert bronze(workspace) == expected(batches)
        assert repeated(workspace) == []
        found = contents(workspace)
    with made(tmp_path / "at once", source) as workspace:
        workspace.incremental.run(last=small.day(24))
        assert bronze(workspace) == expected(batches)
        assert contents(workspace) == found
