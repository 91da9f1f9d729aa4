"""Many writers on one PostgreSQL whose server is killed while they save: nothing lost, nothing twice, one root."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from tests.kit import postgres
from tradex_ledger.ledger import merkle
from tradex_ledger.ledger.select import open_store, read
from tradex_ledger.ledger.store import create_store, open_engine
from tradex_ledger.ledger.tree import stored_tree

WRITER = Path(__file__).with_name("writer_process.py")


@pytest.mark.parametrize(
    ("writers", "events", "crashes"),
    [(4, 2_000, 2), pytest.param(8, 20_000, 3, marks=pytest.mark.soak)],
)
def test_what_eight_writers_save_survives_the_death_of_the_server(writers: int, events: int, crashes: int) -> None:
    with postgres.server() as server, postgres.fresh(server.url()) as url:
        engine = open_engine(url, create=True)
        create_store(engine, ledger_id="ld-test", created_at=datetime.now(UTC))
        engine.dispose()
        each = events // writers
        running = [
            subprocess.Popen([sys.executable, WRITER, url, f"bf-{n}", str(each), "50"], stderr=subprocess.PIPE)
            for n in range(writers)
        ]
        # Who never reached the server does not wait for it.
        wait_for(lambda: len(open_store(url).select("select distinct stream from events")) == writers)
        for crash in range(1, crashes + 1):
            wait_for(partial(is_as_far, url, crash * events // (crashes + 2)))
            server.stop()
            time.sleep(0.2)
            server.start()
        for process in running:
            _, said = process.communicate(timeout=300)
            assert process.returncode == 0, said.decode()
        store = open_store(url)
        rows = store.select(read("range"), first=1, last=events + 1)
        assert [row[0] for row in rows] == list(range(1, events + 1))
        assert Counter(row[1] for row in rows) == {f"bf-{n}": each for n in range(writers)}
        leaves = [merkle.leaf_hash(row[6].encode()) for row in rows]
        assert stored_tree(store, events).root() == merkle.root(leaves)


def is_as_far(url: str, position: int) -> bool:
    return open_store(url).position() >= position


def wait_for(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.01)
