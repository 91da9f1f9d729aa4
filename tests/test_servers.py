"""The servers that tests start: PostgreSQL as root, from an environment that others do not get to."""

from __future__ import annotations

import os
from pathlib import Path

import psycopg
import pytest

from tests.kit import postgres


@pytest.mark.skipif(os.geteuid() != 0, reason="whoever is not root runs it as who they are")
def test_a_server_runs_where_nobody_gets_to_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its programs, and the libraries that the wheel has beside them, are copied to where it does."""
    found = postgres.binary("initdb")
    monkeypatch.setattr(postgres, "passable", lambda path: Path(path) not in found.parents)
    monkeypatch.setattr(postgres, "installed", postgres.installed.__wrapped__)
    with postgres.server() as server, psycopg.connect(server.url()) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
        assert server.bin != found.parent


def test_whoever_is_shut_out_of_one_folder_does_not_pass(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "in").mkdir(parents=True)
    closed.chmod(0o700)
    assert not postgres.passable(closed / "in")
    assert postgres.passable(Path("/"))
