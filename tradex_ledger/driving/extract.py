"""Bronze: fetch what the source has for the run's range, keep what is not there yet, append it (N6, N14, N23).

Bronze has no candidates: a batch is visible once its event is saved, since data that was paid for is kept even if the
run dies later. Dedup compares with Bronze itself, each row with the partition that it belongs to (`homes.py`); there
is no switch for it (N37). A backfill also reads again what an older reader rejected.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from tradex_ledger.clock import new_id
from tradex_ledger.datasets.definition import Definition
from tradex_ledger.datasets.intake import Intake
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.day import FIRST, Day, day_of, from_epoch, later, start_of, to_epoch
from tradex_ledger.domain.extraction import Extraction
from tradex_ledger.domain.incremental import IncrementalRun
from tradex_ledger.domain.pipeline_state import PipelineState, stream_of
from tradex_ledger.domain.run import Run
from tradex_ledger.domain.source import Counts, Extracted, Found, LateFound, Look, Taken
from tradex_ledger.driving.ahead import check_own_days
from tradex_ledger.driving.append import Append, rows_by_day
from tradex_ledger.driving.bronze import RecoverTask, recover
from tradex_ledger.driving.clocks import time_of_now
from tradex_ledger.driving.delivered import Asked, Days, Delivered, open_delivered
from tradex_ledger.driving.execution import Bench, Prepared
from tradex_ledger.driving.fence import DrivenRun
from tradex_ledger.driving.fetch import fetch
from tradex_ledger.driving.homes import NOTHING_MOVED
from tradex_ledger.driving.keys import KeyIndex, open_keys
from tradex_ledger.driving.staging import Staged, stage_all
from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.lake.inputs import InputFile
from tradex_ledger.ledger.entry import format_time, parse_time
from tradex_ledger.planning.scope import Scope
from tradex_ledger.sources.files import told
from tradex_ledger.sources.moments import DAY_US, micros
from tradex_ledger.sources.source import Listing, PassedOver
from tradex_ledger.sources.stage import Wanted


class NothingReadableError(EnvironmentFault):
    """A source holds no row that can be read: whether there was none nobody knows, so the state stays."""

    code = "nothing-readable"

    def __init__(self, row: str, source: str, found: Found) -> None:
        why = "; ".join(f"{item.count} passed over ({item.why})" for item in found.passed_over)
        counts = found.counts
        super().__init__(
            f"no {row} could be read at {source}: {counts.files} files with {counts.lines} lines, "
            f"{counts.rejected} of them no {row}s" + (f"; {why}" if why else "") + "; the state does not move",
            mend=f"deliver the {row}s, or correct the source of the workspace, then: tradex run",
        )


def asked_by(scope: Scope, run: Run) -> list[Intake]:
    """What a run fills: of a backfill, what was asked for; an incremental run fills everything."""
    return scope.asked(run.request.dataset if isinstance(run, Backfill) else None)


def extraction_of(scope: Scope, run: Run) -> Extraction:
    """What LayerStarted says of the extraction: its mode and explicit cursors (times, UTC; the upper one excluded)."""
    source = scope.described(asked_by(scope, run))
    if isinstance(run, Backfill):
        asked = run.request
        return Extraction("backfill", start_of(asked.first), start_of(later(asked.last, 1)), source)
    assert isinstance(run, IncrementalRun)
    return Extraction("incremental", run.cursor_from, run.cursor_to, source)


def _micros_of(cursor: str | None) -> int | None:
    """A stored time as microseconds since 1970; None stays None."""
    return None if cursor is None else micros(parse_time(cursor))


def wanted_of(scope: Scope, extraction: Extraction, delivered_at: str) -> Wanted:
    """What an extraction keeps.

    Rejected lines are taken late by incremental runs, from the pipeline's start on: no backfill would ask for them.
    """
    first, until = _micros_of(extraction.cursor_from), _micros_of(extraction.cursor_to)
    backfill = not extraction.is_incremental
    start = None if backfill else scope.ledger.get(PipelineState, stream_of(scope.pipeline.name), "pipeline").start
    return Wanted(first, until, first if backfill else _micros_of(start), micros(parse_time(delivered_at)))


def asked_of(wanted: Wanted) -> Asked | None:
    """The range as days since 1970-01-01; None when it does not begin and end at midnight (UTC)."""
    rows = _whole_days(wanted.first_us, wanted.until_us)
    rejected = _whole_days(wanted.rejected_first_us, wanted.until_us)
    return None if rows is None or rejected is None else Asked(rows, rejected)


def _whole_days(first: int | None, until: int | None) -> Days | None:
    if until is None or until % DAY_US or (first or 0) % DAY_US:
        return None
    return (to_epoch(FIRST) - 1 if first is None else first // DAY_US, until // DAY_US)


@dataclass(frozen=True, slots=True)
class _Read:
    """One source of an extraction, read and staged. One that is called has said itself that there is nothing."""

    intake: Intake
    listing: Listing
    staged: Staged
    delivered: Delivered
    asked: Asked | None
    may_be_none: bool


def extract(bench: Bench, prepared: Prepared, driven: DrivenRun, extraction: Extraction) -> Extracted:
    """Fill Bronze for the run's range, from the sources that are asked for. Returns what it came to.

    Run again after a crash it appends only what is missing: dedup makes it harmless (N14).

    Raises: `NothingReadableError` in an incremental run, once what was no row is on record.
    """
    ex, scope = bench.ex, bench.ex.scope
    ingested_at = format_time(time_of_now(scope))
    wanted = wanted_of(scope, extraction, ingested_at)
    asked = asked_of(wanted)
    read = []
    for intake in asked_by(scope, driven.run):
        may_be_none = fetch(ex, driven, intake, extraction) or intake.reader.may_be_none
        delivered, listing = open_delivered(scope, intake), scope.sources[intake.source].look()
        staged = stage_all(bench, intake, listing.files, wanted, delivered, asked)
        read.append(_Read(intake, listing, staged, delivered, asked, may_be_none))
    # A day that cannot be true, a slip in one line, opens no range.
    days = {day for one in read for day in one.staged.days(asked) if from_epoch(day) >= one.intake.reader.first_day}
    if extraction.is_incremental and extraction.cursor_to and days:
        # Before anything is appended: a run that is told to take fewer days then finds no later ones to follow up.
        check_own_days(scope, from_epoch(min(days)), day_of(extraction.cursor_to), driven.id)
    index = open_keys(ex)
    taken, counts, odd = Taken(), Counts(), Counter[str]()
    nothing: list[tuple[_Read, Found]] = []
    for one in read:
        taken = taken.plus(_take_in(bench, prepared, driven, one, extraction, ingested_at, index=index))
        found = record_look(scope, one.intake, extraction, one.listing, one.staged, run=driven.id)
        counts = counts.plus(found.counts)
        odd.update(found.odd)
        nothing += [(one, found)] if found.newest is None and not one.may_be_none else []
    if extraction.is_incremental and nothing:
        one, found = nothing[0]
        raise NothingReadableError(one.intake.reader.noun, scope.described([one.intake]), found)
    return Extracted(counts, taken, odd)


def _take_in(
    bench: Bench,
    prepared: Prepared,
    driven: DrivenRun,
    one: _Read,
    extraction: Extraction,
    ingested_at: str,
    *,
    index: KeyIndex,
) -> Taken:
    """Append what of a source is new. Of the duplicates only what was not counted as read is told."""
    staged, intake = one.staged, one.intake
    recovered = _recover(bench, intake, staged, extraction)
    appended: dict[str, Append] = {}
    for definition, files, held in _by_dataset(intake, staged):
        if files or held:
            rows = rows_by_day(definition, files)
            part = intake.part(definition)
            appended[definition.name] = Append(
                bench, prepared, driven, part, tuple(files), rows, rows + held, ingested_at, index
            )
            appended[definition.name].run()
    done = appended.get(intake.rows.name)
    kept, moved = (done.total, done.placed.moved) if done else (0, NOTHING_MOVED)
    recounted = done.recounted if done else Counter[tuple[str, Day]]()
    withheld = dict(moved.withheld)
    one.delivered.keep(
        bench.ex.scope.ledger, [file for file in staged.read if file.name not in withheld], one.asked, recounted
    )
    return Taken(
        appended=kept,
        rejected_appended=sum(appended[d.name].total for d in intake.sides if d.name in appended),
        duplicates=recovered - kept - sum(withheld.values()),
        moved=moved.rows,
        withheld=sum(withheld.values()),
        recounted=recounted.total() + staged.held_recounted,
        recovered=recovered,
        passed_over=len(passed_over(one.listing, staged)),
    )


def _by_dataset(intake: Intake, staged: Staged) -> list[tuple[Definition, list[str], Counter[Day]]]:
    """Each dataset of a source, the files staged for it, and the rows by day (ordinal) that were not read again."""
    rows, rejected = (
        Counter({from_epoch(day): n for day, n in days.items()}) for days in (staged.held_rows, staged.held_rejected)
    )
    return [
        (intake.rows, staged.rows, rows),
        *([(intake.rejected, staged.rejected, rejected)] if intake.rejected else []),
        *([(intake.undated, staged.undated, Counter[Day]())] if intake.undated else []),
    ]


def _recover(bench: Bench, intake: Intake, staged: Staged, extraction: Extraction) -> int:
    """Stage, for a backfill, the rows among what an older reader rejected; returns how many there are."""
    rejected, again = intake.rejected, intake.reader.again
    if rejected is None or again is None:
        return 0
    if extraction.is_incremental or not (extraction.cursor_from and extraction.cursor_to):
        return 0
    ex = bench.ex
    catalog = ex.scope.base().catalog
    first, until = day_of(extraction.cursor_from), day_of(extraction.cursor_to)
    # A line without a day had that of 1970; the day of another may have come from its file's name: all are read.
    old = tuple(
        InputFile(day, file, ex.lake, how)
        for day, file in catalog.all_files(rejected.name)
        if (how := catalog.old.get(file.path))
    )
    if not old:
        return 0
    out = bench.staging / f"{intake.source}-recovered.parquet"
    ((_, count),) = ex.here.run(recover, [RecoverTask(again, old, first, later(until, -1), out)])
    staged.rows += [str(out)] if count else []
    return count


def passed_over(listing: Listing, staged: Staged) -> list[PassedOver]:
    """All that was not read: by its name, or once it was opened."""
    return [*listing.passed_over, *staged.passed_over()]


def record_look(
    scope: Scope,
    intake: Intake,
    extraction: Extraction,
    listing: Listing,
    staged: Staged,
    *,
    run: str | None = None,
    late: LateFound | None = None,
) -> Found:
    """Put on record what there was at a source, by itself: it conflicts with nobody."""
    newest = staged.newest_day()
    found = Found(
        counts=staged.counts,
        bytes=sum(file.bytes for file in listing.files),
        odd=staged.odd,
        newest=None if newest is None else from_epoch(newest),
        passed_over=told(passed_over(listing, staged)),
    )
    look_id, asked = new_id("look", scope.clock()), replace(extraction, source=scope.described([intake]))
    scope.ledger.append(
        Look.record(look_id, asked, found, pipeline=scope.pipeline.name, run=run, late=late, by=scope.by)
    )
    return found
