"""Bronze: fetch what the source has for the run's range, keep what is not there yet, append it (N6, N14, N23).

Bronze has no candidates: a batch is visible once its event is saved, since data that was paid for is kept even if the
run dies later. Dedup compares with Bronze itself, each post with the partition that it belongs to (`homes.py`); there
is no switch for it (N37). A backfill also reads again what an older reader rejected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from tradex_ledger.clock import new_id
from tradex_ledger.datasets.definition import Definition
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.day import FIRST, Day, day_of, from_epoch, iso, later, start_of, to_epoch
from tradex_ledger.domain.extraction import Extraction
from tradex_ledger.domain.incremental import IncrementalRun
from tradex_ledger.domain.pipeline_state import PipelineState, stream_of
from tradex_ledger.domain.run import Run
from tradex_ledger.domain.source import Look
from tradex_ledger.driving.ahead import check_own_days
from tradex_ledger.driving.append import Append, rows_by_day
from tradex_ledger.driving.bronze import RecoverTask, recover
from tradex_ledger.driving.clocks import time_of_now
from tradex_ledger.driving.delivered import Asked, Days, open_delivered
from tradex_ledger.driving.fence import DrivenRun
from tradex_ledger.driving.homes import NOTHING_MOVED
from tradex_ledger.driving.keys import open_keys
from tradex_ledger.driving.staging import Staged, stage_all
from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.ledger.entry import format_time, parse_time
from tradex_ledger.planning.context import Execution
from tradex_ledger.sources.files import Listing, told
from tradex_ledger.sources.stage import Wanted
from tradex_ledger.sources.x_posts.time import DAY_US, micros


class NothingReadableError(EnvironmentFault):
    """The source holds no post that can be read: whether there was none nobody knows, so the state stays."""

    code = "nothing-readable"

    def __init__(self, source: str, found: Mapping[str, Any], passed_over: list[dict[str, Any]]) -> None:
        why = "; ".join(f"{item['count']} passed over ({item['why']})" for item in passed_over)
        super().__init__(
            f"no post could be read at {source}: {found['files']} files with {found['lines']} lines, "
            f"{found['rejected']} of them no posts" + (f"; {why}" if why else "") + "; the state does not move",
            mend="deliver the posts, or correct the source of the workspace, then: tradex run",
        )


def extraction_of(run: Run, source: str) -> Extraction:
    """What LayerStarted says of the extraction: its mode and explicit cursors (times, UTC; the upper one excluded)."""
    if isinstance(run, Backfill):
        asked = run.request
        return Extraction("backfill", start_of(asked.first), start_of(later(asked.last, 1)), source)
    assert isinstance(run, IncrementalRun)
    return Extraction("incremental", run.cursor_from, run.cursor_to, source)


def _micros_of(cursor: str | None) -> int | None:
    """A stored time as microseconds since 1970; None stays None."""
    return None if cursor is None else micros(parse_time(cursor))


def wanted_of(ex: Execution, extraction: Extraction, delivered_at: str) -> Wanted:
    """What an extraction keeps.

    Rejected lines are taken late by incremental runs, from the pipeline's start on: no backfill would ask for them.
    """
    first, until = _micros_of(extraction.cursor_from), _micros_of(extraction.cursor_to)
    backfill = not extraction.is_incremental
    start = None if backfill else ex.ledger.get(PipelineState, stream_of(ex.pipeline.name), "pipeline").start
    return Wanted(first, until, first if backfill else _micros_of(start), micros(parse_time(delivered_at)))


def asked_of(wanted: Wanted) -> Asked | None:
    """The range as days since 1970-01-01; None when it does not begin and end at midnight (UTC)."""
    posts = _whole_days(wanted.first_us, wanted.until_us)
    rejected = _whole_days(wanted.rejected_first_us, wanted.until_us)
    return None if posts is None or rejected is None else Asked(posts, rejected)


def _whole_days(first: int | None, until: int | None) -> Days | None:
    if until is None or until % DAY_US or (first or 0) % DAY_US:
        return None
    return (to_epoch(FIRST) - 1 if first is None else first // DAY_US, until // DAY_US)


def extract(ex: Execution, driven: DrivenRun, extraction: Extraction) -> dict[str, Any]:
    """Fill Bronze for the run's range. Returns the counts for LayerCompleted.

    Run again after a crash it appends only what is missing: dedup makes it harmless (N14).

    Raises: `NothingReadableError` in an incremental run, once what was no post is on record.
    """
    ingested_at = format_time(time_of_now(ex))
    wanted = wanted_of(ex, extraction, ingested_at)
    asked, delivered, listing = asked_of(wanted), open_delivered(ex), ex.source.look()
    staged = stage_all(ex, listing.files, wanted, delivered, asked)
    if extraction.is_incremental and extraction.cursor_to and (days := staged.days(asked)):
        # Before anything is appended: a run that is told to take fewer days then finds no later ones to follow up.
        check_own_days(ex, from_epoch(min(days)), day_of(extraction.cursor_to), driven.id)
    recovered = _recover(ex, staged, extraction)
    appended: dict[str, Append] = {}
    index = open_keys(ex)
    for definition, files, held in _by_dataset(ex, staged):
        if files or held:
            read = rows_by_day(definition, files)
            appended[definition.name] = Append(
                ex, driven, definition, tuple(files), read, read + held, ingested_at, index
            )
            appended[definition.name].run()
    posts, *others = ex.bronze()
    done = appended.get(posts.name)
    kept, moved = (done.total, done.placed.moved) if done else (0, NOTHING_MOVED)
    recounted = done.recounted if done else Counter[tuple[str, Day]]()
    withheld = dict(moved.withheld)
    delivered.keep(ex, [file for file in staged.read if file.name not in withheld], asked, recounted)
    unread = passed_over(listing, staged)
    look = record_look(ex, extraction, listing, staged, run=driven.id)
    if extraction.is_incremental and look.found["newest"] is None:
        raise NothingReadableError(extraction.source, look.found, told(unread))
    found = {name: n for name, n in look.found.items() if name not in ("bytes", "newest")}
    return {
        **found,
        "passed_over": len(unread),
        "appended": kept,
        "rejected_appended": sum(appended[d.name].total for d in others if d and d.name in appended),
        "duplicates": found["posts"] + recovered - kept - sum(withheld.values()),
        "moved": moved.posts,
        "withheld": sum(withheld.values()),
        "recounted": recounted.total() + staged.held_recounted,
        "recovered": recovered,
    }


def _by_dataset(ex: Execution, staged: Staged) -> list[tuple[Definition, list[str], Counter[Day]]]:
    """Each Bronze dataset, the files staged for it, and the rows by day (ordinal) that were not read again."""
    posts, rejected, undated = ex.bronze()
    held = [
        Counter({from_epoch(day): n for day, n in days.items()}) for days in (staged.held_posts, staged.held_rejected)
    ]
    return [
        (posts, staged.posts, held[0]),
        *([(rejected, staged.rejected, held[1])] if rejected else []),
        *([(undated, staged.undated, Counter[Day]())] if undated else []),
    ]


def _recover(ex: Execution, staged: Staged, extraction: Extraction) -> int:
    """Stage, for a backfill, the posts among what an older reader rejected; returns how many there are."""
    _, rejected, _ = ex.bronze()
    if extraction.is_incremental or rejected is None or not (extraction.cursor_from and extraction.cursor_to):
        return 0
    catalog = ex.base().catalog
    first, until = day_of(extraction.cursor_from), day_of(extraction.cursor_to)
    # A line without a day had that of 1970; the day of another may have come from its file's name: all are read.
    old = tuple(
        ex.input_file(day, file, is_old=True)
        for day, file in catalog.all_files(rejected.name)
        if catalog.is_old(file.path)
    )
    if not old:
        return 0
    out = ex.staging / "recovered.parquet"
    ((_, count),) = ex.pool.run(recover, [RecoverTask(old, first, until - 1, out)])
    staged.posts += [str(out)] if count else []
    return count


def passed_over(listing: Listing, staged: Staged) -> list[Any]:
    """All that was not read: by its name, or once it was opened."""
    return [*listing.passed_over, *staged.passed_over()]


def record_look(
    ex: Execution,
    extraction: Extraction,
    listing: Listing,
    staged: Staged,
    *,
    run: str | None = None,
    late: dict[str, Any] | None = None,
) -> Look:
    """Put on record what there was at the source, by itself: it conflicts with nobody."""
    newest = staged.newest_day()
    look = Look.record(
        new_id("look", ex.clock()),
        pipeline=ex.pipeline.name,
        source=ex.source.describe(),
        run=run,
        cursor_from=extraction.cursor_from,
        cursor_to=extraction.cursor_to,
        found={
            **staged.counts,
            "bytes": sum(file.bytes for file in listing.files),
            "odd": dict(sorted(staged.odd.items())),
            "newest": None if newest is None else iso(from_epoch(newest)),
        },
        passed_over=told(passed_over(listing, staged)),
        late=late,
        by=ex.by,
    )
    ex.ledger.append(look)
    return look
