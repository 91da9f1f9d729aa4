"""A process that saves events, so many a save, on a stream of its own: URL STREAM EVENTS A_SAVE."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from eventsourcing.persistence import StoredEvent

from tradex_ledger.ledger.recorder import Recorder
from tradex_ledger.ledger.store import open_engine


def main() -> None:
    url, stream, events, a_save = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    recorder = Recorder(open_engine(url), lambda: datetime.now(UTC))
    for first in range(1, events + 1, a_save):
        versions = range(first, first + a_save)
        found = recorder.insert_events([StoredEvent(stream, version, "topic", b"state") for version in versions])
        assert found == list(range(found[0], found[0] + a_save))


if __name__ == "__main__":
    main()
