"""The fault table: each durable step × {it was not persisted, it was}, then recovery, which is the normal path."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests import worlds
from tests.crash import lakes
from tests.kit.check import check_everything, read_record
from tests.kit.contents import Contents, contents, published
from tests.kit.faults import Crash, Faults, Step, fault, open_faulty
from tests.kit.stores import POSTGRES, SQLITE, Kind, living
from tradex_ledger.clock import seat
from tradex_ledger.domain.incremental import NothingToRunError
from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.ledger.leases import Leases
from tradex_ledger.pipelines.x.demo.posts import deliver_days, write_month
from tradex_ledger.workspace import Workspace

N_DAYS, POSTS_A_DAY = 4, 8
OUTAGE = lakes.days(1, 1)
OTHER = {"incremental": "backfill", "backfill": "incremental"}


@dataclass(frozen=True)
class Story:
    """A run about to happen: the workspace before it, how it is driven, and what it leaves when nobody disturbs."""

    template: Path
    act: Callable[[Workspace], object]
    steps: tuple[Step, ...]
    before: Contents
    after: Contents
    cursor: str | None

    def first_of_each_kind(self, *, last: bool = False) -> dict[str, int]:
        """Each kind of step with the number (from 1) of the first such step, or of the last."""
        numbered = list(enumerate(self.steps, start=1))
        return {kind_of(step): number for number, step in (numbered if last else reversed(numbered))}


def kind_of(step: Step) -> str:
    """What a crash at a step can mean: Silver and Gold are built alike, layers start and complete alike."""
    about = " ".join(topic.partition(":")[0] for topic in step.about.split())
    return f"{step.method} {about if about in ('', 'bronze') or '.' in about else 'derived'}"


def undisturbed(template: Path, act: Callable[[Workspace], object], folder: Path) -> Story:
    """Do it once with nothing failing, and count the steps."""
    faults = Faults()
    with open_faulty(lakes.copy(template, folder), faults) as workspace:
        before = contents(workspace)
        act(workspace)
        check_everything(workspace)
        return Story(template, act, tuple(faults.steps), before, contents(workspace), workspace.state.cursor)


@pytest.fixture(scope="module")
def stories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Story]:
    """An incremental run, and a backfill of an outage, over five small days."""
    root = tmp_path_factory.mktemp("stories")
    made = (lakes.SEED, lakes.START, N_DAYS, POSTS_A_DAY)
    write_month(root / "source", *made, outage=OUTAGE)
    # One dataset a layer: what is built of Gold is built as Gold is.
    worlds.define(root / "lake" / "pipeline", without=worlds.GOLD_OF_GOLD)
    lakes.create(root / "lake", root / "source", workers=1, window_partitions=100, pipeline="pipeline")
    with Workspace.open(root / "lake") as workspace:
        workspace.incremental.run(last=lakes.day(2))
    deliver_days(root / "source", *made, OUTAGE)
    lakes.copy(root / "lake", root / "before-run")
    with Workspace.open(root / "lake") as workspace:
        backfill = lakes.request(workspace, 1, 1)

    def run(workspace: Workspace) -> None:
        workspace.incremental.run(last=lakes.day(N_DAYS - 1))

    def drive(workspace: Workspace) -> None:
        workspace.runs.drive(backfill)

    return {
        "incremental": undisturbed(root / "before-run", run, root / "undisturbed-run"),
        "backfill": undisturbed(root / "lake", drive, root / "undisturbed-backfill"),
    }


def resume(story: Story, workspace: Workspace) -> None:
    """Do the same thing again; a run that was closed by the very step that failed leaves nothing to do."""
    try:
        story.act(workspace)
    except NothingToRunError:
        assert workspace.state.cursor == story.cursor


def leave_the_leases_of_the_dead(workspace: Workspace, pid: int) -> None:
    """A process that dies gives nothing back: here the leases it held."""
    leases = Leases(workspace.ledger.engine, replace(seat(), pid=pid))
    runs = workspace.ledger.streams_of("incremental_run.started", "backfill.requested")
    for name in (*runs[-1:], "pipeline-x"):
        assert leases.acquire(name, "the dead", 3600)


def check_nothing_half_visible(story: Story, workspace: Workspace) -> None:
    """Silver, Gold and state are as before the run or as after it; Bronze never shrinks."""
    check_everything(workspace)
    found, closed = contents(workspace), workspace.state.cursor == story.cursor
    if published(found) != published(story.before):
        assert published(found) == published(story.after), "a part of the run is visible"
        assert closed, "published, but the state has not moved with it"


def check_outcome(story: Story, workspace: Workspace) -> None:
    check_everything(workspace)
    assert contents(workspace) == story.after
    assert workspace.state.cursor == story.cursor
    assert workspace.incremental.unfinished() is None


@contextmanager
def copied(story: Story, folder: Path, store: Kind) -> Iterator[Path]:
    """The workspace before the run, its ledger in a database of that kind."""
    lakes.copy(story.template, folder)
    if store is SQLITE:
        yield folder
        return
    with living(folder, store, folder) as moved:
        yield moved


def crash_and_resume(story: Story, folder: Path, number: int, *, persisted: bool, dead: int) -> None:
    faults = Faults(number, persisted)
    with open_faulty(folder, faults) as workspace, pytest.raises(Crash):
        story.act(workspace)
    with Workspace.open(folder) as workspace:
        check_nothing_half_visible(story, workspace)
        leave_the_leases_of_the_dead(workspace, dead)
        resume(story, workspace)
        check_outcome(story, workspace)


def fail_and_go_on(story: Story, folder: Path, number: int, *, persisted: bool) -> None:
    faults = Faults(number, persisted, fault)
    with open_faulty(folder, faults) as workspace:
        with pytest.raises(EnvironmentFault, match="injected"):
            story.act(workspace)
        check_nothing_half_visible(story, workspace)
        resume(story, workspace)
        check_outcome(story, workspace)


def attempts(story: Story, numbers: list[int], attempt: Callable[[int], None]) -> Iterator[str]:
    """Make each attempt; yields what went wrong, with the step it went wrong at."""
    for number in numbers:
        try:
            attempt(number)
        except Exception as error:
            yield f"step {number} of {len(story.steps)}, {story.steps[number - 1]}: {error!r}"


def table(
    story: Story, tmp_path: Path, numbers: list[int], *, persisted: bool, death: bool, store: Kind = SQLITE
) -> None:
    dead = lakes.dead_process()

    def attempt(number: int) -> None:
        with copied(story, tmp_path / str(number), store) as folder:
            if death:
                crash_and_resume(story, folder, number, persisted=persisted, dead=dead)
            else:
                fail_and_go_on(story, folder, number, persisted=persisted)

    problems = list(attempts(story, numbers, attempt))
    assert not problems, "\n".join(problems)


def sample(stories: dict[str, Story], kind: str, *, persisted: bool) -> list[int]:
    """Every kind of step × persisted or not, over the two stories together: what both have, they take in turns."""
    mine, other = (stories[name].first_of_each_kind(last=persisted) for name in (kind, OTHER[kind]))
    shared = [step for step in stories["incremental"].first_of_each_kind() if step in mine and step in other]
    turn = (kind == "backfill") == persisted
    left_to_the_other = set(shared[turn::2])
    return sorted(number for step, number in mine.items() if step not in left_to_the_other)


KINDS = pytest.mark.parametrize("kind", ["incremental", "backfill"])
PERSISTED = pytest.mark.parametrize("persisted", [False, True], ids=["not-persisted", "persisted"])
DEATH = pytest.mark.parametrize("death", [True, False], ids=["death", "fault"])


@pytest.mark.norm("N14")
@pytest.mark.norm("N20")
@pytest.mark.norm("N39")
@PERSISTED
@KINDS
def test_a_run_that_dies_at_a_durable_step_of_any_kind_resumes_to_the_same_lake(
    stories: dict[str, Story], kind: str, persisted: bool, tmp_path: Path
):
    numbers = sample(stories, kind, persisted=persisted)
    table(stories[kind], tmp_path, numbers, persisted=persisted, death=True)


@pytest.mark.norm("N34")
@KINDS
def test_a_step_that_fails_once_is_on_record_and_the_same_process_takes_the_run_up_again(
    stories: dict[str, Story], kind: str, tmp_path: Path
):
    story = stories[kind]
    number = story.steps.index(Step("sync_placed", "silver")) + 1
    fail_and_go_on(story, lakes.copy(story.template, tmp_path / "lake"), number, persisted=False)
    with Workspace.open(tmp_path / "lake") as workspace:
        failures = [e for e in read_record(workspace).entries if e.topic == "run.layer_failed"]
    assert [(e.data["layer"], e.data["error"]) for e in failures] == [("silver", "environment")]
    assert "injected" in failures[0].data["message"]


@pytest.mark.norm("N39")
@DEATH
def test_over_postgresql_a_save_that_nobody_knows_the_outcome_of_is_made_once(
    stories: dict[str, Story], death: bool, tmp_path: Path
):
    story = stories["backfill"]
    found = [n for n, step in enumerate(story.steps, start=1) if step.method == "append" and "published" in step.about]
    assert len(found) == 1
    for persisted in (False, True):
        table(story, tmp_path / str(persisted), found, persisted=persisted, death=death, store=POSTGRES[0])


# A process that dies closes nothing: here its connections are collected, and say so.
@pytest.mark.filterwarnings("ignore:.* was deleted while still open:ResourceWarning")
@pytest.mark.soak
@pytest.mark.parametrize("store", [SQLITE, POSTGRES[0]], ids=lambda store: store.name)
@PERSISTED
@DEATH
@KINDS
def test_every_durable_step_may_fail(
    stories: dict[str, Story], kind: str, death: bool, persisted: bool, store: Kind, tmp_path: Path
):
    numbers = list(range(1, len(stories[kind].steps) + 1))
    table(stories[kind], tmp_path, numbers, persisted=persisted, death=death, store=store)
