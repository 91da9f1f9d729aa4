"""The rules that hold between events, heard in the order of their positions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tradex_ledger.errors import BrokenLedgerError, EnvironmentFault
from tradex_ledger.ledger.entry import NotCanonicalError, parse
from tradex_ledger.verifying.approvals import Approvals
from tradex_ledger.verifying.earlier import Earlier
from tradex_ledger.verifying.finding import BROKEN_INVARIANT, Finding
from tradex_ledger.verifying.runs import Runs
from tradex_ledger.verifying.scan import Part
from tradex_ledger.verifying.states import States


class Rules:
    """All of them, part by part."""

    def __init__(self, earlier: Earlier) -> None:
        self._runs = Runs(earlier)
        self._approvals = Approvals(self._runs, earlier)
        self._rooms = (self._approvals, self._runs, States(self._runs, earlier))

        for text in earlier.last_save():  # what belongs to it may still come
            for _ in self._one(text):
                pass

    def hear(self, part: Part) -> Iterator[Finding]:
        """The events of the next part."""
        yield from self._runs.build(part.built)
        for text in part.notable:
            yield from self._one(text)
        yield from self._runs.end_part(part.built)

    @property
    def shown(self) -> Mapping[str, int]:
        """The heads that approvers were shown, as texts, and the position of the first who was."""
        return self._approvals.shown

    def finish(self) -> Iterator[Finding]:
        """What the end of the ledger left open."""
        for room in self._rooms[1:]:
            yield from room.finish()

    def _one(self, text: str) -> Iterator[Finding]:
        try:
            entry = parse(text)
        except NotCanonicalError:
            return  # told of already
        for room in self._rooms:
            try:
                yield from room.hear(entry)
            except (AttributeError, KeyError, TypeError, ValueError, BrokenLedgerError, EnvironmentFault):
                yield Finding(BROKEN_INVARIANT, f"what {entry.topic} v{entry.v} says cannot be judged", entry.position)
