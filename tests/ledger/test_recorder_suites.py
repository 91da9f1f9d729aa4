"""The suites that the eventsourcing library ships, run against the recorders on every store."""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from unittest import TestCase
from uuid import uuid4

from eventsourcing.tests import persistence as suites
from sqlalchemy import Engine, QueuePool

from tests.kit.stores import STORES, Kind, created
from tradex_ledger.ledger.recorder import Recorder


class OnAStore(TestCase):
    """A new database for each test."""

    kind: Kind

    def new_originator_id(self) -> str:
        return str(uuid4())

    def create_recorder(self) -> Recorder:
        folder = self.enterContext(tempfile.TemporaryDirectory())
        engine = self.enterContext(created(self.enterContext(self.kind.fresh(Path(folder)))))
        self.addCleanup(_wait_for_readers, engine)
        return Recorder(engine, lambda: datetime.now(UTC), poll_seconds=0.01)


def _wait_for_readers(engine: Engine) -> None:
    """A suite does not join the threads in which it reads: their connections are given back a moment later."""
    until = time.monotonic() + 10
    while isinstance(engine.pool, QueuePool) and engine.pool.checkedout() and time.monotonic() < until:
        time.sleep(0.005)


class Application(OnAStore, suites.ApplicationRecorderTestCase[Recorder]):
    __test__ = False

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class Tracking(OnAStore, suites.TrackingRecorderTestCase):
    __test__ = False


class Process(OnAStore, suites.ProcessRecorderTestCase):
    __test__ = False


class NonInterleaving(OnAStore, suites.NonInterleavingNotificationIDsBaseCase):
    __test__ = False


for one in STORES:
    for suite in (Application, Tracking, Process, NonInterleaving):
        name = f"{suite.__name__}_{one.name}"
        globals()[name] = type(name, (suite,), {"kind": one, "__test__": True, "__module__": __name__})
