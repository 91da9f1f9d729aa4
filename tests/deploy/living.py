"""A deployment that lives: a worker that follows a ledger in PostgreSQL, and what is asked of it meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.deploy.scripts import ADMIN, ADMINS, LOGIN, LOGINS, Guarded, Place, passwords
from tests.kit import small
from tests.kit.stores import point
from tradex_ledger.config import FILE, load_config
from tradex_ledger.ledger.copying import pour_all
from tradex_ledger.ledger.store import open_engine, store_info, writing

SPAN = ("bronze_x_posts", "--from", "2024-01-02", "--to", "2024-01-02", "--no-override-state", "--reason", small.REASON)


@contextmanager
def worker(at: Place, ws: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A worker that follows the ledger, ended by SIGTERM as systemd does."""
    program, name = str(at.folder / "bin" / "tradex"), "worker"
    follow = [program, "-C", str(ws), "--as", name, "worker", "--poll-seconds", "0.3", *words]
    environment = {**os.environ, **at.environment}
    with (at.folder / "worker.log").open("a") as log:
        made = subprocess.Popen(follow, env=environment, text=True, stdout=log, stderr=log, start_new_session=True)
    try:
        until(lambda: "waiting for approved" in (at.folder / "worker.log").read_text())
        yield made
        assert made.poll() is None, (at.folder / "worker.log").read_text()
    finally:
        if made.poll() is None:
            os.killpg(made.pid, signal.SIGTERM)
            made.wait(30)


def until(found: Callable[[], object], seconds: float = 60) -> None:
    """Look again and again."""
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, "it did not come to that in time"
        time.sleep(0.1)


def moved(at: Place, ws: Path, database: Guarded) -> None:
    """The ledger of a workspace in the database, as its owner would have made it; who works may append to it."""
    source, target = (
        open_engine(load_config(ws / FILE).ledger_url),
        open_engine(database.server.url("tradex"), create=True),
    )
    with writing(target) as there, writing(source) as here:
        pour_all(here, there, store_info(source))
    source.dispose()
    target.dispose()
    point(ws, database.url())
    at.environment["PGPASSFILE"] = str(passwords(at, **{ADMIN: ADMINS, LOGIN: LOGINS}))
    at.but(PGUSER=ADMIN).tradex("-C", ws, "ledger", "grants")
    database.say(f"grant tradex_writer to {LOGIN}")
    at.environment["PGUSER"] = LOGIN


def request(at: Place, ws: Path) -> str:
    """A backfill that is approved; its id."""
    made = at.answer("-C", ws, "--as", "ana", "backfill", "request", "temporal", *SPAN)["run_id"]
    at.tradex("-C", ws, "--as", "ben", "backfill", "approve", made)
    return str(made)
