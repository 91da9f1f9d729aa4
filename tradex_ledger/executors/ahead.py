"""How far an incremental run may go: what cannot be taken back is asked for first (N8, N32)."""

from __future__ import annotations

from tradex_ledger.datasets.graph import iso
from tradex_ledger.domain.policy import RunTooLargeError
from tradex_ledger.errors import UsageError
from tradex_ledger.executors.catalog import NO_DAY, Catalog
from tradex_ledger.executors.context import Execution
from tradex_ledger.sources.records import NoPostsInside, read_records
from tradex_ledger.sources.x_posts import Post, parse_line


class FarAheadError(UsageError):
    """The run would go far beyond the newest post that was delivered."""

    code = "far-ahead"

    def __init__(self, newest: int, until: int, cursor: str | None) -> None:
        passed = cursor is not None and cursor[:10] > iso(newest)
        nearer = "" if passed else f"tradex run --until {iso(newest + 1)}, or, "
        super().__init__(
            f"the newest post that was delivered is of {iso(newest)}, and the run would go on to {iso(until)} "
            f"(excluded): {until - 1 - newest} days without a post, and a run over them cannot be taken back",
            mend=f"{nearer}if there was nothing to deliver: tradex run --yes",
        )


def check_not_far_ahead(ex: Execution, catalog: Catalog, until: int, cursor: str | None) -> None:
    """Raise `FarAheadError` when more days than the policy lets pass lie between the newest post and the end.

    `until` is an ordinal, excluded. The source is read only when Bronze alone does not say that all is well, and only
    until a post is found that does: files from the last name on.
    """
    allowed = ex.policy.run_ahead_days
    newest = max(catalog.current.get(ex.bronze()[0].name, {}), default=None)
    if not allowed or (newest is not None and until - 1 - newest <= allowed):
        return
    delivered = newest_delivered(ex, until - 1 - allowed)
    newest = max((day for day in (newest, delivered) if day is not None), default=None)
    if newest is not None and until - 1 - newest > allowed:
        raise FarAheadError(newest, until, cursor)


def newest_delivered(ex: Execution, enough: int) -> int | None:
    """The newest day (ordinal) of a post at the source, or one that is `enough`; None when there is no post."""
    files = ex.source.list_files()
    newest = None
    for number, file in enumerate(reversed(files), start=1):
        try:
            for record in read_records(file.path):
                for post in parse_line(record.raw) if record.raw else ():
                    if isinstance(post, Post):
                        newest = max(newest or 0, post.event_date + NO_DAY)
        except NoPostsInside:
            pass
        if newest is not None and newest >= enough:
            break
        ex.progress("look for the newest post", number, len(files))
    return newest


def check_own_days(ex: Execution, first: int, until: int, run_id: str | None = None) -> None:
    """Raise `RunTooLargeError` when the run's own days alone (ordinals, `until` excluded) are more than the bound."""
    derived = len(ex.pipeline.definitions) - len(ex.pipeline.layer("bronze"))
    check_run_size(ex, (until - first) * derived, first, until, run_id)


def check_run_size(ex: Execution, partitions: int, first: int, until: int, run_id: str | None = None) -> None:
    """Raise `RunTooLargeError` above the policy's bound; `first` and `until` (excluded) are the run's own days."""
    allowed = ex.policy.max_partitions
    if allowed and partitions > allowed:
        fits = first + max(1, (until - first) * allowed // partitions)
        raise RunTooLargeError(partitions, allowed, iso(fits), run_id)
