"""What is remembered of delivered files changes no event: with it, without it, and whatever happens to its file."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests import worlds
from tests.kit import small
from tests.kit.check import read_record
from tradex_ledger.driving.delivered import Asked, Delivered, Known
from tradex_ledger.lake.storage import LakeFileError
from tradex_ledger.sources.stage import FileCounts
from tradex_ledger.workspace import Workspace

RUN = re.compile(r"\b(?:bf|run|look)-[0-9a-z]{13}\b")
DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
# What no two workspaces have in common.
OWN = {
    "at",
    "ledger",
    "bytes",
    "duration_ms",
    "began_at",
    "worker",
    "elapsed_ms",
    "executor",
    "estimate",
    "digest",
    "plan_digest",
    "checkpoint",
}

Harm = Callable[[Path], None]


def cache(folder: Path) -> Path:
    return small.caches(folder / "ws") / "delivered"


def nothing(path: Path) -> None:
    """Leave it as it is."""


def delete(path: Path) -> None:
    path.unlink(missing_ok=True)


def flip(path: Path) -> None:
    if path.exists():
        content = bytearray(path.read_bytes())
        content[-20] ^= 1
        path.write_bytes(content)


def cut(path: Path) -> None:
    if path.exists():
        path.write_bytes(path.read_bytes()[:-1])


def garble(path: Path) -> None:
    path.write_bytes(b"no cache at all")


def block(path: Path) -> None:
    """A folder where the file would be: nothing can be remembered."""
    if path.is_file():
        path.unlink()
    path.mkdir(exist_ok=True)


def post(number: int, day: int, text: str = "$TSLA") -> bytes:
    made = {"id": str(1741941000000000000 + number), "author_id": "9", "text": text}
    return orjson.dumps({**made, "created_at": f"2024-01-{day:02}T10:00:00.000Z"})


def told(folder: Path, harm: Harm) -> list[Any]:
    """A story of deliveries that come late, twice, changed and broken; what the ledger says of it."""
    source = folder / "posts"
    with small.reopen(worlds.copied(folder, until=5, thin=True)) as workspace:

        def backfill(first: int, last: int) -> None:
            harm(cache(folder))
            small.backfill(workspace, first, last)

        (source / "late.jsonl").write_bytes(b"\n".join([post(1, 2), post(2, 4), b"{broken", post(1, 2, "edited")]))
        backfill(1, 4)
        backfill(1, 4)  # nothing is new
        backfill(2, 3)  # nor in a part of it
        backfill(1, 6)  # more than was read for
        harm(cache(folder))
        workspace.incremental.run(last=small.day(7))
        (source / "2024-01-05-again.jsonl").write_bytes(b"\n".join([post(1, 2), post(3, 3), b"\xff", post(2, 4)]))
        backfill(1, 7)
        (source / "late.jsonl").write_bytes(b"\n".join([post(4, 2), post(2, 4)]))  # the same name, other posts
        backfill(1, 7)
        (source / "2024-01-05-again.jsonl").unlink()
        backfill(1, 7)
        backfill(1, 7)
        return facts(workspace)


def facts(workspace: Workspace) -> list[Any]:
    """All events in order, without what no two workspaces have in common."""
    names: dict[str, str] = {}

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: plain(item) for name, item in value.items() if name not in OWN}
        if isinstance(value, list):
            return [plain(item) for item in value]
        if isinstance(value, str):
            value = RUN.sub(lambda found: names.setdefault(found[0], f"run {len(names)}"), value)
            value = value.replace(str(workspace.config.folder.parent), "")
            return DIGEST.sub("(digest)", value)
        return value

    return [plain(orjson.loads(row[6])) for row in read_record(workspace).rows]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What is recorded when nothing is ever remembered."""
    found = told(tmp_path_factory.mktemp("plain"), delete)
    counts = [e["data"]["source"] for e in found if e["topic"] == "run.layer_completed" and e["data"].get("source")]
    assert any(count["appended"] for count in counts[1:])
    assert any(not count["appended"] and count["rejected"] for count in counts)
    return found


@pytest.mark.parametrize("harm", [nothing, flip, block])
def test_the_same_events_are_recorded(tmp_path: Path, expected: list[Any], harm: Harm) -> None:
    assert told(tmp_path, harm) == expected


@pytest.fixture
def done(tmp_path: Path) -> Path:
    """A folder with a workspace in which a backfill was done, and the posts that it read."""
    worlds.copied(tmp_path, thin=True)
    return tmp_path


def files_read(folder: Path, first: int = 1, last: int = 7) -> bool:
    """Whether a backfill of those days read delivered files."""
    heard: set[str] = set()
    with small.reopen(folder / "ws") as workspace:
        run_id = small.request(workspace, first, last)
        workspace.backfills.approve(run_id)
        workspace.runs.drive(run_id, progress=lambda stage, done, total: heard.add(stage.split()[0]))
    return "read" in heard


def test_files_whose_posts_bronze_has_are_not_read_again(done: Path) -> None:
    assert not files_read(done)
    assert not files_read(done, 2, 3)


@pytest.mark.parametrize("harm", [delete, flip, cut, garble])
def test_where_it_is_not_as_it_was_written_files_are_read_again(done: Path, harm: Harm) -> None:
    harm(cache(done))
    assert files_read(done)
    assert not files_read(done)


def test_a_file_that_was_changed_is_read(done: Path) -> None:
    some = sorted((done / "posts").glob("*"))[0]
    some.rename(some.with_name(f"moved-{some.name}"))
    assert files_read(done)
    assert not files_read(done)


def test_what_another_ledger_remembers_is_not_believed(done: Path) -> None:
    """A ledger put back from an older copy lacks what was appended since."""
    shutil.copytree(done / "ws", done / "older", symlinks=True)
    (done / "posts" / "late.jsonl").write_bytes(post(1, 2))
    with small.reopen(done / "ws") as workspace:
        small.backfill(workspace, 1, 7)
    assert not files_read(done)
    kept = cache(done).read_bytes()
    shutil.rmtree(done / "ws")
    (done / "older").rename(done / "ws")
    cache(done).write_bytes(kept)
    assert files_read(done)
    with small.reopen(done / "ws") as workspace:
        record = [orjson.loads(row[6]) for row in read_record(workspace).rows]
    assert [e["data"]["rows"] for e in record if e["topic"] == "run.batch_appended"][-1] == 1


def test_a_bronze_file_that_was_damaged_is_noticed_all_the_same(done: Path) -> None:
    damaged = sorted((done / "ws" / "lake" / "bronze_x_posts").rglob("*.parquet"))[0]
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.raises(LakeFileError):
        files_read(done)


def both(first: int, until: int) -> Asked:
    return Asked((first, until), (first, until))


def test_ranges_side_by_side_are_one() -> None:
    counts = FileCounts("a.jsonl", "digest", 3, {1: 2, 5: 1}, {0: 1, 3: 4})
    known = Known(counts, ((1, 4), (8, 9)), ((0, 4), (8, 9)), {1: 7, 6: 2})
    assert known.is_held(both(2, 4))
    assert known.is_held(Asked((2, 4), (0, 3)))
    assert not known.is_held(Asked((2, 4), (0, 5)))
    assert not known.is_held(both(2, 5))
    assert not known.is_held(both(4, 8))
    assert dict(known.rows(both(1, 5))) == {1: 2}
    assert dict(known.rejected(Asked((1, 3), (0, 3)))) == {0: 1}
    assert known.recounts(both(1, 5)) == 7


def test_what_came_before_its_time_is_read_again() -> None:
    counts = FileCounts("a.jsonl", "digest", 3, {1: 2}, {}, undated=1, early=1)
    assert not Known(counts, ((0, 9),), ((0, 9),)).is_held(both(1, 4))


def test_without_a_file_beside_the_ledger_nothing_is_known(tmp_path: Path) -> None:
    assert Delivered(None).split([], both(1, 2)) == ([], [])
