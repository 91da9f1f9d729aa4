"""The pipeline's state moves with an incremental run's success, or by a forced backfill: in that save, or not at all.

N8, N13, N20 and N21, from the events alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tradex_ledger.domain.facts import facts_of
from tradex_ledger.domain.person import person
from tradex_ledger.ledger.entry import Entry, parse
from tradex_ledger.verifying import said
from tradex_ledger.verifying.earlier import Earlier
from tradex_ledger.verifying.finding import BROKEN_INVARIANT, Finding
from tradex_ledger.verifying.runs import Runs

_PREFIX = "pipeline_state."
_OPENED, _ADVANCED, _OVERRIDDEN = f"{_PREFIX}opened", f"{_PREFIX}advanced", f"{_PREFIX}overridden"
_SUCCEEDED = "incremental_run.succeeded"


class States:
    """The states of all pipelines, event by event. `runs` are heard first."""

    def __init__(self, runs: Runs, earlier: Earlier) -> None:
        self._runs = runs
        self._earlier = earlier
        self._cursors: dict[str, str | None] = {}
        self._cause: Entry | None = None
        """The end of a run whose save is being read; behind it come the locks, and then the state."""

    def hear(self, entry: Entry) -> Iterable[Finding]:
        """The next event."""
        if entry.topic.startswith(_PREFIX):
            return self._moved(entry)
        if entry.topic in (_SUCCEEDED, "backfill.completed"):
            found = self._unmoved()
            self._cause = entry
            return found
        if self._cause is not None and (entry.topic != "dataset.published" or entry.at != self._cause.at):
            return self._unmoved()
        return ()

    def finish(self) -> Iterator[Finding]:
        """What the end of the ledger left open."""
        yield from self._unmoved()

    def _unmoved(self) -> list[Finding]:
        cause, self._cause = self._cause, None
        if cause is None or cause.topic != _SUCCEEDED:
            return []
        return [_broken(cause, f"{cause.stream} succeeded, and the state was not moved in the same save")]

    def _moved(self, entry: Entry) -> Iterator[Finding]:
        cause, self._cause = self._cause, None
        before = self._before(entry)
        moved = facts_of(said.Cursor, entry.data)
        self._cursors[entry.stream] = moved.cursor
        if entry.topic == _OPENED:
            return
        if entry.topic not in (_ADVANCED, _OVERRIDDEN):
            yield _broken(entry, f"{entry.topic} moved the state")
            return
        run = facts_of(said.ByRun, entry.data).run
        if moved.cursor_before != before:
            yield _broken(entry, f"the state was moved from {moved.cursor_before}, and stood at {before}")
        if cause is None or cause.stream != run or cause.at != entry.at:
            yield _broken(entry, f"the state was moved without the end of {run} in the same save")
        elif entry.topic == _ADVANCED and cause.topic != _SUCCEEDED:
            yield _broken(entry, f"the state was moved by {run}, which is no incremental run that succeeded")
        elif entry.topic == _OVERRIDDEN:
            yield from self._override(entry, run, moved)

    def _before(self, entry: Entry) -> str | None:
        if entry.stream not in self._cursors and entry.version > 1:
            for text in self._earlier.of(entry.stream):
                self._cursors[entry.stream] = facts_of(said.Cursor, parse(text).data).cursor
        return self._cursors.get(entry.stream)

    def _override(self, entry: Entry, run: str, moved: said.Cursor) -> Iterator[Finding]:
        facts = self._runs.facts_of(run)
        asked, allowed, told = (facts.get(f"backfill.{one}") for one in ("requested", "approved", "state_overridden"))
        if asked is None or allowed is None or told is None:
            yield _broken(entry, f"the state was overridden by {run}, which nobody asked and allowed to")
            return
        wanted, done = facts_of(said.Requested, asked.data), facts_of(said.Cursor, told.data)
        if wanted.kind != "forced" or not wanted.override_state or person(asked.by) == person(allowed.by):
            yield _broken(entry, f"{asked.stream} was not to override the state")
        if {moved.cursor} != {wanted.cursor, done.cursor}:
            yield _broken(entry, f"the state was put to {moved.cursor}, {wanted.cursor} was asked for")
        if done.cursor_before != moved.cursor_before:
            yield _broken(entry, f"{run} told of the state at {done.cursor_before}; it was {moved.cursor_before}")


def _broken(entry: Entry, detail: str) -> Finding:
    return Finding(BROKEN_INVARIANT, detail, entry.position)
