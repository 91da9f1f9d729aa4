"""A file witness cosigns what extends the head that it knows, goes back for nobody, and is taken at its word only."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import worlds
from tests.kit import sealed, small
from tests.kit.sealed import grow
from tradex_ledger.cli.main import run
from tradex_ledger.errors import TradexError
from tradex_ledger.ledger.merkle import Tree, leaf_hash, root
from tradex_ledger.locate import PartOfWorkspaceError
from tradex_ledger.sealing import witness as witnessing
from tradex_ledger.sealing.checkpoint import Checkpoint, origin_of
from tradex_ledger.sealing.checkpoint import sealed as signed_head
from tradex_ledger.sealing.cosigned import NoCosignatureError, newest_cosigned, witnesses_of
from tradex_ledger.sealing.heads import CutLedgerError, OtherLedgerHeadError, SplitViewError
from tradex_ledger.sealing.lines import lines_of
from tradex_ledger.sealing.note import ED25519, SignerKey, signed, signed_too, taken_apart, verifier_key
from tradex_ledger.sealing.note_errors import NoteError, SignatureError, UnsignedError
from tradex_ledger.sealing.request import NoProofFromError, Request, parsed_request
from tradex_ledger.sealing.witness import (
    KnowsOtherSizeError,
    NotExtendedError,
    NoWitnessError,
    RolledBackError,
    UnknownLogError,
    Witness,
    WitnessExistsError,
    make_witness,
    open_witness,
)
from tradex_ledger.workspace import Workspace
from tradex_ledger.workspace.witness import witness as work

LEDGER = SignerKey(origin_of("0123"), ED25519, bytes(range(32)))
LEAVES = [leaf_hash(bytes([n])) for n in range(130)]
NOW = 1_700_000_000


def head(size: int, leaves: list[bytes] = LEAVES) -> Checkpoint:
    return Checkpoint(LEDGER.name, size, root(leaves[:size]))


def request(old: int, size: int, leaves: list[bytes] = LEAVES) -> Request:
    tree = Tree(size, lambda level, tile: b"", lambda first, end: leaves[first:end])
    proof = tree.consistency_proof(old) if 0 < old <= size else []
    return Request(old, tuple(proof), signed_head(head(size, leaves), LEDGER))


@pytest.fixture
def eve(tmp_path: Path) -> Witness:
    made = make_witness(tmp_path / "eve", "example.org/eve")
    made.trust(LEDGER.verifier)
    return made


def test_a_witness_goes_on_from_what_it_has_cosigned_and_from_nothing_else(eve: Witness):
    cosigned = eve.cosign(request(0, 7), NOW)
    assert cosigned.startswith(signed_head(head(7), LEDGER))
    eve.cosign(request(7, 100), NOW)
    known = open_witness(eve.folder).seen()[0].newest
    assert known is not None
    assert known.checkpoint == head(100)
    for asked, error in (
        (request(7, 120), KnowsOtherSizeError),
        (request(0, 120), KnowsOtherSizeError),
        (request(7, 50), RolledBackError),
        (request(100, 99), RolledBackError),
        (request(100, 120, LEAVES[::-1]), NotExtendedError),
        (request(100, 100, LEAVES[::-1]), NotExtendedError),
        (Request(100, (), request(100, 120).note), NotExtendedError),
        (Request(100, request(100, 120).proof[:-1], request(100, 120).note), NotExtendedError),
    ):
        with pytest.raises(error):
            eve.cosign(asked, NOW)
        assert open_witness(eve.folder).seen()[0].newest == known
    assert eve.cosign(request(100, 100), NOW + 5) != cosigned  # it got no answer, and asks again


def test_a_first_head_needs_no_proof_and_takes_none(eve: Witness):
    with pytest.raises(NotExtendedError):
        eve.cosign(Request(0, (bytes(32),), request(0, 5).note), NOW)
    with pytest.raises(KnowsOtherSizeError):
        eve.cosign(request(3, 5), NOW)
    eve.cosign(request(0, 5), NOW)


@pytest.mark.parametrize("size", [1, 2, 3, 64, 129, 130])
def test_every_tree_goes_on_to_every_larger_one(tmp_path: Path, size: int):
    for old in sorted({1, size // 3, size // 2, size - 1} - {0, size}):
        eve = make_witness(tmp_path / f"eve-{old}", "eve")
        eve.trust(LEDGER.verifier)
        eve.cosign(request(0, old), NOW)
        eve.cosign(request(old, size), NOW)


def test_whose_head_nobody_told_it_of_is_unknown_and_what_others_signed_is_nothing(eve: Witness):
    stranger = SignerKey(origin_of("4567"), ED25519, bytes(32))
    with pytest.raises(UnknownLogError):
        eve.cosign(Request(0, (), signed_head(Checkpoint(stranger.name, 1, bytes(32)), stranger)), NOW)
    false = SignerKey(LEDGER.name, ED25519, bytes(32))
    with pytest.raises(UnsignedError):
        eve.cosign(Request(0, (), signed_head(head(5), false)), NOW)
    with pytest.raises(UnsignedError):
        eve.cosign(Request(0, (), signed(head(5).text, eve.signer, NOW)), NOW)
    note = eve.cosign(Request(0, (), signed_too(request(0, 5).note, stranger)), NOW)
    assert [one.name for one in taken_apart(note)[1]] == [LEDGER.name, "example.org/eve"]


def test_a_ledger_of_a_later_line_is_another_one_for_a_witness(eve: Witness):
    eve.cosign(request(0, 100), NOW)
    later = SignerKey(origin_of("0123", 2), ED25519, LEDGER.secret)
    asked = Request(0, (), signed_head(Checkpoint(later.name, 60, root(LEAVES[:60])), later))
    with pytest.raises(UnknownLogError):
        eve.cosign(asked, NOW)
    eve.trust(later.verifier)
    eve.cosign(asked, NOW)
    assert [(one.origin, one.newest.checkpoint.size) for one in eve.seen() if one.newest] == [
        (LEDGER.name, 100),
        (later.name, 60),
    ]


def test_what_a_witness_remembers_cannot_be_changed_unseen(eve: Witness):
    eve.cosign(request(0, 5), NOW)
    (file,) = eve.folder.rglob("checkpoint")
    before = file.read_text(encoding="utf-8")
    for changed in (before.replace("\n5\n", "\n4\n"), request(0, 3).note, "", before[:-1]):
        file.write_text(changed, encoding="utf-8")
        with pytest.raises(TradexError):
            eve.cosign(request(5, 9), NOW)
    file.write_text(before, encoding="utf-8")
    eve.cosign(request(5, 9), NOW)


def test_a_cosignature_is_never_older_than_the_one_before(eve: Witness):
    eve.cosign(request(0, 5), NOW)
    eve.cosign(request(5, 6), NOW - 1000)
    newest = eve.seen()[0].newest
    assert newest is not None
    assert max(one.second or 0 for one in newest.opened.verified) == NOW


def test_two_who_are_asked_at_once_go_one_after_the_other(eve: Witness, monkeypatch: pytest.MonkeyPatch):
    eve.cosign(request(0, 5), NOW)
    check = witnessing._check

    def slowly(asked: Request, known: Checkpoint, head: Checkpoint) -> None:
        check(asked, known, head)
        time.sleep(0.02)  # whoever is not kept out looks at the same memory meanwhile

    monkeypatch.setattr(witnessing, "_check", slowly)
    ends: list[str] = []

    def ask(size: int) -> Callable[[], None]:
        def run() -> None:
            try:
                open_witness(eve.folder).cosign(request(5, size), NOW)
                ends.append("cosigned")
            except (KnowsOtherSizeError, RolledBackError):
                ends.append("refused")

        return run

    threads = [threading.Thread(target=ask(size)) for size in range(6, 12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends) == ["cosigned", *["refused"] * 5]


def test_a_folder_has_one_witness_and_what_is_none_is_told(tmp_path: Path):
    with pytest.raises(NoWitnessError):
        open_witness(tmp_path)
    make_witness(tmp_path / "eve", "example.org/eve")
    with pytest.raises(WitnessExistsError):
        make_witness(tmp_path / "eve", "example.org/other")


@given(place=st.integers(0, 10_000), change=st.integers(1, 255))
def test_no_byte_of_a_request_can_be_another(tmp_path_factory: pytest.TempPathFactory, place: int, change: int):
    """But in the size that it proves from, which a witness knows better."""
    eve = make_witness(tmp_path_factory.mktemp("w") / "eve", "eve")
    eve.trust(LEDGER.verifier)
    eve.cosign(request(0, 5), NOW)
    content = bytearray(request(5, 100).text.encode())
    content[place % len(content)] ^= change
    with pytest.raises((TradexError, UnicodeDecodeError)):
        eve.cosign(parsed_request(content.decode()), NOW)


@pytest.mark.parametrize(
    "text", ["", "old 5\n", "old 05\n\n", "new 5\n\n", "old -1\n\n", f"old {2**63}\n\n", "old 1\nAAAA\n\n", "old 1\n\n"]
)
def test_what_has_not_the_form_of_a_request_is_none(eve: Witness, text: str):
    with pytest.raises(NoteError):
        eve.cosign(parsed_request(text), NOW)


# -- with a ledger


@pytest.fixture
def ws(tmp_path: Path) -> Path:
    return worlds.copied(tmp_path, days=2, until=None)


def asked(ws: Path, known: int, name: str) -> Path:
    file = ws.parent / name
    with small.reopen(ws) as workspace:
        workspace.seals.ask_witness(file, known)
    return file


def judged(workspace: Workspace) -> tuple[int, int | None]:
    """How many witnesses must have cosigned, and the size of the newest head that holds and that so many have."""
    verdict = workspace.audit.look.verify(with_lake=False)
    assert not verdict.findings
    return verdict.quorum, verdict.cosigned


def stale(ws: Path, size: int) -> Path:
    """A request from a size that the witness has gone beyond."""
    with small.reopen(ws) as workspace:
        grow(workspace)
    return asked(ws, size, "stale")


def test_what_a_witness_has_cosigned_takes_the_place_of_nothing_that_it_lives_by(ws: Path, tmp_path: Path):
    eve, log = tmp_path / "eve", (ws / "keys" / "checkpoint.pub").read_text(encoding="utf-8").strip()
    first = asked(ws, 0, "first")
    work(eve, new="example.org/eve", log=log)
    work(eve, first, out=eve / "cosigned")
    files = {file: file.read_bytes() for folder in (eve, ws) for file in folder.rglob("*") if file.is_file()}
    for part in sorted(files.keys() - {eve / "cosigned"}):
        if eve in part.parents or part.name in ("ledger.db", "checkpoint.key", "tradex.toml"):
            with pytest.raises(PartOfWorkspaceError, match="is not written over"):
                work(eve, first, out=part)
    assert {file: file.read_bytes() for file in files} == files


def test_a_ledger_is_cosigned_by_files_alone_and_what_witnesses_say_counts_outside(
    ws: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    eve, bob = tmp_path / "eve", tmp_path / "bob"
    log = (ws / "keys" / "checkpoint.pub").read_text(encoding="utf-8").strip()
    keys = [work(folder, new=f"example.org/{folder.name}", log=log).key for folder in (eve, bob)]
    first = asked(ws, 0, "first")
    work(eve, first, out=tmp_path / "by-eve")
    sealed.settings(ws, witnesses=keys, quorum=2)
    with small.reopen(ws) as workspace:
        store, inside = workspace.ledger.store, workspace.core.places.inside
        known = witnesses_of(workspace.config.checkpoints.witnesses)
        assert workspace.seals.take_in(tmp_path / "by-eve").by == ["example.org/eve"]
        assert newest_cosigned(store, lines_of(store), inside, known, 2) is None
        (own,) = inside.cosigned()
        inside.lay(own._replace(witness="0" * 8), inside.read(own))  # the same one twice is one
        assert newest_cosigned(store, lines_of(store), inside, known, 2) is None
        assert judged(workspace) == (2, None)
        (inside.folder / own._replace(witness="0" * 8).name).unlink()
        work(bob, first, out=tmp_path / "by-bob")
        workspace.seals.take_in(tmp_path / "by-bob")
        found = newest_cosigned(store, lines_of(store), inside, known, 2)
        assert found is not None
        assert (found.by, found.checkpoint.size) == (
            ("example.org/bob", "example.org/eve"),
            workspace.ledger.position(),
        )
        size = found.checkpoint.size
        grow(workspace)
        assert judged(workspace) == (2, size)
    assert run(["-C", str(ws), "audit", "verify", "--no-lake"]) == 0
    assert f"cosigned: up to {size} by 2 witnesses or more; 1 events since" in capsys.readouterr().out
    work(eve, asked(ws, size, "second"), out=tmp_path / "by-eve")
    with pytest.raises(KnowsOtherSizeError):
        work(eve, stale(ws, size))
    with small.reopen(ws) as workspace:
        status = workspace.audit.look.status(now=small.Ticking()())
        assert status.sealing.outside is not None
        assert status.sealing.outside.place == "witness example.org/bob, example.org/eve"
        assert status.sealing.outside.size == size


def test_a_file_that_no_known_witness_has_signed_is_not_taken_in(ws: Path, tmp_path: Path):
    log = (ws / "keys" / "checkpoint.pub").read_text(encoding="utf-8").strip()
    key = work(tmp_path / "eve", new="eve", log=log).key
    work(tmp_path / "eve", asked(ws, 0, "first"), out=tmp_path / "by-eve")
    with small.reopen(ws) as workspace, pytest.raises(NoCosignatureError):
        workspace.seals.take_in(tmp_path / "by-eve")
    sealed.settings(ws, witnesses=[key])
    note = (tmp_path / "by-eve").read_text(encoding="utf-8")
    lines = note.splitlines(keepends=True)
    other = SignerKey(origin_of("0123"), ED25519, bytes(32))
    with small.reopen(ws) as workspace:
        for changed, error in (
            ("".join(lines[:-1]), NoCosignatureError),
            (note.replace(lines[-1], lines[-1].replace("A", "B", 1)), (SignatureError, NoCosignatureError, NoteError)),
            ("".join((*lines[:-2], lines[-1])), UnsignedError),
            (signed_head(Checkpoint(other.name, 3, bytes(32)), other), OtherLedgerHeadError),
        ):
            (tmp_path / "changed").write_text(changed, encoding="utf-8")
            with pytest.raises(error):
                workspace.seals.take_in(tmp_path / "changed")
        assert workspace.core.places.inside.cosigned() == []
        with pytest.raises(NoProofFromError):
            workspace.seals.ask_witness(tmp_path / "ask", workspace.ledger.position() + 1)


def test_a_head_that_a_witness_kept_shows_that_a_ledger_was_cut_or_split(ws: Path, tmp_path: Path):
    old = sealed.copied_away(ws, tmp_path / "old")
    log = (ws / "keys" / "checkpoint.pub").read_text(encoding="utf-8").strip()
    key = work(tmp_path / "eve", new="eve", log=log).key
    sealed.settings(ws, witnesses=[key])
    with small.reopen(ws) as workspace:
        grow(workspace)
    work(tmp_path / "eve", asked(ws, 0, "first"), out=tmp_path / "by-eve")
    sealed.put_back(ws, old)
    for file in (ws / "checkpoints").iterdir():
        file.unlink()
    with small.reopen(ws) as workspace:
        with pytest.raises(CutLedgerError):
            workspace.seals.take_in(tmp_path / "by-eve")
        grow(workspace, 2)
        with pytest.raises(SplitViewError):
            workspace.seals.take_in(tmp_path / "by-eve")
    assert verifier_key(key).name == "eve"
