"""Dedup of 100,000 posts against Bronze, 15 days touched, each as full as 50 million rows in a year make it.

Bronze here holds 36 such days (4.9 million rows, a tenth of 50 million): dedup reads the files of the touched days, and
of the days beside them the spans of their keys; with ids that mean no time it reads all their keys (see README.md).
Half of the batch is in Bronze already. The figure is the CPU time of the whole process that drives a backfill of those
15 days, start-up and events included; only the reading of JSON is skipped. Beside it the CPU time of the append alone:
where the posts belong, input digests, anti-join, new files.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import duckdb

from tests.benchmarks import made_up, measure
from tradex_ledger.domain.request import Request
from tradex_ledger.driving import append as append_module
from tradex_ledger.driving.append import placed_rows
from tradex_ledger.driving.bronze import append_days
from tradex_ledger.workspace import BUILT_IN, Workspace

FIRST, TOUCHED, BATCH = date(2024, 1, 1), 15, 100_000
BRONZE = "bronze_x_posts"
GOAL = 2.0
# A backfill rebuilds something: as little as there can be.
COUNTS = """-- /// dataset
-- layer = "silver"
-- partition = "event_date"
-- key = ["event_date"]
-- reads = { bronze_x_posts = "0d" }
-- ///
select event_date, count(*) as posts from bronze_x_posts group by all
"""


def prepare(folder: Path, days: int, rows_a_day: int) -> None:
    """Bronze alone, appended by the program; and the staged rows to take batches from."""
    if (folder / "ready").exists():
        return
    (folder / "delivered").mkdir()
    pipeline = folder / "pipeline"
    pipeline.mkdir()
    shutil.copy(BUILT_IN / f"{BRONZE}.sql", pipeline)
    (pipeline / "silver_counts.sql").write_text(COUNTS)
    workspace = folder / "workspace"
    Workspace.create(workspace, source=f"files:{folder / 'delivered'}", start=FIRST, actor="bench").close()
    settings = workspace / "tradex.toml"
    settings.write_text(settings.read_text().replace("[workspace]", f'[workspace]\npipeline = "{pipeline}"', 1))
    staged = made_up.stage_posts(folder / "staged", FIRST, days, rows_a_day)
    with (
        Workspace.open(workspace, actor="bench") as ws,
        made_up.staged_instead_of_delivered(staged, days * rows_a_day),
    ):
        ws.incremental.run(last=FIRST + timedelta(days - 1))
    (folder / "ready").touch()


def batch(folder: Path, rows_a_day: int, number: int) -> Path:
    """Posts of the touched days: every other one is in Bronze, the rest has an id that is not."""
    path = folder / f"batch-{number}.parquet"
    step = max(1, TOUCHED * rows_a_day // BATCH)
    with duckdb.connect() as connection:
        connection.execute("set enable_progress_bar = false")
        connection.execute(
            f"copy (select * replace (case when __line % 2 = 0 then post_id else post_id || '{number}' end as post_id) "
            f"from '{folder}/staged/*.parquet' where event_date < date '{FIRST}' + {TOUCHED} and __line % {step} < 2 "
            f"and __line // {step} % 2 = 0 limit {BATCH}) to '{path}' (format parquet, compression zstd)"
        )
    return path


def drive(folder: Path, number: int) -> dict[str, Any]:
    """A backfill of the touched days with the batch as its source."""
    spent = [0.0]

    def timed(function: Any) -> Any:
        def work(*given: Any) -> Any:
            since = time.process_time()
            found = function(*given)
            spent[0] += time.process_time() - since
            return found

        return work

    staged = folder / f"batch-{number}.parquet"
    for function in (append_days, placed_rows):
        setattr(append_module, function.__name__, timed(function))
    with (
        Workspace.open(folder / "workspace", actor="bench") as ws,
        made_up.staged_instead_of_delivered([staged], BATCH),
    ):
        made = ws.backfills.request(
            Request(
                kind="temporal",
                dataset=BRONZE,
                first=FIRST,
                last=FIRST + timedelta(TOUCHED - 1),
                override_state=False,
                reason="a late batch, measured",
            )
        )
        ws.backfills.approve(made.id)
        run = ws.runs.drive(made.id)
        return {"appended": run.totals["rows"], "append_s": spent[0]}


def main() -> None:
    options = measure.parser(__doc__)
    options.add_argument("--part", type=int)
    options.add_argument("--folder", type=Path)
    given = options.parse_args()
    if given.part is not None:
        print(json.dumps(drive(given.folder, given.part)))
        return
    days, rows_a_day, times = (16, 15_000, 2) if given.quick else (36, 137_000, given.times or 5)
    costs = []
    with measure.folder(given.work) as work:
        prepare(work, days, rows_a_day)
        for number in range(int(time.time()), int(time.time()) + times):
            path = batch(work, rows_a_day, number)
            rows = duckdb.read_parquet(str(path)).shape[0]
            cost = measure.run(__file__, "--part", number, "--folder", work)
            assert 0.4 * rows < cost.out["appended"] < 0.6 * rows, (cost.out, rows)
            costs.append(cost)
            path.unlink()
    measure.table(
        f"{rows:,} posts against {days * rows_a_day:,} in Bronze, {TOUCHED} days of {rows_a_day:,} touched",
        [
            ("", "median [min, max]", "goal"),
            ("append alone, CPU s", measure.spread([cost.out["append_s"] for cost in costs]), f"≤ {GOAL}"),
            ("whole process, CPU s", measure.spread([cost.cpu for cost in costs]), ""),
            ("whole process, wall s", measure.spread([cost.wall for cost in costs]), ""),
            ("peak memory, MB (PSS)", measure.spread([cost.peak.pss for cost in costs], 0), ""),
        ],
    )


if __name__ == "__main__":
    main()
