"""What is on record is built again, by the text and on the inputs of then: the same comes out, or it is told."""

from __future__ import annotations

import json
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests import worlds
from tests.kit import old_workspace, small
from tests.kit.check import read_record
from tests.kit.lake import listing, partitions, projection
from tests.kit.lake_folder import in_lake, root_of
from tests.kit.other_rows import encoded_otherwise, given_for, one_more, without_the_first
from tests.kit.tree import FIXTURES
from tradex_ledger.audit.documents.reproduce import Reproduced, Reproduction
from tradex_ledger.audit.why import NoSuchPartitionError
from tradex_ledger.cli.main import run
from tradex_ledger.datasets.definition import UnknownDatasetError
from tradex_ledger.trust import UntrustedError
from tradex_ledger.workspace import Workspace

SIGNALS, METRICS = "gold_signals", "gold_metrics"


def verdicts(found: Reproduction) -> dict[str, int]:
    return {name: count for name, count in found.verdicts.items() if count}


def told(found: Reproduction, verdict: str) -> list[Reproduced]:
    return [one for one in found.partitions if one.verdict == verdict]


def path_of(workspace: Workspace, dataset: str, day: int) -> Path:
    (row,) = [p for p in partitions(workspace) if p["dataset"] == dataset and p["partition"] == small.day(day)]
    return in_lake(workspace, row["files"][0]["path"])


def flip(path: Path) -> None:
    """Change a byte in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def tell(folder: Path) -> None:
    """A week with definitions of its own; late posts were backfilled, and signals have a second version."""
    with small.reopen(worlds.copied(folder, pipeline=True)) as workspace:
        (folder / "posts" / "2024-01-09-late.jsonl").write_text(small.LATE, encoding="utf-8")
        small.backfill(workspace, 3, 3)
        small.edit(workspace, SIGNALS, ">= 3", ">= 2")
        workspace.datasets.bump(SIGNALS, reason="spikes begin earlier, INC-4400")
        small.backfill(workspace, 2, 5, kind="logical", dataset=SIGNALS)


@pytest.fixture
def told_twice(tmp_path: Path) -> Iterator[Workspace]:
    with small.reopen(worlds.copy("told-twice", tell, tmp_path)) as workspace:
        yield workspace


def test_every_run_is_as_it_was_whatever_the_files_of_definitions_say_today(told_twice: Workspace):
    shutil.rmtree(told_twice.config.folder / "pipeline")
    before, position = listing(told_twice), told_twice.ledger.position()
    for one in projection(told_twice, "runs"):
        found = told_twice.audit.reproducer().run(one["run_id"])
        assert verdicts(found) == {"identical": len(found.partitions)}
        assert len(found.partitions) >= one["built_partitions"] > 0
        assert found.exit_status == 0
    assert (listing(told_twice), told_twice.ledger.position()) == (before, position)


def test_a_version_of_a_partition_is_that_of_the_position_that_is_asked_as_of(told_twice: Workspace):
    (first, _, logical) = projection(told_twice, "runs")
    at = str(next(r["position"] for r in projection(told_twice, "publications") if r["run_id"] == first["run_id"]))
    now = told_twice.audit.reproducer().partition(SIGNALS, small.day(4))
    then = told_twice.audit.reproducer(at).partition(SIGNALS, small.day(4))
    assert [(one.run_id, one.logic_version) for one in now.partitions] == [(logical["run_id"], 2)]
    assert [(one.run_id, one.logic_version) for one in then.partitions] == [(first["run_id"], 1)]
    assert verdicts(now) == verdicts(then) == {"identical": 1}


def test_of_a_day_of_bronze_all_batches_are_read_again(told_twice: Workspace):
    found = told_twice.audit.reproducer().partition("bronze_x_posts", small.day(3))
    assert verdicts(found) == {"identical": 2}
    assert {one.run_id for one in found.partitions} == {r["run_id"] for r in projection(told_twice, "runs")[:2]}


def test_a_sample_is_drawn_again_by_its_seed(told_twice: Workspace):
    one, again, other = (told_twice.audit.reproducer().sample(6, seed) for seed in ("a", "a", "b"))
    assert one == again
    assert [p.position for p in one.partitions] != [p.position for p in other.partitions]
    assert (one.seed, set(verdicts(one))) == ("a", {"identical"})
    assert len({(p.dataset, p.partition) for p in one.partitions}) >= 5


def test_a_byte_in_a_file_is_named_and_so_is_all_that_was_built_of_it(told_twice: Workspace):
    run_id = projection(told_twice, "runs")[0]["run_id"]
    path = path_of(told_twice, METRICS, 4)
    flip(path)
    name = path.relative_to(root_of(told_twice)).as_posix()
    found = told_twice.audit.reproducer().run(run_id)
    (changed,) = told(found, "differs")
    assert (changed.dataset, changed.partition, changed.file) == (METRICS, small.day(4), name)
    assert changed.sha256 == changed.sha256_again
    assert changed.why is not None and "built again it has the bytes on record" in changed.why
    unjudged = told(found, "not judged")
    assert {one.file for one in unjudged} == {name}
    assert {one.dataset for one in unjudged} == {"gold_baselines", SIGNALS}
    assert found.exit_status == 1
    assert told_twice.audit.reproducer().partition(METRICS, small.day(2)).exit_status == 0
    path.unlink()
    missing = told_twice.audit.reproducer().partition(SIGNALS, small.day(4))
    assert (verdicts(missing), missing.exit_status) == ({"not judged": 1}, 2)
    assert missing.partitions[0].why == f"its input {name} is missing"


def test_a_byte_in_bronze_is_named(told_twice: Workspace):
    path = path_of(told_twice, "bronze_x_posts", 2)
    flip(path)
    found = told_twice.audit.reproducer().partition("bronze_x_posts", small.day(2))
    assert found.partitions[0].file == path.relative_to(root_of(told_twice)).as_posix()
    assert found.exit_status == 1


def test_a_file_that_was_given_up_on_record_is_no_finding(told_twice: Workspace):
    digest, files = told_twice.lake.plan_prune(METRICS, reason="the vendor wants its data gone")
    with small.reopen(told_twice.config.folder, "ben") as ben:
        ben.lake.prune(METRICS, digest)
    (gone,) = {file.file.path for file in files}
    first = projection(told_twice, "runs")[0]["run_id"]
    found = told_twice.audit.reproducer().run(first)
    assert not told(found, "differs")
    (itself,) = [one for one in found.partitions if one.file == gone and one.dataset == METRICS]
    assert itself.verdict == "identical"
    assert itself.why is not None and "was pruned by the event of position" in itself.why
    unjudged = told(found, "not judged")
    assert unjudged and all(one.why is not None and "was pruned by" in one.why for one in unjudged)


@pytest.mark.parametrize(("change", "differ"), [(one_more, "changed"), (without_the_first, "added")])
def test_other_rows_than_a_build_gives_are_counted_and_shown(tmp_path: Path, change: Any, differ: str):
    with small.reopen(worlds.copied(tmp_path, until=None, thin=True)) as workspace:
        with given_for(METRICS, change):
            workspace.incremental.run(last=small.day(3))
        found = workspace.audit.reproducer().partition(METRICS, small.day(2))
    (one,) = found.partitions
    counts = {"missing": one.rows_missing, "added": one.rows_added, "changed": one.rows_changed}
    assert one.verdict == "differs"
    assert counts == {**dict.fromkeys(counts, 0), differ: one.rows if differ == "changed" else 1}
    assert one.rows_again == one.rows + counts["added"]
    assert 0 < len(one.differences) <= 5
    assert found.exit_status == 1


def test_the_same_rows_in_other_bytes_are_equal(tmp_path: Path):
    with small.reopen(worlds.copied(tmp_path, until=None, thin=True)) as workspace:
        with given_for(METRICS, encoded_otherwise):
            workspace.incremental.run(last=small.day(3))
        found = workspace.audit.reproducer().partition(METRICS, small.day(2))
    assert (verdicts(found), found.exit_status) == ({"equal": 1}, 0)


def test_what_another_engine_wrote_is_compared_by_rows_and_both_are_named(tmp_path: Path):
    with tarfile.open(FIXTURES / "workspace_duckdb_2_0_0" / "workspace.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    with small.reopen(tmp_path / "ws") as workspace:
        found = workspace.audit.reproducer().partition(SIGNALS, small.day(2))
    (one,) = found.partitions
    assert one.verdict in ("equal", "identical")
    if one.verdict == "equal":
        assert one.why is not None and one.why.startswith("its rows are the same, its bytes are not: written by duckdb")


def test_a_source_that_is_gone_or_another_is_told_apart(told_twice: Workspace):
    posts = told_twice.config.folder.parent / "posts"
    late = posts / "2024-01-09-late.jsonl"
    late.write_text(small.LATE.replace("late $TSLA", "late $AAPL"), encoding="utf-8")
    found = told_twice.audit.reproducer().partition("bronze_x_posts", small.day(3))
    (other,) = told(found, "differs")
    assert (other.why, other.rows_missing) == ("what lies at the source today gives other rows", 1)
    late.unlink()
    gone = told_twice.audit.reproducer().partition("bronze_x_posts", small.day(3))
    (one,) = told(gone, "not judged")
    assert one.why == ("1 of 1 rows cannot be read again: 2024-01-09-late.jsonl is not at files:posts any more")
    assert gone.exit_status == 2
    shutil.rmtree(posts)
    nowhere = told_twice.audit.reproducer().partition("bronze_x_posts", small.day(3))
    assert verdicts(nowhere) == {"not judged": 2}


def test_what_an_older_reader_read_is_not_judged_by_that_of_today(tmp_path: Path):
    with small.reopen(old_workspace.unpack(tmp_path) / "own") as workspace:
        day = date(2014, 2, 20)
        (bronze,) = workspace.audit.reproducer().partition("bronze_x_posts", day).partitions
        built = workspace.audit.reproducer().partition("silver_social_events", day)
    assert (bronze.verdict, bronze.rows_missing) == ("not judged", 0)
    assert bronze.why == "version 1 of the reader read it; that of today, 2, reads otherwise"
    assert built.exit_status == 0


def test_inputs_that_are_not_those_on_record_are_no_verdict(told_twice: Workspace, monkeypatch: pytest.MonkeyPatch):
    from tradex_ledger.planning.catalog import Catalog

    monkeypatch.setattr(Catalog, "input_digest", lambda *_: "0" * 64)
    found = told_twice.audit.reproducer().partition(SIGNALS, small.day(4))
    assert verdicts(found) == {"not judged": 1}


def test_nothing_stays_behind_not_even_of_what_is_interrupted(
    told_twice: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    room = tmp_path / "room"
    room.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(room))
    before = listing(told_twice)

    def interrupted(stage: str, done: int, total: int) -> None:
        assert list(room.iterdir())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        told_twice.audit.reproducer(progress=interrupted).sample(3, "a")
    assert list(room.iterdir()) == []
    told_twice.audit.reproducer().sample(3, "a")
    assert list(room.iterdir()) == []
    assert listing(told_twice) == before


def test_what_is_not_there_is_not_found(told_twice: Workspace):
    with pytest.raises(NoSuchPartitionError):
        told_twice.audit.reproducer().partition(SIGNALS, small.day(30))
    with pytest.raises(UnknownDatasetError):
        told_twice.audit.reproducer().partition("gold_nothing", small.day(3))


def test_definitions_of_another_users_ledger_are_not_run(told_twice: Workspace, monkeypatch: pytest.MonkeyPatch):
    def refused() -> None:
        raise UntrustedError(told_twice.config.folder, 1, told_twice.config.folder)

    monkeypatch.setattr(told_twice.core, "check_trusted", refused)
    with pytest.raises(UntrustedError):
        told_twice.audit.reproducer()


def test_the_command_says_what_differs_and_ends_by_it(told_twice: Workspace, capsys: pytest.CaptureFixture[str]):
    folder = str(told_twice.config.folder)
    (event, *_) = [e for e in read_record(told_twice).entries if e.topic == "incremental_run.started"]
    assert run(["-C", folder, "audit", "reproduce", event.stream[:10]]) == 0
    said = capsys.readouterr()
    assert said.out.endswith("identical\n")
    assert "built again by duckdb" in said.err
    flip(path_of(small.reopen(Path(folder)), METRICS, 4))
    assert run(["-C", folder, "audit", "reproduce", METRICS, "2024-01-04", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["verdicts"] == {"identical": 0, "equal": 0, "differs": 1, "not judged": 0}
    assert document["partitions"][0]["file"].startswith("gold_metrics/")
    assert run(["-C", folder, "audit", "reproduce", SIGNALS, "2024-01-04"]) == 2
    assert "gold_signals 2024-01-04: 1 not judged" in capsys.readouterr().out
    assert run(["-C", folder, "audit", "reproduce", "--sample", "2", "--seed", "a", "--as-of", "2024-02-29"]) == 0
    for wrong in (["bf-1", "--sample", "2"], [], ["--seed", "a", "bf-1"], [SIGNALS, "notaday"]):
        assert run(["-C", folder, "audit", "reproduce", *wrong]) == 2
