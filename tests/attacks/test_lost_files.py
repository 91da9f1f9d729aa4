"""Files of the lake that are gone for good: what may be declared lost, by whom, and the way on from there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest

from tests.kit import small
from tests.kit.check import check_everything
from tests.kit.contents import contents, with_rows
from tests.kit.lake import partitions, projection
from tests.kit.lake_folder import in_lake, root_of
from tradex_ledger.audit.query import query
from tradex_ledger.audit.tables import LostFileError
from tradex_ledger.cli.main import run
from tradex_ledger.domain.dataset_errors import LossRefusedError
from tradex_ledger.domain.day import day_of
from tradex_ledger.domain.policy import NotAllowedError
from tradex_ledger.errors import EnvironmentFault, TradexError
from tradex_ledger.lake.storage import LakeFileError
from tradex_ledger.planning.complete import LostInputsError
from tradex_ledger.resources import read_text
from tradex_ledger.upkeep.gc import find_unreferenced
from tradex_ledger.upkeep.lost import find_lost
from tradex_ledger.workspace import Workspace

NO_POST = '{"created_at":"2024-01-03T10:00:00.000Z","text":"no id"}\n'
WHY = "the disk of rack 4 died, INC-4400"
BRONZE = "bronze_x_posts"
OF_THE_RUN = ("run_id", "ingested_at", "source")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("lost")
    small.deliver(root / "posts")
    (root / "posts" / "2024-01-03-odd.jsonl").write_text(NO_POST, encoding="utf-8")
    with small.create(root / "ws", f"files:{root / 'posts'}") as workspace:
        workspace.incremental.run(last=small.day(6))
    return root


@pytest.fixture
def workspace(made: Path, tmp_path: Path) -> Iterator[Workspace]:
    with small.reopen(small.copied(made, tmp_path / "copy")) as opened:
        yield opened


def the_file(workspace: Workspace, dataset: str, day: int = 3) -> Path:
    (row,) = [p for p in partitions(workspace) if (p["dataset"], p["partition"]) == (dataset, small.day(day))]
    return in_lake(workspace, row["files"][0]["path"])


def damage(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def declare(workspace: Workspace, dataset: str, **more: Any) -> str:
    plan = workspace.lake.declare_loss(dataset, reason=WHY, **more).loss_plan
    assert plan
    return plan.digest


def lose(workspace: Workspace, dataset: str) -> None:
    digest = declare(workspace, dataset)
    with small.reopen(workspace.config.folder, actor="maria") as maria:
        assert maria.lake.confirm_loss(dataset, digest)


def losses(workspace: Workspace) -> list[dict[str, Any]]:
    return projection(workspace, "lost_files")


def ask(workspace: Workspace, sql: str, as_of: str | None = None) -> Any:
    return query(workspace.ledger.store, workspace.core.lake, sql, as_of=as_of)


# -- who may say so, and of what


def test_only_what_is_missing_or_changed_is_declared(workspace: Workspace):
    with pytest.raises(LossRefusedError, match="no file of gold_metrics is missing or changed"):
        declare(workspace, "gold_metrics")
    gone, whole = the_file(workspace, "gold_metrics"), the_file(workspace, "gold_metrics", 4)
    gone.unlink()
    with pytest.raises(LossRefusedError, match=r"2024-01-04.* it is there as it was written"):
        declare(workspace, "gold_metrics", only=[str(whole.relative_to(root_of(workspace)))])
    declare(workspace, "gold_metrics", only=[str(gone.relative_to(root_of(workspace)))])


def test_who_declared_it_does_not_confirm_it_and_a_right_is_needed(workspace: Workspace):
    the_file(workspace, "gold_metrics").unlink()
    digest = declare(workspace, "gold_metrics")
    for again in ("ana", "Ana", " ana"):
        with small.reopen(workspace.config.folder, actor=again.strip()) as other, pytest.raises(TradexError) as refused:
            other.lake.confirm_loss("gold_metrics", digest)
        assert refused.value.code == "self-approval"
    small.set_policy(workspace.config.folder, may_declare_lost=["maria"])
    with small.reopen(workspace.config.folder, actor="eve") as eve:
        with pytest.raises(NotAllowedError):
            eve.lake.confirm_loss("gold_metrics", digest)
        with pytest.raises(NotAllowedError):
            declare(eve, "gold_metrics")
    with small.reopen(workspace.config.folder, actor="maria") as maria:
        for little in ("", digest[0], digest[:11], "0" * 64):
            with pytest.raises(TradexError):
                maria.lake.confirm_loss("gold_metrics", little)
        maria.lake.confirm_loss("gold_metrics", digest)
        with pytest.raises(LossRefusedError):
            maria.lake.confirm_loss("gold_metrics", digest)


def test_what_turned_up_before_it_was_confirmed_is_not_lost(workspace: Workspace):
    file = the_file(workspace, BRONZE)
    whole = file.read_bytes()
    file.unlink()
    digest = declare(workspace, BRONZE)
    file.write_bytes(whole)
    again = pytest.raises(LossRefusedError, match="there again as it was written")
    with small.reopen(workspace.config.folder, actor="maria") as maria, again:
        maria.lake.confirm_loss(BRONZE, digest)
    assert losses(workspace) == []
    check_everything(workspace)


# -- Silver and Gold


@pytest.mark.parametrize(
    ("dataset", "how"),
    [
        ("silver_social_events", Path.unlink),
        ("gold_metrics", damage),
        ("gold_signals", Path.unlink),
        pytest.param("silver_social_events", damage, marks=pytest.mark.soak),
        pytest.param("gold_metrics", Path.unlink, marks=pytest.mark.soak),
        pytest.param("gold_signals", damage, marks=pytest.mark.soak),
    ],
)
def test_a_lost_day_is_built_again_by_an_ordinary_backfill(workspace: Workspace, dataset: str, how: Any):
    before, file = with_rows(contents(workspace)), the_file(workspace, dataset)
    how(file)
    lose(workspace, dataset)
    position = losses(workspace)[0]["position"]
    with pytest.raises(LostFileError, match=rf"position {position} \(ana, confirmed by maria\): {WHY}") as lost:
        ask(workspace, f"select * from {dataset}")
    assert f"temporal {dataset} --from 2024-01-03 --to 2024-01-03" in lost.value.mend
    built = small.backfill(workspace, 3, 3, dataset=dataset)
    assert built.candidates[dataset][day_of("2024-01-03")].is_written
    assert the_file(workspace, dataset) != file
    assert with_rows(contents(workspace)) == before
    ask(workspace, f"select * from {dataset}")
    with pytest.raises(LostFileError, match=f"position {position}"):
        ask(workspace, f"select * from {dataset}", as_of=str(position - 2))
    assert losses(workspace)[0]["mended_position"] > position
    check_everything(workspace)


def test_nothing_is_built_upon_a_lost_day_and_then_the_pipeline_goes_on(workspace: Workspace):
    the_file(workspace, "gold_metrics", 5).unlink()
    with pytest.raises(EnvironmentFault, match=r"gold_metrics/.* is missing"):
        workspace.incremental.run(last=small.day(7))
    lose(workspace, "gold_metrics")
    with pytest.raises(LostInputsError, match="gold_metrics") as refused:
        workspace.incremental.run(last=small.day(7))
    assert "temporal gold_metrics --from 2024-01-05 --to 2024-01-05" in refused.value.mend
    (wanted,) = [item for item in workspace.backfills.propose(source=False) if item.kind == "temporal"]
    assert (wanted.dataset, wanted.first, wanted.last) == ("gold_metrics", day_of("2024-01-05"), day_of("2024-01-05"))
    small.backfill(workspace, 5, 5, dataset="gold_metrics", allow_overlap=[])
    workspace.incremental.run(last=small.day(7))
    assert not [item for item in workspace.backfills.propose(source=False) if item.kind == "temporal"]
    check_everything(workspace)


def test_a_lost_file_that_turns_up_again_is_seen_and_is_not_garbage(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
):
    file = the_file(workspace, "silver_social_events")
    whole = file.read_bytes()
    file.unlink()
    lose(workspace, "silver_social_events")
    small.backfill(workspace, 3, 3, dataset="silver_social_events")
    assert run(["-C", str(workspace.config.folder), "lake", "lost"]) == 0
    file.write_bytes(whole)
    capsys.readouterr()
    assert run(["-C", str(workspace.config.folder), "lake", "lost"]) == 1
    assert "is there again as it was written" in capsys.readouterr().err
    assert find_unreferenced(workspace.ledger, workspace.core.lake) == []
    position = losses(workspace)[0]["position"]
    ask(workspace, "select * from silver_social_events", as_of=str(position - 2))


# -- Bronze


def test_of_lost_bronze_the_source_gives_back_what_it_still_has(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
):
    before = with_rows(contents(workspace, without=OF_THE_RUN))
    file = the_file(workspace, BRONZE)
    file.unlink()
    with pytest.raises(LakeFileError):
        small.backfill(workspace, 3, 3)
    workspace.runs.cancel(small_open(workspace), reason="it cannot go on without the file")
    lose(workspace, BRONZE)
    answer = ask(workspace, f"select count(*) from {BRONZE} where event_date = date '2024-01-03'")
    assert answer.rows == [(0,)]
    assert any("6 rows were declared lost" in text and "not extracted again yet" in text for text in answer.warnings)
    small.backfill(workspace, 3, 3)
    assert with_rows(contents(workspace, without=OF_THE_RUN)) == before
    (lost,) = losses(workspace)
    assert (lost["rows"], lost["appended_since"]) == (6, 6)
    with pytest.raises(LostFileError, match=f"position {lost['position']}"):
        ask(workspace, f"select * from {BRONZE}", as_of=str(lost["position"] - 2))
    capsys.readouterr()
    assert run(["-C", str(workspace.config.folder), "lake", "lost"]) == 0
    assert "with 6 rows were declared lost" in (out := capsys.readouterr().out) and "6 rows were found since" in out
    workspace.incremental.run(last=small.day(7))
    check_everything(workspace)


def small_open(workspace: Workspace) -> str:
    (found,) = [r["run_id"] for r in projection(workspace, "runs") if r["status"] in ("FAILED", "RUNNING", "APPROVED")]
    return str(found)


def test_what_the_source_has_no_more_is_told_and_the_pipeline_goes_on(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
):
    the_file(workspace, BRONZE).unlink()
    for delivered in (workspace.config.folder.parent / "posts").glob("2024-01-0[34]*"):
        delivered.unlink()
    lose(workspace, BRONZE)
    run_id = small.request(workspace, 3, 3)
    workspace.backfills.approve(run_id)
    capsys.readouterr()
    assert run(["-C", str(workspace.config.folder), "backfill", "run", run_id]) == 0
    said = "".join(capsys.readouterr())
    assert "of 6 rows of bronze_x_posts 2024-01-03 that were declared lost" in said
    (lost,) = losses(workspace)
    assert f"{lost['appended_since']} were found again" in said
    assert lost["appended_since"] < lost["rows"] and lost["mended_position"]
    workspace.incremental.run(last=small.day(7))
    ask(workspace, f"select * from {BRONZE}")
    check_everything(workspace)


LATE = '{"id":"17426000000000000%02d","text":"late $TSLA","author_id":"9","created_at":"2024-01-03T10:00:00.000Z"}\n'


def test_what_comes_late_was_not_found_again(workspace: Workspace):
    """Only what the day's own extraction brought counts, and no more than was lost."""
    posts = workspace.config.folder.parent / "posts"
    the_file(workspace, BRONZE).unlink()
    whole = {file: file.read_bytes() for file in posts.glob("2024-01-0[34]*")}
    for delivered in whole:
        delivered.unlink()
    lose(workspace, BRONZE)
    small.backfill(workspace, 3, 3)
    (first,) = losses(workspace)
    assert first["appended_since"] < first["rows"]
    (posts / "2024-01-03-late.jsonl").write_text("".join(LATE % n for n in range(9)), encoding="utf-8")
    small.backfill(workspace, 3, 3)
    assert losses(workspace) == [first]
    check_everything(workspace)


def test_no_more_is_found_again_than_was_lost(workspace: Workspace):
    posts = workspace.config.folder.parent / "posts"
    the_file(workspace, BRONZE).unlink()
    lose(workspace, BRONZE)
    (posts / "2024-01-03-late.jsonl").write_text("".join(LATE % n for n in range(9)), encoding="utf-8")
    small.backfill(workspace, 3, 3)
    (lost,) = losses(workspace)
    assert (lost["rows"], lost["appended_since"]) == (6, 6)


def test_late_posts_of_a_lost_day_build_nothing_over_what_is_left(workspace: Workspace):
    """The day has one late post, its others are lost: Silver must not come down to one row because of that."""
    before = [row for row in partitions(workspace) if row["dataset"] == "silver_social_events"]
    the_file(workspace, BRONZE).unlink()
    lose(workspace, BRONZE)
    with pytest.raises(LostInputsError, match=BRONZE):
        small.backfill(workspace, 3, 3, dataset="silver_social_events")
    assert [row for row in partitions(workspace) if row["dataset"] == "silver_social_events"] == before
    (wanted,) = [item for item in workspace.backfills.propose() if item.kind == "temporal"]
    assert (wanted.dataset, wanted.first, wanted.last) == (BRONZE, day_of("2024-01-03"), day_of("2024-01-03"))
    assert "declared lost" in wanted.reason


def test_lost_rejected_lines_are_found_again(workspace: Workspace):
    name = "bronze_x_posts__rejected"
    row = next(row for row in partitions(workspace) if row["dataset"] == name and row["partition"] == small.day(3))
    in_lake(workspace, row["files"][0]["path"]).unlink()
    lose(workspace, name)
    small.backfill(workspace, 3, 3)
    again = next(r for r in partitions(workspace) if (r["dataset"], r["partition"]) == (name, row["partition"]))
    assert again["rows"] == row["rows"]
    assert find_lost(workspace.ledger, workspace.core.lake).wrong == []
    check_everything(workspace)


def test_a_lost_candidate_of_a_run_that_is_held_is_built_again(workspace: Workspace):
    late = (
        '{"id":"1741941000000000077","text":"later $TSLA","author_id":"10","created_at":"2024-01-03T10:00:00.000Z"}\n'
    )
    (workspace.config.folder.parent / "posts" / "2024-01-10-late.jsonl").write_text(late, encoding="utf-8")
    run_id = small.request(workspace, 3, 3, review=True)
    workspace.backfills.approve(run_id)
    held = workspace.runs.drive(run_id)
    assert held.status == "HELD"
    file = in_lake(workspace, held.candidates["gold_metrics"][day_of("2024-01-03")].files[0].path)
    file.unlink()
    lose(workspace, "gold_metrics")
    workspace.runs.release(run_id, reason="the late post is really there, INC-4211")
    while (
        driven := workspace.runs.drive(run_id)
    ).status == "HELD":  # its candidates are others: they are looked at again
        workspace.runs.release(run_id, reason="the late post is really there, INC-4211")
    assert driven.status == "SUCCESS"
    ask(workspace, "select * from gold_metrics")
    check_everything(workspace)


def test_an_empty_lake_is_asked_about(workspace: Workspace, capsys: pytest.CaptureFixture[str]):
    shutil.rmtree(root_of(workspace))
    root_of(workspace).mkdir()
    assert run(["-C", str(workspace.config.folder), "lake", "lost"]) == 1
    assert "mounted?" in capsys.readouterr().err


def test_the_whole_way_on_the_command_line(workspace: Workspace, capsys: pytest.CaptureFixture[str]):
    folder = ["-C", str(workspace.config.folder)]
    file = the_file(workspace, "gold_signals")
    damage(file)
    name = str(file.relative_to(root_of(workspace)))
    assert run([*folder, "lake", "lost"]) == 1
    out, err = capsys.readouterr()
    assert name in out and "changed" in out and "tradex lake lost gold_signals --reason" in err
    assert run([*folder, "--as", "ana", "lake", "lost", "gold_signals", "--reason", WHY]) == 0
    said = "".join(capsys.readouterr())
    digest = said.partition("--approve ")[2].split()[0]
    assert run([*folder, "--as", "ana", "lake", "lost", "gold_signals", "--approve", digest]) == 3
    assert run([*folder, "--as", "maria", "lake", "lost", "gold_signals", "--approve", digest]) == 0
    capsys.readouterr()
    assert run([*folder, "audit", "log", "--topic", "dataset.files_lost"]) == 0
    assert "1 files are lost" in capsys.readouterr().out
    assert run([*folder, "lake", "lost", "--json"]) == 0
    assert run([*folder, "query", "select path, reason from lost_files"]) == 0
    assert name in capsys.readouterr().out
    for wrong in (["--reason", WHY], ["--approve", digest], ["gold_signals", "--file", name]):
        assert run([*folder, "lake", "lost", *wrong]) == 2


def test_what_no_day_belonged_to_is_found_again_by_any_extraction_and_an_old_day_by_its_own_alone():
    """An older reader filed lines without a day under 1970."""
    connection = duckdb.connect()
    connection.execute("""
        create table events (
            position bigint, topic varchar, dataset varchar, layer varchar, run_id varchar, partition date,
            logic_version bigint, rows bigint, data json, "by" varchar, "at" timestamp
        );
        create table partitions (
            dataset varchar, partition date, component varchar, logic_version bigint, published_position bigint,
            files struct(path varchar)[]
        )
    """)
    lines, days = "bronze_x_posts__rejected", ("1970-01-01", "2001-05-05", "2024-01-03")
    lost = [{"path": f"{lines}/{day}", "rows": 1, "partition": day} for day in days]
    extraction = {"extraction": {"cursor_from": "2024-01-03", "cursor_to": "2024-01-04", "source": "files:posts"}}
    for position, (topic, data) in enumerate(
        (
            ("dataset.registered", {}),
            ("dataset.logic_versioned", {"definition": '-- source = "x_posts__rejected"'}),
            ("dataset.files_lost", {"files": lost}),
            ("run.layer_started", extraction),
            ("run.layer_completed", {}),
        ),
        start=1,
    ):
        row = (position, topic, lines, "bronze", "bf-1", orjson.dumps(data).decode())
        connection.execute(
            "insert into events by name select ? as position, ? as topic, ? as dataset, ? as layer, ? as run_id, "
            "? as data, 0 as logic_version",
            row,
        )
    found = connection.execute(f"select partition, mended_position from ({read_text('projections', 'lost_files.sql')})")
    assert {str(day): position for day, position in found.fetchall()} == dict(zip(days, (5, None, 5), strict=True))
