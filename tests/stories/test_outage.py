"""An outage: six days of files are not delivered, the pipeline runs on, the files come, a backfill takes them in."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.kit.faults import Crash
from tests.kit.lake import (
    BRONZE,
    DATASETS,
    DERIVED,
    OF_THE_RUN,
    Key,
    assert_same_rows,
    copy_workspace,
    digests,
    events,
    files,
    listing,
    of,
    one_process,
    partitions,
    projection,
    read_dataset,
)
from tests.kit.real import created_days, deliver
from tradex_ledger.domain.request import Request
from tradex_ledger.domain.run import Run
from tradex_ledger.workspace import Workspace

WITHHELD = [f"2014-02-{day:02}.jsonl.gz" for day in range(3, 9)]
CURSORS = [date(2014, 1, 15), date(2014, 2, 5), date(2014, 2, 10), date(2014, 3, 1)]
LAST_DAY = date(2014, 2, 28)
DAY = timedelta(days=1)


@dataclass
class Seen:
    """What a reader could see of a workspace at one moment."""

    position: str
    digests: dict[Key, tuple[int, str]]
    files: dict[Key, list[str]]
    sha256: dict[Key, list[str]]
    state: list[dict[str, Any]]
    state_history: list[dict[str, Any]]
    listing: dict[str, tuple[int, int, int]]

    @classmethod
    def of(cls, workspace: Workspace) -> Seen:
        return cls(
            position=str(workspace.ledger.position()),
            digests=digests(workspace),
            files=files(workspace),
            sha256={
                (p["dataset"], p["logic_version"], p["partition"]): [file["sha256"] for file in p["files"]]
                for p in partitions(workspace)
            },
            state=projection(workspace, "pipeline_state"),
            state_history=projection(workspace, "pipeline_state_history"),
            listing=listing(workspace),
        )


@dataclass
class Story:
    """A workspace through the outage, and what was seen on the way."""

    workspace: Workspace
    source: Path
    first: date
    last: date
    before_delivery: Path
    before: Seen
    under_way: list[tuple[str, dict[Key, list[str]], dict[Key, tuple[int, str]]]] = field(default_factory=list)
    backfill: Run | None = None
    after: Seen | None = None
    again: Run | None = None
    after_again: Seen | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    def days(self, first: date, last: date) -> list[date]:
        return [first + n * DAY for n in range((last - first).days + 1)]


def backfill(workspace: Workspace, first: date, last: date, progress: Callable[..., None] | None = None) -> Run:
    request = workspace.backfills.request(
        Request(
            kind="temporal",
            dataset=BRONZE,
            first=first,
            last=last,
            override_state=False,
            reason="the source was down, the files came later",
        )
    )
    workspace.backfills.approve(request.id)
    return workspace.runs.drive(request.id, **({"progress": progress} if progress else {}))


@pytest.fixture(scope="module")
def story(real_posts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("outage")
    source = folder / "posts"
    source.mkdir()
    withheld = [real_posts / name for name in WITHHELD]
    deliver(real_posts, source, sorted({p.name for p in real_posts.glob("*.jsonl.gz")} - set(WITHHELD)))
    days = created_days(withheld)
    Workspace.create(folder / "workspace", source=f"files:{source}", actor="ana").close()
    one_process(folder / "workspace")
    with Workspace.open(folder / "workspace", actor="ana") as workspace:
        for until in CURSORS:
            workspace.incremental.run(last=until - timedelta(1))
    with Workspace.open(folder / "workspace", actor="ana") as workspace:
        kept = copy_workspace(workspace, folder / "before")
        deliver(real_posts, source, WITHHELD)
        told = Story(workspace, source, days[0], days[-1], kept, Seen.of(workspace))

        def watch(stage: str, done: int, total: int) -> None:
            content = digests(workspace) if (stage, done) == ("publish", 0) else {}
            told.under_way.append((stage, files(workspace), content))

        told.backfill = backfill(workspace, told.first, told.last, watch)
        told.after = Seen.of(workspace)
        started = time.perf_counter()
        told.again = backfill(workspace, told.first, told.last)
        told.seconds["again"] = time.perf_counter() - started
        told.after_again = Seen.of(workspace)
        yield told


def closure(story: Story) -> set[tuple[str, date]]:
    """What can change when posts of the withheld days come in, worked out by hand from DESIGN §8."""
    own = story.days(story.first, story.last)
    month_after = story.days(story.first + DAY, min(story.last + 28 * DAY, LAST_DAY))
    return {
        *((BRONZE, day) for day in own),
        *(("silver_social_events", day) for day in own),
        *(("gold_metrics", day) for day in own),
        *(("gold_baselines", day) for day in month_after),
        *(("gold_signals", day) for day in {*own, *month_after}),
    }


def outcomes(workspace: Workspace, run: Run) -> Counter[tuple[str, str]]:
    found = events(workspace, f"topic = 'run.partition_rebuilt' and run_id = '{run.id}'")
    return Counter((event["dataset"], event["outcome"]) for event in found)


def test_the_range_to_reprocess_follows_from_the_posts_in_the_withheld_files(story: Story):
    assert (story.first, story.last) == (date(2014, 2, 2), date(2014, 2, 8))


def test_the_outage_is_a_hole_in_every_dataset(story: Story, undisturbed: Workspace):
    whole = digests(undisturbed)
    for name in DATASETS:
        there = sum(rows for rows, _ in of(story.before.digests, name).values())
        assert there < sum(rows for rows, _ in of(whole, name).values()), name


@pytest.mark.norm("N10")
@pytest.mark.norm("N39")
@pytest.mark.parametrize("name", DATASETS)
def test_after_the_backfill_a_dataset_equals_that_of_a_run_that_had_the_files_all_along(
    story: Story, undisturbed: Workspace, name: str
):
    without = OF_THE_RUN if name == BRONZE else ()
    found = read_dataset(story.workspace, name, without=without)
    assert_same_rows(found, read_dataset(undisturbed, name, without=without))


@pytest.mark.norm("N10")
def test_after_the_backfill_every_partition_equals_that_of_a_run_that_had_the_files_all_along(
    story: Story, undisturbed: Workspace
):
    assert story.after is not None
    assert story.after.digests == digests(undisturbed)


@pytest.mark.norm("N8")
@pytest.mark.norm("N20")
def test_the_backfill_did_not_move_the_pipeline_state(story: Story):
    for seen in (story.after, story.after_again):
        assert seen is not None
        assert seen.state == story.before.state
        assert seen.state_history == story.before.state_history
    assert story.before.state[0]["cursor"] == "2014-03-01T00:00:00.000000Z"
    assert [row["move"] for row in story.before.state_history] == ["opened", *["advanced"] * len(CURSORS)]
    assert not events(story.workspace, f"stream like 'pipeline-%' and position > {story.before.position}")


@pytest.mark.norm("N15")
def test_partitions_outside_the_closure_kept_their_very_files(story: Story):
    assert story.after is not None
    inside = closure(story)
    outside = {key for key in story.before.files if (key[0], key[2]) not in inside}
    assert len(outside) == len(story.before.files) - sum((key[0], key[2]) in inside for key in story.before.files)
    assert {key[0] for key in outside} == set(DATASETS)
    for key in outside:
        assert story.after.files[key] == story.before.files[key]
        assert story.after.sha256[key] == story.before.sha256[key]
    rebuilt = events(story.workspace, f"topic = 'run.partition_rebuilt' and position > {story.before.position}")
    assert {(event["dataset"], event["partition"]) for event in rebuilt} == {key for key in inside if key[0] != BRONZE}


@pytest.mark.norm("N1")
@pytest.mark.norm("N6")
def test_no_file_that_was_there_was_touched_or_removed(story: Story):
    assert story.after is not None
    assert story.before.listing.items() <= story.after.listing.items()
    new = set(story.after.listing) - set(story.before.listing)
    assert story.backfill is not None
    assert new
    assert all(Path(path).name.startswith(story.backfill.id) for path in new)


@pytest.mark.norm("N3")
def test_nothing_of_silver_and_gold_changed_before_the_publication(story: Story):
    stages = {stage for stage, _, _ in story.under_way}
    assert {*DERIVED, "publish"} <= stages
    last_before = [n for n, (stage, _, content) in enumerate(story.under_way) if stage == "publish" and content][-1]
    for stage, visible, _ in story.under_way[: last_before + 1]:
        for key, paths in visible.items():
            if key[0] in DERIVED:
                assert paths == story.before.files[key], (stage, key)
    content = story.under_way[last_before][2]
    assert of(content, *DERIVED) == of(story.before.digests, *DERIVED)
    candidates = events(story.workspace, f"topic = 'run.partition_rebuilt' and position > {story.before.position}")
    assert any(event["outcome"] == "written" for event in candidates)


@pytest.mark.norm("N40")
def test_as_of_the_position_before_the_backfill_the_old_content_is_still_readable(story: Story):
    assert digests(story.workspace, story.before.position) == story.before.digests
    assert files(story.workspace, story.before.position) == story.before.files
    with Workspace.open(story.before_delivery) as untouched:
        for name in DATASETS:
            assert_same_rows(read_dataset(story.workspace, name, story.before.position), read_dataset(untouched, name))


@pytest.mark.norm("N40")
def test_why_walks_from_a_signal_back_to_the_batches_and_the_people(story: Story):
    assert story.after is not None and story.backfill is not None
    look, day = story.workspace.audit.look, date(2014, 2, 5)
    found = look.why("gold_signals", day, as_of=story.after.position)
    assert found.version is not None and found.replaced is not None
    assert found.version.run_id == story.backfill.id != found.replaced.run_id
    assert found.replaced == look.why("gold_signals", day, as_of=story.before.position).version
    assert len(found.inputs) > 50
    assert all(build.is_proven for build in found.inputs)
    assert {build.dataset for build in found.inputs} == set(DERIVED)

    late = {one.isoformat() for one in story.days(story.first, day)}
    of_backfill = {batch.partition for batch in found.batches if batch.run_id == story.backfill.id}
    assert of_backfill == late
    days = {batch.partition for batch in found.batches}
    assert (min(days), max(days)) == ("2014-01-08", "2014-02-05")
    named = {file["path"] for row in partitions(story.workspace, story.after.position) for file in row["files"]}
    assert {file.path for batch in found.batches for file in batch.files} <= named

    by_id = {one.run_id: one for one in found.runs}
    made = [build.run_id for build in found.inputs] + [batch.run_id for batch in found.batches]
    assert by_id.keys() == {*made}
    asked = by_id[story.backfill.id]
    assert (asked.requested_by, asked.reason) == ("ana", "the source was down, the files came later")
    assert [(one.decision, one.by) for one in asked.decisions] == [("approved", "ana")]
    assert [one.cursor_from for one in asked.extractions] == [f"{story.first}T00:00:00.000000Z"]
    assert all(one.extractions for one in found.runs if one.batches)
    assert found.warnings == []


@pytest.mark.norm("N14")
def test_the_backfill_says_mode_backfill_and_its_own_cursors(story: Story):
    assert story.backfill is not None
    (started,) = events(
        story.workspace, f"topic = 'run.layer_started' and layer = 'bronze' and run_id = '{story.backfill.id}'"
    )
    extraction = json.loads(started["data"])["extraction"]
    assert (extraction["mode"], extraction["cursor_from"], extraction["cursor_to"]) == (
        "backfill",
        "2014-02-02T00:00:00.000000Z",
        "2014-02-09T00:00:00.000000Z",
    )


@pytest.mark.norm("N14")
@pytest.mark.norm("N37")
def test_the_same_backfill_again_leaves_bronze_and_every_file_as_they_were(story: Story):
    assert story.after is not None
    assert story.after_again is not None
    assert story.again is not None
    assert story.again.status == "SUCCESS"
    assert not events(story.workspace, f"topic = 'run.batch_appended' and run_id = '{story.again.id}'")
    assert story.after_again.listing == story.after.listing
    assert story.after_again.files == story.after.files
    assert story.after_again.digests == story.after.digests
    (completed,) = events(
        story.workspace, f"topic = 'run.layer_completed' and layer = 'bronze' and run_id = '{story.again.id}'"
    )
    source = json.loads(completed["data"])["source"]
    assert source["appended"] == 0
    assert source["duplicates"] == source["posts"] > 0


@pytest.mark.norm("N14")
def test_the_same_backfill_again_builds_no_window(story: Story):
    """Every partition is `reused`: its inputs are the same, so no task was run for it."""
    assert story.backfill is not None
    assert story.again is not None
    first, again = outcomes(story.workspace, story.backfill), outcomes(story.workspace, story.again)
    wanted = Counter(name for name, _ in closure(story) if name != BRONZE)
    assert again == Counter({(name, "reused"): count for name, count in wanted.items()})
    built = sum(count for (_, outcome), count in first.items() if outcome in ("written", "identical"))
    assert built > 0
    layers = projection(story.workspace, "run_layers")
    took = {
        run.id: {row["layer"]: row["duration_ms"] for row in layers if row["run_id"] == run.id}
        for run in (story.backfill, story.again)
    }
    print(f"first {dict(first)}, ms by layer {took[story.backfill.id]}")
    print(f"again {dict(again)}, ms by layer {took[story.again.id]}, {story.seconds['again']:.2f} s in all")


@pytest.mark.norm("N9")
@pytest.mark.norm("N34")
def test_what_the_backfills_did_cost_lies_in_the_range_that_was_expected(story: Story):
    """Once with the posts of six days, once with nothing new: both times the plan knew only that it would ask."""
    assert story.backfill is not None
    assert story.again is not None
    costs = {row["run_id"]: row for row in projection(story.workspace, "costs")}
    for run in (story.backfill, story.again):
        cost = costs[run.id]
        print({name: value for name, value in cost.items() if name.startswith(("rows", "bytes", "seconds"))})
        for what in ("rows", "bytes"):  # not the seconds: a machine may be busy, or quick
            assert cost[f"{what}_low"] <= cost[f"{what}_actual"] <= cost[f"{what}_high"], (what, cost)
        assert cost["rows_low"] < cost["rows_high"] < 10 * cost["rows_actual"]
        layers = [row for row in projection(story.workspace, "run_layers") if row["run_id"] == run.id]
        took_ms = sum(row["duration_ms"] for row in layers)
        assert took_ms > 0  # also where nothing is new: reading the source and comparing is work
        assert cost["seconds_actual"] == pytest.approx(took_ms / 1000, abs=0.06)
        assert cost["seconds_low"] <= cost["seconds_high"]


def test_late_posts_are_not_seen_by_an_incremental_run(story: Story, tmp_path: Path):
    """The files are there by now (the copy reads the same folder), but their posts lie behind the cursor."""
    with Workspace.open(story.before_delivery) as before:
        folder = copy_workspace(before, tmp_path / "late")
    with Workspace.open(folder, actor="ana") as workspace:
        run = workspace.incremental.run(last=LAST_DAY + 2 * DAY)
        assert run.status == "SUCCESS"
        assert not events(workspace, f"topic = 'run.batch_appended' and position > {story.before.position}")
        now = digests(workspace)
        assert {key: now[key] for key in story.before.digests} == story.before.digests
        # Bronze does not hold them, so nothing is stale: only a backfill that asks the source again finds them.
        assert projection(workspace, "stale_partitions") == []


@pytest.mark.norm("N39")
def test_a_backfill_that_died_between_bronze_and_silver_shows_as_stale_and_resumes(story: Story, tmp_path: Path):
    with Workspace.open(story.before_delivery) as before:
        folder = copy_workspace(before, tmp_path / "died")

    def die(stage: str, done: int, total: int) -> None:
        if stage == f"append to {BRONZE}" and done == total:
            raise Crash

    with Workspace.open(folder, actor="ana") as workspace:
        assert projection(workspace, "stale_partitions") == []
        with pytest.raises(Crash):
            backfill(workspace, story.first, story.last, die)
    with Workspace.open(folder, actor="ana") as workspace:
        (run_id,) = {
            e["run_id"] for e in events(workspace, f"position > {story.before.position} and run_id is not null")
        }
        appended = {e["partition"] for e in events(workspace, f"topic = 'run.batch_appended' and run_id = '{run_id}'")}
        assert len(appended) == 7
        stale = projection(workspace, "stale_partitions")
        assert {(row["dataset"], row["partition"]) for row in stale} == {
            ("silver_social_events", day) for day in appended
        }
        assert {(row["reason"], row["input_dataset"], row["changed_by_run"]) for row in stale} == {
            ("input changed", BRONZE, run_id)
        }
        assert of(digests(workspace), *DERIVED) == of(story.before.digests, *DERIVED)
        assert workspace.runs.drive(run_id).status == "SUCCESS"
        assert projection(workspace, "stale_partitions") == []
        assert story.after is not None
        assert digests(workspace) == story.after.digests


def test_an_incremental_run_that_died_between_bronze_and_silver_shows_as_never_built_and_resumes(
    real_posts: Path, tmp_path: Path
):
    source = tmp_path / "posts"
    source.mkdir()
    deliver(real_posts, source, ["2014-01-06.jsonl.gz", "2014-01-07.jsonl.gz"])

    def die(stage: str, done: int, total: int) -> None:
        if stage == f"append to {BRONZE}" and done == total:
            raise Crash

    Workspace.create(tmp_path / "w", source=f"files:{source}", actor="ana").close()
    one_process(tmp_path / "w")
    with Workspace.open(tmp_path / "w", actor="ana") as workspace, pytest.raises(Crash):
        workspace.incremental.run(last=date(2014, 1, 7), progress=die)
    with Workspace.open(tmp_path / "w", actor="ana") as workspace:
        appended = {key[2] for key in files(workspace)}
        stale = projection(workspace, "stale_partitions")
        assert {(r["dataset"], r["partition"], r["reason"]) for r in stale} == {
            ("silver_social_events", day, "never built") for day in appended
        }
        assert projection(workspace, "pipeline_state")[0]["cursor"] is None
        run = workspace.incremental.run(last=date(2014, 1, 7))
        assert run.status == "SUCCESS"
        assert len(events(workspace, "topic = 'incremental_run.started'")) == 1
        assert projection(workspace, "stale_partitions") == []
        cursor = projection(workspace, "pipeline_state")[0]["cursor"]
        assert datetime.fromisoformat(cursor) == datetime(2014, 1, 8, tzinfo=UTC)
