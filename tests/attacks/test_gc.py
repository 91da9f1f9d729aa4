"""What `lake gc` takes: only what a run of this ledger left behind, long ago, by who may, and on record.

A live file, a foreign one, one that may still be named, and what a link leads to are never touched.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests import worlds
from tests.kit import small
from tests.kit.check import check_everything
from tests.kit.lake import events, grow_old, projection
from tradex_ledger.cli.main import run
from tradex_ledger.domain.policy import NotAllowedError, Policy
from tradex_ledger.domain.unnamed import Unnamed
from tradex_ledger.driving.lease import TTL_SECONDS
from tradex_ledger.errors import ConflictError, EnvironmentFault
from tradex_ledger.lake.folder import markers
from tradex_ledger.ledger.leases import Leases
from tradex_ledger.upkeep.gc import collect, find_unreferenced, removable
from tradex_ledger.workspace import Workspace

REASON = "left by the crash of 3 Feb, INC-4310"
NOW = datetime(2024, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a run that succeeded, one that was cancelled, and one that may go on."""
    root = tmp_path_factory.mktemp("made")
    with small.reopen(worlds.copied(root, days=5, until=3, thin=True)) as workspace:
        workspace.runs.cancel(small.request(workspace, 1, 1), reason="the vendor delivered other days")
        small.request(workspace, 2, 2)
    return root


@pytest.fixture
def ws(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made / "ws", tmp_path / "ws"))


def opened(ws: Path, actor: str = "ana") -> Workspace:
    return Workspace.open(ws, actor=actor, clock=lambda: NOW)


def run_of(workspace: Workspace, status: str) -> str:
    (found,) = [row["run_id"] for row in projection(workspace, "runs") if row["status"] == status]
    return str(found)


def leave(ws: Path, relative: str, *, seconds: float = 3600, content: bytes = b"left") -> Path:
    """A file in the lake that has been lying there for so long."""
    path = ws / "lake" / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (NOW.timestamp() - seconds, NOW.timestamp() - seconds))
    return path


def garbage(ws: Path, workspace: Workspace, **options: Any) -> Path:
    run_id = run_of(workspace, "CANCELLED")
    return leave(ws, f"gold_metrics/feature_version=1/date=2024-01-01/{run_id}-7.parquet", **options)


def collected(workspace: Workspace) -> tuple[list[Unnamed], list[Unnamed]]:
    """What was listed, and what of it was removed."""
    document = workspace.lake.gc(reason=REASON)
    return document.listed, document.removed


def test_what_a_run_of_this_ledger_left_goes_with_an_event_that_names_it(ws: Path):
    with opened(ws) as workspace:
        left = garbage(ws, workspace)
        staged = leave(ws, f".staging/{run_of(workspace, 'CANCELLED')}.0123456789abcdef/x/1.parquet")
        looked = leave(ws, ".staging/engine-0123456789abcdef.check/2024-01-01.parquet")
        grow_old(ws / "lake" / ".staging")
        before = workspace.ledger.position()
        found, gone = collected(workspace)
        assert sorted(item.path for item in found) == sorted(item.path for item in gone)
        assert not left.exists()
        assert not staged.parents[1].exists()
        assert not looked.parent.exists()
        opening, event = events(workspace, f"position > {before}")
        assert (opening["topic"], event["topic"], event["by"]) == ("lake.opened", "lake.collected", "ana")
        facts = json.loads(event["data"])
        assert facts["reason"] == REASON
        assert facts["bytes"] == 12
        assert {file["path"]: file["why"] for file in facts["files"]} == {item.path: item.run_status for item in gone}
        assert markers(ws / "lake")[-1].position == event["position"]
        assert collected(workspace) == ([], [])  # nothing to do, nothing on record
        assert workspace.ledger.position() == event["position"]
        check_everything(workspace)


FOREIGN: dict[str, str] = {
    "in a folder of its own": "exports/my.parquet",
    "at the top": "my.parquet",
    "no Parquet file": "gold_metrics/README.txt",
    "of another's run": "gold_metrics/feature_version=1/date=2024-01-01/bf-0123456789abc-1.parquet",
    "called like a run's, elsewhere": "exports/{run}-1.parquet",
    "a run's and more": "gold_metrics/feature_version=1/date=2024-01-01/{run}-1.parquet.bak",
    "a run's copy": "gold_metrics/feature_version=1/date=2024-01-01/copy of {run}-1.parquet",
    "deeper than a run's": "gold_metrics/feature_version=1/date=2024-01-01/x/{run}-1.parquet",
    "hidden": "gold_metrics/feature_version=1/date=2024-01-01/.{run}-1.parquet",
    "staging of another's run": ".staging/bf-0123456789abc.0123456789abcdef/1.parquet",
    "in the staging folder": ".staging/{run}.0123456789abcdef",
    "staging of nobody's": ".staging/mine/1.parquet",
}


def test_what_is_foreign_is_listed_as_such_and_never_touched(ws: Path, capsys: pytest.CaptureFixture[str]):
    with opened(ws) as workspace:
        run_id = run_of(workspace, "CANCELLED")
        paths = [leave(ws, name.format(run=run_id)) for name in FOREIGN.values()]
        grow_old(ws / "lake" / ".staging")
        found, gone = collected(workspace)
    assert gone == []
    assert len(found) == len(FOREIGN)
    assert all(item.is_foreign and item.kept for item in found)
    assert all(path.exists() for path in paths)
    assert run(["-C", str(ws), "--json", "lake", "gc"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert len(listed["foreign"]) == len(FOREIGN)
    assert (listed["files"], listed["bytes"]) == ([], 0)
    run(["-C", str(ws), "lake", "gc"])
    assert f"{len(FOREIGN)} foreign, never touched" in capsys.readouterr().err


def test_links_are_foreign_whatever_they_lead_to(ws: Path, tmp_path: Path):
    (tmp_path / "mine").mkdir()
    precious = tmp_path / "mine" / "precious.parquet"
    precious.write_bytes(b"precious")
    with opened(ws) as workspace:
        run_id = run_of(workspace, "CANCELLED")
        file = garbage(ws, workspace)
        file.unlink()
        file.symlink_to(precious)
        folder = ws / "lake" / "gold_metrics" / "date=2024-01-01"
        folder.symlink_to(tmp_path / "mine", target_is_directory=True)
        leave(tmp_path, f"../mine/{run_id}-1.parquet".replace("../", ""))
        staged = ws / "lake" / ".staging" / f"{run_id}.0123456789abcdef"
        staged.parent.mkdir(exist_ok=True)
        staged.symlink_to(tmp_path / "mine", target_is_directory=True)
        inside = leave(ws, f".staging/{run_id}.fedcba9876543210/link").parent
        (inside / "away").symlink_to(tmp_path / "mine", target_is_directory=True)
        for link in (file, folder, staged, inside / "away", inside):
            os.utime(link, (1_000_000_000, 1_000_000_000), follow_symlinks=False)
        found, gone = collected(workspace)
    assert [item.path for item in gone] == [f".staging/{run_id}.fedcba9876543210"]
    assert sum(item.is_foreign for item in found) == 3
    assert precious.read_bytes() == b"precious"
    assert all(link.is_symlink() for link in (file, folder, staged))


def test_of_two_names_of_one_file_only_the_one_that_nobody_names_goes(ws: Path):
    """A hard link: a crash between the placing of a file and the removal of what was staged leaves two names, too."""
    with opened(ws) as workspace:
        left = garbage(ws, workspace)
        left.unlink()
        live = next((ws / "lake" / "gold_metrics").rglob("*.parquet"))
        left.hardlink_to(live)
        grow_old(ws / "lake")
        _, gone = collected(workspace)
        assert [ws / "lake" / item.path for item in gone] == [left]
        assert not left.exists()
        check_everything(workspace)


@pytest.mark.parametrize(("seconds", "goes"), [(0, False), (TTL_SECONDS, False), (TTL_SECONDS + 1, True)])
def test_what_has_not_been_there_for_longer_than_a_lease_lasts_stays(ws: Path, seconds: float, goes: bool):
    with opened(ws) as workspace:
        left = garbage(ws, workspace, seconds=seconds)
        found, gone = collected(workspace)
    assert (len(found), len(gone)) == (1, int(goes))
    assert left.exists() != goes
    assert goes or "longer than a lease" in str(found[0].kept)


@pytest.mark.parametrize("seconds", [-1, -86400, -1_000_000_000_000])
def test_what_has_a_time_of_the_future_stays_and_that_is_said(ws: Path, seconds: float):
    with opened(ws) as workspace:
        left = garbage(ws, workspace, seconds=seconds)
        (item,), gone = collected(workspace)
    assert gone == []
    assert left.exists()
    assert "future" in str(item.kept)


def test_staging_is_as_young_as_the_youngest_file_in_it(ws: Path):
    with opened(ws) as workspace:
        name = f".staging/{run_of(workspace, 'CANCELLED')}.0123456789abcdef"
        young = leave(ws, f"{name}/x/1.parquet", seconds=5)
        for folder in (young.parent, young.parents[1]):
            os.utime(folder, (1_000_000_000, 1_000_000_000))
        _, gone = collected(workspace)
    assert gone == []
    assert young.exists()


def test_what_a_run_that_may_go_on_has_written_stays(ws: Path):
    with opened(ws) as workspace:
        left = leave(ws, f"gold_metrics/date=2024-01-02/{run_of(workspace, 'PLANNED')}-1.parquet")
        (item,), gone = collected(workspace)
    assert gone == []
    assert left.exists()
    assert item.kept == "its run may go on"


def test_what_a_driver_has_in_its_hands_is_not_even_listed(ws: Path):
    with opened(ws) as workspace:
        left = garbage(ws, workspace)
        assert Leases(workspace.ledger.engine).acquire(run_of(workspace, "CANCELLED"), "x", 60)
        assert collected(workspace) == ([], [])
    assert left.exists()


def test_what_an_older_copy_of_the_ledger_does_not_know_is_foreign_to_it(ws: Path, made: Path, tmp_path: Path):
    """As the epoch has it: the lost head is given up, its files are not."""
    older = Path(shutil.copytree(made / "ws", tmp_path / "older")) / "ledger.db"
    (made / "ws").stat()
    with opened(ws) as workspace:
        workspace.incremental.run(last=small.day(4))
        end = workspace.ledger.position()
    for path in ws.glob("ledger.db*"):
        path.unlink() if path.is_file() else shutil.rmtree(path)
    shutil.copy(older, ws / "ledger.db")
    grow_old(ws / "lake")
    files = sorted((ws / "lake").rglob("*.parquet"))
    assert run(["-C", str(ws), "lake", "gc", "--delete", "--reason", REASON]) == 3
    with Workspace.open(ws, actor="ana", tolerates=small.ANY_LAKE) as ana:
        digest = ana.lake.plan_epoch(end, reason=REASON).digest
    with Workspace.open(ws, actor="ben", tolerates=small.ANY_LAKE) as ben:
        ben.lake.begin_epoch(digest)
    with opened(ws) as workspace:
        found, gone = collected(workspace)
    assert gone == []
    assert found
    assert all(item.is_foreign for item in found)
    assert sorted((ws / "lake").rglob("*.parquet")) == files


def test_who_may_not_removes_nothing(ws: Path):
    small.set_policy(ws, may_gc=["maria"])
    with opened(ws) as workspace:
        left = garbage(ws, workspace)
        found = find_unreferenced(workspace.ledger, workspace.core.lake)
        with pytest.raises(NotAllowedError, match="may not gc"):
            workspace.lake.gc(reason=REASON)
        with pytest.raises(NotAllowedError):
            collect(
                workspace.ledger, workspace.core.lake, found, reason=REASON, by="ana", policy=Policy(may_gc=("maria",))
            )
        assert left.exists()
        assert not events(workspace, "topic like 'lake.%'")
    with opened(ws, "maria") as workspace:
        assert len(collected(workspace)[1]) == 1


@pytest.mark.parametrize("arguments", [("--delete",), ("--reason", REASON), ("--delete", "--reason", "test")])
def test_without_a_reason_nothing_is_removed(ws: Path, arguments: tuple[str, ...]):
    with opened(ws) as workspace:
        left = garbage(ws, workspace)
    assert run(["-C", str(ws), "lake", "gc", *arguments]) == 2
    assert left.exists()


def test_a_file_that_an_event_names_meanwhile_or_that_was_put_in_another_s_place_stays(ws: Path):
    with opened(ws) as workspace:
        left, live = garbage(ws, workspace), next((ws / "lake" / "gold_metrics").rglob("*.parquet"))
        (item,) = removable(find_unreferenced(workspace.ledger, workspace.core.lake))
        left.unlink()
        left.write_bytes(b"of somebody else")
        named = item._replace(what=item.what._replace(path=str(live.relative_to(ws / "lake"))))
        collect(workspace.ledger, workspace.core.lake, [item, named], reason=REASON, by="ana", policy=Policy())
        assert left.read_bytes() == b"of somebody else"
        assert live.exists()
        (event,) = events(workspace, "topic = 'lake.collected'")
        assert [file["path"] for file in json.loads(event["data"])["files"]] == [item.what.path]


def refuse(*_: Any, **__: Any) -> None:
    raise PermissionError(13, "not permitted")


def test_a_crash_after_the_event_leaves_what_the_next_call_finds_again(ws: Path, monkeypatch: pytest.MonkeyPatch):
    with opened(ws) as workspace:
        left = garbage(ws, workspace)
        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", refuse)
            with pytest.raises(EnvironmentFault, match="removing gold_metrics"):
                collected(workspace)
        assert left.exists()
        assert len(events(workspace, "topic = 'lake.collected'")) == 1
        assert len(collected(workspace)[1]) == 1
        assert not left.exists()
        check_everything(workspace)


def test_of_two_who_collect_at_once_one_is_told(ws: Path, monkeypatch: pytest.MonkeyPatch):
    with opened(ws) as one, opened(ws, "maria") as other:
        garbage(ws, one)
        one.lake.gc(reason=REASON)
        garbage(ws, one)
        found = find_unreferenced(one.ledger, one.core.lake)
        real: Callable[..., Any] = type(one.ledger).append

        def second(ledger: Any, *aggregates: Any) -> int:
            monkeypatch.setattr(type(one.ledger), "append", real)
            other.lake.gc(reason=REASON)
            return int(real(ledger, *aggregates))

        monkeypatch.setattr(type(one.ledger), "append", second)
        with pytest.raises(ConflictError):
            collect(one.ledger, one.core.lake, found, reason=REASON, by="ana", policy=Policy())
        check_everything(one)
