"""The suites that the eventsourcing library ships, run against the recorders."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from unittest import TestCase
from uuid import uuid4

from eventsourcing.tests import persistence as suites
from sqlalchemy import Engine

from tradex_ledger.ledger.recorder import Recorder
from tradex_ledger.ledger.store import create_store, open_engine


class OnSQLite(TestCase):
    """A new file database for each test."""

    def new_originator_id(self) -> str:
        return str(uuid4())

    def create_engine(self) -> Engine:
        folder = tempfile.mkdtemp()
        engine = open_engine(f"sqlite:///{Path(folder, 'ledger.db')}", create=True)
        create_store(engine, ledger_id="ld-test", created_at=datetime.now(UTC))
        self.addCleanup(shutil.rmtree, folder)
        self.addCleanup(engine.dispose)
        return engine

    def create_recorder(self) -> Recorder:
        return Recorder(self.create_engine(), lambda: datetime.now(UTC), poll_seconds=0.01)


class TestApplication(OnSQLite, suites.ApplicationRecorderTestCase[Recorder]):
    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestTracking(OnSQLite, suites.TrackingRecorderTestCase):
    pass


class TestProcess(OnSQLite, suites.ProcessRecorderTestCase):
    pass


class TestNonInterleaving(OnSQLite, suites.NonInterleavingNotificationIDsBaseCase):
    pass
