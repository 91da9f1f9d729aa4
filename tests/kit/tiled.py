"""Ledgers of many small events, quickly made, and their signed heads."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from eventsourcing.persistence import StoredEvent
from sqlalchemy import Engine, text

from tests.kit import rfc9162
from tests.kit.evidence import LEDGER, ORIGIN, SIGNER
from tradex_ledger.ledger.ask import events_of
from tradex_ledger.ledger.entry import canonical
from tradex_ledger.ledger.recorder import Recorder
from tradex_ledger.ledger.select import Store, open_store
from tradex_ledger.ledger.store import create_store, open_engine
from tradex_ledger.sealing.checkpoint import Checkpoint, SignedCheckpoint, opened_checkpoint, sealed

AT = datetime(2024, 1, 1, tzinfo=UTC)


def opened(path: Path, ledger: str = LEDGER) -> Engine:
    """A new ledger in a file."""
    engine = open_engine(f"sqlite:///{path}", create=True)
    create_store(engine, ledger_id=ledger, created_at=AT)
    return engine


def add(engine: Engine, count: int, length: int = 1) -> None:
    """So many events more, with a text of so many characters in each."""
    with engine.connect() as connection:
        first = connection.execute(text("select coalesce(max(position), 0) from events")).scalar_one()
    body = canonical({"by": "ana", "data": {"text": "x" * length}, "v": 1})
    Recorder(engine, lambda: AT).insert_events([StoredEvent("s", first + n + 1, "t", body) for n in range(count)])


def store_of(engine: Engine) -> Store:
    """The same, for reading."""
    return open_store(f"sqlite:///{engine.url.database}")


def signed_at(store: Store, size: int) -> SignedCheckpoint:
    """The signed head of its first so many events, its root made by the words of the RFC."""
    leaves = [rfc9162.leaf_hash(event.entry.encode()) for event in events_of(store, [], upto=size)]
    return opened_checkpoint(sealed(Checkpoint(ORIGIN, size, rfc9162.mth(leaves)), SIGNER), [SIGNER.verifier])
