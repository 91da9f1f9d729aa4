"""Late data: what is at the source that incremental runs have passed by. Found by a dry pass; the look is recorded.

The source is staged and compared with Bronze just as a run would do it; what was staged is dropped again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import duckdb
import orjson

from tradex_ledger.clock import new_token
from tradex_ledger.datasets.fingerprint import describe_all
from tradex_ledger.datasets.graph import affected, windows
from tradex_ledger.datasets.intake import Intake, Part
from tradex_ledger.domain.day import Cursor, Day, day_of, from_epoch, iso, span, start_of
from tradex_ledger.domain.extraction import Extraction
from tradex_ledger.domain.pipeline_state import PipelineState, stream_of
from tradex_ledger.domain.source import Found, LateFound
from tradex_ledger.driving.ahead import sets_out
from tradex_ledger.driving.append import Into, append_task, placed_rows, rows_by_day
from tradex_ledger.driving.bronze import count_new_rows
from tradex_ledger.driving.clocks import time_of_now
from tradex_ledger.driving.delivered import Delivered
from tradex_ledger.driving.execution import Bench, Execution
from tradex_ledger.driving.extract import record_look, wanted_of
from tradex_ledger.driving.keys import KeyIndex, open_keys
from tradex_ledger.driving.lease import held
from tradex_ledger.driving.staging import Staged, stage_all
from tradex_ledger.driving.two_days import TwoDays, find_two_days
from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.lake.storage import translate
from tradex_ledger.lake.verified import Reading
from tradex_ledger.ledger.entry import format_time
from tradex_ledger.planning.catalog import Catalog
from tradex_ledger.planning.scope import Scope
from tradex_ledger.relations.runs import RUN_LAYERS, STATE_MOVES
from tradex_ledger.sources.places import names_in
from tradex_ledger.sources.source import Listing
from tradex_ledger.upkeep.held import held_rows
from tradex_ledger.views import resolve, shared_views

_EVERYTHING = Extraction("incremental", None, None, "")
_NEVER = start_of(from_epoch(0))
_WITHOUT = "the source can be left out: tradex backfill propose --no-source"
_ASKED = ("run_layers", "pipeline_state_history")


@dataclass(frozen=True)
class Late:
    """Rows (each a `noun`) that Bronze (`dataset`) lacks, by day (ordinal); what those days lead to downstream.

    `passed` are those of the days that a run has asked the source for; no run has asked for the others. `rejected` is
    how many lines are no rows and not on record as such, `rejected_files` the delivered files that hold them;
    `sets_out` whether a run of now would do so without a question; `look` is what was recorded of the look at the
    source; `two_days` is what Bronze has on several days. `held` are the rows that it lacks, too, but which a
    quarantine holds back: by its id, how many.
    """

    dataset: str
    noun: str
    rows: dict[Day, int] = field(default_factory=dict)
    passed: set[Day] = field(default_factory=set)
    closure: dict[str, set[Day]] = field(default_factory=dict)
    rejected: int = 0
    rejected_files: tuple[str, ...] = ()
    sets_out: bool = True
    look: Found | None = None
    two_days: TwoDays = field(default_factory=TwoDays)
    held: dict[str, int] = field(default_factory=dict)


def find_late(ex: Execution) -> list[Late]:
    """Of each source what is dated before the pipeline's cursor and Bronze does not have, rows and lines that are none.
    Days before the pipeline's start that no run has asked for are none of its business.

    Raises: `EnvironmentFault` when a source cannot be read.
    """
    scope = ex.scope
    cursor = scope.ledger.get(PipelineState, stream_of(scope.pipeline.name), "pipeline").cursor
    if cursor is None:  # nothing can be late yet; what is passed over can be told
        return [
            Late(
                i.rows.name,
                i.reader.noun,
                look=record_look(scope, i, _EVERYTHING, scope.sources[i.source].look(), Staged()),
            )
            for i in scope.intakes
        ]
    # A name of its own, so that dry passes do not disturb each other; its lease keeps `lake gc` off what is staged.
    name = f"propose-{ex.token}"
    try:
        with held(ex, name):
            staging = ex.lake.new_staging(name, new_token())
            try:
                return _look(Bench(ex, describe_all(scope.pipeline), staging), cursor)
            finally:
                ex.lake.drop_staging(staging)
    except (OSError, duckdb.Error) as error:
        fault = translate(error, f"looking for late {scope.words.row()}s")
        fault.add_note(_WITHOUT)
        raise fault from error
    except EnvironmentFault as fault:
        fault.add_note(_WITHOUT)
        raise


def _look(bench: Bench, cursor: Cursor) -> list[Late]:
    ex, scope = bench.ex, bench.ex.scope
    extraction = replace(_EVERYTHING, cursor_to=cursor)
    wanted = wanted_of(scope, extraction, format_time(time_of_now(scope)))
    catalog, index = scope.base().catalog, open_keys(ex)
    read: list[tuple[Intake, Listing, Staged]] = []
    for intake in scope.intakes:
        listing = scope.sources[intake.source].look()
        read.append((intake, listing, stage_all(bench, intake, listing.files, wanted, Delivered(None), None)))
    newest = max((day for *_, staged in read if (day := staged.newest_day()) is not None), default=None)
    sets_out_now = sets_out(scope, catalog, cursor, None if newest is None else from_epoch(newest))
    found = []
    for intake, listing, staged in read:
        late = replace(_late_of(bench, intake, staged, catalog, index, cursor), sets_out=sets_out_now)
        found.append(replace(late, look=record_look(scope, intake, extraction, listing, staged, late=_summed(late))))
    return found


def _late_of(bench: Bench, intake: Intake, staged: Staged, catalog: Catalog, index: KeyIndex, cursor: Cursor) -> Late:
    """What of a source that was staged is late."""
    found: Counter[Day] = Counter()
    held: Counter[str] = Counter()
    bad = held_rows(bench.ex.scope.ledger.store, intake.rows.name)
    for day, quarantine, count in _new(bench, index, catalog, intake.part(intake.rows), staged.rows, bad):
        if quarantine is None:
            found[day] += count
        else:
            held[quarantine] += count
    kinds = ((intake.rejected, staged.rejected), (intake.undated, staged.undated))
    unfit = [row for side, files in kinds if side for row in _new(bench, index, catalog, intake.part(side), files)]
    return replace(
        _told(bench.ex.scope, intake, found, cursor),
        held=dict(held),
        two_days=find_two_days(bench.ex, index, catalog, intake, bench.staging / f"{intake.source}-two-days"),
        rejected=sum(count for *_, count in unfit),
        rejected_files=tuple(sorted({name for _, name, _ in unfit if name})),
    )


def _summed(late: Late) -> LateFound:
    """What is late, as the event of the look has it."""
    return LateFound(late.dataset, late.rows, late.rejected, len(late.rejected_files))


def _new(
    bench: Bench,
    index: KeyIndex,
    catalog: Catalog,
    part: Part,
    staged: Sequence[str],
    held: Mapping[str, str] | None = None,
) -> list[tuple[Day, str | None, int]]:
    """The staged rows that a run would append, by day (and file; of rows what holds them back), window by window, as
    `Append` does it."""
    ex, folder, definition = bench.ex, bench.staging, part.definition
    placed = placed_rows(ex, index, catalog, part, staged, folder / f"{part.name}-homes")
    by_day = {*rows_by_day(definition, list(staged)), *placed.moved.days}
    todo = windows(definition, by_day, logic_version=0, window_partitions=ex.scope.policy.window_partitions)
    tasks = []
    for number, window in enumerate(todo):
        days = tuple(span(window.first, window.last))
        into = Into(folder / f"{definition.name}-{number}", "", _NEVER)
        tasks.append(append_task(bench, catalog, part, tuple(staged), placed, days, into=into))
    found = []
    with Reading(ex.lake) as reading:
        reading.check(file.file for task in tasks for file in task.existing)
        for number, task in enumerate(tasks, start=1):
            found += count_new_rows(task, held or {})
            ex.progress(f"compare with {definition.name}", number, len(tasks))
    return found


def _told(scope: Scope, intake: Intake, found: dict[Day, int], cursor: Cursor) -> Late:
    with shared_views(scope.ledger.store, resolve(scope.ledger.store, None), *_ASKED) as connection:
        layers = RUN_LAYERS.read(connection, "layer = 'bronze' and status = 'COMPLETED'")
        opened = STATE_MOVES.read(connection, "move = 'opened' and pipeline = ?", scope.pipeline.name)
    start = opened[0].cursor if opened else None
    asked = [Extraction(**orjson.loads(layer.extraction)) for layer in layers if layer.extraction]
    asked = [e for e in asked if intake.source in (names_in(e.source) or (intake.source,))]
    passed = {
        day
        for day in found
        if any((e.cursor_from or "")[:10] <= iso(day) < (e.cursor_to or "")[:10] for e in asked)  # both are midnights
    }
    late = {day: count for day, count in sorted(found.items()) if day in passed or iso(day) >= (start or "")[:10]}
    last_day, dataset = max([day_of(cursor), *late]), intake.rows.name
    closure = affected(scope.pipeline, {dataset: late}, last_day=last_day)
    return Late(dataset, intake.reader.noun, late, passed & late.keys(), closure)
