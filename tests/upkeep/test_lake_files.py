"""Files of the lake that are gone, damaged, pruned, left behind, or lie in a folder with an odd name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests import worlds
from tests.kit import signing, small
from tests.kit.check import check_everything
from tests.kit.contents import contents, with_rows
from tests.kit.faults import Crash, Faults, FaultyLake, FaultyLedger, sudden_death
from tests.kit.lake import grow_old, projection
from tests.kit.lake_folder import in_lake, root_of
from tradex_ledger.audit.query import query
from tradex_ledger.config import FILE, load_config
from tradex_ledger.domain.day import day_of, iso
from tradex_ledger.domain.policy import Policy
from tradex_ledger.domain.request import Request
from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.upkeep.gc import collect, find_unreferenced, removable
from tradex_ledger.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with small.reopen(worlds.copied(tmp_path, until=6, pipeline=True)) as opened:
        yield opened
        check_everything(opened)


def the_file(workspace: Workspace, dataset: str) -> Path:
    (row,) = [
        p for p in projection(workspace, "partitions") if (p["dataset"], p["partition"]) == (dataset, small.day(3))
    ]
    return in_lake(workspace, row["files"][0]["path"])


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def same_size(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "it is gone": (Path.unlink, "dataset"),
    "it was cut": (cut, "dataset"),
    "gone, forced": (Path.unlink, "forced"),
    "a bit of it flipped, forced": (same_size, "forced"),
}


@pytest.mark.norm("N7")
@pytest.mark.parametrize("dataset", ["silver_social_events", "gold_metrics", "gold_signals"])
@pytest.mark.parametrize("how", DAMAGE)
def test_what_was_lost_or_damaged_is_built_again_by_a_backfill(workspace: Workspace, dataset: str, how: str):
    damage, kind = DAMAGE[how]
    before, file = with_rows(contents(workspace)), the_file(workspace, dataset)
    whole = file.read_bytes()
    damage(file)
    if not file.exists():
        with pytest.raises(EnvironmentFault) as error:
            query(workspace.ledger.store, workspace.core.lake, f"select * from {dataset}")
        assert f"backfill request forced {dataset} --from 2024-01-03 --to 2024-01-03" in (error.value.mend or "")
    run_id = small.request(workspace, 3, 3, kind=kind, dataset=dataset, ticket="INC-1" if kind == "forced" else None)
    with small.reopen(workspace.config.folder, actor="maria") as maria:
        signing.approve(maria, run_id)
    assert workspace.runs.drive(run_id).candidates[dataset][day_of("2024-01-03")].is_written
    assert the_file(workspace, dataset) != file
    assert with_rows(contents(workspace)) == before
    query(workspace.ledger.store, workspace.core.lake, f"select * from {dataset}")
    file.write_bytes(whole)  # so that everything holds again: as of before, it is this file that is asked for


def edit_silver(workspace: Workspace) -> None:
    small.edit(workspace, "silver_social_events", "lexicon[word], 0)", "lexicon[word], 0) + 0")
    workspace.datasets.bump("silver_social_events", reason="the weights are counted in another way")


@pytest.mark.norm("N4")
def test_what_readers_get_of_an_older_silver_is_not_pruned(workspace: Workspace):
    """Silver has one current version a day: the days that were not backfilled are still those of version 1."""
    edit_silver(workspace)
    run = workspace.backfills.request(
        Request(
            kind="logical",
            dataset="silver_social_events",
            first=small.day(3),
            last=small.day(3),
            override_state=False,
            reason=small.REASON,
        )
    )
    workspace.backfills.approve(run.id)
    workspace.runs.drive(run.id)
    workspace.datasets.deprecate("silver_social_events", 1, reason="the weights were counted wrongly")
    with pytest.raises(Exception, match="nothing to prune"):
        workspace.lake.plan_prune("silver_social_events", reason="version 1 is deprecated, INC-4300")


@pytest.mark.norm("N4")
def test_pruned_files_that_a_crash_left_are_garbage(workspace: Workspace, monkeypatch: pytest.MonkeyPatch):
    (workspace.config.folder.parent / "posts" / "2024-01-09-late.jsonl").write_text(small.LATE, encoding="utf-8")
    small.backfill(workspace, 3, 3)
    digest, files = workspace.lake.plan_prune("gold_metrics", reason="superseded by the late post")
    assert files
    with small.reopen(workspace.config.folder, actor="maria") as maria, monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", _refuse)
        with pytest.raises(EnvironmentFault, match="removing gold_metrics"):
            maria.lake.prune("gold_metrics", digest)
    found = find_unreferenced(workspace.ledger, workspace.core.lake)
    assert {item.what.path for item in found} == {listed.file.path for listed in files}
    assert removable(found) == []  # by the clock of this workspace they are of the future
    grow_old(root_of(workspace))
    found = find_unreferenced(workspace.ledger, workspace.core.lake)
    collect(workspace.ledger, workspace.core.lake, found, reason="a disk said no", by="ana", policy=Policy())
    assert find_unreferenced(workspace.ledger, workspace.core.lake) == []


def _refuse(*_: Any, **__: Any) -> None:
    raise PermissionError(13, "not permitted")


@pytest.mark.norm("N6")
def test_files_of_a_run_that_may_go_on_are_listed_and_stay(workspace: Workspace):
    """Its driver may only have slept for longer than its lease, with the file in its hands."""
    (workspace.config.folder.parent / "posts" / "2024-01-09-late.jsonl").write_text(small.LATE, encoding="utf-8")
    run_id = small.request(workspace, 3, 3)
    workspace.backfills.approve(run_id)
    config = load_config(workspace.config.folder / FILE)
    for at in range(1, 30):  # until it dies between placing a file and its event
        faults = Faults(at, persisted=True, error=sudden_death)
        lake, ledger = FaultyLake(Path(config.lake), faults=faults), FaultyLedger(config.ledger_url, faults)
        clock = small.Ticking(datetime(2024, 2, 2, at, tzinfo=UTC))
        dying = Workspace(config, actor="ana", clock=clock, ledger=ledger, lake=lake)
        with pytest.raises(Crash):
            dying.runs.drive(run_id)
        dying.close()
        late = small.Ticking(datetime(2024, 2, 3, tzinfo=UTC))
        with Workspace.open(config.folder, actor="cron", clock=late) as cron:
            found = [
                item for item in find_unreferenced(cron.ledger, cron.core.lake) if not item.what.path.startswith(".")
            ]
            assert removable(found) == []
        if found:
            break
    assert found
    workspace.runs.cancel(run_id, reason="the vendor delivered other days")
    with Workspace.open(config.folder, actor="cron", clock=late) as cron:
        grow_old(root_of(cron))
        again = find_unreferenced(cron.ledger, cron.core.lake)
        assert {item.what.path for item in found} <= {item.what.path for item in removable(again)}
        collect(cron.ledger, cron.core.lake, again, reason="a driver died of it", by="cron", policy=Policy())


@pytest.mark.norm("N24")
@pytest.mark.parametrize("name", ["event_date=2020-05-05", "lang=xx", "source=zz"])
def test_a_folder_that_is_called_like_a_hive_partition_changes_no_row(tmp_path: Path, name: str):
    odd, found = tmp_path / name / "deep", []
    small.deliver(odd / "posts", days=3)
    with small.create(odd / "ws", f"files:{odd / 'posts'}") as there:
        there.incremental.run(last=small.day(3))
    for folder in (worlds.copied(tmp_path / "plain", days=3, until=4), odd / "ws"):
        with small.reopen(folder) as workspace:
            check_everything(workspace)
            found.append(with_rows(contents(workspace, without=("source",))))
    assert found[0] == found[1]


@pytest.mark.norm("N39")
def test_what_is_known_of_delivered_files_is_known_of_one_dataset(workspace: Workspace):
    """The dataset that posts are kept in gets another name: none of them is in it yet."""
    folder = workspace.config.folder / "pipeline"
    for file in folder.glob("*.sql"):
        text = file.read_text(encoding="utf-8").replace("bronze_x_posts__rejected", "REJECTED")
        text = text.replace("bronze_x_posts", "bronze_posts").replace("REJECTED", "bronze_x_posts__rejected")
        file.write_text(text, encoding="utf-8")
    (folder / "bronze_x_posts.sql").rename(folder / "bronze_posts.sql")
    workspace.datasets.deprecate("bronze_x_posts", 1, reason="it has another name from now on")
    workspace.datasets.register()
    workspace.datasets.bump("silver_social_events", reason="it reads the renamed dataset now")
    run = small.backfill(workspace, 4, 5, dataset="bronze_posts")
    assert set(map(iso, run.appended["bronze_posts"])) == {"2024-01-04", "2024-01-05"}
