"""A ledger as a whole: moved to another database and back, backed up, put back; never two that can be written to."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread

import psycopg
import pytest
from eventsourcing.persistence import StoredEvent
from sqlalchemy import Connection, Engine, text

from tests import worlds
from tests.kit import small
from tests.kit.check import check_everything
from tests.kit.faults import Crash
from tests.kit.stores import STORES, Kind, point
from tradex_ledger.cli.main import run
from tradex_ledger.config import FILE, load_config
from tradex_ledger.domain.lake import EpochRefusedError
from tradex_ledger.domain.policy import NotAllowedError
from tradex_ledger.errors import BrokenLedgerError, NotFoundError, TradexError, UsageError
from tradex_ledger.lake.folder import markers
from tradex_ledger.lake.identity_errors import BehindError, EpochWaitsError, NotLostError, OtherLedgerError
from tradex_ledger.ledger import copying, store
from tradex_ledger.ledger.application import WriterConflictError
from tradex_ledger.ledger.backup import BackupError, FileThereError
from tradex_ledger.ledger.copying import OtherRootError
from tradex_ledger.ledger.faults import StoreFault
from tradex_ledger.ledger.log import pages
from tradex_ledger.ledger.moved import LedgerMovedError
from tradex_ledger.ledger.recorder import Recorder
from tradex_ledger.ledger.select import open_store
from tradex_ledger.ledger.store import open_engine
from tradex_ledger.ledger.store_errors import LedgerExistsError, NoLedgerError, TablesTakenError
from tradex_ledger.ledger.tree import stored_tree
from tradex_ledger.workspace import Workspace
from tradex_ledger.workspace.store import LedgerInUseError, restore

REASON = "the second host needs the ledger, INC-4500"
LOST = "the disk of the ledger died, INC-4320"
SQLITE, POSTGRES = STORES[:2]


@pytest.fixture
def ws(tmp_path: Path) -> Path:
    """A workspace that ran over two days of three."""
    return worlds.copied(tmp_path, days=3, until=3, thin=True)


@contextmanager
def used(ws: Path, actor: str = "ana") -> Iterator[Workspace]:
    with Workspace.open(ws, actor=actor, clock=small.Ticking(), tolerates=("ledger-moved", "epoch-waits")) as opened:
        yield opened


def asked(ws: Path, url: str) -> str:
    with used(ws) as ana:
        return ana.store.plan_move(url, reason=REASON).digest


def moved(ws: Path, url: str) -> str:
    """The ledger moved, and the settings with it; its root."""
    digest = asked(ws, url)
    with used(ws, "ben") as ben:
        done = ben.store.move(digest)
    point(ws, url)
    return done.root


def all_rows(url: str) -> list[tuple[object, ...]]:
    return open_store(url).select("select * from events order by position")


def root_at(url: str, size: int) -> str:
    return stored_tree(open_store(url), size).root().hex()


def rows_of(ws: Path) -> list[tuple[object, ...]]:
    return all_rows(load_config(ws / FILE).ledger_url)


# -- a move


def test_a_ledger_moves_to_another_kind_of_database_and_back_byte_for_byte(ws: Path, tmp_path: Path) -> None:
    first, back = load_config(ws / FILE).ledger_url, f"sqlite:///{tmp_path / 'back.db'}"
    with POSTGRES.fresh(tmp_path) as there:
        root = moved(ws, there)
        before = all_rows(first)
        assert all_rows(there)[:-1] == before
        assert root_at(there, len(before)) == root_at(first, len(before)) == root
        with used(ws) as ana:
            ana.incremental.run(last=small.day(3))
            check_everything(ana)
            assert ana.lake.identity().epoch == 1
        assert moved(ws, back) == root_at(there, len(rows_of(ws)) - 1)
        assert all_rows(back)[:-1] == all_rows(there)
    with used(ws) as ana:
        record = check_everything(ana)
        assert ana.lake.identity().epoch == 2
        assert [e.topic for e in record.entries if e.stream == "lake"] == [
            "lake.opened", *2 * ("lake.ledger_move_planned", "lake.ledger_moved", "lake.epoch_begun")
        ]  # fmt: skip


def test_what_was_moved_is_read_and_written_to_no_more(
    ws: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, there = load_config(ws / FILE).ledger_url, f"sqlite:///{tmp_path / 'there.db'}"
    with small.reopen(ws) as early:  # before the move, by somebody who goes on
        moved(ws, there)
        with pytest.raises(LedgerMovedError):
            early.incremental.run(last=small.day(3))
        with pytest.raises(LedgerMovedError):
            early.datasets.protect("silver_social_events", small.day(1), small.day(1), reason=REASON)
    point(ws, first)
    before = rows_of(ws)
    for command in (["run", "--to", "2024-01-03"], ["worker", "--once"], ["ledger", "epoch", "--approve", "0" * 64],
                    ["ledger", "copy", f"sqlite:///{tmp_path / 'other.db'}", "--reason", REASON],
                    ["policy", "set", "--reason", REASON]):  # fmt: skip
        assert run(["-C", str(ws), *command]) == 3, command
        said = capsys.readouterr().err
        assert f"was moved to {there}" in said
        assert f'write ledger = "{there}" under [workspace]' in said
    for command in (["status"], ["query", "select count(*) from runs"], ["audit", "log"]):
        assert run(["-C", str(ws), *command]) == 0
        assert f"warning: this ledger was moved to {there}" in capsys.readouterr().err
    assert rows_of(ws) == before


def test_markers_go_on_from_the_epoch_of_where_it_went(ws: Path, tmp_path: Path) -> None:
    old = tmp_path / "copy.db"
    shutil.copy(ws / "ledger.db", old)
    moved(ws, f"sqlite:///{tmp_path / 'there.db'}")
    last = markers(ws / "lake")[-1]
    assert (last.epoch, last.position) == (1, len(rows_of(ws)))
    point(ws, f"sqlite:///{old}")  # a copy of before the move does not go on either
    with pytest.raises(BehindError, match="of epoch 1"):
        small.reopen(ws)


def test_a_move_needs_a_second_person_and_the_digest(ws: Path, tmp_path: Path) -> None:
    digest = asked(ws, f"sqlite:///{tmp_path / 'there.db'}")
    with used(ws) as ana:
        with pytest.raises(EpochRefusedError) as own:
            ana.store.move(digest)
        assert own.value.code == "self-approval"
    with used(ws, "ben") as ben, pytest.raises(EpochRefusedError, match="the copy that waits has the digest"):
        ben.store.move("0" * 64)
    assert not (tmp_path / "there.db").exists()
    with used(ws) as ana:
        assert ana.store.waiting_move() is not None


def test_a_move_waits_for_who_drives(ws: Path, tmp_path: Path) -> None:
    digest = asked(ws, f"sqlite:///{tmp_path / 'there.db'}")
    with used(ws, "ben") as ben:
        assert ben.ledger.leases.acquire("bf-1", "me", 60)
        with pytest.raises(LedgerInUseError, match="bf-1"):
            ben.store.move(digest)
        ben.ledger.leases.release("bf-1", "me")
        ben.store.move(digest)


def holds_a_ledger(ws: Path, tmp_path: Path) -> str:
    return load_config(worlds.copied(tmp_path / "other", days=3, until=3, thin=True) / FILE).ledger_url


def is_itself(ws: Path, _: Path) -> str:
    return load_config(ws / FILE).ledger_url


def has_tables(_: Path, tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'own.db'}"
    engine = open_engine(url, create=True)
    with engine.begin() as connection:
        connection.execute(text("create table tracking (mine int)"))
    engine.dispose()
    return url


@pytest.mark.parametrize(
    ("target", "error"),
    [(holds_a_ledger, LedgerExistsError), (is_itself, LedgerExistsError), (has_tables, TablesTakenError)],
)
def test_a_database_that_is_not_empty_is_not_moved_to(
    ws: Path, tmp_path: Path, target: Callable[[Path, Path], str], error: type[TradexError]
) -> None:
    before = rows_of(ws)
    with pytest.raises(error):
        asked(ws, target(ws, tmp_path))
    assert rows_of(ws) == before


STEPS = ["begun", "poured", "before the end here", "after the end here", "after the end there"]


@contextmanager
def dying(step: str, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Who moves a ledger dies at a step."""
    real, count = store.writing, [0]
    pour, save = copying.pour, copying.save

    @contextmanager
    def ending(engine: object) -> Iterator[Connection]:
        count[0] += 1
        number = count[0]  # 1: there, 2: here
        with real(engine) as connection:  # type: ignore[arg-type]  # as it was given
            yield connection
            if number == 2 and step == "before the end here":
                raise Crash
            if number == 1 and step in ("after the end here", "before the end"):
                raise Crash
        if number == 1 and step == "after the end there":
            raise Crash

    def poured(*arguments: object) -> int:
        if step == "begun":
            raise Crash
        found = pour(*arguments)  # type: ignore[arg-type]  # as they were given
        if step == "poured":
            raise Crash
        return found

    with patch.context() as own:
        own.setattr(store, "writing", ending)
        own.setattr(copying, "pour", poured)
        with pytest.raises(Crash):
            yield
    assert copying.save is save


@pytest.mark.parametrize(
    ("kind", "step"),
    [
        *((SQLITE, step) for step in STEPS),
        *(pytest.param(POSTGRES, step, marks=[pytest.mark.soak] * (step != STEPS[3])) for step in STEPS),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_who_dies_while_moving_runs_it_again(
    ws: Path, tmp_path: Path, kind: Kind, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load_config(ws / FILE).ledger_url
    (tmp_path / "there").mkdir()
    with kind.fresh(tmp_path / "there") as there:
        digest = asked(ws, there)
        before = all_rows(first)
        with used(ws, "ben") as ben, dying(step, monkeypatch):
            ben.store.move(digest)
        is_ended = step.startswith("after")
        assert all_rows(first)[: len(before)] == before
        assert len(all_rows(first)) == len(before) + is_ended
        if step != "after the end there":
            with pytest.raises(NoLedgerError):
                open_store(there)
        if is_ended:
            with pytest.raises(LedgerMovedError):
                small.reopen(ws)
            with used(ws, "ben") as ben, pytest.raises(EpochRefusedError):
                ben.store.move("0" * 64)
        else:
            with small.reopen(ws) as ana:  # it goes on here as if nothing had been
                ana.datasets.protect("silver_social_events", small.day(1), small.day(1), reason=REASON)
        with used(ws, "ben") as ben:
            done = ben.store.move(digest[:12])
            assert ben.store.move(digest) == done  # and once more
        assert all_rows(there)[:-1] == all_rows(first)
        point(ws, there)
        with small.reopen(ws) as ana:
            check_everything(ana)
            assert ana.lake.identity().problem is None
    if kind is SQLITE:
        assert markers(ws / "lake")[-1].epoch == 1


@pytest.mark.parametrize(("of", "to"), [(SQLITE, POSTGRES), (POSTGRES, SQLITE)], ids=lambda kind: kind.name)
def test_whoever_saves_meanwhile_is_taken_along_or_refused(ws: Path, tmp_path: Path, of: Kind, to: Kind) -> None:
    for name in ("of", "to"):
        (tmp_path / name).mkdir()
    with of.fresh(tmp_path / "of") as here, to.fresh(tmp_path / "to") as there:
        if of is POSTGRES:
            moved(ws, here)
        first, saved = load_config(ws / FILE).ledger_url, list[int]()
        digest, begun = asked(ws, there), Event()

        def go_on() -> None:
            engine = open_engine(first)
            recorder = Recorder(engine, lambda: datetime.now(UTC))
            try:
                for version in range(1, 1_000_000):
                    saved.extend(recorder.insert_events([StoredEvent("bf-1", version, "topic", b"state")]))
                    begun.set()
            except LedgerMovedError:
                return
            finally:
                engine.dispose()

        thread = Thread(target=go_on)
        thread.start()
        assert begun.wait(20)
        with used(ws, "ben") as ben:
            done = ben.store.move(digest)
        thread.join(20)
        assert not thread.is_alive()
        assert saved[-1] < done.events == len(all_rows(first))
        assert all_rows(there)[: done.events] == all_rows(first)


def test_a_connection_that_is_lost_at_the_very_end_is_told_and_the_next_attempt_ends_it(
    ws: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with POSTGRES.fresh(tmp_path) as there:
        digest, real = asked(ws, there), store.writing

        @contextmanager
        def cut(engine: Engine) -> Iterator[Connection]:
            with real(engine) as connection:
                yield connection
                if engine.dialect.name == "postgresql":
                    with psycopg.connect(there, autocommit=True) as other:
                        other.execute(
                            "select pg_terminate_backend(pid) from pg_stat_activity "
                            "where datname = current_database() and pid <> pg_backend_pid()"
                        )

        with used(ws, "ben") as ben, monkeypatch.context() as patch:
            patch.setattr(store, "writing", cut)
            with pytest.raises(StoreFault) as lost:
                ben.store.move(digest)
        assert lost.value.code == "store-lost"
        with pytest.raises(LedgerMovedError):
            small.reopen(ws)
        with used(ws, "ben") as ben:
            ben.store.move(digest)
        point(ws, there)
        with small.reopen(ws) as ana:
            check_everything(ana)


@pytest.mark.parametrize("url", ["postgresql://ana:hunter2@db/x", "mysql://db/x?password=hunter2", "hunter2"])
def test_a_url_that_is_none_or_holds_a_password_is_refused_and_not_repeated(ws: Path, url: str) -> None:
    with used(ws) as ana, pytest.raises(UsageError) as refused:
        ana.store.plan_move(url, reason=REASON)
    assert "hunter2" not in refused.value.message + refused.value.mend


def test_what_is_other_there_than_here_is_not_kept(ws: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = f"sqlite:///{tmp_path / 'there.db'}"
    digest = asked(ws, there)
    with used(ws, "ben") as ben, monkeypatch.context() as patch:
        real = pages
        patch.setattr("tradex_ledger.ledger.copying.pages", lambda *a: ([*page][:-1] for page in real(*a)))
        with pytest.raises(BrokenLedgerError):
            ben.store.move(digest)
    with pytest.raises(NoLedgerError):
        open_store(there)
    small.reopen(ws).close()


def test_somebody_who_writes_to_the_stream_meanwhile_is_not_passed_over(ws: Path, tmp_path: Path) -> None:
    there = f"sqlite:///{tmp_path / 'there.db'}"
    digest = asked(ws, there)
    with used(ws, "ben") as ben:
        log = ben.lake.log()
        asked(ws, f"sqlite:///{tmp_path / 'other.db'}")
        ben.lake.log = lambda as_of=None: log  # type: ignore[method-assign]  # as it was read before
        with pytest.raises(WriterConflictError):
            ben.store.move(digest)
    small.reopen(ws).close()
    with pytest.raises(NoLedgerError):
        open_store(there)


# -- backups


def backed_up(ws: Path, file: Path) -> Path:
    with Workspace.open(ws, reading=True) as anybody:
        anybody.store.backup(file)
    return file


@pytest.mark.parametrize(
    ("of", "to"),
    [(SQLITE, POSTGRES), *(pytest.param(of, SQLITE, marks=pytest.mark.soak) for of in (POSTGRES, SQLITE))],
    ids=lambda kind: kind.name,
)
def test_a_backup_is_put_back_into_any_database_with_the_same_root(
    ws: Path, tmp_path: Path, of: Kind, to: Kind
) -> None:
    for name in ("of", "to"):
        (tmp_path / name).mkdir()
    with of.fresh(tmp_path / "of") as there, to.fresh(tmp_path / "to") as anew:
        moved(ws, there)
        file = backed_up(ws, tmp_path / "backup.gz")
        rows = rows_of(ws)
        with used(ws) as ana:
            ana.incremental.run(last=small.day(3))  # which the backup lacks
        point(ws, anew)
        done = restore(ws, file, reason=LOST, actor="ana", clock=small.Ticking())
        assert (done.events, done.root) == (len(rows), root_at(there, len(rows)))
        assert all_rows(anew)[:-1] == rows
        with pytest.raises(BehindError):
            small.reopen(ws)
        with used_to_mend(ws, "ana") as ana, pytest.raises(EpochRefusedError):
            ana.lake.begin_epoch(done.epoch.digest)
        with used_to_mend(ws, "ben") as ben:
            assert ben.lake.begin_epoch(done.epoch.digest) == 2
        with small.reopen(ws) as ana:
            ana.incremental.run(last=small.day(3))
            check_everything(ana)
        point(ws, there)
        with pytest.raises(BehindError, match="of epoch 2"):
            small.reopen(ws)


@contextmanager
def used_to_mend(ws: Path, actor: str) -> Iterator[Workspace]:
    with Workspace.open(ws, actor=actor, clock=small.Ticking(), tolerates=small.ANY_LAKE) as opened:
        yield opened


def test_a_ledger_that_lost_nothing_that_is_known_waits_for_its_epoch_too(
    ws: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = backed_up(ws, tmp_path / "backup.gz")
    point(ws, f"sqlite:///{tmp_path / 'anew.db'}")
    assert run(["-C", str(ws), "--as", "ana", "--json", "ledger", "restore", str(file), "--reason", LOST]) == 0
    digest = json.loads(capsys.readouterr().out)["epoch"]["digest"]
    with pytest.raises(EpochWaitsError):
        small.reopen(ws)
    assert run(["-C", str(ws), "run"]) == 3
    assert "its new epoch has not begun" in capsys.readouterr().err
    assert run(["-C", str(ws), "--as", "ben", "ledger", "epoch", "--approve", digest]) == 0
    with small.reopen(ws) as ana:
        ana.incremental.run(last=small.day(3))
        check_everything(ana)


def test_a_lost_head_below_what_is_known_is_refused_and_nothing_is_put_back(ws: Path, tmp_path: Path) -> None:
    file = backed_up(ws, tmp_path / "backup.gz")
    with used(ws) as ana:
        ana.incremental.run(last=small.day(3))
    known = markers(ws / "lake")[-1].position
    point(ws, f"sqlite:///{tmp_path / 'anew.db'}")
    with pytest.raises(NotLostError):
        restore(ws, file, reason=LOST, lost_head=known - 1, actor="ana", clock=small.Ticking())
    with pytest.raises(NoLedgerError):
        open_store(load_config(ws / FILE).ledger_url)
    done = restore(ws, file, reason=LOST, lost_head=known + 7, actor="ana", clock=small.Ticking())
    assert done.epoch.lost_position == known + 7


def test_a_moved_ledger_is_backed_up_and_goes_on_where_two_persons_say_so(ws: Path, tmp_path: Path) -> None:
    """When where it went is lost for good, with all that it had there."""
    first = load_config(ws / FILE).ledger_url
    moved(ws, f"sqlite:///{tmp_path / 'there.db'}")
    point(ws, first)
    file = backed_up(ws, tmp_path / "backup.gz")
    point(ws, f"sqlite:///{tmp_path / 'anew.db'}")
    done = restore(ws, file, reason=LOST, actor="ana", clock=small.Ticking())
    with used_to_mend(ws, "ben") as ben:
        assert ben.lake.begin_epoch(done.epoch.digest) == 2
    with small.reopen(ws) as ana:
        check_everything(ana)
    point(ws, f"sqlite:///{tmp_path / 'there.db'}")
    with pytest.raises(BehindError):
        small.reopen(ws)


def test_a_backup_is_made_while_others_write_and_is_one_state(ws: Path, tmp_path: Path) -> None:
    with small.reopen(ws) as ana, Workspace.open(ws, reading=True) as anybody:
        read = anybody.ledger.store
        real, calls = type(read).select, [0]

        def select(self: object, statement: str, **values: object) -> object:
            calls[0] += 1
            ana.datasets.protect("silver_social_events", small.day(1), small.day(1), reason=f"{REASON} {calls[0]}")
            return real(self, statement, **values)  # type: ignore[arg-type]  # as they were given

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(read), "select", select)
            made = anybody.store.backup(tmp_path / "backup.gz")
        assert calls[0] > 3
        assert made.events < ana.ledger.position()
        assert made.root == root_at(load_config(ws / FILE).ledger_url, made.events)
    point(ws, f"sqlite:///{tmp_path / 'anew.db'}")
    assert restore(ws, tmp_path / "backup.gz", reason=LOST, actor="ana", clock=small.Ticking()).root == made.root
    again = tmp_path / "again.gz"
    with pytest.raises(FileThereError):
        backed_up(ws, tmp_path / "backup.gz")
    backed_up(ws, again)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def lines_of(file: Path) -> list[bytes]:
    return gzip.decompress(file.read_bytes()).splitlines(keepends=True)


HARMS: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "empty": lambda lines: [],
    "another file": lambda lines: [b"hello\n"],
    "no end": lambda lines: lines[:-1],
    "cut in a line": lambda lines: [*lines[:-1], lines[-1][:20]],
    "cut after the first": lambda lines: lines[:1],
    "a line less": lambda lines: [*lines[:5], *lines[6:]],
    "a line twice": lambda lines: [*lines[:5], lines[4], *lines[5:]],
    "two changed about": lambda lines: [*lines[:4], lines[5], lines[4], *lines[6:]],
    "more at the end": lambda lines: [*lines, b"\n"],
    "another reason": lambda lines: [*lines[:3], lines[3].replace(b'"by":"ana"', b'"by":"eve"'), *lines[4:]],
    "another root": lambda lines: [re.sub(rb'[0-9a-f]{64}', b"0" * 64, lines[0]), *lines[1:]],
    "no root": lambda lines: [re.sub(rb'[0-9a-f]{64}', b"none", lines[0]), *lines[1:]],
    "another ledger": lambda lines: [re.sub(rb'"ledger":"[^"]+"', b'"ledger":"other"', lines[0]), *lines[1:]],
    "fewer events": lambda lines: [re.sub(rb'"events":\d+', b'"events":5', lines[0]), *lines[1:]],
    "no text": lambda lines: [*lines[:3], b"\xff" + lines[3], *lines[4:]],
    "a later form": lambda lines: [lines[0].replace(b'"version":1', b'"version":2'), *lines[1:]],
    "a later format": lambda lines: [lines[0].replace(b'"format":1', b'"format":2'), *lines[1:]],
}  # fmt: skip


@pytest.mark.parametrize("kind", [SQLITE, pytest.param(POSTGRES, marks=pytest.mark.soak)], ids=lambda kind: kind.name)
def test_a_damaged_backup_puts_nothing_back(ws: Path, tmp_path: Path, kind: Kind) -> None:
    file, packed = backed_up(ws, tmp_path / "backup.gz"), {}
    lines = lines_of(file)
    for name, harm in HARMS.items():
        assert harm(lines) != lines, name
        packed[name] = gzip.compress(b"".join(harm(lines)))
    whole = file.read_bytes()
    middle = len(whole) // 2
    packed["cut"] = whole[:middle]
    packed["cut at its end"] = whole[:-1]
    packed["a flipped bit"] = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    packed["not packed"] = b"".join(lines)
    with kind.fresh(tmp_path) as anew:
        point(ws, anew if kind is POSTGRES else f"sqlite:///{tmp_path / 'anew.db'}")
        for name, bytes_of in packed.items():
            file.write_bytes(bytes_of)
            with pytest.raises((BackupError, OtherRootError)) as refused:
                restore(ws, file, reason=LOST, actor="ana", clock=small.Ticking())
            assert refused.value.mend, name
            with pytest.raises(NoLedgerError):
                open_store(load_config(ws / FILE).ledger_url)
        file.write_bytes(whole)
        restore(ws, file, reason=LOST, actor="ana", clock=small.Ticking())


def test_a_ledger_is_put_back_into_an_empty_database_only(ws: Path, tmp_path: Path) -> None:
    file = backed_up(ws, tmp_path / "backup.gz")
    before = rows_of(ws)
    with pytest.raises(LedgerExistsError):
        restore(ws, file, reason=LOST, actor="ana", clock=small.Ticking())
    assert rows_of(ws) == before


def test_a_lake_of_another_ledger_takes_none_that_is_put_back(ws: Path, tmp_path: Path) -> None:
    other = worlds.copied(tmp_path / "other", days=3, until=3, thin=True, run_ahead_days=9)
    file = backed_up(other, tmp_path / "backup.gz")
    point(ws, f"sqlite:///{tmp_path / 'anew.db'}")
    with pytest.raises(OtherLedgerError):
        restore(ws, file, reason=LOST, actor="ana", clock=small.Ticking())
    with pytest.raises(NoLedgerError):
        open_store(load_config(ws / FILE).ledger_url)


def test_who_may_not_ask_for_an_epoch_puts_nothing_back(tmp_path: Path) -> None:
    ws = worlds.copied(tmp_path, days=3, until=3, thin=True, may_force=["ana", "ben"])
    file = backed_up(ws, tmp_path / "backup.gz")
    point(ws, f"sqlite:///{tmp_path / 'anew.db'}")
    with pytest.raises(NotAllowedError):
        restore(ws, file, reason=LOST, actor="eve", clock=small.Ticking())
    with pytest.raises(NoLedgerError):
        open_store(load_config(ws / FILE).ledger_url)


@pytest.mark.parametrize("kind", [SQLITE, POSTGRES], ids=lambda kind: kind.name)
def test_who_dies_while_putting_back_has_put_back_nothing_or_all(
    ws: Path, tmp_path: Path, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = backed_up(ws, tmp_path / "backup.gz")
    (tmp_path / "anew").mkdir()
    with kind.fresh(tmp_path / "anew") as anew:
        point(ws, anew)
        for step in ("begun", "poured", "before the end"):
            with dying(step, monkeypatch):
                restore(ws, file, reason=LOST, actor="ana", clock=small.Ticking())
            with pytest.raises(NoLedgerError):
                open_store(anew)
        with dying("after the end there", monkeypatch):
            restore(ws, file, reason=LOST, actor="ana", clock=small.Ticking())
        with pytest.raises(EpochWaitsError):
            small.reopen(ws)
        with used_to_mend(ws, "ben") as ben:
            plan = ben.lake.waiting_epoch()
            assert plan is not None
            assert ben.lake.begin_epoch(plan.digest) == 1


def test_a_backup_that_is_not_there_is_named(ws: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    point(ws, f"sqlite:///{tmp_path / 'anew.db'}")
    assert run(["-C", str(ws), "ledger", "restore", str(tmp_path / "none.gz"), "--reason", LOST]) == 4
    assert "there is no file" in capsys.readouterr().err
    assert not (tmp_path / "anew.db").exists()


def test_a_folder_that_is_not_there_takes_no_backup(ws: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no folder"):
        backed_up(ws, tmp_path / "none" / "backup.gz")
