"""What is said of a run that is to be compared, and has built nothing."""

from __future__ import annotations

from tradex_ledger.errors import RefusedError
from tradex_ledger.relations.runs import Run

_AGAIN = "it was {status}, and will build nothing; see how it ended: tradex backfill show {id}"
_THEN = {
    "PLANNED": "it waits for a decision: tradex backfill show {id}, then approve {id}, or reject {id} --reason …",
    "APPROVED": "have it built, and compare then: tradex backfill run {id}",
    "RUNNING": "ask again when it has built something: tradex backfill show {id}",
    "FAILED": "see why: tradex backfill show {id}; then take it up again: tradex backfill run {id}",
    "PAUSED": "let it go on, and compare then: tradex backfill resume {id}",
    **dict.fromkeys(("CANCELLED", "REJECTED", "EXPIRED"), _AGAIN),
}


class NothingBuiltError(RefusedError):
    """A run is to be compared that has built nothing."""

    code = "nothing-built"

    def __init__(self, run_id: str, status: str) -> None:
        yet = "" if _THEN[status] is _AGAIN else " yet"
        super().__init__(
            f"{run_id} is {status}: it has built nothing{yet} that could be compared",
            mend=_THEN[status].format(id=run_id, status=status.lower()),
        )


def check_built(run: Run) -> None:
    """Raise `NothingBuiltError` where there is nothing of a run to be compared."""
    if run.published_position is None and not run.built_partitions and run.status in _THEN:
        raise NothingBuiltError(run.run_id, run.status)
