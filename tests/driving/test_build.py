"""What a worker does for a window: what is new gets a name, identical bytes are kept once."""

from __future__ import annotations

import os
import pickle
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.kit.windows import DAY_1, task, write_base
from tradex_ledger.clock import process_name
from tradex_ledger.domain.day import Day
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.domain.partition import IDENTICAL, WRITTEN, Begun
from tradex_ledger.driving.build import BuildTask, build
from tradex_ledger.lake.local import LocalLake

SQL = "select day, id, n from base join partitions using (day)"
DAYS = [Day(DAY_1 + number) for number in range(3)]


@pytest.fixture
def lake(tmp_path: Path) -> LocalLake:
    found = LocalLake(tmp_path / "lake")
    found.check_writable()
    return found


def at_ten() -> datetime:
    return datetime(2024, 5, 1, 10, tzinfo=UTC)


def build_task(lake: LocalLake, tmp_path: Path, **changes: Any) -> BuildTask:
    """The first three days, of which the second has no rows."""
    base = write_base(tmp_path / "base", {1: [(1, 1)], 3: [(1, 3), (2, 3)]})
    window = task(Path(), base, SQL, range(1, 4))
    drive = lake.new_staging("run-1", "t").name
    given = {"drive": drive, "run_id": "run-1", "folder": "made/day", "current": {}, "taken": frozenset(), **changes}
    given = {"clock": at_ten, "who": process_name, **given}
    return BuildTask(window=window, lake=lake, **given)


def names(lake: LocalLake) -> list[str]:
    return sorted(entry.path for entry in lake.files())


def current_of(lake: LocalLake, tmp_path: Path) -> dict[Day, tuple[LakeFile, ...]]:
    return {built.day: built.files for built in build(build_task(lake, tmp_path))}


@pytest.mark.norm("N1")
def test_what_is_new_is_placed_day_by_day_and_nothing_stays_staged(lake: LocalLake, tmp_path: Path):
    sent = pickle.loads(pickle.dumps(build_task(lake, tmp_path)))  # as a worker gets it
    built = build(sent)
    assert [(one.day, one.outcome, len(one.files)) for one in built] == list(
        zip(DAYS, [WRITTEN] * 3, (1, 0, 1), strict=True)
    )
    files = [file for one in built for file in one.files]
    assert [file.path for file in files] == names(lake)
    assert [file.path for file in files] == [f"made/day=2024-01-0{n}/run-1-1.parquet" for n in (1, 3)]
    assert [file.rows for file in files] == [1, 2]
    assert {one.begun for one in built} == {
        Begun("2024-05-01T10:00:00.000000Z", f"{os.getpid()}@{socket.gethostname()}")
    }
    assert all(lake.fetch(file) for file in files)
    assert [entry.bytes for entry in lake.staged()] == [0]


def test_identical_bytes_are_kept_once_under_their_old_names(lake: LocalLake, tmp_path: Path):
    current = current_of(lake, tmp_path)
    before = names(lake)
    again = build_task(lake, tmp_path, current=current, run_id="run-2")
    assert [(one.outcome, one.files) for one in build(again)] == [(IDENTICAL, current[day]) for day in DAYS]
    assert names(lake) == before
    assert [entry.bytes for entry in lake.staged()] == [0]


def test_what_is_not_what_it_was_is_given_back_and_a_day_that_lost_its_rows_is_new(lake: LocalLake, tmp_path: Path):
    current = current_of(lake, tmp_path)
    (damaged,) = current[DAYS[0]]
    (lake.root / damaged.path).write_bytes(b"x" * damaged.bytes)
    current[DAYS[1]] = current[DAYS[2]]  # as if it had had rows
    built = build(build_task(lake, tmp_path, current=current, run_id="run-2"))
    assert [one.outcome for one in built] == [WRITTEN, WRITTEN, IDENTICAL]
    assert built[0].files[0].sha256 == damaged.sha256
    assert built[0].files[0].path != damaged.path
    assert built[1].files == ()


def test_a_task_that_is_run_again_gives_other_names_and_none_that_is_taken(lake: LocalLake, tmp_path: Path):
    first = build(build_task(lake, tmp_path))[0].files[0]
    lost = first.path.replace("-1.parquet", "-2.parquet")
    second = build(build_task(lake, tmp_path, taken=frozenset({lost})))[0].files[0]
    assert [first.path[-9:], second.path[-9:]] == ["1.parquet", "3.parquet"]
    assert lake.fetch(first).read_bytes() == lake.fetch(second).read_bytes()
