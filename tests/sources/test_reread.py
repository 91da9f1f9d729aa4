"""Bronze of an older reader, read again: each post on its day, and none lost."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tradex_ledger.domain.day import Day, day_of
from tradex_ledger.sources.x_posts.reader import MADE_UP_DAYS
from tradex_ledger.sources.x_posts.reread import reread_posts

TAKEN_FOR = date(2014, 2, 2)
"""The day of which ids like 430000000000000001 are, if they are taken for times."""


def post(number: int, moment: str, **more: Any) -> dict[str, Any]:
    post_id = str(430000000000000000 + number)
    return {"id": post_id, "text": f"$T {number}", "author_id": "1", "created_at": f"{moment}.000Z"} | more


def bronze(path: Path, day: date, document: dict[str, Any]) -> tuple[Path, Day]:
    """A file of one row, as an older reader wrote it on that day."""
    revised = datetime.fromisoformat(document["created_at"]).astimezone(UTC).replace(tzinfo=None)
    rows = {
        "payload": [orjson.dumps(document).decode()],
        "created_at": pa.array([revised if revised.date() == day else datetime(day.year, day.month, day.day)]),
        "revised_at": pa.array([revised]),
        "source": ["files:a.jsonl:1"],
        "run_id": ["run-1"],
        "ingested_at": pa.array([datetime(2014, 4, 1)], pa.timestamp("us")),
    }
    pq.write_table(pa.table(rows), path)
    return path, day_of(day)


def days_of(files: list[tuple[Path, Day]], first: date, last: date, out: Path) -> list[date]:
    found = reread_posts(files, day_of(first), day_of(last), out)
    return pq.read_table(out)["event_date"].to_pylist() if found.rows else []


@pytest.mark.parametrize("ahead", [1, 8, MADE_UP_DAYS])
def test_an_edit_whose_ids_were_taken_for_times_is_of_the_day_of_its_delivery(ahead: int, tmp_path: Path):
    day = date.fromordinal(TAKEN_FOR.toordinal() + ahead)
    edit = post(2, f"{day}T10:20:00", edit_history_tweet_ids=["430000000000000001", "430000000000000002"])
    old = bronze(tmp_path / "edit.parquet", TAKEN_FOR, edit)
    assert days_of([old], day, day, tmp_path / "day.parquet") == [day]
    assert days_of([old], TAKEN_FOR, TAKEN_FOR, tmp_path / "before.parquet") == []


def test_a_post_of_a_day_on_which_nobody_looks_for_its_file_stays_where_it_is(tmp_path: Path):
    old = bronze(tmp_path / "post.parquet", TAKEN_FOR, post(1, "2014-01-15T10:00:00"))
    assert days_of([old], TAKEN_FOR, TAKEN_FOR, tmp_path / "day.parquet") == [TAKEN_FOR]
    assert days_of([old], date(2014, 1, 15), date(2014, 1, 15), tmp_path / "before.parquet") == []


def test_files_of_days_before_are_read_for_their_edits_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    old = bronze(tmp_path / "post.parquet", TAKEN_FOR, post(1, f"{TAKEN_FOR}T10:00:00"))
    monkeypatch.setattr("tradex_ledger.sources.x_posts.reread.parse_line", lambda *_: pytest.fail("it was read"))
    assert days_of([old], date(2014, 2, 3), date(2014, 2, 3), tmp_path / "day.parquet") == []
