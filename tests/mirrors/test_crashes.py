"""A mirror goes on from the position it holds, wherever whoever kept it up died, and whoever else was at it."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.kit import mirrored, small
from tests.kit.faults import Crash
from tests.kit.tree import ROOT
from tradex_ledger.audit.documents.followers import PATIENCE
from tradex_ledger.config import FILE
from tradex_ledger.domain.mirrors import DELTA, DUCKLAKE, KINDS
from tradex_ledger.mirrors.keep import Known, rebuild, sync
from tradex_ledger.mirrors.open import open_mirror
from tradex_ledger.mirrors.port import Held, NotOursError, StrangeMirrorError
from tradex_ledger.mirrors.readers import MirrorDisagreesError, steps
from tradex_ledger.sealing.roots import root_at
from tradex_ledger.workspace import Workspace

POINTS = {
    DELTA: {"before a commit", "after a commit", "before the note", "while cleared"},
    DUCKLAKE: {"before the catalog is there", "after the catalog is there", "while cleared"},
}


class Dying:
    """Dies at the n-th point that it is told of."""

    def __init__(self, n: int) -> None:
        self.left, self.seen = n, list[str]()

    def __call__(self, point: str) -> None:
        self.seen.append(point)
        self.left -= 1
        if self.left == 0:
            raise Crash


@pytest.fixture
def open_ws(ws: Path) -> Iterator[Workspace]:
    with small.reopen(ws) as workspace:
        yield workspace


@pytest.mark.parametrize("kind", KINDS)
def test_who_dies_anywhere_leaves_what_the_next_one_goes_on_with_without_doubles(open_ws: Workspace, kind: str):
    ws, ledger, lake = open_ws.config.folder, open_ws.ledger, open_ws.core.lake
    whole, setting, known = mirrored.held(ws)[kind], mirrored.mirrors(ws)[kind], Known()
    died: set[str] = set()
    for n in range(1, 1_000):
        dying = Dying(n)
        try:
            rebuild(ledger, lake, setting, dying, known)
        except Crash:
            died.add(dying.seen[-1])
            sync(ledger, lake, setting, known=known)
            assert mirrored.held(ws)[kind] == whole, dying.seen[-1]
            assert not list(Path(setting.place).parent.rglob(".*.json.*"))
        else:
            break
    assert died == POINTS[kind]


def test_a_crash_between_the_publication_and_the_mirror_is_said_and_caught_up(ws: Path):
    settings = ws / FILE
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.partition("[mirrors.")[0], encoding="utf-8")  # nobody keeps them up
    with small.reopen(ws) as workspace:
        workspace.incremental.run(last=small.day(5))
    settings.write_text(text, encoding="utf-8")
    with small.reopen(ws) as workspace:
        assert not [one for one in workspace.status().attention if one.kind == "mirror behind"]  # it has just happened
    with Workspace.open(ws, actor="ana", clock=small.Ticking(small.Ticking().now + 3 * PATIENCE)) as workspace:
        found = [one for one in workspace.status().attention if one.kind == "mirror behind"]
        assert [one.command for one in found] == [f"tradex mirror sync {name}" for name in mirrored.NAMES]
        for one in found:
            assert re.search(r"is as of position \d+ and lacks \d+ events after which readers see", one.message), one
            assert re.search(r", for 4\d min", one.message), one
        assert all(one.behind > 0 for one in workspace.mirrors.all())
        assert all(one.steps > 0 for one in workspace.mirrors.sync())
        assert not [one for one in workspace.status().attention if one.kind.startswith("mirror")]
        once = mirrored.held(ws)
        assert [one.steps for one in workspace.mirrors.sync()] == [0, 0]
        workspace.mirrors.rebuild()
        assert mirrored.held(ws) == once


@pytest.mark.parametrize("kind", KINDS)
def test_who_is_late_adds_nothing_that_another_has_added_meanwhile(open_ws: Workspace, kind: str):
    ws, store, lake = open_ws.config.folder, open_ws.ledger.store, open_ws.core.lake
    whole, setting = mirrored.held(ws)[kind], mirrored.mirrors(ws)[kind]
    open_mirror(setting, store, lake).clear()
    position = store.position()
    found, upto = steps(open_ws.ledger, 0, position), Held(store.ledger, position, root_at(store, position).hex())
    late = open_mirror(setting, store, lake)
    assert late.held() is None
    sync(open_ws.ledger, lake, setting)
    assert late.take(found, None, upto) == 0
    assert mirrored.held(ws)[kind] == whole


def test_of_two_that_write_the_same_commit_one_wins_and_the_other_goes_on(open_ws: Workspace):
    ws, lake, known = open_ws.config.folder, open_ws.core.lake, Known()
    whole, setting = mirrored.held(ws)[DELTA], mirrored.mirrors(ws)[DELTA]
    turns = iter(range(3))

    def meanwhile(point: str) -> None:
        if point == "before a commit" and next(turns, 2) == 1:
            sync(open_ws.ledger, lake, setting, known=known)

    assert rebuild(open_ws.ledger, lake, setting, meanwhile, known).position == open_ws.ledger.position()
    assert mirrored.held(ws)[DELTA] == whole


def test_two_processes_at_once_leave_one_mirror(ws: Path):
    whole = mirrored.held(ws)
    shutil.rmtree(ws / "mirrors")
    call = [sys.executable, str(ROOT / "cli.py"), "-C", str(ws), "mirror", "sync"]
    both = [subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    ended = [one.communicate() for one in both]
    assert [one.returncode for one in both] == [0, 0], ended
    assert mirrored.held(ws) == whole


def test_a_mirror_of_another_ledger_is_refused_and_said(ws: Path, tmp_path: Path):
    small.deliver(tmp_path / "other-posts", days=2, posts_per_day=4)
    with small.create(tmp_path / "other", f"files:{tmp_path / 'other-posts'}") as other:
        other.incremental.run(last=small.day(2))
    mirrored.name_mirrors(tmp_path / "other", "mirrors")
    shutil.copytree(ws / "mirrors", tmp_path / "other" / "mirrors", symlinks=True)
    before = mirrored.held(tmp_path / "other")
    with small.reopen(tmp_path / "other") as other:
        for name in mirrored.NAMES:
            with pytest.raises(StrangeMirrorError, match="is one of the ledger"):
                other.mirrors.sync(name)
        assert mirrored.held(tmp_path / "other") == before
        assert all(one.problem and "tradex mirror rebuild" in str(one.mend) for one in other.mirrors.all())
        assert [one.kind for one in other.status().attention].count("mirror") == 2
        assert {one.position for one in other.mirrors.rebuild()} == {other.ledger.position()}
        assert not any(one.problem or one.behind for one in other.mirrors.all())


def test_a_mirror_of_a_record_that_went_on_otherwise_is_refused(ws: Path, tmp_path: Path):
    fork = small.copied(ws.parent, tmp_path / "fork")
    with small.reopen(ws) as workspace:
        workspace.incremental.run(last=small.day(5))
    with small.reopen(fork) as workspace:
        workspace.datasets.protect("gold_metrics", small.day(1), small.day(1), reason="a legal hold, case 2024-7")
        shutil.rmtree(fork / "mirrors")
        shutil.copytree(ws / "mirrors", fork / "mirrors", symlinks=True)
        for name in mirrored.NAMES:
            with pytest.raises(StrangeMirrorError, match="this ledger ends with"):
                workspace.mirrors.sync(name)
        for number in range(40):
            name = ("protect", "unprotect")[number % 2]
            getattr(workspace.datasets, name)(
                "gold_metrics", small.day(2), small.day(2), reason="a legal hold, case 2024-7"
            )
        for name in mirrored.NAMES:
            with pytest.raises(StrangeMirrorError, match="another record"):
                workspace.mirrors.sync(name)


def test_a_table_that_somebody_else_wrote_to_is_not_written_on(open_ws: Workspace):
    import deltalake
    import pyarrow as pa

    ws = open_ws.config.folder
    table = mirrored.delta_folder(ws) / "gold_metrics"
    rows = deltalake.DeltaTable(str(table)).to_pyarrow_table()
    deltalake.write_deltalake(str(table), pa.table(rows).slice(0, 1), mode="append")
    open_ws.incremental.run(last=small.day(5))  # which does not fail for it
    setting = mirrored.mirrors(ws)[DELTA]
    with pytest.raises(StrangeMirrorError, match="somebody else made"):
        sync(open_ws.ledger, open_ws.core.lake, setting)
    rebuild(open_ws.ledger, open_ws.core.lake, setting)
    assert deltalake.DeltaTable(str(table)).version() == len(mirrored.commits(ws, "gold_metrics")) - 1


def test_a_log_that_lost_a_commit_is_not_written_on(open_ws: Workspace):
    ws = open_ws.config.folder
    mirrored.commits(ws, "gold_metrics")[-1].unlink()
    open_ws.incremental.run(last=small.day(5))
    with pytest.raises(StrangeMirrorError, match="commits of gold_metrics, and had"):
        sync(open_ws.ledger, open_ws.core.lake, mirrored.mirrors(ws)[DELTA])


def test_a_catalog_that_somebody_else_wrote_to_is_not_written_on(open_ws: Workspace):
    ws = open_ws.config.folder
    with closing(sqlite3.connect(mirrored.catalog_file(ws))) as connection, connection:
        connection.execute(
            "insert into ducklake_snapshot select 99999, snapshot_time, 1, 1, 1 from ducklake_snapshot limit 1"
        )
    open_ws.incremental.run(last=small.day(5))
    with pytest.raises(StrangeMirrorError, match="has a snapshot 99999"):
        sync(open_ws.ledger, open_ws.core.lake, mirrored.mirrors(ws)[DUCKLAKE])


def test_a_catalog_that_lost_rows_is_not_written_on(open_ws: Workspace):
    with closing(sqlite3.connect(mirrored.catalog_file(open_ws.config.folder))) as connection, connection:
        connection.execute("delete from ducklake_column_mapping")
    open_ws.incremental.run(last=small.day(5))  # which does not fail for it
    with pytest.raises(StrangeMirrorError, match="is not as it was made"):
        open_ws.mirrors.sync("lakehouse")
    assert open_ws.mirrors.rebuild("lakehouse")[0].steps > 0


def test_what_somebody_else_made_is_taken_away_by_nobody(open_ws: Workspace):
    import deltalake
    import pyarrow as pa

    ws = open_ws.config.folder
    shutil.rmtree(ws / "mirrors")
    deltalake.write_deltalake(str(ws / "mirrors" / "delta" / "gold_metrics"), pa.table({"a": [1]}))
    with closing(sqlite3.connect(mirrored.catalog_file(ws))) as connection, connection:
        connection.execute("create table ducklake_metadata (key text, value text, scope text, scope_id bigint)")
        connection.execute("insert into ducklake_metadata values ('version', '1.0', null, null)")
    before = mirrored.held(ws)
    for name in mirrored.NAMES:
        with pytest.raises(StrangeMirrorError, match="somebody else made"):
            open_ws.mirrors.sync(name)
        with pytest.raises(NotOursError, match="somebody else has"):
            open_ws.mirrors.rebuild(name)
    found = mirrored.held(ws)
    assert found[DUCKLAKE] == before[DUCKLAKE]
    assert {**found[DELTA], **before[DELTA]} == found[DELTA]


def test_what_is_not_the_catalog_is_handed_to_no_mirror(open_ws: Workspace, monkeypatch: pytest.MonkeyPatch):
    from tradex_ledger.mirrors import readers

    monkeypatch.setattr(readers._Reading, "_published", lambda self, entry: self._step(entry, [], None))
    monkeypatch.setattr(readers._Reading, "is_folded", True)
    with pytest.raises(MirrorDisagreesError, match="would be missing in mirrors"):
        steps(open_ws.ledger, 0, open_ws.ledger.position())
