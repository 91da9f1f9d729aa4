"""Several writers at once: backfills and incremental runs over the same days, and several drivers of one run."""

from __future__ import annotations

import subprocess
import time
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import text

from tests import worlds
from tests.crash import lakes
from tests.kit.check import check_everything, read_record
from tests.kit.contents import contents, published, with_rows
from tests.kit.faults import Crash, Faults, Interruption, open_faulty
from tests.kit.rows import rows
from tradex_ledger.driving.fence import DrivenRun, EndedMeanwhileError, FencedError
from tradex_ledger.driving.lease import DrivenElsewhereError
from tradex_ledger.ledger.store import writing
from tradex_ledger.pipelines.x.demo.posts import deliver_days, write_month
from tradex_ledger.views import resolve, shared_views
from tradex_ledger.workspace import Workspace

N_DAYS, POSTS_A_DAY = 18, 20
MADE = (lakes.SEED, lakes.START, N_DAYS, POSTS_A_DAY)

# (days whose files came late, where the cursor then stands, the days that incremental runs add meanwhile)
ROUNDS = ((3, 4, 5, (6, 8)), (10, 11, 12, (13, 15)))
LATEST_DAYS = 3  # a post is delivered at most so many days after it was created


def run_together(gate: Path, processes: list[subprocess.Popen[str]]) -> None:
    """Let the processes go at once when all of them are ready, and wait for their success."""
    deadline = time.monotonic() + 60
    while not all((gate / str(process.pid)).exists() for process in processes):
        assert time.monotonic() < deadline, "the drivers did not get ready"
        assert all(process.poll() is None for process in processes), [p.stderr.read() for p in processes if p.stderr]
        time.sleep(0.01)
    (gate / "go").touch()
    for process in processes:
        _, error = process.communicate(timeout=240)
        assert process.returncode == 0, error


def interleaved(workspace: Workspace, run: str, after: int) -> int:
    """How often, after a position, the ledger passes from events of a run to those of others or back."""
    streams = [entry.stream for entry in read_record(workspace).entries[after:]]
    own = [stream == run for stream in streams if stream.startswith(("bf-", "run-"))]
    return sum(before != here for before, here in pairwise(own))


def stale(workspace: Workspace) -> list[dict[str, object]]:
    with shared_views(workspace.ledger.store, resolve(workspace.ledger.store, None)) as views:
        return rows(views, "stale_partitions")


def thin(folder: Path) -> str:
    """A pipeline of one dataset a layer for a workspace to come: what is built of Gold is built as Gold is."""
    worlds.define(folder / "pipeline", without=worlds.GOLD_OF_GOLD)
    return "pipeline"


@pytest.mark.norm("N2")
@pytest.mark.norm("N23")
@pytest.mark.norm("N39")
def test_a_backfill_and_incremental_runs_at_once_lose_nothing_and_double_nothing(tmp_path: Path):
    source, folder = tmp_path / "source", tmp_path / "lake"
    write_month(source, *MADE)
    for first, last, *_ in ROUNDS:
        for number in range(first, last + 1):
            (source / f"{lakes.day(number)}.jsonl.gz").unlink()
    lakes.create(folder, source, workers=1, window_partitions=4, pipeline=thin(folder))
    changes = []
    for number, (first, last, cursor, until) in enumerate(ROUNDS):
        gate = tmp_path / f"gate-{number}"
        gate.mkdir()
        with Workspace.open(folder) as workspace:
            workspace.incremental.run(last=lakes.day(cursor - 1))
            deliver_days(source, *MADE, lakes.days(first, last))
            # From the first day that the late files hold posts of, to days that only the incremental runs will reach.
            backfill = lakes.request(workspace, first - LATEST_DAYS, until[0])
            before = workspace.ledger.position()
        run_together(
            gate,
            [
                lakes.start_driver(folder, "drive", backfill, gate=gate),
                lakes.start_driver(folder, "run", *(str(lakes.day(day)) for day in until), gate=gate),
            ],
        )
        with Workspace.open(folder) as workspace:
            check_everything(workspace)
            assert stale(workspace) == []
            changes.append(interleaved(workspace, backfill, before))
    assert max(changes) >= 4, f"they hardly met: {changes}"

    lakes.create(tmp_path / "scratch", source, workers=1, window_partitions=100, pipeline=thin(tmp_path / "scratch"))
    with Workspace.open(tmp_path / "scratch") as scratch, Workspace.open(folder) as workspace:
        scratch.incremental.run(last=lakes.day(ROUNDS[-1][3][-1] - 1))
        # Where a post came twice, the lake keeps the line that it met first: only the name of the file may differ.
        expected = with_rows(contents(scratch, without=["source"]))
        assert with_rows(contents(workspace, without=["source"])) == expected


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A small lake with an approved backfill of files that came late; the id of the backfill."""
    root = tmp_path_factory.mktemp("drivers")
    made = (lakes.SEED, lakes.START, 5, 12)
    write_month(root / "source", *made, outage=lakes.days(1, 2))
    lakes.create(root / "lake", root / "source", workers=1, window_partitions=2)
    with Workspace.open(root / "lake") as workspace:
        workspace.incremental.run(last=lakes.day(4))
        deliver_days(root / "source", *made, lakes.days(1, 2))
        return root / "lake", lakes.request(workspace, 0, 2)


@pytest.fixture
def two(template: tuple[Path, str], tmp_path: Path):
    """The same workspace twice, as two drivers have it, and the backfill."""
    folder = lakes.copy(template[0], tmp_path / "lake")
    with Workspace.open(folder) as one, Workspace.open(folder) as other:
        yield one, other, template[1]
        check_everything(one)


def test_a_second_driver_is_turned_away(two: tuple[Workspace, Workspace, str]):
    one, other, backfill = two
    refused = []

    def second() -> None:
        with pytest.raises(DrivenElsewhereError) as error:
            other.runs.drive(backfill)
        refused.append(error.value)

    assert one.runs.drive(backfill, progress=Interruption("silver", second)).status == "SUCCESS"
    assert len(refused) == 1


def test_a_driver_that_slept_while_another_drove_is_fenced_off(two: tuple[Workspace, Workspace, str]):
    one, other, backfill = two
    asleep, awake = DrivenRun(one.ledger, backfill), DrivenRun(other.ledger, backfill)
    for driven in (awake, asleep):
        driven.run.start_layer("bronze", executor={}, extraction=None, by="somebody")
    awake.append()
    before = one.ledger.position()
    with pytest.raises(FencedError):
        asleep.append()
    assert one.ledger.position() == before


def take_the_lease(workspace: Workspace) -> None:
    """As if the holder had slept for longer than its lease lasts."""
    with writing(workspace.ledger.engine) as connection:
        connection.execute(text("delete from holds"))


@pytest.mark.parametrize("stage", ["read", "append", "silver", "gold_signals"])
def test_a_driver_that_wakes_up_after_another_took_over_stops_and_records_nothing(
    two: tuple[Workspace, Workspace, str], stage: str
):
    one, other, backfill = two
    positions = []

    def taken_over() -> None:
        take_the_lease(other)
        # It dies in its turn, but not before its first event (step 2), which is what fences the sleeper off.
        with open_faulty(other.config.folder, Faults(at=3)) as third, pytest.raises(Crash):
            third.runs.drive(backfill)
        positions.append(other.ledger.position())

    with pytest.raises(FencedError):
        one.runs.drive(backfill, progress=Interruption(stage, taken_over))
    assert one.ledger.position() == positions[0]
    assert other.runs.drive(backfill).status == "SUCCESS"


def test_a_driver_that_wakes_up_after_another_published_publishes_nothing(two: tuple[Workspace, Workspace, str]):
    one, other, backfill = two

    def overtaken() -> None:
        take_the_lease(other)
        other.runs.drive(backfill)

    with pytest.raises(EndedMeanwhileError):
        one.runs.drive(backfill, progress=Interruption("publish", overtaken))
    assert one.runs.drive(backfill).status == "SUCCESS"


@pytest.mark.parametrize("stage", ["read", "silver", "gold_signals", "publish"])
def test_cancelling_ends_the_drive_and_publishes_nothing(two: tuple[Workspace, Workspace, str], stage: str):
    one, other, backfill = two
    before = published(contents(one))

    def cancelled() -> None:
        other.runs.cancel(backfill, reason="Not needed after all, INC-4211")

    with pytest.raises(EndedMeanwhileError):
        one.runs.drive(backfill, progress=Interruption(stage, cancelled))
    assert published(contents(one)) == before
    last = [entry.topic for entry in read_record(one).entries if entry.stream == backfill][-1]
    assert last == "backfill.cancelled"
    assert "run.published" not in [entry.topic for entry in read_record(one).entries if entry.stream == backfill]
