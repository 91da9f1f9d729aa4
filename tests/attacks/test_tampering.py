"""The tamper table: whatever its owner does to a ledger, or to its lake, `verify` names the event or the file."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests import worlds
from tests.kit import planted, small, tampering
from tests.kit.lake_folder import root_of
from tests.kit.tampering import EARLY, LATE, Raw, Said, last_planned, names, verify
from tradex_ledger.audit.look import Look
from tradex_ledger.cli.main import run
from tradex_ledger.sealing.checkpoint import parsed, sealed
from tradex_ledger.sealing.note import ED25519, SignerKey, taken_apart
from tradex_ledger.verifying import finding


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace, and its heads where only the auditor has them."""
    folder = tmp_path_factory.mktemp("tampering")
    ws = worlds.copy("tampered", partial(tampering.make, create=worlds.create), folder)
    shutil.copytree(ws / "checkpoints", folder / "kept")
    return ws


@pytest.fixture
def ws(world: Path, tmp_path: Path) -> Path:
    shutil.copytree(world.parent, tmp_path / "all", symlinks=True)
    return tmp_path / "all" / "ws"


def test_what_nobody_touched_is_right(ws: Path):
    found = verify(ws)
    assert (found.findings, found.unjudged, found.exit_status) == ([], [], 0)
    assert found.sealed and found.heads >= 5 and found.files


@pytest.mark.norm("N2", "N3")
@pytest.mark.parametrize("attack", tampering.TABLE, ids=lambda one: one.__name__)
def test_what_is_done_to_the_ledger_is_named(ws: Path, attack: Callable[[Raw], Said]):
    with tampering.sqlite(ws) as raw:
        said = attack(raw)
    found = verify(ws)
    assert names(found, said), found.findings
    assert found.exit_status == 1
    if attack in (tampering.edit, tampering.edit_late, tampering.edit_with_leaf, tampering.edit_a_tile):
        assert len(found.findings) == 1, found.findings


def test_what_was_rewritten_as_a_whole_is_seen_by_a_head_kept_elsewhere_alone(ws: Path):
    with tampering.sqlite(ws) as raw:
        tampering.chain_again(raw)
    shutil.rmtree(ws / "checkpoints")
    without = verify(ws, kept=False).findings
    # What approvers were shown is on record: who rewrites what was before has to rewrite that, too.
    assert without and {one.kind for one in without} == {"bad approval"}
    (found,) = [one for one in verify(ws).findings if one.kind == "split view" and one.position]
    sizes = [int(path.name) for path in (ws.parent / "kept").iterdir()]
    assert found.position == max(size for size in sizes if size < EARLY) + 1
    assert found.last == min(size for size in sizes if size >= EARLY)


def test_an_older_copy_in_its_place_is_named(ws: Path, tmp_path: Path):
    older = Path(shutil.copy(ws / "ledger.db", tmp_path / "older.db"))
    with small.reopen(ws, "maria") as workspace:
        end = workspace.ledger.position()
        workspace.backfills.reject(last_planned(ws), reason="the vendor will deliver again on Monday")
        workspace.seals.cut()
    shutil.copytree(ws / "checkpoints", ws.parent / "kept", dirs_exist_ok=True)
    shutil.rmtree(ws / "checkpoints")
    shutil.copy(older, ws / "ledger.db")
    found = verify(ws)
    assert names(found, Said("truncated", end + 1))


def test_guards_that_are_gone_or_are_others_are_named(ws: Path):
    with tampering.sqlite(ws, guarded=False):
        pass
    assert {one.kind for one in verify(ws).findings} == {"guards changed"}
    with planted.database(ws) as connection:
        connection.execute("create trigger events_no_update before update on events when 0 begin select 1; end")
        connection.execute("create trigger theirs after insert on events begin delete from tracking; end")
    details = [one.detail for one in verify(ws).findings]
    assert any("trigger events_no_update is another" in detail for detail in details)
    assert any("trigger theirs on events is no work" in detail for detail in details)


def test_a_guard_that_was_rewritten_in_the_schema_itself_is_named(ws: Path):
    with planted.database(ws) as connection:
        connection.execute("pragma writable_schema = on")
        connection.execute(
            "update sqlite_master set sql = replace(sql, 'BEFORE DELETE', 'BEFORE DELETE') || '/* */' "
            "where name = 'events_no_delete'"
        )
        connection.execute(
            "update sqlite_master set sql = replace(sql, 'CHECK (length(leaf) = 32)', '') where name = 'events'"
        )
    details = " ".join(one.detail for one in verify(ws).findings)
    assert "the table events is another" in details


@pytest.mark.parametrize(
    "other",
    [
        ("'the ledger is", "'the--') WHERE 0; SELECT ('\n ledger is"),
        ("'the ledger is", "'the  ledger is"),
    ],
)
def test_a_guard_with_a_comment_within_its_text_is_named(ws: Path, other: tuple[str, str]):
    with planted.database(ws) as connection:
        name = "select sql from sqlite_master where name = 'events_no_delete'"
        sql = connection.execute(name).fetchone()[0].replace(*other)
        connection.execute("drop trigger events_no_delete")
        connection.execute(sql)
    details = " ".join(one.detail for one in verify(ws).findings)
    assert "the trigger events_no_delete is another" in details


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("drop index events_by_topic", "the index events_by_topic is gone"),
        (
            "drop index events_by_topic; create index events_by_topic on events (topic, position) where position < 9",
            "the index events_by_topic is another",
        ),
        ("create unique index own on events (topic) where topic = 'policy.set'", "the index own on events is no work"),
        ("create index own on events (stream, version)", "the index own on events is no work"),
    ],
)
def test_an_index_that_is_gone_or_is_another_is_named(ws: Path, script: str, said: str):
    with planted.database(ws) as connection:
        connection.executescript(script)
    found = verify(ws)
    assert any(one.kind == "index changed" and said in one.detail for one in found.findings), found.findings
    assert found.exit_status == 1


def test_an_index_that_hides_an_event_is_named(ws: Path):
    by_topic = "sqlite_master where name = 'events_by_topic'"
    with tampering.sqlite(ws, guarded=False) as raw:
        (index,) = raw.rows(f"select type, name, tbl_name, rootpage, sql from {by_topic}")
        raw.run("pragma writable_schema = on")
        raw.run(f"delete from {by_topic}")
    with tampering.sqlite(ws, guarded=False) as raw:  # here nobody knows of the index, and nobody keeps it
        raw.run("delete from events where position = ?", EARLY)
        raw.run("pragma writable_schema = on")
        raw.run("insert into sqlite_master values (?, ?, ?, ?, ?)", *index)
    with tampering.sqlite(ws):
        pass
    found = verify(ws)
    assert names(found, Said("missing", EARLY))
    assert names(found, Said("index changed"))


def test_a_head_signed_by_another_key_is_named(ws: Path):
    file = max((ws / "checkpoints").iterdir())
    head = parsed(taken_apart(file.read_text(encoding="utf-8"))[0])
    file.chmod(0o600)
    file.write_text(sealed(head, SignerKey(head.origin, ED25519, os.urandom(32))), encoding="utf-8")
    (found,) = verify(ws).findings
    assert (found.kind, found.file) == ("bad signature", f"the workspace ({file.name})")


def test_a_changed_byte_of_a_head_is_named(ws: Path):
    file = max((ws.parent / "kept").iterdir())
    file.chmod(0o600)
    content = bytearray(file.read_bytes())
    content[-10] ^= 1
    file.write_bytes(content)
    (found,) = verify(ws).findings
    assert (found.kind, found.file) == ("bad signature", str(file))


@pytest.mark.parametrize("by", ["ana", "ANA", "maria"])
def test_an_approval_that_the_rules_refuse_is_named(ws: Path, by: str):
    with tampering.sqlite(ws) as raw:
        changes = {} if by != "maria" else {"plan_digest": "0" * 64}
        said = tampering.approve(raw, last_planned(ws), by, **changes)
    assert names(verify(ws), said)


def test_a_rule_approves_no_forced_backfill(ws: Path):
    with tampering.sqlite(ws) as raw:
        said = tampering.approve(raw, last_planned(ws), "worker", rule="forced backfills need no approval")
    assert names(verify(ws), said)


def test_a_planted_snapshot_is_named(ws: Path):
    with planted.database(ws) as connection:
        connection.execute("insert into snapshots values ('pipeline-x', 1, 'snapshot', x'00')")
    (found,) = verify(ws).findings
    assert found.kind == "planted" and "pipeline-x" in found.detail


def test_a_file_of_the_lake_that_was_changed_swapped_or_removed_is_named(ws: Path):
    with small.reopen(ws) as workspace:
        lake = root_of(workspace)
    one, two, three, four = sorted(lake.rglob("*.parquet"))[:4]
    for path in (one, two, three, four):
        path.chmod(0o600)
    content = bytearray(one.read_bytes())
    content[len(content) // 2] ^= 1
    one.write_bytes(content)
    left, right = two.read_bytes(), three.read_bytes()
    two.write_bytes(right)
    three.write_bytes(left)
    four.unlink()
    found = {(finding.kind, finding.file) for finding in verify(ws).findings}
    names_of = [str(path.relative_to(lake)) for path in (one, two, three, four)]
    assert found == {*(("file changed", name) for name in names_of[:3]), ("file missing", names_of[3])}
    assert all(finding.position for finding in verify(ws).findings)


def test_a_poisoned_cache_changes_nothing_that_verify_says(ws: Path):
    before = verify(ws)
    for path in small.caches(ws).rglob("*"):
        if path.is_file():
            path.write_bytes(b"poison")
    assert verify(ws) == before


def test_a_damaged_page_is_named_and_the_rest_is_judged(ws: Path):
    with sqlite3.connect(ws / "ledger.db") as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
        (size,) = connection.execute("pragma page_size").fetchone()
        (page,) = connection.execute(
            "select pageno from dbstat where name = 'events' and pagetype = 'leaf' limit 1 offset 3"
        ).fetchone()
    with (ws / "ledger.db").open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    found = verify(ws)
    assert {"unreadable"} <= {one.kind for one in found.findings}
    assert found.exit_status == 1


def test_what_somebody_vouches_for_is_taken_by_its_tiles(ws: Path):
    head = sorted((ws.parent / "kept").iterdir())[-2]
    assert Look.open(ws).verify(since=str(head)).findings == []
    with tampering.sqlite(ws) as raw:
        tampering.chain_again(raw)
    found = Look.open(ws).verify(since=str(head), heads=[])
    assert names(found, Said("split view", EARLY))


def test_less_than_somebody_vouches_for_is_named(ws: Path):
    end = Look.open(ws).store.position()
    for path in (ws / "checkpoints").iterdir():
        path.unlink()
    assert Look.open(ws).verify(since=str(end), with_lake=False).findings == []
    with tampering.sqlite(ws) as raw:
        tampering.cut(raw)
    assert Look.open(ws).verify(since=str(LATE), with_lake=False).findings == []
    found = Look.open(ws).verify(since=str(end), with_lake=False)
    assert names(found, Said("truncated", LATE + 1)), found.findings
    assert found.exit_status == 1


def test_the_document_has_what_the_lines_say(ws: Path):
    with tampering.sqlite(ws) as raw:
        tampering.edit(raw)
    (one,) = verify(ws).findings
    assert (one.kind, one.position, one.file) == ("altered", EARLY, None)
    assert one.shown.where == str(EARLY)


def test_all_findings_are_counted_and_the_first_of_a_kind_are_told():
    kinds = ["file missing"] * (finding.MOST_OF_A_KIND + 7) + ["altered"]
    told = list(finding.capped(finding.Finding(kind, "x", file=str(number)) for number, kind in enumerate(kinds)))
    assert len(told) == finding.MOST_OF_A_KIND + 2
    assert (told[-1].detail, sum(one.stands_for for one in told)) == ("7 more of this kind", len(kinds))


def test_a_verdict_counts_all_that_it_found(
    ws: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    with small.reopen(ws) as workspace:
        files = sorted(root_of(workspace).rglob("*.parquet"))
    for path in files:
        path.unlink()
    whole = verify(ws)
    monkeypatch.setattr(finding, "MOST_OF_A_KIND", 2)
    found = verify(ws)
    assert (found.found, len(found.findings)) == (whole.found, 3)
    assert whole.found == len(whole.findings) > 3
    assert run(["-C", str(ws), "audit", "verify"]) == 1
    assert f"{whole.found} findings" in capsys.readouterr().err
