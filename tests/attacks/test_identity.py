"""A lake knows whose it is: an older ledger, another's, an unmounted disk and nested lakes are named.

Before that is put right, nothing is written, and nothing removed.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import worlds
from tests.kit import small
from tests.kit.check import check_everything
from tests.kit.contents import contents
from tests.kit.faults import Crash, Interruption
from tests.kit.lake import projection
from tradex_ledger.cli.main import run
from tradex_ledger.config import FILE
from tradex_ledger.domain.dataset_errors import LossRefusedError
from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.lake.folder import lay, markers
from tradex_ledger.lake.identity import plan_base, problem, settle
from tradex_ledger.lake.identity_errors import (
    BehindError,
    ForkedError,
    LakeIdentityError,
    NestedLakeError,
    OtherLedgerError,
    StrangersError,
    UnmarkedLakeError,
)
from tradex_ledger.lake.local import LocalLake
from tradex_ledger.lake.markers import KEPT, MARKS, Marker, drop_old
from tradex_ledger.workspace import Workspace

REASON = "the disk of the ledger died, INC-4320"
SPAN = ("--from=2024-01-01", "--to=2024-01-02")
WRITERS = [
    ("run", "--to", "2024-01-06"),
    ("worker", "--once"),
    ("backfill", "request", "temporal", "bronze_x_posts", *SPAN, "--no-override-state", "--reason", small.REASON),
    ("backfill", "propose", "--submit"),
    ("backfill", "approve", "{bf}"),
    ("backfill", "reject", "{bf}", "--reason", small.REASON),
    ("backfill", "cancel", "{bf}", "--reason", small.REASON),
    ("backfill", "pause", "{bf}", "--reason", small.REASON),
    ("backfill", "resume", "{bf}"),
    ("backfill", "run", "{bf}"),
    ("backfill", "release", "{bf}", "--reason", small.REASON),
    ("backfill", "revert", "{bf}", "--reason", small.REASON),
    ("dataset", "bump", "gold_signals", "--reason", small.REASON),
    ("dataset", "deprecate", "gold_signals", "1", "--reason", small.REASON),
    ("dataset", "protect", "gold_signals", *SPAN, "--reason", small.REASON),
    ("dataset", "unprotect", "gold_signals", *SPAN, "--reason", small.REASON),
    ("engine", "accept", "--reason", small.REASON),
    ("lake", "gc", "--delete", "--reason", small.REASON),
    ("lake", "prune", "gold_metrics", "--reason", small.REASON),
    ("lake", "prune", "gold_metrics", "--approve", "0" * 64),
    ("alerts", "--deliver"),
]
READERS = [
    ("status",),
    ("query", "select count(*) from runs"),
    ("audit", "log"),
    ("audit", "diff", "--candidate", "{bf}"),
    ("backfill", "list"),
    ("dataset", "list"),
    ("lake", "gc"),
]


@dataclass(frozen=True)
class Story:
    """A workspace that ran twice, a copy of its ledger from between the two, and a backfill that nobody approved."""

    root: Path
    backfill: str

    @property
    def older(self) -> Path:
        return self.root / "older.db"


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    root = tmp_path_factory.mktemp("story")
    with small.reopen(worlds.copied(root, days=5, until=3)) as made:
        backfill = small.request(made, 1, 1)
    shutil.copy(root / "ws" / "ledger.db", root / "older.db")
    with small.reopen(root / "ws") as made:
        made.incremental.run(last=small.day(4))
    return Story(root, backfill)


@pytest.fixture
def ws(story: Story, tmp_path: Path) -> Path:
    """A copy of the whole workspace: the source stays where it is."""
    return Path(shutil.copytree(story.root / "ws", tmp_path / "ws"))


def put_back(folder: Path, copy: Path) -> None:
    """Put another copy of the ledger in place."""
    for left in folder.glob("ledger.db*"):
        left.unlink() if left.is_file() else shutil.rmtree(left)
    shutil.copy(copy, folder / "ledger.db")


def use_lake(folder: Path, lake: Path) -> None:
    """Point a workspace at a lake."""
    settings = folder / FILE
    lines = settings.read_text(encoding="utf-8").splitlines()
    settings.write_text(
        "\n".join(f"lake = {json.dumps(str(lake))}" if line.startswith("lake = ") else line for line in lines),
        encoding="utf-8",
    )


def another(folder: Path, story: Story) -> Path:
    """A second workspace, over the same source."""
    Workspace.create(folder, source=f"files:{story.root / 'posts'}", actor="eve", clock=small.Ticking()).close()
    return folder


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    """What lies in a folder, links and empty folders too: sizes and times of change."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in folder.rglob("*")
    }


def position(folder: Path) -> int:
    with Workspace.open(folder, actor="ana", reading=True, tolerates=small.ANY_LAKE) as opened:
        return opened.ledger.position()


def highest(folder: Path) -> Marker:
    return markers(folder / "lake")[-1]


# -- what is refused, and what readers are told


def behind(ws: Path, story: Story) -> Path:
    put_back(ws, story.older)
    return ws


def gone_on(ws: Path, story: Story) -> Path:
    """The copy did so much by itself that it is longer than what was lost."""
    end = position(ws)
    put_back(ws, story.older)
    with Workspace.open(ws, actor="ana", clock=small.Ticking(), tolerates=small.ANY_LAKE) as copy:
        while copy.ledger.position() <= end:
            copy.datasets.protect(
                "gold_signals", small.day(1), small.day(2), reason=f"reason {copy.ledger.position()} to hold"
            )
    return ws


def of_another(ws: Path, story: Story) -> Path:
    put_back(ws, another(ws.parent / "other", story) / "ledger.db")
    return ws


def unmounted(ws: Path, story: Story) -> Path:
    (ws / "lake").rename(ws / "disk")
    (ws / "lake").mkdir()
    return ws


def unmounted_with_staging(ws: Path, story: Story) -> Path:
    (unmounted(ws, story) / "lake" / ".staging").mkdir()
    return ws


def no_mount_point(ws: Path, story: Story) -> Path:
    (ws / "lake").rename(ws / "disk")
    return ws


def inside_another(ws: Path, story: Story) -> Path:
    other = another(ws.parent / "other", story)
    shutil.move(ws / "lake", other / "lake" / "team-a")
    use_lake(ws, other / "lake" / "team-a")
    return ws


def inside_another_by_a_link(ws: Path, story: Story) -> Path:
    inside_another(ws, story)
    (ws / "lake").symlink_to(ws.parent / "other" / "lake" / "team-a")
    use_lake(ws, ws / "lake")
    return ws


def around_another(ws: Path, story: Story) -> Path:
    shutil.move(another(ws.parent / "other", story) / "lake", ws / "lake" / "team-b")
    return ws


def dataset_in_another(ws: Path, story: Story) -> Path:
    other = another(ws.parent / "other", story)
    shutil.move(ws / "lake" / "gold_metrics", other / "lake" / "gold_metrics")
    (ws / "lake" / "gold_metrics").symlink_to(other / "lake" / "gold_metrics")
    return ws


def later_epoch(ws: Path, story: Story) -> Path:
    with small.reopen(ws) as opened:
        opened.core.lake.lay(Marker(5, 3, "ab" * 32, opened.ledger.id))
    return ws


def of_before_with_more(ws: Path, story: Story) -> Path:
    """A lake without a marker, and an older copy of its ledger."""
    shutil.rmtree(ws / "lake" / MARKS)
    return behind(ws, story)


Situation = Callable[[Path, Story], Path]
SITUATIONS: list[tuple[Situation, type[LakeIdentityError]]] = [
    (behind, BehindError),
    (gone_on, ForkedError),
    (of_another, OtherLedgerError),
    (unmounted, UnmarkedLakeError),
    (unmounted_with_staging, UnmarkedLakeError),
    (no_mount_point, UnmarkedLakeError),
    (inside_another, NestedLakeError),
    (inside_another_by_a_link, NestedLakeError),
    (around_another, NestedLakeError),
    (dataset_in_another, NestedLakeError),
    (later_epoch, BehindError),
    (of_before_with_more, StrangersError),
]
EACH = pytest.mark.parametrize(("situation", "error"), SITUATIONS, ids=lambda value: getattr(value, "__name__", None))


@EACH
def test_every_command_that_writes_is_refused_before_it_wrote_or_removed_anything(
    ws: Path, story: Story, situation: Situation, error: type[LakeIdentityError], capsys: pytest.CaptureFixture[str]
):
    before_lake = tree(situation(ws, story).parent)
    before = position(ws)
    for command in WRITERS:
        status = run(["-C", str(ws), "--as", "ana", *(part.format(bf=story.backfill) for part in command)])
        said = capsys.readouterr().err
        assert status == 3, (command, said)
        assert "lake" in said
        assert position(ws) == before, command
    after = tree(ws.parent)
    changed = {name for name in before_lake.keys() | after.keys() if before_lake.get(name) != after.get(name)}
    assert {name for name in changed if "ledger.db" not in name} <= {"ws"}  # SQLite's own, and their folder's time


@EACH
def test_who_only_reads_is_warned(
    ws: Path, story: Story, situation: Situation, error: type[LakeIdentityError], capsys: pytest.CaptureFixture[str]
):
    situation(ws, story)
    with Workspace.open(ws, reading=True, tolerates=small.ANY_LAKE) as opened:
        found = problem(opened.ledger.store, opened.core.lake)
        assert type(found) is error
    for command in READERS:
        run(["-C", str(ws), *(part.format(bf=story.backfill) for part in command)])
        assert f"warning: {found.message}" in capsys.readouterr().err, command
    assert run(["-C", str(ws), "status", "--as-of", "3"]) == 0
    assert f"warning: {found.message}" in capsys.readouterr().err
    assert run(["-C", str(ws), "--json", "ledger", "show"]) == 1
    assert json.loads(capsys.readouterr().out)["problem"]["code"] == found.code


def test_a_lake_that_fits_is_warned_of_by_nobody(ws: Path, story: Story, capsys: pytest.CaptureFixture[str]):
    for command in (*READERS, ("ledger", "show")):
        run(["-C", str(ws), *(part.format(bf=story.backfill) for part in command)])
        assert "warning" not in capsys.readouterr().err


def test_a_disk_that_is_unmounted_while_a_run_goes_on_is_published_to_by_nobody(ws: Path, story: Story):
    lake = ws / "lake"

    def unmount() -> None:
        lake.rename(ws / "disk")
        lake.mkdir()

    with small.reopen(ws) as opened:
        with pytest.raises(UnmarkedLakeError):
            opened.incremental.run(last=small.day(5), progress=Interruption("publish", unmount))
        assert projection(opened, "pipeline_state")[0]["cursor"].startswith("2024-01-05")
    assert not list(lake.iterdir())
    shutil.rmtree(lake)
    (ws / "disk").rename(lake)
    with small.reopen(ws) as opened:  # mounted again, the run is taken up
        opened.incremental.run(last=small.day(5))
        check_everything(opened)


def test_another_copy_that_publishes_while_a_run_goes_on_is_seen_before_the_save(ws: Path, story: Story):
    with small.reopen(ws) as opened:
        end = opened.ledger.position()
        other = Marker(0, end + 3, "ab" * 32, opened.ledger.id)
        with pytest.raises(ForkedError):
            opened.incremental.run(last=small.day(5), progress=Interruption("publish", lambda: lay(ws / "lake", other)))
        assert projection(opened, "pipeline_state")[0]["cursor"].startswith("2024-01-05")


# -- markers


def test_each_publication_lays_one_marker_and_the_listing_gives_the_highest(ws: Path, story: Story):
    with small.reopen(ws) as opened:
        runs = [row["published_position"] for row in projection(opened, "runs") if row["published_position"]]
        found = markers(ws / "lake")
        assert [m.position for m in found][1:] == sorted(runs)  # the first is that of `init`
        assert sorted(path.name for path in (ws / "lake" / MARKS).iterdir()) == [m.name for m in found]
        before = tree(ws / "lake" / MARKS)
        lay(ws / "lake", found[-1])
        opened.datasets.protect("gold_signals", small.day(1), small.day(1), reason=small.REASON)
        assert tree(ws / "lake" / MARKS) == before


@pytest.mark.parametrize("persisted", [False, True])
def test_a_crash_between_the_save_and_its_marker_is_made_good_by_the_next_command_that_writes(
    ws: Path, story: Story, persisted: bool, monkeypatch: pytest.MonkeyPatch
):
    real = LocalLake.lay

    def dying(self: LocalLake, marker: Marker) -> None:
        if persisted:
            real(self, marker)
            (self.root / MARKS / marker.name).write_bytes(b"")  # the name is the marker
        raise Crash

    before = highest(ws)
    with monkeypatch.context() as patch, small.reopen(ws) as opened:
        patch.setattr(LocalLake, "lay", dying)
        with pytest.raises(Crash):
            opened.incremental.run(last=small.day(5))
    assert (highest(ws) > before) == persisted
    run(["-C", str(ws), "status"])
    assert (highest(ws) > before) == persisted  # reading makes nothing good
    with small.reopen(ws) as opened:
        assert highest(ws).position == max(row["published_position"] or 0 for row in projection(opened, "runs"))
        put_back(ws, story.older)
    with pytest.raises(BehindError):
        small.reopen(ws)


def test_old_markers_go_only_when_more_than_enough_higher_ones_are_there(ws: Path, story: Story):
    own = highest(ws)
    for n in range(KEPT):
        lay(ws / "lake", Marker(0, 100 + n, "ab" * 32, own.ledger))
        drop_old(LocalLake(ws / "lake"))
    left = markers(ws / "lake")
    assert [marker.position for marker in left] == [100 + n for n in range(KEPT)]


def test_a_name_that_is_no_marker_counts_for_nothing(ws: Path, story: Story):
    for name in ("0-1-ab-x", ".DS_Store", "README", f"{highest(ws).name}~".replace("-", "_")):
        (ws / "lake" / MARKS / name).write_text("?", encoding="utf-8")
    small.reopen(ws).close()


def test_who_may_only_write_to_the_ledger_approves_and_does_not_run(
    ws: Path, story: Story, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: Any) -> None:
        raise PermissionError(13, "not permitted")

    highest_file = ws / "lake" / MARKS / highest(ws).name
    highest_file.unlink()  # a crash before it
    monkeypatch.setattr(LocalLake, "lay", refuse)
    with small.reopen(ws, actor="ben") as opened:
        opened.backfills.approve(story.backfill)
        with pytest.raises(EnvironmentFault, match="preparing the lake"):
            opened.runs.drive(story.backfill)


# -- lakes of before


def test_a_lake_of_before_is_adopted_if_it_holds_a_file_that_the_ledger_names(ws: Path, story: Story):
    shutil.rmtree(ws / "lake" / MARKS)
    kept = next((ws / "lake").glob("gold_signals/*/*/*.parquet"))
    for path in (ws / "lake").rglob("*.parquet"):
        path.unlink() if path != kept else None
    before = contents_of(ws)
    run(["-C", str(ws), "status"])
    assert not (ws / "lake" / MARKS).exists()
    small.reopen(ws).close()
    assert highest(ws).position > 0
    assert contents_of(ws) == before


def contents_of(folder: Path) -> list[str]:
    return sorted(str(path) for path in (folder / "lake").rglob("*.parquet"))


def test_a_lake_of_before_is_adopted_if_the_ledger_names_no_file_whatever_else_lies_in_it(story: Story, tmp_path: Path):
    ws = another(tmp_path / "ws", story)
    shutil.rmtree(ws / "lake" / MARKS)
    (ws / "lake" / "exports").mkdir()
    (ws / "lake" / "exports" / "my.parquet").write_bytes(b"mine")
    with small.reopen(ws) as opened:
        opened.incremental.run(last=small.day(2))
    assert len(markers(ws / "lake")) == 2
    assert (ws / "lake" / "exports" / "my.parquet").read_bytes() == b"mine"


def test_an_empty_ledger_does_not_adopt_the_lake_of_before_of_another(ws: Path, story: Story):
    other = another(ws.parent / "other", story)
    shutil.rmtree(ws / "lake" / MARKS)
    shutil.rmtree(other / "lake")
    use_lake(other, ws / "lake")
    with pytest.raises(OtherLedgerError):
        small.reopen(other)
    small.reopen(ws).close()  # whose it is


def test_of_two_ledgers_that_adopt_one_folder_at_once_neither_has_it(
    story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    mine, other = another(tmp_path / "mine", story), another(tmp_path / "other", story)
    shutil.rmtree(mine / "lake")
    shutil.rmtree(other / "lake")
    use_lake(other, mine / "lake")
    theirs = Marker(0, 3, "ab" * 32, "another")
    real = LocalLake.lay

    def both(self: LocalLake, marker: Marker) -> None:
        real(self, theirs)
        real(self, marker)

    with monkeypatch.context() as patch:
        patch.setattr(LocalLake, "lay", both)
        with pytest.raises(OtherLedgerError):
            small.reopen(mine)
    assert markers(mine / "lake") == [theirs]


# -- init


def test_init_does_not_take_the_lake_of_another_nor_one_in_it_or_around_it(ws: Path, story: Story, tmp_path: Path):
    before = tree(ws / "lake")
    source = f"files:{story.root / 'posts'}"
    (tmp_path / "link").symlink_to(ws / "lake")
    places = {
        str(ws / "lake"): OtherLedgerError,
        str(tmp_path / "link"): OtherLedgerError,
        str(ws / "lake" / "team-b"): NestedLakeError,
        str(tmp_path / "link" / "team-b"): NestedLakeError,
        str(ws / "lake" / "gold_metrics" / "x" / "y"): NestedLakeError,
        str(ws): NestedLakeError,
        str(tmp_path): NestedLakeError,
    }
    for place, error in places.items():
        with pytest.raises(error):
            Workspace.create(tmp_path / "new", source=source, lake=place)
        assert not (tmp_path / "new").exists()
    shutil.rmtree(ws / "lake" / MARKS)
    with pytest.raises(OtherLedgerError, match="another ledger, whose runs left"):
        Workspace.create(tmp_path / "new", source=source, lake=str(ws / "lake"))
    assert not (tmp_path / "new").exists()
    assert {name: found for name, found in tree(ws / "lake").items()} == {
        name: found for name, found in before.items() if not name.startswith(MARKS)
    }


def test_two_ledgers_share_a_place_when_each_has_a_prefix(story: Story, tmp_path: Path):
    source = f"files:{story.root / 'posts'}"
    for name in ("team-a", "team-b"):
        with Workspace.create(
            tmp_path / name, source=source, lake=str(tmp_path / "shared" / name), actor="ana"
        ) as made:
            made.incremental.run(last=small.day(1))
            check_everything(made)


def test_a_broken_init_is_finished_on_the_lake_that_it_marked(story: Story, tmp_path: Path):
    ws = another(tmp_path / "ws", story)
    (ws / FILE).rename(ws / f".{FILE}.new")
    another(ws, story)
    assert len(markers(ws / "lake")) == 1


# -- a ledger that was put back


def new_epoch(ws: Path, lost_head: int) -> None:
    """Ana asks, Ben approves."""
    with Workspace.open(ws, actor="ana", clock=small.Ticking(), tolerates=small.ANY_LAKE) as ana:
        digest = ana.lake.plan_epoch(lost_head, reason=REASON).digest
    with Workspace.open(ws, actor="ben", clock=small.Ticking(), tolerates=small.ANY_LAKE) as ben:
        ben.lake.begin_epoch(digest[:12])


@pytest.mark.parametrize("situation", [behind, gone_on, of_before_with_more])
def test_a_ledger_that_was_put_back_goes_on_in_a_new_epoch_and_the_lost_one_does_not(
    ws: Path, story: Story, situation: Situation, tmp_path: Path
):
    lost, end = shutil.copy(ws / "ledger.db", tmp_path / "lost.db"), position(ws)
    old = set(contents_of(ws))
    situation(ws, story)
    new_epoch(ws, end)
    assert highest(ws).epoch == 1
    with small.reopen(ws) as opened:
        assert opened.lake.identity().epoch == 1
        opened.incremental.run(last=small.day(4))
        opened.incremental.run(last=small.day(5))
        check_everything(opened)
    assert [m.epoch for m in markers(ws / "lake")][-2:] == [1, 1]
    assert old <= set(contents_of(ws))  # nothing of the lost runs is touched
    put_back(ws, Path(lost))
    with pytest.raises(BehindError, match="of epoch 1"):
        small.reopen(ws)


def test_an_epoch_needs_a_second_person_who_may_the_head_that_was_lost_and_a_reason(
    ws: Path, story: Story, capsys: pytest.CaptureFixture[str]
):
    small.set_policy(ws, may_request=["ana", "eve"], may_force=["ana", "ben"], may_approve=["ana", "ben", "eve"])

    def tradex(*arguments: str) -> tuple[int, str]:
        status = run(["-C", str(ws), *arguments])
        captured = capsys.readouterr()
        return status, captured.out + captured.err

    asking = ("ledger", "epoch", "--reason", REASON, "--lost-head")
    assert tradex("--as", "ana", *asking, "1000")[0] == 3  # nothing was lost
    copy = Path(shutil.copy(ws / "ledger.db", ws.parent / "copy.db"))
    with small.reopen(ws) as opened:
        opened.incremental.run(last=small.day(5))
    end = highest(ws).position
    put_back(ws, copy)
    before = position(ws)
    status, said = tradex("--as", "ana", *asking, str(end - 1))
    assert status == 3
    assert f"the lost head is not {end - 1}: the lake knows the ledger up to position {end}" in said
    assert tradex("--as", "eve", *asking, str(end))[0] == 3
    assert tradex("--as", "ana", "ledger", "epoch", "--reason", "test", "--lost-head", str(end))[0] == 2
    assert tradex("--as", "ana", "ledger", "epoch", "--lost-head", str(end))[0] == 2
    assert position(ws) == before
    assert tradex("--as", "ana", *asking, str(end))[0] == 0
    _, shown = tradex("--json", "ledger", "epoch")
    plan, _ = json.JSONDecoder().raw_decode(shown)  # a warning follows
    known = max(int(head.name) for head in (ws / "checkpoints").iterdir())  # more than the lake does
    assert (plan["lost_position"], plan["epoch"], plan["by"]) == (known, 1, "ana")
    asked = position(ws)
    for who in ("ana", "Ana ", "eve", "zoe"):
        assert tradex("--as", who, "ledger", "epoch", "--approve", plan["digest"])[0] == 3, who
    assert tradex("--as", "ben", "ledger", "epoch", "--approve", "0" * 64)[0] == 3
    assert tradex("--as", "ana", "run")[0] == 3
    assert position(ws) == asked
    assert tradex("--as", "ben", "ledger", "epoch", "--approve", plan["digest"][:12])[0] == 0
    assert tradex("--as", "ben", "ledger", "epoch", "--approve", plan["digest"])[0] == 3  # once
    _, log = tradex("audit", "log", "--limit", "1")
    assert f"epoch 1 begun, asked for by ana; the head {known} (epoch 0) is lost" in " ".join(log.split())


@pytest.mark.norm("N6")
def test_a_lake_that_is_lost_as_a_whole_is_declared_lost_and_then_begun_anew(ws: Path, story: Story):
    """The one way on from an unmarked lake that is no unmounted disk: by two people, file by file, on record."""
    unmounted(ws, story)
    names = datasets(ws)
    for name in names:
        with Workspace.open(ws, actor="ana", clock=small.Ticking(), tolerates=("lake-unmarked",)) as ana:
            with suppress(LossRefusedError):  # nothing of it was there
                ana.lake.declare_loss(name, reason="the disk of the lake died, INC-4400")
            plan = ana.datasets.get(name).loss_plan
        if plan is None:
            continue
        with pytest.raises(UnmarkedLakeError):
            small.reopen(ws)
        with Workspace.open(ws, actor="ben", clock=small.Ticking(), tolerates=("lake-unmarked",)) as ben:
            ben.lake.confirm_loss(name, plan.digest)
    with small.reopen(ws) as opened:
        assert len(markers(ws / "lake")) == 1
        small.backfill(opened, 1, 4, allow_overlap=[story.backfill])
        check_everything(opened)


def datasets(ws: Path) -> list[str]:
    with Workspace.open(ws, reading=True) as opened:
        return list(opened.core.pipeline.definitions)


def test_what_the_lost_ledger_published_after_it_was_given_up_is_not_given_up(ws: Path, story: Story, tmp_path: Path):
    lost, end = Path(shutil.copy(ws / "ledger.db", tmp_path / "lost.db")), highest(ws).position
    behind(ws, story)
    with Workspace.open(ws, actor="ana", clock=small.Ticking(), tolerates=small.ANY_LAKE) as ana:
        digest = ana.lake.plan_epoch(end, reason=REASON).digest
    older = Path(shutil.copy(ws / "ledger.db", tmp_path / "older.db"))
    put_back(ws, lost)
    with small.reopen(ws) as found_again:
        found_again.incremental.run(last=small.day(5))
    put_back(ws, older)
    with (
        Workspace.open(ws, actor="ben", clock=small.Ticking(), tolerates=small.ANY_LAKE) as ben,
        pytest.raises(LakeIdentityError),
    ):
        ben.lake.begin_epoch(digest)
    new_epoch(ws, highest(ws).position)
    small.reopen(ws).close()


def test_no_epoch_helps_with_the_lake_of_another_or_an_unmounted_one(ws: Path, story: Story):
    for situation, error in ((unmounted, UnmarkedLakeError), (of_another, OtherLedgerError)):
        folder = Path(shutil.copytree(ws, ws.parent / situation.__name__ / "ws"))
        situation(folder, story)
        before = position(folder)
        with Workspace.open(folder, actor="ana", tolerates=small.ANY_LAKE) as ana, pytest.raises(error):
            ana.lake.plan_epoch(1000, reason=REASON)
        assert position(folder) == before


def test_a_ledger_that_is_put_back_a_second_time_from_before_the_first_goes_on_again(ws: Path, story: Story):
    behind(ws, story)
    new_epoch(ws, highest(ws).position)
    with small.reopen(ws) as opened:
        opened.incremental.run(last=small.day(3))
    behind(ws, story)
    with pytest.raises(BehindError):
        small.reopen(ws)
    new_epoch(ws, highest(ws).position)
    with small.reopen(ws) as opened:
        opened.incremental.run(last=small.day(3))
        check_everything(opened)
    assert highest(ws).epoch == 2


def test_a_crash_before_the_marker_of_an_epoch_is_made_good(ws: Path, story: Story, monkeypatch: pytest.MonkeyPatch):
    end = highest(ws).position
    behind(ws, story)
    with monkeypatch.context() as patch:
        patch.setattr(LocalLake, "lay", lambda *_: (_ for _ in ()).throw(OSError(28, "no space")))
        with pytest.raises(EnvironmentFault):
            new_epoch(ws, end)
    assert highest(ws).epoch == 0
    small.reopen(ws).close()
    assert highest(ws).epoch == 1


def test_a_copied_workspace_is_one_of_its_own_and_both_go_on(ws: Path, story: Story):
    copy = Path(shutil.copytree(ws, ws.parent / "copy"))
    for folder in (ws, copy):
        with small.reopen(folder) as opened:
            opened.incremental.run(last=small.day(5))
            check_everything(opened)


def test_two_copies_of_one_ledger_on_one_lake_are_told_apart(ws: Path, story: Story):
    """The settings name the lake by an absolute path, and the workspace is copied with them."""
    use_lake(ws, ws / "lake")
    copy = Path(shutil.copytree(ws, ws.parent / "copy"))
    with small.reopen(ws) as opened:
        opened.incremental.run(last=small.day(5))
        before = contents(opened)
    with pytest.raises(BehindError):
        small.reopen(copy)
    with small.reopen(ws) as opened:
        assert contents(opened) == before


def test_a_folder_that_nobody_may_look_into_is_no_lake_below(ws: Path, story: Story, monkeypatch: pytest.MonkeyPatch):
    """`lost+found`, at the top of a disk."""
    (ws / "lake" / "lost+found").mkdir(mode=0)
    shutil.rmtree(ws / "lake" / MARKS)
    with small.reopen(ws) as opened:
        settle(opened.ledger.store, opened.core.lake)
    with suppress(OSError):
        (ws / "lake" / "lost+found").chmod(0o700)


@pytest.fixture(autouse=True)
def left_as_it_was(story: Story) -> Iterator[None]:
    """No test touches the template."""
    before = tree(story.root / "ws" / "lake")
    yield
    assert tree(story.root / "ws" / "lake") == before


def test_a_new_epoch_goes_on_after_all_that_is_common_and_what_was_given_up_before_counts_no_more(
    ws: Path, story: Story
):
    end = highest(ws).position
    behind(ws, story)
    new_epoch(ws, end)
    head = position(ws)
    lay(ws / "lake", Marker(1, head + 50, "ab" * 32, highest(ws).ledger))
    with Workspace.open(ws, reading=True) as opened:
        assert plan_base(opened.ledger.store, opened.core.lake) == (head, (1, head + 50))


def test_a_lake_that_is_all_there_is_is_not_searched(ws: Path, monkeypatch: pytest.MonkeyPatch):
    text = (ws / FILE).read_text(encoding="utf-8")
    (ws / FILE).write_text(text.replace('lake = "lake"', f'lake = "{ws.parent}/elsewhere"'), encoding="utf-8")
    (ws.parent / "elsewhere").mkdir()

    def search(*_: object, **__: object) -> object:
        raise AssertionError("it was searched")

    monkeypatch.setattr("tradex_ledger.lake.identity.run_files", search)
    monkeypatch.setattr("tradex_ledger.lake.folder.lakes_below", lambda _, *, deep: search() if deep else ())
    with Workspace.open(ws, reading=True) as opened:
        assert isinstance(problem(opened.ledger.store, opened.core.lake), UnmarkedLakeError)
