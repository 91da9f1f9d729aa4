"""A workspace of an older release at work: bumped to today's rules and backfilled, by the way of docs/upgrading.md."""

from __future__ import annotations

import hashlib
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from tests import worlds
from tests.kit import old_workspace, small
from tests.kit.check import check_everything
from tests.kit.lake import events, listing
from tests.kit.lake_folder import in_lake
from tests.kit.old_workspace import cases
from tradex_ledger.audit.origins import origins
from tradex_ledger.audit.query import query
from tradex_ledger.audit.reader import Reader
from tradex_ledger.cli.main import run as tradex
from tradex_ledger.domain.dataset_errors import SameLogicError
from tradex_ledger.driving.drive import PlanOutdatedError
from tradex_ledger.relations.asked import inputs_of
from tradex_ledger.relations.data import PARTITION_HISTORY
from tradex_ledger.workspace import Workspace

REASON = "the reader and the rules of Silver are those of this release, TRX-120"
FIRST, LAST = date(2014, 1, 2), date(2014, 2, 28)


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    return old_workspace.unpack(tmp_path)


@pytest.fixture
def old(unpacked: Path) -> Path:
    """The workspaces, with the policy of their last plan on record: they are of before there were any."""
    for name in old_workspace.NAMES:
        with used_by(unpacked / name, "ana") as ana:
            ana.policy.adopt()
    return unpacked


@pytest.fixture
def upgraded(tmp_path: Path) -> Path:
    """The workspace `ws` after that way; its source is `posts` beside it."""

    def make(folder: Path) -> None:
        old_workspace.unpack(folder)
        with used_by(folder / "ws", "ana") as ana:
            ana.policy.adopt()
        upgrade(folder / "ws")

    return small.copied(worlds.made("upgraded", make), tmp_path / "upgraded")


@contextmanager
def used_by(folder: Path, actor: str) -> Iterator[Workspace]:
    """The workspace in somebody's hands, a month after what happened in it."""
    with Workspace.open(folder, actor=actor, clock=small.Ticking(datetime(2026, 8, 1, tzinfo=UTC))) as workspace:
        yield workspace
        check_everything(workspace)


def backfills(workspace: Workspace, status: str) -> list[str]:
    sql = f"select run_id from runs where kind <> 'incremental' and status = '{status}' order by position"
    return [row[0] for row in query(workspace.ledger.store, workspace.core.lake, sql).rows]


def upgrade(folder: Path) -> str:
    """The documented way (docs/upgrading.md): cancel what was planned before, bump all that changed, backfill it."""
    with used_by(folder, "ana") as ana:
        for status in ("PLANNED", "APPROVED"):
            for run_id in backfills(ana, status):
                ana.runs.cancel(run_id, reason="it was planned for the older rules")
        ana.datasets.bump_changed(reason=REASON)
    return rebuild(folder)


def rebuild(folder: Path) -> str:
    with used_by(folder, "ana") as ana:
        first = LAST if folder.name == "own" else FIRST
        run_id = small.request(ana, first, LAST, kind="logical", reason=REASON)
    with used_by(folder, "ben") as ben:
        ben.backfills.approve(run_id)
        assert ben.runs.drive(run_id).status == "SUCCESS"
    return run_id


def bronze(workspace: Workspace) -> dict[str, str]:
    """Each file of Bronze with the digest of its bytes."""
    return {
        path: hashlib.sha256(in_lake(workspace, path).read_bytes()).hexdigest()
        for path in listing(workspace)
        if path.startswith("bronze_")
    }


def tickers(workspace: Workspace, case: dict[str, Any]) -> list[list[Any]]:
    ids = ", ".join(f"'{post_id}'" for _, post_id, _ in case["meant"]) or "''"
    sql = (
        "select event_date::varchar, post_id, list_sort(list(ticker)) from silver_social_events "
        f"where post_id in ({ids}) group by all order by all"
    )
    return [list(row) for row in query(workspace.ledger.store, workspace.core.lake, sql).rows]


def meant(case: dict[str, Any]) -> list[list[Any]]:
    return sorted([day, post_id, sorted(found)] for day, post_id, found in case["meant"])


# -- 2: nothing refused, reformatted definitions accepted


def reformat(folder: Path) -> None:
    """Each definition of one's own, re-indented and commented."""
    for file in sorted((folder / "pipeline").glob("*.sql")):
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("\n    ", "\n\t  ").replace("\nfrom ", "  -- moved\n    from "), encoding="utf-8")


def test_reformatted_definitions_are_the_logic_that_they_were(old: Path):
    reformat(old / "own")
    with used_by(old / "own", "ana") as ana:
        for name, version in (("gold_signals", 2), ("gold_metrics", 1), ("silver_social_events", 1)):
            with pytest.raises(SameLogicError, match=f"the logic of {name} is that of version {version}"):
                ana.datasets.bump(name, reason=REASON)


# -- 5: bumped to the new rules and backfilled


def test_after_the_upgrade_silver_says_what_was_meant(old: Path, upgraded: Path):
    with used_by(old / "ws", "ana") as ana:
        before = bronze(ana)
    silver_says_what_was_meant(upgraded, before)


def test_it_says_so_where_the_source_has_nothing_any_more(old: Path):
    shutil.rmtree(old / "posts")
    (old / "posts").mkdir()
    with used_by(old / "ws", "ana") as ana:
        before = bronze(ana)
    upgrade(old / "ws")
    silver_says_what_was_meant(old / "ws", before)


def silver_says_what_was_meant(folder: Path, before: dict[str, str]) -> None:
    """After the upgrade of a workspace whose Bronze had these files `before`."""
    with used_by(folder, "ana") as ana:
        after = bronze(ana)
        assert {path: after.get(path) for path in before} == before  # no file of Bronze changed
        twice = "select count(*) from bronze_x_posts group by post_id, revision having count(*) > 1"
        assert query(ana.ledger.store, ana.core.lake, twice).rows == []
        # What was rejected then and is a post now comes from Bronze's own lines, too.
        assert {case["name"]: tickers(ana, case) for case in cases()} == {case["name"]: meant(case) for case in cases()}


def test_a_second_backfill_appends_nothing(upgraded: Path):
    with used_by(upgraded, "ana") as ana:
        before = bronze(ana)
    again = rebuild(upgraded)
    with used_by(upgraded, "ana") as ana:
        assert bronze(ana) == before
        built = events(ana, f"topic = 'run.partition_rebuilt' and stream = '{again}'")
        assert built == [] or all(event["outcome"] != "written" for event in built)


def test_a_plan_approved_before_the_upgrade_is_refused_with_the_mend(old: Path):
    """Bronze is read otherwise now, so what was approved is not what would be done."""
    with used_by(old / "ws", "ana") as ana:
        (approved,) = backfills(ana, "APPROVED")
        ana.datasets.bump_changed(reason=REASON)
        with pytest.raises(PlanOutdatedError) as caught:
            ana.runs.drive(approved)
        assert "tradex backfill cancel" in caught.value.mend


def test_what_was_believed_then_is_still_an_answer(upgraded: Path):
    """As of the last position of then, every dataset is as it was."""
    counts = next(item for item in old_workspace.answers("ws") if "as posts" in item["asked"][-1])
    position = old_workspace.recorded()["workspaces"]["ws"]["positions"]["after the second run"]
    with used_by(upgraded, "ana") as ana:
        found = query(ana.ledger.store, ana.core.lake, counts["asked"][1], as_of=str(position))
        assert [list(row) for row in found.rows] == counts["answer"]["rows"]


def test_bronze_of_two_readers_is_one_table_with_the_columns_of_today(upgraded: Path):
    with used_by(upgraded, "ana") as ana:
        posts, known = query(
            ana.ledger.store, ana.core.lake, "select count(*), count(is_whole) from bronze_x_posts"
        ).rows[0]
        assert 0 < known < posts  # an older reader did not know


def test_the_commands_of_the_documentation_upgrade_a_workspace(
    unpacked: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    old = unpacked
    text = Path("docs", "upgrading.md").read_text(encoding="utf-8")
    block = text.split("```sh\n")[1].split("```")[0]
    monkeypatch.setenv("TRADEX_WORKSPACE", str(old / "ws"))
    monkeypatch.setenv("TRADEX_ACTOR", "ana")
    with used_by(old / "ws", "ana") as ana:
        waiting = [*backfills(ana, "PLANNED"), *backfills(ana, "APPROVED")]
    requested = ""
    for line in block.splitlines():
        words = shlex.split(line)[1:]
        if words == ["run"]:
            words += ["--to", "2014-03-01"]  # the newest post is of that time: of itself it would ask
        for run_id in waiting if "<cancelled>" in words else [requested]:
            given = [run_id if word in ("<cancelled>", "<requested>") else word for word in words]
            assert tradex(given) == 0, capsys.readouterr()
            said = capsys.readouterr().out
            requested = next((w.split()[1] for w in said.splitlines() if w.startswith("requested bf-")), requested)
    with used_by(old / "ws", "ana") as ana:
        assert {case["name"]: tickers(ana, case) for case in cases()} == {case["name"]: meant(case) for case in cases()}


def test_what_each_partition_was_made_of_is_traced_with_what_was_read_again(upgraded: Path):
    """The digests of before know nothing of files that are read again, those of today do."""
    with used_by(upgraded, "ana") as ana:
        reader = Reader(ana.ledger.store)
        built = reader.read(PARTITION_HISTORY, "outcome <> 'appended'")
        found = origins(reader, [row.position for row in built])
        again = inputs_of(reader.connection, [(build.position, build.base) for build in found.builds])
    assert any(row.is_again for row in again)
    assert [build for build in found.builds if not build.is_proven] == []
