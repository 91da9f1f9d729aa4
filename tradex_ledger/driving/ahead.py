"""How far an incremental run may go: what cannot be taken back is asked for first (N8, N32)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from tradex_ledger.datasets.fingerprint import describe_all
from tradex_ledger.domain.day import day_of, from_epoch, iso, later
from tradex_ledger.domain.policy import RunTooLargeError
from tradex_ledger.driving.execution import Execution
from tradex_ledger.errors import UsageError
from tradex_ledger.planning.catalog import Catalog
from tradex_ledger.planning.scope import Scope
from tradex_ledger.sources.moments import DAY_US, micros
from tradex_ledger.sources.source import NothingInside, Rejected, Row


class FarAheadError(UsageError):
    """The run would go far beyond the newest row that was delivered."""

    code = "far-ahead"

    def __init__(self, newest: int, until: int, cursor: str | None, run_id: str | None, row: str) -> None:
        passed = cursor is not None and cursor[:10] > iso(newest)
        nearer = "" if passed else f"tradex run --to {iso(newest)}, or, "
        if run_id is not None:
            nearer = f"cancel it (tradex backfill cancel {run_id} --reason …), then {nearer or 'run anew; or, '}"
        super().__init__(
            f"the newest {row} that was delivered is of {iso(newest)}, and {run_id or 'the run'} would go on to "
            f"{iso(until - 1)}: {until - 1 - newest} days without a {row}, and a run over them cannot be taken back",
            mend=f"{nearer}if there was nothing to deliver: tradex run --yes",
        )


def check_not_far_ahead(
    ex: Execution, catalog: Catalog, until: int, cursor: str | None, run_id: str | None = None
) -> None:
    """Raise `FarAheadError` when more days than the policy lets pass lie between the newest row and the end.

    `until` is an ordinal, excluded; `run_id` is a run that did set out and has taken no row yet. The source is read
    only when Bronze alone does not say that all is well, and only until a row is found that does: files from the last
    name on.
    """
    allowed, newest = ex.scope.policy.run_ahead_days, newest_in_bronze(ex.scope, catalog)
    if not allowed or (newest is not None and until - 1 - newest <= allowed):
        return
    delivered = newest_delivered(ex, until - 1 - allowed)
    newest = max((day for day in (newest, delivered) if day is not None), default=None)
    if newest is not None and until - 1 - newest > allowed:
        raise FarAheadError(newest, until, cursor, run_id, ex.scope.words.row())


def sets_out(scope: Scope, catalog: Catalog, cursor: str, delivered: int | None) -> bool:
    """Whether a `tradex run` of now would find days to run and ask nothing; `delivered` is the newest day (ordinal) of
    a row at the source."""
    allowed, last = scope.policy.run_ahead_days, later(day_of(scope.clock()), -1)
    newest = max((day for day in (newest_in_bronze(scope, catalog), delivered) if day is not None), default=None)
    return day_of(cursor) <= last and (not allowed or newest is None or last - newest <= allowed)


def newest_in_bronze(scope: Scope, catalog: Catalog) -> int | None:
    """The newest day that Bronze has; a row from the future, which an older reader took, is none."""
    there = (day for intake in scope.intakes for day in catalog.current.get(intake.rows.name, {}))
    return max((day for day in there if day <= day_of(scope.clock()) + 1), default=None)


def newest_delivered(ex: Execution, enough: int) -> int | None:
    """The newest day (ordinal) of a row at a source, or one that is `enough`; None when there is no row."""
    columns = describe_all(ex.scope.pipeline)
    newest = _Newest(micros(ex.scope.clock()))
    for intake in ex.scope.intakes:
        source, stated = ex.scope.sources[intake.source], intake.stated(columns)
        files = source.look().files
        for number, file in enumerate(reversed(files), start=1):
            with suppress(NothingInside):
                source.reader.read(file.path, stated, newest)
            if newest.day is not None and newest.day >= enough:
                return newest.day
            ex.progress(f"look for the newest {source.reader.noun}", number, len(files))
    return newest.day


@dataclass
class _Newest:
    """A sink that keeps the newest day (ordinal) of what a run would read now; what is dated ahead is none."""

    delivered_us: int
    day: int | None = None

    def keep(self, row: Row, line: int, item: int | None) -> None:  # noqa: ARG002 — where it stands is not asked
        if row.day * DAY_US <= self.delivered_us + DAY_US:
            self.day = max(self.day or 0, from_epoch(row.day))

    def reject(self, rejected: Rejected, raw: bytes, line: int) -> None:
        """It has no day that counts."""

    def early(self, count: int) -> None:
        """Nor does this."""


def check_own_days(scope: Scope, first: int, until: int, run_id: str | None = None) -> None:
    """Raise `RunTooLargeError` when the run's own days alone (ordinals, `until` excluded) are more than the bound."""
    derived = len(scope.pipeline.definitions) - len(scope.pipeline.layer("bronze"))
    check_run_size(scope, (until - first) * derived, first, until, run_id)


def check_run_size(scope: Scope, partitions: int, first: int, until: int, run_id: str | None = None) -> None:
    """Raise `RunTooLargeError` above the policy's bound; `first` and `until` (excluded) are the run's own days."""
    allowed = scope.policy.max_partitions
    if allowed and partitions > allowed:
        fits = first + max(1, (until - first) * allowed // partitions)
        raise RunTooLargeError(partitions, allowed, iso(fits - 1), run_id)
