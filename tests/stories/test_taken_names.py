"""A dataset of an older release that is called as a projection of this one: nothing is mistaken for it in silence."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.kit import small
from tests.kit.tree import ROOT
from tradex_ledger.audit.query import QueryError
from tradex_ledger.datasets import names
from tradex_ledger.datasets.definition import DefinitionError

REQUESTS = """\
-- /// dataset
-- layer = "gold"
-- partition = "date"
-- key = ["date", "ticker"]
-- reads = { gold_metrics = "0d" }
-- ///
-- One row a (day, ticker).
select date, ticker, mentions from gold_metrics
"""


@pytest.fixture
def ws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with such a dataset, which has run until the beginning of 3 January."""
    small.deliver(tmp_path / "posts", days=4)
    folder = tmp_path / "ws"
    no_python = shutil.ignore_patterns("*py*")
    shutil.copytree(ROOT / "tradex_ledger" / "pipelines" / "x", folder / "pipeline", ignore=no_python)
    shutil.rmtree(folder / "pipeline" / "demo", ignore_errors=True)
    (folder / "pipeline" / "requests.sql").write_text(REQUESTS, encoding="utf-8")
    with monkeypatch.context() as older:
        older.setattr(names, "reserved", frozenset[str])
        with small.create(folder, f"files:{tmp_path / 'posts'}", pipeline="pipeline") as workspace:
            assert workspace.incremental.run(last=small.day(2)).status == "SUCCESS"
    return folder


def test_what_is_a_dataset_and_a_table_of_the_ledgers_own_is_asked_for_by_its_version(ws: Path):
    with small.reopen(ws) as workspace:
        counted = workspace.query("select count(*) from gold_metrics").rows
        with pytest.raises(QueryError, match="requests is a dataset here") as refused:
            workspace.query("select count(*) from requests")
        assert "read the dataset as requests_v1;" in refused.value.mend
        assert workspace.query("select count(*) from requests_v1").rows == counted
        assert workspace.query("select count(*) from work").rows == [(0,)]


def test_it_goes_on_under_another_name_once_it_is_given_up(ws: Path):
    with small.reopen(ws) as workspace, pytest.raises(DefinitionError, match="ledger's own: requests") as refused:
        workspace.incremental.run(last=small.day(3))
    assert "read as requests_v1" in refused.value.mend
    assert "tradex dataset deprecate requests 1 --reason …" in refused.value.mend
    (ws / "pipeline" / "requests.sql").rename(ws / "pipeline" / "gold_requests.sql")
    with small.reopen(ws) as workspace:
        workspace.datasets.deprecate("requests", 1, reason="its name is a table of the ledger's own now")
        assert workspace.incremental.run(last=small.day(3)).status == "SUCCESS"
        answer = workspace.query("select count(*) from requests")
        assert answer.rows == [(0,)]
        assert answer.warnings == ["requests is a table of the ledger's own; the dataset of that name is requests_v1"]
        assert workspace.query("select count(*) from requests_v1").rows[0][0] > 0
