"""Delivered files to Parquet: what is kept, what is counted, and that the bytes repeat."""

from __future__ import annotations

import gzip
import hashlib
import pickle
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.kit.delivered import batch, files_in
from tradex_ledger.sources import LATER
from tradex_ledger.sources.records import FileUnreadable
from tradex_ledger.sources.stage import (
    PLACE,
    Outputs,
    StageCounts,
    Wanted,
    line_schema,
    stage,
)
from tradex_ledger.sources.x_posts.schema import POSTS_SCHEMA


class Out(NamedTuple):
    counts: StageCounts
    posts: Path
    rejected: Path
    undated: Path


def us(day: int) -> int:
    return int(datetime(2024, 5, day, tzinfo=UTC).timestamp()) * 1_000_000


def v2(number: int, day: int, **more: Any) -> bytes:
    post = {"id": str(number), "text": "$GE", "author_id": "7", "created_at": f"2024-05-{day:02}T12:00:00Z"}
    return orjson.dumps(post | more)


DELIVERED = us(31)


def outputs(folder: Path) -> Outputs:
    return Outputs(folder / "posts.parquet", folder / "rejected.parquet", folder / "undated.parquet")


def run(
    tmp_path: Path,
    files: dict[str, list[bytes]],
    first: int | None,
    until: int | None,
    rejected_first: int | None = -1,
    **more: Any,
) -> Out:
    for name, lines in files.items():
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\n".join(lines))
    given = [(tmp_path / "in" / name, name) for name in files]
    out = outputs(tmp_path)
    wanted = Wanted(first, until, first if rejected_first == -1 else rejected_first, DELIVERED)
    return Out(stage(batch(given), wanted, out, **more), out.rows, out.rejected, out.undated)


def rows(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return found


def test_posts_created_in_the_range_are_kept_with_their_file_and_line(tmp_path: Path):
    lines = [v2(1, 1), b"", v2(2, 2), b"  ", v2(3, 3), v2(4, 4)]
    out = run(tmp_path, {"a/x.jsonl": lines}, us(2), us(4))
    assert out.counts[:8] == (1, 4, 2, 2, 0, 0, date(2024, 5, 2), date(2024, 5, 3))
    found = rows(out.posts)
    assert [(row["post_id"], row["__source"], row["__line"]) for row in found] == [
        ("2", "files:a/x.jsonl", 3),
        ("3", "files:a/x.jsonl", 5),
    ]
    assert found[0] == {
        "payload": v2(2, 2).decode(),
        "post_id": "2",
        "author_id": "7",
        "created_at": datetime(2024, 5, 2, 12),
        "event_date": date(2024, 5, 2),
        "text": "$GE",
        "lang": None,
        "is_retweet": False,
        "likes": 0,
        "retweets": 0,
        "revision": hashlib.sha256(b'["2","$GE"]').hexdigest(),
        "revised_at": datetime(2024, 5, 2, 12),
        "is_whole": True,
        "__source": "files:a/x.jsonl",
        "__line": 3,
        "__item": None,
    }
    assert pq.read_schema(out.posts).equals(pa.schema([*POSTS_SCHEMA, *PLACE]))
    assert not out.rejected.exists()


def test_the_first_moment_is_in_the_range_and_the_last_is_not(tmp_path: Path):
    lines = [v2(n, 1, created_at=time) for n, time in enumerate(("2024-05-02T00:00:00Z", "2024-05-03T00:00:00Z"))]
    assert [row["post_id"] for row in rows(run(tmp_path, {"x.jsonl": lines}, us(2), us(3)).posts)] == ["0"]


def test_without_bounds_everything_is_kept(tmp_path: Path):
    assert run(tmp_path, {"x.jsonl": [v2(1, 1), v2(2, 30)]}, None, None).counts.rows == 2


def test_where_nothing_is_kept_no_file_is_written(tmp_path: Path):
    out = run(tmp_path, {"x.jsonl": [v2(1, 1)]}, us(5), us(6))
    assert out.counts[:8] == (1, 1, 0, 1, 0, 0, None, None)
    assert not any(path.exists() for path in out[1:])


def test_rejected_lines_take_their_own_day_then_their_files_and_those_without_one_are_undated(tmp_path: Path):
    unread = b"\xff broken"
    files = {
        "p-2024-05-02.jsonl": [unread, v2(1, 3, text=None), v2(2, 4, text=None)],
        "2024-05-09.jsonl": [unread],
        "day=2024-05-03/part.jsonl": [unread],
        "2024-02-31.jsonl": [unread],
        "latest.jsonl": [unread],
        "1999-05-02.jsonl": [unread],  # before the platform
        "2024-06-01.jsonl": [unread, v2(5, 1, created_at="1970-01-01T00:00:00Z")],  # after the delivery
    }
    out = run(tmp_path, files, us(2), us(4))
    assert out.counts[:8] == (7, 10, 0, 2, 8, 5, None, None)
    found = rows(out.rejected)
    assert [(row["event_date"], row["file"], row["line"], row["reason"]) for row in found] == [
        (date(2024, 5, 2), "p-2024-05-02.jsonl", 1, "not UTF-8 at byte 1"),
        (date(2024, 5, 3), "p-2024-05-02.jsonl", 2, "no text"),
        (date(2024, 5, 3), "day=2024-05-03/part.jsonl", 1, "not UTF-8 at byte 1"),
    ]
    assert (found[0]["raw"], found[0]["raw_sha256"]) == ("� broken", hashlib.sha256(unread).hexdigest())
    assert pq.read_schema(out.rejected).equals(line_schema("event_date"))
    assert pq.read_schema(out.undated).equals(line_schema("ingested_date"))
    undated = rows(out.undated)
    names = ["2024-02-31.jsonl", "latest.jsonl", "1999-05-02.jsonl", "2024-06-01.jsonl", "2024-06-01.jsonl"]
    assert [(row["ingested_date"], row["file"]) for row in undated] == [(date(2024, 5, 31), name) for name in names]
    assert "before the platform's first post" in undated[-1]["reason"]
    assert not out.posts.exists()


def test_an_incremental_run_takes_rejected_lines_late_and_posts_in_time(tmp_path: Path):
    files = {"2024-05-02.jsonl": [b"{", v2(1, 2), v2(2, 4), v2(3, 9, text=None)]}
    out = run(tmp_path, files, us(4), us(6), rejected_first=None)
    assert (out.counts.rows, out.counts.rejected, out.counts.outside) == (1, 1, 2)
    assert [row["event_date"] for row in rows(out.rejected)] == [date(2024, 5, 2)]


def test_elements_are_numbered_within_their_line_or_document(tmp_path: Path):
    page = b'{"data":[' + v2(1, 1) + b"," + v2(2, 1, text=None) + b"," + v2(3, 1) + b"]}"
    document = b"[\n" + v2(4, 1) + b",\n" + v2(5, 1) + b"\n]"
    files = {"p.jsonl": [v2(0, 1), page, v2(9, 1)], "d.json": [document]}
    out = run(tmp_path, files, None, None)
    assert [(row["post_id"], row["__line"], row["__item"]) for row in rows(out.posts)] == [
        *(("0", 1, None), ("1", 2, 1), ("3", 2, 3), ("9", 3, None)),
        *(("4", 2, 1), ("5", 3, 2)),
    ]
    (unfit,) = rows(out.rejected)
    assert unfit["raw_sha256"] == hashlib.sha256(unfit["raw"].encode()).hexdigest()
    assert (unfit["line"], unfit["reason"]) == (2, "no text")


def test_what_is_odd_a_message_or_too_early_is_counted_by_file(tmp_path: Path):
    odd = v2(1, 1, public_metrics={"like_count": "100+"})
    files = {
        "a.jsonl": [odd, odd, b'{"limit":{"track":1}}', v2(3, 31, created_at="2024-06-02T00:00:00Z")],
        "b.js": [b"window.YTD.account.part0 = []"],
    }
    a, b = run(tmp_path, files, None, None).counts.by_file
    assert (a.controls, a.early, a.undated, a.rows) == (1, 1, 2, {19844: 2})
    assert a.odd == {"a count that is no number": 2, LATER: 1}
    assert (b.lines, b.passed_over) == (0, "a part of an archive that holds no posts (account)")


def test_of_ranges_side_by_side_exactly_one_keeps_a_line(tmp_path: Path):
    noon = us(2) + 12 * 3_600_000_000
    files = {"2024-05-02.jsonl": [v2(1, 2, text=None), b"{", v2(2, 2)]}
    before = run(tmp_path / "before", files, us(1), noon).counts
    after = run(tmp_path / "after", files, noon, us(3)).counts
    assert (before.rows, after.rows) == (0, 1)
    assert (before.rejected, after.rejected) == (1, 1)


def test_small_batches_hold_the_same_rows_and_the_same_input_gives_the_same_bytes(tmp_path: Path):
    files = {"2024-05-01.jsonl": [line for n in range(50) for line in (v2(n, 1), b"{")]}
    once = run(tmp_path / "1", files, None, None)
    again = run(tmp_path / "2", files, None, None)
    small = run(tmp_path / "3", files, None, None, batch_rows=7)
    assert once.posts.read_bytes() == again.posts.read_bytes()
    assert once.rejected.read_bytes() == again.rejected.read_bytes()
    assert (rows(once.posts), rows(once.rejected)) == (rows(small.posts), rows(small.rejected))
    assert pq.ParquetFile(small.posts).metadata.num_row_groups == 8


def test_a_broken_file_leaves_no_output_behind(tmp_path: Path):
    whole = gzip.compress(b"\n".join([v2(n, 1) for n in range(100)] + [b"{"]))
    with pytest.raises(FileUnreadable):
        run(tmp_path, {"x.jsonl.gz": [whole[:-9]]}, None, None, batch_rows=10)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_the_task_travels_to_another_process(tmp_path: Path):
    (tmp_path / "x.jsonl").write_bytes(v2(1, 1))
    wanted = Wanted(None, None, None, DELIVERED)
    task = partial(stage, batch([(tmp_path / "x.jsonl", "x.jsonl")]), wanted, outputs(tmp_path))
    counts = pickle.loads(pickle.dumps(task))()
    assert pickle.loads(pickle.dumps(counts)) == counts


def test_all_real_posts_are_staged(real_posts: Path, tmp_path: Path):
    files = files_in(real_posts)
    out = outputs(tmp_path)
    counts = stage(batch(files), Wanted(None, None, None, DELIVERED), out)
    assert counts[:8] == (57, 7438, 7438, 0, 0, 0, date(2013, 12, 31), date(2014, 2, 28))
    table = pq.read_table(out.rows, columns=["post_id", "revision"])
    assert table.group_by(["post_id", "revision"]).aggregate([]).num_rows == 6530
