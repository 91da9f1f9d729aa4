"""Erasures of rows: what was approved is the plan on record, and what was carried out was approved."""

from __future__ import annotations

from collections.abc import Iterator

from tradex_ledger.domain.dataset import stream_of
from tradex_ledger.ledger.entry import Entry, NotCanonicalError, parse
from tradex_ledger.sealing.approvals import ERASURE
from tradex_ledger.verifying.earlier import Earlier

PLANNED = "dataset.erasure_planned"
_DIGEST = {PLANNED: "digest", ERASURE: "plan_digest"}


class Erasures:
    """The newest plan of each dataset, and the newest that was approved, event by event."""

    def __init__(self, earlier: Earlier) -> None:
        self._earlier = earlier
        self._known: dict[str, dict[str, tuple[object, str]]] = {}

    def judged(self, entry: Entry, *, demands: bool) -> Iterator[str]:
        """What is wrong with the next event of an erasure; `demands`: the policy wants its approval signed.

        Releases before approvals were on record carried out without one: that is found where the policy demands it.
        """
        facts = entry.data
        if entry.topic in _DIGEST:
            known, digest = self._of(entry.stream), facts.get("plan_digest")
            if entry.topic == ERASURE and known.get(PLANNED) != (digest, facts.get("planned_by")):
                yield f"it is of the plan {str(digest)[:12]}…, which {entry.stream} does not have"
            _learn(known, entry)
        elif demands:
            approved, digest = self._of(stream_of(str(facts.get("of")))).get(ERASURE), facts.get("digest")
            if approved != (digest, entry.by):
                yield f"{entry.by} erased rows by the plan {str(digest)[:12]}…, and did not approve it"

    def _of(self, stream: str) -> dict[str, tuple[object, str]]:
        known = self._known.get(stream)
        if known is None:
            known = self._known[stream] = {}
            for text in self._earlier.of(stream):
                try:
                    _learn(known, parse(text))
                except NotCanonicalError:
                    continue  # said where it is judged
        return known


def _learn(known: dict[str, tuple[object, str]], entry: Entry) -> None:
    """Of a plan who made it, of an approval who gave it."""
    if entry.topic in _DIGEST and isinstance(entry.data, dict):
        known[entry.topic] = entry.data.get(_DIGEST[entry.topic]), entry.by
