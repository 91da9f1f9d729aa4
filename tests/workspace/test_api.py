"""The Python API: a workspace composed of rooms, and the stored events after a position."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit import small
from tradex_ledger.ledger.entry import Entry
from tradex_ledger.workspace import Workspace
from tradex_ledger.workspace import opened as api
from tradex_ledger.workspace.core import Core

ROOMS = (
    "policy",
    "datasets",
    "lake",
    "incremental",
    "runs",
    "backfills",
    "alerts",
    "spending",
    "seals",
    "store",
    "audit",
    "projections",
    "mirrors",
    "feeds",
)


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("api")
    small.deliver(root / "posts", days=2)
    with small.create(root / "ws", f"files:{root / 'posts'}") as workspace:
        workspace.incremental.run(last=small.day(2))
    return root / "ws"


def test_a_workspace_is_composed_and_nothing_in_it_inherits(ws: Path):
    with small.reopen(ws) as workspace:
        rooms = {name for name, room in vars(workspace).items() if not isinstance(room, Core)}
        assert rooms == set(ROOMS)
        for one in (workspace, workspace.core, *(getattr(workspace, name) for name in ROOMS)):
            assert type(one).__bases__ == (object,)


def test_the_events_after_a_position_are_those_and_no_others_page_by_page(ws: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(api, "PAGE", 3)
    with small.reopen(ws) as workspace:
        found = list(workspace.events())
        end = workspace.ledger.position()
        assert [entry.position for entry in found] == list(range(1, end + 1))
        assert all(isinstance(entry, Entry) for entry in found)
        assert found == workspace.audit.log(limit=end).events
        assert [entry.position for entry in workspace.events(end - 2)] == [end - 1, end]
        assert list(workspace.events(end)) == []
        workspace.datasets.protect("gold_signals", small.day(1), small.day(1), reason="a legal hold, case 2024-7")
        assert [entry.topic for entry in workspace.events(end)] == ["dataset.partitions_protected"]


def test_what_the_shell_prints_is_to_be_had_as_values(ws: Path):
    with Workspace.open(ws, reading=True) as workspace:
        assert workspace.query("select count(*) from gold_metrics").rows[0][0] > 0
        (run,) = workspace.audit.look.runs()
        assert workspace.audit.run(run.id).run == run.run
        assert workspace.state.cursor == workspace.audit.look.states()[0].cursor
        assert workspace.alerts.all() == []
