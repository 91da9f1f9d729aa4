"""Who may append to a run: the driver that holds its newest version, and nobody else.

A driver that slept while another took the run over finds the run's stream at a version it does not know: fenced off.
A save may also conflict on a dataset's lock; then the run itself has not moved and the step is done again.
"""

from __future__ import annotations

from collections.abc import Iterable

from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.base import Aggregate
from tradex_ledger.domain.incremental import IncrementalRun
from tradex_ledger.domain.life import ENDED
from tradex_ledger.domain.run import Run
from tradex_ledger.errors import ConflictError, RefusedError
from tradex_ledger.ledger.application import Ledger, WriterConflictError
from tradex_ledger.ledger.named import NoSuchStreamError


class FencedError(ConflictError):
    """Another driver took the run over while this one was away: it must not append any more."""

    code = "fenced"

    def __init__(self, run_id: str) -> None:
        super().__init__(
            f"another process has taken over {run_id}; this one stops and changed nothing",
            mend=f"see how it goes: tradex backfill show {run_id}",
        )


class EndedMeanwhileError(RefusedError):
    """The run was ended or paused by a person while it was being driven."""

    code = "ended-meanwhile"

    def __init__(self, run_id: str, status: str) -> None:
        super().__init__(
            f"{run_id} was stopped meanwhile: it is {status}",
            mend=f"see by whom and why: tradex audit history {run_id}",
        )


def load_run(ledger: Ledger, run_id: str, upto: int | None = None) -> Backfill | IncrementalRun:
    """The run as the ledger has it, as of a position if one is given, of either kind. Raises `NoSuchStreamError`."""
    run = ledger.get(Run, run_id, upto=upto)
    if not isinstance(run, Backfill | IncrementalRun):
        raise NoSuchStreamError(run_id)
    return run


class DrivenRun:
    """A run in the hands of one driver: its aggregate, and the version this driver knows to be stored."""

    def __init__(self, ledger: Ledger, run_id: str) -> None:
        self._ledger = ledger
        self.id = run_id
        self.run: Backfill | IncrementalRun = load_run(ledger, run_id)
        self._stored = self.run.version

    def append(self, *others: Aggregate, unmoved: Iterable[Aggregate] = ()) -> int:
        """Save the run's pending events with those of the others, all or nothing. Returns the position after it.

        Raises: `WriterConflictError` when one of the others, or of the `unmoved`, moved (the run is read again, the
        step can be repeated);
        `FencedError`, `EndedMeanwhileError` when the run itself moved.
        """
        try:
            saved = self._ledger.append(self.run, *others, unmoved=unmoved)
        except WriterConflictError:
            if self._ledger.version_of(self.id) != self._stored:
                status = load_run(self._ledger, self.id).status
                if status in (*ENDED, "PAUSED"):
                    raise EndedMeanwhileError(self.id, status) from None
                raise FencedError(self.id) from None
            self.run = load_run(self._ledger, self.id)
            raise
        self._stored = self.run.version
        return saved
