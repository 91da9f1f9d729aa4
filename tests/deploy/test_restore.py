"""`restore.sh`: a lost ledger is put back by two persons, into either kind of database, whoever is cut off where."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import worlds
from tests.deploy.scripts import ADMIN, ADMINS, LOGIN, LOGINS, Place, calls, guarded, passwords, place
from tests.kit import small
from tests.kit.check import check_everything
from tradex_ledger.config import FILE

REASON = "the disk of the ledger is lost, INC-4320"
LAST = "2024-01-03"


@pytest.fixture
def at(tmp_path: Path) -> Place:
    return place(tmp_path)


def lost(at: Place) -> Path:
    """A workspace whose ledger is gone; its backup is `backup.gz`."""
    ws = worlds.copied(at.folder, thin=True, days=3, until=3)
    with small.reopen(ws) as workspace:
        workspace.store.backup(at.folder / "backup.gz")
    (ws / "ledger.db").rename(at.folder / "lost.db")
    calls(at)
    return ws


def put_back(at: Place, ws: Path, *more: str, status: int | None = 0) -> str:
    """As the first person."""
    said = ("--reason", REASON, "--as", "ana", *more)
    return at.script("restore.sh", "-C", ws, "--backup", at.folder / "backup.gz", *said, status=status)


def looked(at: Place, ws: Path) -> str:
    """The digest that the second person sees."""
    said = at.script("restore.sh", "-C", ws, "--as", "maria")
    return str(re.findall(r"^digest +([0-9a-f]+)$", said, re.M)[0])


def approve(at: Place, ws: Path, digest: str, *, status: int | None = 0) -> str:
    """As the second person."""
    words = ("-C", ws, "--approve", digest, "--as", "maria", "--to", LAST)
    return at.script("restore.sh", *words, status=status)


def check(ws: Path) -> None:
    """All of it is there, in one new epoch, and the pipeline went on."""
    with small.reopen(ws) as workspace:
        topics = [entry.topic for entry in check_everything(workspace).entries]
    assert topics.count("lake.epoch_begun") == 1
    assert topics.count("incremental_run.succeeded") == 2


def test_a_ledger_in_a_file_is_put_back_and_goes_on(at: Place):
    ws = lost(at)
    put_back(at.but(TRADEX_TEST_DIE="2+"), ws, status=-9)  # it dies when the ledger is back
    assert calls(at)[-1].split()[4:6] == ["ledger", "restore"]
    assert "waits for somebody else's approval" in put_back(at, ws)
    digest = looked(at, ws)
    calls(at)
    approve(at.but(TRADEX_TEST_DIE="2+"), ws, digest, status=-9)  # when the epoch has begun, before the run
    assert "has begun already" in approve(at, ws, digest)
    check(ws)
    assert "nothing is put back over it" in put_back(at, ws, status=3)


def test_what_cannot_be_put_back_is_left_as_it_is(at: Place):
    ws = lost(at)
    shown = (ws / FILE).read_bytes()
    assert "no backup" in at.script(
        "restore.sh", "-C", ws, "--backup", "none.gz", "--reason", REASON, "--as", "ana", status=4
    )
    assert "--as NAME" in at.script("restore.sh", "-C", ws, "--backup", "backup.gz", status=2)
    assert "nobody knows --bakcup" in at.script("restore.sh", "--bakcup", "x", status=2)
    put_back(at, ws, "--ledger", 'sqlite:///a"b', status=2)
    assert not (ws / "ledger.db").exists()
    assert (ws / FILE).read_bytes() == shown
    (ws / "ledger.db").write_bytes((at.folder / "lost.db").read_bytes()[:5000])
    broken = (ws / "ledger.db").read_bytes()
    assert "keep it (mv)" in put_back(at, ws, status=7)
    assert (ws / "ledger.db").read_bytes() == broken


@pytest.mark.soak
def test_wherever_it_is_cut_off_the_same_call_goes_on(at: Place):
    """Each call of the program, before and after what it does; each time from the beginning."""
    for number in range(1, 6):
        for die in (f"{number}", f"{number}+"):
            room = place(at.folder / f"at-{die}")
            ws = lost(room)
            put_back(room.but(TRADEX_TEST_DIE=die), ws, status=None)
            put_back(room, ws)
            digest = looked(room, ws)
            calls(room)
            approve(room.but(TRADEX_TEST_DIE=die), ws, digest, status=None)
            approve(room, ws, digest)
            check(ws)


def test_it_is_put_back_into_postgresql_by_the_owner_and_goes_on_as_one_who_may_only_append(at: Place):
    ws = lost(at)
    with guarded() as database:
        given = passwords(at, **{ADMIN: ADMINS, LOGIN: LOGINS})
        at.environment["PGPASSFILE"] = str(given)
        owner = at.but(PGUSER=ADMIN)
        said = put_back(owner, ws, "--ledger", database.url())
        assert "the settings name" in said
        assert 'ledger = "sqlite' in (ws / f"{FILE}.before-restore").read_text(encoding="utf-8")
        database.say(f"grant tradex_writer to {LOGIN}")
        at.environment["PGUSER"] = LOGIN
        approve(at, ws, looked(at, ws))
        (ws / FILE).write_text(  # to look at it from within this process
            (ws / FILE).read_text(encoding="utf-8").replace(database.url(), database.server.url("tradex")), "utf-8"
        )
        check(ws)


@pytest.mark.soak
def test_nothing_is_put_back_over_an_older_copy(at: Place):
    ws = lost(at)
    older = (at.folder / "lost.db").read_bytes()
    (ws / "ledger.db").write_bytes(older)
    at.tradex("-C", ws, "--as", "ana", "run", "--to", LAST)
    for file in ws.glob("ledger.db*"):
        file.unlink()
    (ws / "ledger.db").write_bytes(older)
    assert "an older copy of the ledger is there" in put_back(at, ws, status=3)
    assert (ws / "ledger.db").read_bytes() == older
