"""Somebody waits for the first page: it loads neither what decides nor what other pages need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import worlds
from tests.kit import small

ASKED = """
import sys
from pathlib import Path
from starlette.testclient import TestClient
from tradex_ledger.audit.look import Look
from tradex_ledger.web.app import make_app
from tradex_ledger.web.serve import Served, _opener, site_of
from contextlib import ExitStack

with ExitStack() as stack:
    look = Look.open(Path(sys.argv[1]))
    site = site_of(look, "maria", Served(), frozenset({"testserver"}), _opener(look.config.folder, "maria", stack))
    client = TestClient(make_app(site))
    assert client.get(f"/?key={site.who.key}").status_code == 200
    for path in sys.argv[2:]:
        assert client.get(path).status_code == 200, path
print("\\n".join(sys.modules))
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A workspace that has run a week, and the id of a backfill that waits in it."""
    folder = worlds.copied(tmp_path_factory.mktemp("loaded"))
    with small.reopen(folder) as opened:
        return folder, small.request(opened)


def loaded(folder: Path, *paths: str) -> set[str]:
    """The modules of a process that was asked for pages."""
    command = [sys.executable, "-c", ASKED, str(folder), *paths]
    return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())


def test_the_first_page_loads_no_workspace_and_no_other_page(workspace: tuple[Path, str]):
    found = loaded(workspace[0])
    assert "tradex_ledger.web.pages.today" in found
    assert not found & {"tradex_ledger.workspace.opened", "tradex_ledger.web.pages.run", "prometheus_client", "pyarrow"}


def test_who_is_asked_whether_a_run_can_be_taken_back_loads_no_pyarrow(workspace: tuple[Path, str]):
    found = loaded(workspace[0], f"/runs/{workspace[1]}")
    assert "tradex_ledger.upkeep.revert" in found
    assert "pyarrow" not in found
