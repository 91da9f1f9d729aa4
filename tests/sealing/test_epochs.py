"""A ledger that lost events goes on in an epoch: its heads have another origin then, and those of the lost one end."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests import worlds
from tests.kit import sealed, small
from tests.kit.sealed import copied_away, grow, put_back, with_sink
from tests.kit.stores import point
from tradex_ledger.audit.documents.seal import CutDocument
from tradex_ledger.lake.identity_errors import EpochWaitsError, NotLostError
from tradex_ledger.sealing import keys
from tradex_ledger.sealing.as_of import GivenUpHeadError
from tradex_ledger.sealing.checkpoint import Checkpoint, origin_of
from tradex_ledger.sealing.checkpoint import sealed as signed_head
from tradex_ledger.sealing.heads import CutLedgerError, HeadError, SplitViewError, check_all
from tradex_ledger.sealing.places import Named
from tradex_ledger.sealing.witness import RolledBackError, UnknownLogError
from tradex_ledger.workspace import Workspace
from tradex_ledger.workspace.witness import witness as work

REASON = "the disk of the ledger was lost, INC-4320"


@pytest.fixture
def ws(tmp_path: Path) -> Path:
    """A workspace whose ledger was put back from a copy: a head of the lost one is kept at home and outside."""
    ws = worlds.copied(tmp_path, days=2, until=None)
    with_sink(ws)
    old = copied_away(ws, tmp_path / "old")
    with small.reopen(ws) as workspace:
        for _ in range(3):  # heads of several sizes
            grow(workspace, 2)
            workspace.seals.cut()
    copied_away(ws, tmp_path / "lost")
    put_back(ws, old)
    return ws


def mending(ws: Path, actor: str) -> Workspace:
    tolerated = (*small.ANY_LAKE, "ledger-cut", "split-view")
    return Workspace.open(ws, actor=actor, clock=small.Ticking(), tolerates=tolerated)


def lost_head(ws: Path) -> int:
    """The size of the newest head that is kept outside."""
    with Workspace.open(ws, reading=True) as workspace:
        (outside,) = workspace.core.places.outside
        newest = outside.newest()
        assert newest is not None
        return newest.size


def begun(ws: Path) -> CutDocument:
    """A new epoch, begun by two people; the head after it."""
    with mending(ws, "ana") as ana:
        digest = ana.lake.plan_epoch(lost_head(ws), reason=REASON).digest
        with pytest.raises(EpochWaitsError):
            ana.seals.cut()
    with mending(ws, "ben") as ben:
        ben.lake.begin_epoch(digest)
    with small.reopen(ws) as workspace:
        return workspace.seals.cut()


def test_heads_alone_make_a_lost_ledger_ask_for_an_epoch_from_what_they_know(ws: Path):
    end = lost_head(ws)
    with pytest.raises(CutLedgerError):
        small.reopen(ws)
    with mending(ws, "ana") as ana:
        position = ana.ledger.position()
        plan = ana.lake.plan_epoch(end - 1, reason=REASON)
        assert (plan.base, plan.lost_position) == (position, end)
        assert ana.lake.plan_epoch(end + 5, reason=REASON).lost_position == end + 5


def test_where_no_head_is_lost_none_is_given_up(ws: Path, tmp_path: Path):
    put_back(ws, tmp_path / "lost")
    with small.reopen(ws) as workspace, pytest.raises(NotLostError):
        workspace.lake.plan_epoch(10_000, reason=REASON)


def test_heads_go_on_from_the_approved_epoch_under_an_origin_of_their_own(ws: Path):
    made = begun(ws)
    with small.reopen(ws) as workspace:
        assert made.origin == origin_of(workspace.ledger.id, 1)
        assert made.size == workspace.ledger.position()
        inside, outside = workspace.core.places.all
        assert inside.newest() == outside.newest() == Named(1, made.size)
        end = grow(workspace)
        assert workspace.seals.cut().size == end


def test_a_head_of_the_lost_ledger_says_nothing_any_more_and_one_of_before_still_does(ws: Path):
    lost = lost_head(ws)
    begun(ws)
    with small.reopen(ws) as workspace:
        while workspace.ledger.position() <= lost:  # past the size of every head that was lost
            grow(workspace)
        workspace.seals.cut()
        inside = workspace.core.places.inside
        first, last = inside.heads()[0], Named(0, lost)
        assert workspace.audit.look.runs(str(inside.folder / first.name)) == []
        with pytest.raises(GivenUpHeadError):
            workspace.audit.look.runs(str(inside.folder / last.name))


def test_the_lost_ledger_is_refused_when_it_turns_up_again(ws: Path, tmp_path: Path):
    begun(ws)
    put_back(ws, tmp_path / "lost")
    with mending(ws, "ana") as ana, pytest.raises(HeadError):
        check_all(ana.ledger.store, ana.core.places.all)
    with mending(ws, "ana") as ana:
        grow(ana, 20)
        with pytest.raises(HeadError):
            ana.seals.cut()


def test_a_head_of_more_events_than_were_given_up_is_named(ws: Path, tmp_path: Path):
    """A disk that was not there when the epoch began has a head that nobody spoke of."""
    put_back(ws, tmp_path / "lost")
    away = tmp_path / "away"
    with small.reopen(ws) as workspace:
        grow(workspace)
        later = workspace.seals.cut()
        (outside,) = workspace.core.places.outside
        shutil.copytree(outside.folder, away)
        name = Named(0, later.size).name
        for place in workspace.core.places.all:
            (place.folder / name).unlink()
    put_back(ws, tmp_path / "old")
    begun(ws)
    with small.reopen(ws) as workspace:
        grow(workspace, 20)
        for file in outside.folder.iterdir():
            file.unlink()
        shutil.copy(away / name, outside.folder)
        with pytest.raises(SplitViewError):
            workspace.seals.cut()


def test_a_head_of_what_both_ledgers_have_in_common_is_not_given_up(ws: Path):
    begun(ws)
    with small.reopen(ws) as workspace:
        grow(workspace)
        inside, outside = workspace.core.places.all
        first = inside.heads()[0]
        false = Checkpoint(origin_of(workspace.ledger.id), first.size, bytes(32))
        for file in outside.folder.iterdir():
            file.unlink()
        outside.lay(Named(0, false.size), signed_head(false, keys.read_secret(keys.path_of(ws))))
        with pytest.raises(SplitViewError):
            workspace.seals.cut()


def test_what_turns_up_between_asking_and_approving_is_not_given_up_unsaid(ws: Path):
    end = lost_head(ws)
    with mending(ws, "ana") as ana:
        digest = ana.lake.plan_epoch(end, reason=REASON).digest
        later = Checkpoint(origin_of(ana.ledger.id), end + 10, bytes(32))
        (outside,) = ana.core.places.outside
        outside.lay(Named(0, later.size), signed_head(later, keys.read_secret(keys.path_of(ws))))
    with mending(ws, "ben") as ben:
        before = ben.ledger.position()
        with pytest.raises(CutLedgerError):
            ben.lake.begin_epoch(digest)
        assert ben.ledger.position() == before


def test_a_move_loses_nothing_and_the_origin_stays(ws: Path, tmp_path: Path):
    put_back(ws, tmp_path / "lost")
    url = f"sqlite:///{tmp_path / 'moved.db'}"
    with small.reopen(ws) as ana:
        plan = ana.store.plan_move(url, reason="a second host, INC-4500")
    with small.reopen(ws, "ben") as ben:
        ben.store.move(plan.digest)
    point(ws, url)
    with small.reopen(ws) as ana:
        assert ana.lake.identity().epoch == 1
        grow(ana)
        made = ana.seals.cut()
        assert (made.origin, made.size) == (origin_of(ana.ledger.id), ana.ledger.position())


def test_a_witness_goes_on_only_from_the_epoch_and_never_back(ws: Path, tmp_path: Path):
    eve, log = tmp_path / "eve", (ws / "keys" / "checkpoint.pub").read_text(encoding="utf-8").strip()
    put_back(ws, tmp_path / "lost")
    work(eve, new="eve", log=log)
    with small.reopen(ws) as workspace:
        workspace.seals.ask_witness(tmp_path / "first", 0)
    work(eve, tmp_path / "first")
    shorter = sealed.ledger_of(ws)
    assert shorter
    put_back(ws, tmp_path / "old")
    for place in ((ws / "checkpoints"), *(ws.parent / "usb").iterdir()):
        for file in place.iterdir():
            file.rename(tmp_path / file.name)
    with small.reopen(ws) as workspace:  # who hides the heads that he knows of
        workspace.seals.ask_witness(tmp_path / "back", 0)
    with pytest.raises(RolledBackError):
        work(eve, tmp_path / "back")
    for place in ((ws / "checkpoints"), *(ws.parent / "usb").iterdir()):
        for file in tmp_path.glob("0*"):
            shutil.copy(file, place)
    begun(ws)
    with small.reopen(ws) as workspace:
        workspace.seals.ask_witness(tmp_path / "anew", 0)
        key = workspace.seals.keys().own
    with pytest.raises(UnknownLogError):
        work(eve, tmp_path / "anew")
    assert key is not None
    document = work(eve, tmp_path / "anew", log=(ws / "keys" / "checkpoint.pub").read_text(encoding="utf-8").strip())
    assert len(document.logs) == 2
