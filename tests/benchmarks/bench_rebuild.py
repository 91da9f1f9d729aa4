"""Rebuild 365 Silver days from 6 million observations: a whole `tradex` backfill against a bare DuckDB loop.

Ours: a process that drives an approved backfill of `silver_social_events`: input digests, windows of 30 days on one
worker a core, key check, fsync, output digests, one event a day, publication. Bare: a process that runs the same SQL
over the same Bronze files with `COPY … PARTITION_BY`, 30 days a statement, one thread, and nothing else (and once more
with our `order by`). All are measured from outside, start-up and imports included: CPU time, user + system, children
too. They take turns.
"""

from __future__ import annotations

import json
import shutil
import sys
from datetime import date, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import duckdb

from tests.benchmarks import measure
from tests.kit.lake_folder import in_lake
from tests.kit.rows import rows
from tradex_ledger.datasets.definition import Definition, load_pipeline
from tradex_ledger.datasets.references import add_references
from tradex_ledger.domain.request import Request
from tradex_ledger.views import open_views, resolve
from tradex_ledger.workspace import BUILT_IN, Workspace

FIRST = date(2024, 1, 1)
SILVER = "silver_social_events"
BRONZE = "bronze_x_posts"
GOAL = 1.3


def prepare(folder: Path, days: int, observations: int) -> None:
    """Bronze through the real append (only the reading of JSON is skipped), and an approved backfill of Silver."""
    workspace = folder / "workspace"
    if (folder / "ready").exists():
        return
    from tests.benchmarks import made_up  # it loads Arrow: neither what is measured nor the bare loop asks for it

    (folder / "delivered").mkdir()
    pipeline = folder / "pipeline"
    pipeline.mkdir()
    shutil.copy(BUILT_IN / f"{BRONZE}.sql", pipeline)
    Workspace.create(workspace, source=f"files:{folder / 'delivered'}", start=FIRST, actor="bench").close()
    settings = workspace / "tradex.toml"
    settings.write_text(settings.read_text().replace("[workspace]", f'[workspace]\npipeline = "{pipeline}"', 1))
    staged = made_up.stage_posts(folder / "staged", FIRST, days, observations // days)
    with Workspace.open(workspace, actor="bench") as ws, made_up.staged_instead_of_delivered(staged, observations):
        ws.incremental.run(last=FIRST + timedelta(days - 1))
    shutil.rmtree(folder / "staged")
    for name in (f"{SILVER}.sql", "lexicon.csv"):
        shutil.copy(BUILT_IN / name, pipeline)
    with Workspace.open(workspace, actor="bench") as ws:
        backfill = ws.backfills.request(
            Request(
                kind="temporal",
                dataset=SILVER,
                first=FIRST,
                last=FIRST + timedelta(days - 1),
                override_state=False,
                reason="first build of Silver, measured",
            )
        )
        ws.backfills.approve(backfill.id)
        ws.ledger.engine.dispose()
    shutil.copytree(workspace, folder / "approved", ignore=_but_bronze)
    (folder / "ready").write_text(backfill.id)


def restore(folder: Path) -> None:
    """Back to where the backfill was approved: ledger, the heads that were kept of it, marks of the lake; Bronze stays.

    All of them, since each knows how far the ledger has come, and refuses one that is behind.
    """
    workspace = folder / "workspace"
    bronze = workspace / "lake" / BRONZE
    bronze.rename(folder / "bronze")
    shutil.rmtree(workspace)
    shutil.copytree(folder / "approved", workspace)
    (folder / "bronze").rename(bronze)
    shutil.rmtree(folder / "bare", ignore_errors=True)


def _but_bronze(of: str, names: list[str]) -> set[str]:
    return {BRONZE} & set(names) if Path(of).name == "lake" else set()


def check(folder: Path, days: int, observations: int) -> tuple[int, int]:
    """The catalog shows what was asked for, and Silver's rows are those of the bare loop. Returns rows and bytes."""
    with Workspace.open(folder / "workspace") as ws:
        views = open_views(ws.ledger.store, resolve(ws.ledger.store, None))
        found = {name: rows(views, "partitions", f"dataset = '{name}'") for name in (BRONZE, SILVER)}
        status = rows(views, "runs", "run_kind = 'backfill'")[0]
        files = [str(in_lake(ws, f["path"])) for row in found[SILVER] for f in row["files"]]
    assert status["status"] == "SUCCESS" and status["written"] == days, status
    assert len(found[BRONZE]) == len(found[SILVER]) == days
    assert sum(row["rows"] for row in found[BRONZE]) == observations // days * days
    fields = ", ".join(duckdb.read_parquet(files).columns)
    digests = [
        duckdb.execute(
            f"select count(*), sum(hash({fields})::hugeint) from read_parquet({paths}, hive_partitioning = false)"
        ).fetchall()
        for paths in (files, [f"{folder}/bare/**/*.parquet"])
    ]
    assert digests[0] == digests[1], digests
    return sum(row["rows"] for row in found[SILVER]), sum(row["bytes"] for row in found[SILVER])


def drive(folder: Path) -> None:
    """Ours, in a process of its own."""
    with Workspace.open(folder / "workspace", actor="bench") as ws:
        ws.runs.drive((folder / "ready").read_text())


def bare(folder: Path, days: int, ordered: bool) -> None:
    """The bare loop, in a process of its own."""
    definition = _silver()
    lake = folder / "workspace" / "lake" / BRONZE
    order = f" order by event_date, {', '.join(definition.key)}" if ordered else ""
    for start in range(0, days, 30):
        wanted = [FIRST + timedelta(start + n) for n in range(min(30, days - start))]
        files = [str(path) for day in wanted for path in sorted((lake / f"event_date={day}").glob("*.parquet"))]
        with duckdb.connect(config={"threads": "1"}) as connection:
            connection.execute("set enable_progress_bar = false")
            add_references(connection, definition.references, dataset=definition.name)
            connection.execute(f'create view "{BRONZE}" as from read_parquet({files}, hive_partitioning = false)')
            connection.execute("create table partitions as select unnest($1::date[]) as event_date", [wanted])
            connection.execute(
                f"copy ({definition.sql}\n{order}) to '{folder / 'bare'}' (format parquet, compression zstd, "
                "partition_by (event_date), write_partition_columns true, overwrite_or_ignore true)"
            )


def _silver() -> Definition:
    return load_pipeline(BUILT_IN, "x").get(SILVER)


def main() -> None:
    options = measure.parser(__doc__)
    options.add_argument("--part", choices=("drive", "bare", "bare-ordered"), help=argparse_hidden)
    options.add_argument("--folder", type=Path, help=argparse_hidden)
    given = options.parse_args()
    days, observations = (60, 200_000) if given.quick else (365, 6_000_000)
    if given.part == "drive":
        drive(given.folder)
        return
    if given.part:
        bare(given.folder, days, given.part == "bare-ordered")
        return
    size = ["--quick"] if given.quick else []
    with measure.folder(given.work) as work:
        prepare(work, days, observations)
        costs: dict[str, list[measure.Cost]] = {"drive": [], "bare": [], "bare-ordered": []}
        for _ in range(given.times or (1 if given.quick else 3)):
            restore(work)
            for part, found in costs.items():
                shutil.rmtree(work / "bare", ignore_errors=True)
                found.append(measure.run(__file__, *size, "--part", part, "--folder", work))
        n_rows, n_bytes = check(work, days, observations)
    ratios = [ours.cpu / other.cpu for ours, other in zip(costs["drive"], costs["bare"], strict=True)]
    ordered = [ours.cpu / other.cpu for ours, other in zip(costs["drive"], costs["bare-ordered"], strict=True)]
    lines = [("", "median [min, max]", "goal")]
    for name, label in (("drive", "tradex"), ("bare", "bare DuckDB"), ("bare-ordered", "bare DuckDB, ordered")):
        lines.append((f"{label}, CPU s", measure.spread([cost.cpu for cost in costs[name]]), ""))
        lines.append((f"{label}, wall s", measure.spread([cost.wall for cost in costs[name]]), ""))
    lines += [
        ("CPU, tradex / bare", measure.spread(ratios), f"≤ {GOAL}"),
        ("CPU, tradex / bare ordered", measure.spread(ordered, 3), "≤ 1.05"),
        (
            "peak memory, all processes, MB (PSS)",
            measure.spread([cost.peak.pss for cost in costs["drive"]], 0),
            "≤ 600",
        ),
        ("… shared pages once for each (RSS)", measure.spread([cost.peak.rss for cost in costs["drive"]], 0), ""),
    ]
    measure.table(
        f"{days} Silver days, {observations:,} observations → {n_rows:,} rows, {n_bytes / 1e6:,.0f} MB", lines
    )
    print(json.dumps({"ratio": ratios, "ratio_ordered": ordered}))


argparse_hidden = "used by the script itself"

if __name__ == "__main__":
    main()
