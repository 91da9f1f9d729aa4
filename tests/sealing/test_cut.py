"""Heads are signed where all that was signed before is their beginning, and laid wherever they are missing."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import worlds
from tests.kit import old_workspace, sealed, small
from tests.kit.sealed import copied_away, grow, put_back, with_sink
from tradex_ledger import slow
from tradex_ledger.domain.base import EVENTS
from tradex_ledger.domain.seal import Seal
from tradex_ledger.errors import TradexError
from tradex_ledger.sealing import cut as cutting
from tradex_ledger.sealing import files, keys
from tradex_ledger.sealing.checkpoint import Checkpoint, origin_of
from tradex_ledger.sealing.checkpoint import sealed as signed_head
from tradex_ledger.sealing.heads import (
    CutLedgerError,
    OtherLedgerHeadError,
    SplitViewError,
    head_in,
    newest_in,
    verified,
)
from tradex_ledger.sealing.keys import KeyFileError, NoKeyError
from tradex_ledger.sealing.lines import lines_of
from tradex_ledger.sealing.note import ED25519, SignerKey
from tradex_ledger.sealing.note_errors import NoteError, SignatureError, UnsignedError
from tradex_ledger.sealing.places import Named, Place
from tradex_ledger.workspace import Workspace


@pytest.fixture
def ws(tmp_path: Path) -> Path:
    return worlds.copied(tmp_path, days=2, until=None)


def mending(ws: Path, actor: str = "ana") -> Workspace:
    """The workspace as opened by what mends it."""
    return Workspace.open(
        ws, actor=actor, clock=small.Ticking(), tolerates=(*small.ANY_LAKE, "ledger-cut", "split-view")
    )


def sizes(place: Place) -> list[int]:
    return [named.size for named in place.heads()]


def test_a_new_workspace_has_a_key_of_its_own_and_a_head(ws: Path):
    path = keys.path_of(ws)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    with small.reopen(ws) as workspace:
        (key,) = keys.announced(workspace.ledger.store)
        assert key.name == origin_of(workspace.ledger.id)
        assert keys.published(ws) == key
        announced = [entry for entry in workspace.events() if entry.topic == "seal.key_announced"]
        assert [(entry.data["key"], entry.data["replaces"], entry.by) for entry in announced] == [(key.text, [], "ana")]
        assert sizes(workspace.core.places.inside)[0] == announced[0].position


def test_a_head_is_cut_after_what_calls_for_one_and_every_so_many_events(ws: Path):
    assert set(EVENTS) >= cutting.SEALED_AFTER
    sealed.settings(ws, every=5)
    with small.reopen(ws) as workspace:
        inside = workspace.core.places.inside
        before = sizes(inside)
        grow(workspace, 4)
        assert sizes(inside) == before
        end = grow(workspace)
        assert sizes(inside) == [*before, end]
        grow(workspace)
        assert sizes(inside) == [*before, end]
        workspace.ledger.append(
            Seal.announce_first("name", "0" * 8, keys.announced(workspace.ledger.store)[0].text, by="ana")
        )
        assert sizes(inside) == [*before, end, end + 2]


def test_a_head_is_laid_in_each_place_and_one_that_is_there_is_not_signed_again(ws: Path):
    sink = with_sink(ws)
    with small.reopen(ws) as workspace:
        grow(workspace)
        first, again = workspace.seals.cut(), workspace.seals.cut()
        assert (first.is_new, again.is_new) == (True, False)
        assert first.note == again.note
        (outside,) = workspace.core.places.outside
        assert outside.folder == sink / workspace.ledger.id
        assert outside.read(Named(0, first.size)) == first.note
        assert [(one.missed, one.problem) for one in (*first.places, *again.places)] == [
            (len(sizes(outside)) + 1, None),
            (0, None),
        ]


def test_a_place_that_cannot_be_reached_fails_nothing_is_told_once_and_caught_up(ws: Path):
    sink = with_sink(ws)
    sealed.settings(ws, sinks=[str(sink)], every=1)
    sink.rmdir()
    heard: list[str] = []
    with small.reopen(ws) as workspace, slow.listen(heard.append):
        grow(workspace)
        grow(workspace)
        assert len(heard) == 1
        assert str(sink) in heard[0]
        assert workspace.seals.cut().places[0].problem
        sink.mkdir()
        end = grow(workspace)
        (outside,) = workspace.core.places.outside
        assert sizes(outside) == [end]
        grow(workspace)
        assert [one.missed for one in workspace.seals.cut().places] == [0]


@pytest.mark.parametrize("step", ["_written", "sync"])
def test_whatever_a_disk_refuses_the_save_counts_and_the_next_head_catches_up(
    ws: Path, monkeypatch: pytest.MonkeyPatch, step: str
):
    sealed.settings(ws, every=1)
    with small.reopen(ws) as workspace:
        with monkeypatch.context() as patch:

            def refuse(*_: object) -> None:
                raise OSError(errno.ENOSPC, "no space left on device")

            patch.setattr(files, step, refuse)
            end = grow(workspace)
        assert workspace.ledger.position() == end
        assert workspace.seals.cut().size == end


def test_who_dies_between_two_places_leaves_the_head_to_whoever_comes_next(ws: Path, monkeypatch: pytest.MonkeyPatch):
    with_sink(ws)
    with small.reopen(ws) as workspace:
        end = grow(workspace)

        def die(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(cutting, "_caught_up", die)
            workspace.seals.cut()
        inside, outside = workspace.core.places.all
        assert (sizes(inside)[-1], end in sizes(outside)) == (end, False)
    with small.reopen(ws) as workspace:
        made = workspace.seals.cut()
        assert (made.size, made.is_new) == (end, False)
        assert sizes(outside)[-1] == end


def test_two_who_cut_at_once_lay_one_head(ws: Path, monkeypatch: pytest.MonkeyPatch):
    with small.reopen(ws) as one, small.reopen(ws) as other:
        end = grow(one)
        lay = Place.lay

        def late(place: Place, named: Named, note: str) -> bool:
            monkeypatch.setattr(Place, "lay", lay)
            assert other.seals.cut().is_new
            return lay(place, named, note)

        monkeypatch.setattr(Place, "lay", late)
        made = one.seals.cut()
        assert made.size == end
        assert one.core.places.inside.read(Named(0, end)) == made.note


def test_another_head_that_is_laid_under_the_same_name_meanwhile_is_named(ws: Path, monkeypatch: pytest.MonkeyPatch):
    with small.reopen(ws) as workspace:
        end, lay = grow(workspace), Place.lay
        false = Checkpoint(origin_of(workspace.ledger.id), end, bytes(32))
        other = signed_head(false, keys.read_secret(keys.path_of(ws)))

        def late(place: Place, named: Named, note: str) -> bool:
            lay(place, named, other)
            return lay(place, named, note)

        monkeypatch.setattr(Place, "lay", late)
        with pytest.raises(SplitViewError):
            workspace.seals.cut()


def test_a_disk_without_links_gets_whole_heads_too(ws: Path, monkeypatch: pytest.MonkeyPatch):
    with small.reopen(ws) as workspace:
        end = grow(workspace)

        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.EPERM, "operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
        assert workspace.seals.cut().size == end
        assert newest_in(workspace.core.places.inside) is not None
        assert not list(workspace.core.places.inside.folder.glob(".*"))


def test_nothing_is_signed_without_a_proof_that_it_extends_what_was(ws: Path, monkeypatch: pytest.MonkeyPatch):
    """Whatever else was asked of a kept head, and said yes."""
    with small.reopen(ws) as workspace:
        inside, end = workspace.core.places.inside, grow(workspace)
        false = Checkpoint(origin_of(workspace.ledger.id), end, bytes(32))
        inside.lay(Named(0, end), signed_head(false, keys.read_secret(keys.path_of(ws))))
        grow(workspace)
        monkeypatch.setattr(cutting, "counts", lambda *_: True)
        with pytest.raises(SplitViewError):
            workspace.seals.cut()
        assert sizes(inside)[-1] == end


# -- a ledger that is cut, older, or another's


def test_an_older_copy_is_named_with_the_head_and_refused(ws: Path, tmp_path: Path):
    with_sink(ws)
    old = copied_away(ws, tmp_path / "old")
    with small.reopen(ws) as workspace:
        grow(workspace)
        made = workspace.seals.cut()
    put_back(ws, old)
    with pytest.raises(CutLedgerError) as told:
        small.reopen(ws)
    assert made.root in told.value.message
    assert str(made.size) in told.value.message
    with Workspace.open(ws, reading=True) as workspace:
        assert any(made.root in text for text in workspace.audit.look.strange())
        assert workspace.audit.look.query("select 1").rows == [(1,)]


def test_a_copy_that_went_on_is_named_with_both_heads_and_nothing_is_signed(ws: Path, tmp_path: Path):
    sink = with_sink(ws)
    old = copied_away(ws, tmp_path / "old")
    with small.reopen(ws) as workspace:
        grow(workspace)
        made = workspace.seals.cut()
    put_back(ws, old)
    with mending(ws) as workspace:
        grow(workspace, 2)
        inside = workspace.core.places.inside
        (inside.folder / Named(0, made.size).name).unlink()  # who goes on with a copy cleans up at home
        with pytest.raises(SplitViewError) as told:
            workspace.seals.cut()
        assert made.root in told.value.message
        assert str(sink) in told.value.message
        assert max(sizes(inside)) < made.size


def test_a_ledger_in_the_place_of_another_is_named(ws: Path, tmp_path: Path):
    other = worlds.copied(tmp_path / "other", days=1, until=None)
    put_back(ws, copied_away(other, tmp_path / "copy"))
    (ws / "lake").rename(tmp_path / "lake")
    (other / "lake").rename(ws / "lake")
    with pytest.raises(OtherLedgerHeadError):
        small.reopen(ws)


def edit(ws: Path, statement: str) -> None:
    """What somebody does to the file of a ledger past its guards."""
    connection = sqlite3.connect(ws / "ledger.db")
    for (name,) in connection.execute("select name from sqlite_master where type = 'trigger'").fetchall():
        connection.execute(f"drop trigger {name}")
    connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.norm("N40")
@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("delete from events where position = (select max(position) from events)", CutLedgerError),
        ("update events set leaf = zeroblob(32) where position = 3", SplitViewError),
    ],
)
def test_a_ledger_that_was_cut_or_changed_is_named(ws: Path, statement: str, error: type[TradexError]):
    with small.reopen(ws) as workspace:
        grow(workspace)
        workspace.seals.cut()
    edit(ws, statement)
    with pytest.raises(error):
        small.reopen(ws)


def test_what_is_no_head_or_was_not_signed_stands_in_the_way_of_another(ws: Path):
    with small.reopen(ws) as workspace:
        end, inside = grow(workspace), workspace.core.places.inside
        forged = Checkpoint(origin_of(workspace.ledger.id), end, bytes(32))
        stranger = SignerKey(forged.origin, ED25519, bytes(32))
        real = inside.read(inside.heads()[-1])
        for content, error in (
            (signed_head(forged, stranger), UnsignedError),
            (real, NoteError),
            (real.replace("\n— ", "\nmore\n\n— ", 1), NoteError),
            ("", NoteError),
        ):
            path = inside.folder / Named(0, end).name
            path.write_text(content, encoding="utf-8")
            with pytest.raises(error):
                workspace.seals.cut()
            with pytest.raises(error):
                small.reopen(ws)
            path.unlink()
        assert workspace.seals.cut().size == end


@given(place=st.integers(0, 400), change=st.integers(1, 255))
def test_no_byte_of_a_kept_head_can_be_another(tmp_path_factory: pytest.TempPathFactory, place: int, change: int):
    ws = worlds.made("heads", lambda folder: worlds.copied(folder, days=2, until=None)) / "ws"
    with Workspace.open(ws, reading=True) as workspace:
        inside = workspace.core.places.inside
        named = inside.heads()[-1]
        content = bytearray(inside.read(named).encode())
        content[place % len(content)] ^= change
        folder = tmp_path_factory.mktemp("changed")
        (folder / named.name).write_bytes(content)
        kept = Place("elsewhere", folder)
        store = workspace.ledger.store
        with pytest.raises((NoteError, SignatureError, UnsignedError, OtherLedgerHeadError)):
            verified(store, lines_of(store), head_in(kept, named).note, "there")


# -- the key


def test_a_key_that_others_have_is_refused_with_what_mends_it(ws: Path):
    path = keys.path_of(ws)
    for mode in (0o640, 0o604, 0o660):
        path.chmod(mode)
        with small.reopen(ws) as workspace, pytest.raises(KeyFileError, match="others can have read it"):
            workspace.seals.cut()
    path.chmod(0o400)
    with small.reopen(ws) as workspace:
        grow(workspace)
        workspace.seals.cut()
    path.chmod(0o600)
    path.parent.chmod(0o770)
    with small.reopen(ws) as workspace, pytest.raises(KeyFileError, match="another key there"):
        grow(workspace)
        workspace.seals.cut()


@given(place=st.integers(0, 300), change=st.integers(1, 255))
def test_no_byte_of_the_key_can_be_another(tmp_path_factory: pytest.TempPathFactory, place: int, change: int):
    folder = tmp_path_factory.mktemp("keys")
    content = bytearray(f"{SignerKey(origin_of('0123'), ED25519, bytes(range(32))).text}\n".encode())
    content[place % len(content)] ^= change
    (folder / "keys").mkdir(mode=0o700)
    path = keys.path_of(folder)
    path.touch(0o600)
    path.write_bytes(content)
    with pytest.raises(KeyFileError):
        keys.read_signer(folder, "0123")


def test_a_link_a_folder_or_the_key_of_another_ledger_is_no_key(ws: Path, tmp_path: Path):
    path = keys.path_of(ws)
    path.rename(tmp_path / "real")
    path.symlink_to(tmp_path / "real")
    with small.reopen(ws) as workspace, pytest.raises(TradexError):
        workspace.seals.cut()
    path.unlink()
    path.mkdir()
    with small.reopen(ws) as workspace, pytest.raises(TradexError):
        workspace.seals.cut()
    path.rmdir()
    other = SignerKey(origin_of("another"), ED25519, bytes(range(32)))
    files.lay(path, f"{other.text}\n".encode(), 0o600)
    with small.reopen(ws) as workspace, pytest.raises(KeyFileError, match="this ledger is"):
        grow(workspace)
        workspace.seals.cut()


def test_another_key_takes_the_place_of_one_and_heads_of_before_count_still(ws: Path):
    with small.reopen(ws) as workspace:
        (first,) = keys.announced(workspace.ledger.store)
        before = workspace.core.places.inside.heads()[-1]
        keys.path_of(ws).unlink()
        with pytest.raises(NoKeyError):
            workspace.seals.cut()
        found = workspace.seals.new_key(reason="the key was on a lost disk, INC-4711")
        (second,) = keys.announced(workspace.ledger.store)
        assert (found.own, second == first) == (second.text, False)
        assert [key.public for key in keys.announced(workspace.ledger.store, before.size)] == [first.public]
        assert workspace.seals.cut().size == workspace.ledger.position()


def test_a_head_of_the_old_key_after_another_took_its_place_is_nobodys(ws: Path):
    old = keys.read_secret(keys.path_of(ws))
    with small.reopen(ws) as workspace:
        workspace.seals.new_key(reason="the key was on a lost disk, INC-4711")
        end = grow(workspace)
        inside = workspace.core.places.inside
        tree = Checkpoint(old.name, end, bytes(32))
        inside.lay(Named(0, end), signed_head(tree, old))
        with pytest.raises(UnsignedError):
            workspace.seals.cut()


def test_who_was_cut_off_while_another_key_was_made_goes_on_with_it(ws: Path, monkeypatch: pytest.MonkeyPatch):
    with small.reopen(ws) as workspace:

        def die(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(workspace.ledger, "append", die)
            workspace.seals.new_key(reason="the key was on a lost disk, INC-4711")
        laid = keys.read_secret(keys.path_of(ws))
        with pytest.raises(NoKeyError):
            workspace.seals.cut()
        workspace.seals.new_key(reason="the key was on a lost disk, INC-4711")
        assert [key.public for key in keys.announced(workspace.ledger.store)] == [laid.verifier.public]
        assert keys.read_secret(keys.path_of(ws)) == laid


def test_a_workspace_of_before_gets_its_key_with_the_first_head(tmp_path: Path):
    with small.reopen(old_workspace.unpack(tmp_path) / "ws") as workspace:
        grow(workspace, 3)
        assert sizes(workspace.core.places.inside) == []
        made = workspace.seals.cut()
        assert sizes(workspace.core.places.inside) == [made.size]
        assert len(keys.announced(workspace.ledger.store)) == 1
