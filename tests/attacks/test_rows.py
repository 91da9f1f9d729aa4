"""A row is what its entry says: what is planted beside it is named, and neither driven nor believed."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests import worlds
from tests.kit import planted, small
from tests.kit.planted import Planted
from tradex_ledger.audit.log import log
from tradex_ledger.cli.main import run
from tradex_ledger.clock import utc_now
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.dataset import Dataset
from tradex_ledger.domain.run import Run
from tradex_ledger.errors import BrokenLedgerError
from tradex_ledger.ledger.log import EarlyTileError
from tradex_ledger.ledger.mapper import EntryMapper
from tradex_ledger.ledger.merkle import leaf_hash
from tradex_ledger.ledger.recorder import Recorder
from tradex_ledger.ledger.rows import BrokenRowError, MissingEventError, time_at
from tradex_ledger.views import open_views, resolve
from tradex_ledger.workspace import Workspace


@pytest.fixture(scope="module")
def requested(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A week, and a forced override that is planned and waits for approval."""
    root = tmp_path_factory.mktemp("attacked")
    with small.reopen(worlds.copied(root, thin=True)) as made:
        run_id = small.request(made, **small.OVERRIDE)
    return root / "ws", run_id


@pytest.fixture
def folder(requested: tuple[Path, str], tmp_path: Path) -> Path:
    return Path(shutil.copytree(requested[0], tmp_path / "ws"))


@pytest.fixture
def run_id(requested: tuple[Path, str]) -> str:
    return requested[1]


@pytest.fixture
def connection(folder: Path) -> Iterator[sqlite3.Connection]:
    with planted.database(folder) as opened:
        yield opened


def approval(connection: sqlite3.Connection, run_id: str) -> Planted:
    """The boss's approval, as the program would have written it."""
    plan = orjson.loads(
        connection.execute(
            "select entry from events where topic = 'backfill.planned' and stream = ?", [run_id]
        ).fetchone()[0]
    )
    return planted.next_row(
        connection, run_id, "backfill.approved", "boss", {"plan_digest": plan["data"]["digest"], "rule": None}
    )


def _foreign(row: Planted) -> Planted:
    fields = orjson.loads(row.entry)
    return planted.composed(
        "ld-other", row.position, row.at, row.stream, row.version, row.topic, fields["by"], fields["data"]
    )


def _moved(**changes: Any) -> Callable[[Planted], Planted]:
    """The entry, with its own leaf, of an event somewhere else."""

    def change(row: Planted) -> Planted:
        fields = orjson.loads(row.entry)
        place = {name: fields[name] for name in ("ledger", "position", "at", "stream", "version", "topic")}
        other = planted.composed(**{**place, **changes}, by=fields["by"], data=fields["data"])
        return row._replace(leaf=other.leaf, entry=other.entry)

    return change


def _rewritten(row: Planted, old: str, new: str) -> Planted:
    """The row with another text in its entry, and the leaf that belongs to it."""
    entry = row.entry.replace(old, new, 1)
    return row._replace(entry=entry, leaf=leaf_hash(entry.encode()))


PLANTED: dict[str, Callable[[Planted], Planted]] = {
    "a zero leaf": lambda row: row._replace(leaf=bytes(32)),
    "the leaf of something else": lambda row: row._replace(leaf=leaf_hash(b"else")),
    "an entry of another ledger": _foreign,
    "an entry of another ledger, and a zero leaf": lambda row: _foreign(row)._replace(leaf=bytes(32)),
    "an entry of another topic": _moved(topic="backfill.rejected"),
    "an entry of another stream": _moved(stream="bf-other"),
    "an entry of another version": _moved(version=77),
    "an entry of another position": _moved(position=1),
    "an entry of another time": _moved(at="2020-01-01T00:00:00.000000Z"),
    "no entry at all": lambda row: row._replace(entry="{}", leaf=leaf_hash(b"{}")),
    "an entry that is not JSON": lambda row: _rewritten(row, '"data":{', '"data":{{'),
    "an entry of nobody": lambda row: _rewritten(row, ',"data":{', ',"date":{'),
}
UNGUARDED = {"a zero leaf", "the leaf of something else", "an entry of nobody"}  # SQLite knows no SHA-256
GUARDED = sorted(set(PLANTED) - UNGUARDED)


@pytest.mark.parametrize("how", PLANTED)
def test_what_is_planted_is_refused_by_whoever_reads_it(
    folder: Path, run_id: str, connection: sqlite3.Connection, how: str, capsys: pytest.CaptureFixture[str]
):
    planted.without(connection, planted.NEW_GUARDS)
    row = PLANTED[how](approval(connection, run_id))
    planted.insert(connection, row)
    with Workspace.open(folder, actor="ana", reading=True) as opened:
        ledger = opened.ledger
        for read in (
            lambda: ledger.get(Backfill, run_id),
            lambda: list(
                map(EntryMapper().to_domain_event, Recorder(ledger.engine, utc_now).select_notifications(1, 9_999))
            ),
            lambda: log(ledger),
            lambda: open_views(ledger.store, resolve(ledger.store, None)),
        ):
            with pytest.raises(BrokenRowError, match=f"position {row.position} ") as caught:
                read()
            assert caught.value.exit_status == 7
    before = connection.execute("select count(*) from events").fetchone()
    for command in (
        ["status"],
        ["backfill", "show", run_id],
        ["audit", "log"],
        ["audit", "history", run_id],
        ["backfill", "cancel", run_id, "--reason", "the vendor delivered other days"],
        ["worker", "--once"],
        ["query", "select * from runs"],
    ):
        assert run(["-C", str(folder), "--as", "eve", *command]) == 7, command
        assert f"position {row.position}" in capsys.readouterr().err
    assert connection.execute("select count(*) from events").fetchone() == before


def test_an_entry_that_says_one_thing_and_then_another_is_not_driven(
    folder: Path, run_id: str, connection: sqlite3.Connection
):
    twice = ',"data":{"plan_digest":"other","rule":null},"ledger":'
    row = _rewritten(approval(connection, run_id), ',"ledger":', twice)
    planted.insert(connection, row)
    with small.reopen(folder) as opened, pytest.raises(BrokenRowError):
        opened.runs.drive(run_id)


@pytest.mark.parametrize("data", [{}, {"plan_digest": "x"}, {"plan_digest": "x", "rule": None, "more": 1}])
def test_an_event_without_its_facts_is_refused(
    folder: Path, run_id: str, connection: sqlite3.Connection, data: dict[str, Any]
):
    planted.insert(connection, planted.next_row(connection, run_id, "backfill.approved", "boss", data))
    with small.reopen(folder) as opened, pytest.raises(BrokenRowError):
        opened.runs.drive(run_id)


@pytest.mark.parametrize(
    ("topic", "data"),
    [
        ("dataset.version_restored", {"logic_version": 9, "reason": "none was deprecated before"}),
        ("dataset.engine_accepted", {"engine": "1.0", "logic_version": 1, "reason": "nobody ever checked it"}),
    ],
)
@pytest.mark.parametrize("stream", ["dataset-silver_social_events", "dataset-new"])
def test_an_event_that_does_not_fit_those_before_it_ends_in_a_line(
    folder: Path, connection: sqlite3.Connection, topic: str, data: dict[str, Any], stream: str
):
    planted.insert(connection, planted.next_row(connection, stream, topic, "eve", data))
    with small.reopen(folder) as opened, pytest.raises(BrokenRowError, match="does not fit"):
        opened.ledger.get(Dataset, stream)


@pytest.mark.parametrize("how", GUARDED)
def test_the_guards_turn_away(run_id: str, connection: sqlite3.Connection, how: str):
    row = PLANTED[how](approval(connection, run_id))
    with pytest.raises(sqlite3.DatabaseError):
        planted.insert(connection, row)


def test_the_guards_let_in_what_is_right_and_are_put_back_by_who_writes(
    folder: Path, run_id: str, connection: sqlite3.Connection
):
    planted.without(connection, planted.ALL_GUARDS)
    connection.execute("drop index events_by_stream_topic")
    Workspace.open(folder, actor="ana", reading=True).close()
    present = "select count(*) from sqlite_master where name in ('events_true_insert', 'events_by_stream_topic')"
    assert connection.execute(present).fetchone() == (0,)
    small.reopen(folder).close()
    assert connection.execute(present).fetchone() == (2,)
    row = approval(connection, run_id)
    with pytest.raises(sqlite3.IntegrityError):
        planted.insert(connection, _foreign(row))
    planted.insert(connection, row)  # who may write an event in all its parts is the owner of the ledger


@pytest.mark.parametrize("column", ["stream", "version", "topic", "at", "leaf", "entry"])
def test_two_rows_that_are_swapped_in_a_column_are_named(folder: Path, connection: sqlite3.Connection, column: str):
    planted.without(connection, planted.ALL_GUARDS)
    connection.execute("drop index events_by_stream_topic")
    one, two = connection.execute("select min(position), max(position) from events where topic like 'run.%'").fetchone()
    values = dict(connection.execute(f"select position, {column} from events where position in ({one}, {two})"))
    free = {"stream": "away", "version": 10_000}.get(column, values[one])
    for position, value in ((one, free), (two, values[one]), (one, values[two])):
        connection.execute(f"update events set {column} = ? where position = ?", [value, position])
    if values[one] == values[two]:
        return
    with Workspace.open(folder, actor="ana", reading=True) as opened:
        with pytest.raises(BrokenRowError, match=f"position ({one}|{two}) "):
            open_views(opened.ledger.store, resolve(opened.ledger.store, str(two)))
        with pytest.raises(BrokenLedgerError):
            log(opened.ledger)


def test_an_event_that_was_taken_out_of_the_middle_is_missed(folder: Path, connection: sqlite3.Connection):
    connection.execute("drop trigger events_no_delete")
    stream, position = connection.execute(
        "select stream, min(position) from events where topic = 'run.partition_rebuilt'"
    ).fetchone()
    connection.execute("delete from events where position = ?", [position])
    with Workspace.open(folder, actor="ana", reading=True) as opened:
        with pytest.raises(MissingEventError):
            opened.ledger.get(Run, stream)
        with pytest.raises(MissingEventError):
            open_views(opened.ledger.store, resolve(opened.ledger.store, None))


def test_events_that_are_added_while_somebody_looks_are_no_lost_events(folder: Path):
    with Workspace.open(folder) as workspace:
        seen = workspace.ledger.position() - 3  # where the ledger ended when its last position was asked for
        assert time_at(workspace.ledger.store, seen, seen) is not None


@pytest.mark.parametrize(("level", "tile"), [(0, 0), (0, 1), (1, 0), (3, 0), (9, 0)])
def test_a_tile_that_is_laid_ahead_is_named_and_not_called_a_conflict(
    folder: Path, run_id: str, connection: sqlite3.Connection, level: int, tile: int, capsys: pytest.CaptureFixture[str]
):
    statement = f"insert into tiles values ({level}, {tile}, zeroblob(8192))"
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(statement)
    planted.without(connection, planted.ALL_GUARDS)
    connection.execute(statement)
    with small.reopen(folder) as opened, pytest.raises(EarlyTileError, match=f"tile {tile} of level {level}"):
        opened.runs.cancel(run_id, reason="the vendor delivered other days")
    cancel = ["backfill", "cancel", run_id, "--reason", "the vendor delivered other days"]
    assert run(["-C", str(folder), "--as", "eve", *cancel]) == 7
    said = capsys.readouterr().err
    assert f"tile {tile} of level {level}" in said
    assert "somebody else" not in said


@pytest.mark.parametrize("when", ["", "when NEW.topic = 'backfill.cancelled'"])
def test_what_a_trigger_swallows_is_not_told_to_be_done(
    folder: Path, run_id: str, connection: sqlite3.Connection, capsys: pytest.CaptureFixture[str], when: str
):
    connection.execute(f"create trigger quiet before insert on events {when} begin select raise(ignore); end")
    before = connection.execute("select count(*) from events").fetchone()
    cancel = ["backfill", "cancel", run_id, "--reason", "the vendor delivered other days"]
    assert run(["-C", str(folder), "--as", "eve", *cancel]) == 7
    assert "did not keep the event" in capsys.readouterr().err
    assert connection.execute("select count(*) from events").fetchone() == before
    connection.execute("drop trigger quiet")
    assert run(["-C", str(folder), "--as", "eve", *cancel]) == 0


@pytest.mark.parametrize("data", [{}, {"digest": [1], "rule": {}}, {"plan_digest": None, "rule": "small", "by": 7}])
@pytest.mark.parametrize("topic", ["backfill.approved", "backfill.requested", "run.partition_rebuilt", "policy.set"])
def test_an_event_without_its_facts_is_told_of_in_words(
    folder: Path, run_id: str, connection: sqlite3.Connection, capsys: pytest.CaptureFixture[str], topic: str, data: Any
):
    for _ in range(2):
        planted.insert(connection, planted.next_row(connection, run_id, topic, "boss", data))
    for command in (["audit", "history", run_id], ["audit", "log"]):
        assert run(["-C", str(folder), *command]) in (0, 7)
        assert "fault of the program" not in capsys.readouterr().err


@pytest.mark.parametrize("at", ["junk", "9999-99-99T99:99:99.999999Z", "٢٠٢٤-٠١-٠١T00:00:00.000000Z"])
def test_a_time_that_is_none_is_named_by_who_reads_it_and_by_who_writes_after_it(
    folder: Path, run_id: str, connection: sqlite3.Connection, capsys: pytest.CaptureFixture[str], at: str
):
    ledger, position = connection.execute("select id, (select max(position) + 1 from events) from ledger").fetchone()
    planted.insert(connection, planted.composed(ledger, position, at, "zzz", 1, "zzz.made", "boss", {}))
    cancel = ["backfill", "cancel", run_id, "--reason", "the vendor delivered other days"]
    for command in (["status"], ["audit", "log"], ["run", "--to", "2024-01-08"], cancel):
        assert run(["-C", str(folder), "--as", "eve", *command]) == 7
        assert f"position {position}" in capsys.readouterr().err
