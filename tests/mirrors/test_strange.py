"""What says how far a mirror has come is somebody else's text until it is held against the ledger.

Whatever stands there, it is refused with its values and what mends it; no run fails for it, and nothing is written
beside the mirror.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.kit import mirrored, small
from tradex_ledger.errors import TradexError
from tradex_ledger.mirrors.delta import NOTE

Change = Callable[[dict[str, Any]], object]
TABLE = "gold_metrics"


def refused(ws: Path, name: str, said: str, *, run: bool = True) -> None:
    """It is said where somebody looks, told to who syncs, no reason for a `run` to fail, and mended by the command."""
    before = {path.name for path in ws.parent.iterdir()} | {path.name for path in ws.iterdir()}
    with small.reopen(ws) as workspace:
        with pytest.raises(TradexError) as told:
            workspace.mirrors.sync(name)
        assert said in told.value.message
        assert told.value.exit_status in (3, 6)
        assert "tradex mirror rebuild" in told.value.mend
        held = mirrored.held(ws)["delta"] if name == "tables" else None
        assert not run or workspace.incremental.run(last=small.day(5)).status == "SUCCESS"
        assert held is None or mirrored.held(ws)["delta"] == held
        assert workspace.status().attention
        (how,) = (one for one in workspace.mirrors.all() if one.name == name)
        assert how.failed and said in how.failed.error
    assert {path.name for path in ws.parent.iterdir()} | {path.name for path in ws.iterdir()} <= before | {".attempts"}


def cases(ran: set[int], *rows: Any) -> list[Any]:
    """Each with whether a run is made, too, which costs most of it: where somebody stumbles over another thing, by
    their numbers; the others make one when they have time."""
    rows = tuple(row if isinstance(row, tuple) else (row,) for row in rows)
    soaked = [pytest.param(*row, True, marks=pytest.mark.soak) for at, row in enumerate(rows) if at not in ran]
    return [(*row, at in ran) for at, row in enumerate(rows)] + soaked


def noted(ws: Path, change: Change) -> None:
    note = mirrored.delta_folder(ws) / NOTE
    said = json.loads(note.read_bytes())
    change(said)
    note.write_text(json.dumps(said), encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "said", "run"),
    cases(
        {0, 4, 5, 7, 8, 11},
        (lambda note: note.update(position=-5), "a position that is none ('-5')"),
        (lambda note: note.update(position=10.7), "a position that is none ('10.7')"),
        (lambda note: note.update(position=True), "a position that is none ('True')"),
        (lambda note: note.update(position=2**70), "a position that is none"),
        (lambda note: note.update(position=999_999), "is as of position 999999, and this ledger ends with"),
        (lambda note: note.update(position=7), "of another record"),
        (lambda note: note.update(root=None), "of a record that is none"),
        (lambda note: note.update(ledger="another"), "is one of the ledger another"),
        (lambda note: note["commits"].update({"../../evil": 0}), "a dataset that is none, '../../evil'"),
        (lambda note: note["commits"].update({TABLE: "3"}), f"says of {TABLE} what is none, '3'"),
        (lambda note: note["left_out"].update({"other": 3}), "says of other what is none, '3'"),
        (lambda note: note.pop("commits"), "cannot be read"),
    ),
)
def test_a_note_that_is_none_is_refused(ws: Path, change: Change, said: str, run: bool):
    noted(ws, change)
    refused(ws, "tables", said, run=run)
    with small.reopen(ws) as workspace:
        assert workspace.mirrors.rebuild("tables")[0].steps > 0


@pytest.mark.parametrize(("torn", "run"), cases({0, 3}, b"", b"{", b"[]", b"\xff\xfe", b'{"position": 1e400}'))
def test_a_note_that_is_torn_is_no_beginning(ws: Path, torn: bytes, run: bool):
    (mirrored.delta_folder(ws) / NOTE).write_bytes(torn)
    refused(ws, "tables", "cannot be read", run=run)


@pytest.mark.parametrize(
    ("said_of", "said", "run"),
    cases(
        {0, 4, 5},
        ({"tradexPosition": -3}, "as of position -3 of another record"),
        ({"tradexPosition": 10**6}, "as of position 1000000 of another record"),
        ({"tradexPosition": 2**70}, "of another record"),
        ({"tradexPosition": 2**70, "tradexRoot": "no such position"}, "that somebody else made"),
        ({"tradexPosition": None}, "that somebody else made"),
        ({"tradexLedger": "another"}, "of another record"),
    ),
)
def test_a_commit_of_another_record_is_not_written_behind(ws: Path, said_of: dict[str, Any], said: str, run: bool):
    (mirrored.delta_folder(ws) / NOTE).unlink()
    last = mirrored.commits(ws, TABLE)[-1]
    info, _, rest = last.read_bytes().partition(b"\n")
    last.write_bytes(json.dumps({"commitInfo": {**json.loads(info)["commitInfo"], **said_of}}).encode() + b"\n" + rest)
    refused(ws, "tables", said, run=run)


@pytest.mark.parametrize("has_note", [True, False])
def test_a_log_that_lost_an_earlier_commit_is_not_written_on(ws: Path, has_note: bool):
    if not has_note:
        (mirrored.delta_folder(ws) / NOTE).unlink()
    mirrored.commits(ws, TABLE)[0].unlink()
    with small.reopen(ws) as workspace:
        workspace.incremental.run(last=small.day(5))
        with pytest.raises(TradexError) as told:
            workspace.mirrors.sync("tables")
        assert ("has lost commit 0" in told.value.message) or ("commits of gold_metrics, and had" in told.value.message)
        workspace.mirrors.rebuild("tables")
        assert workspace.mirrors.sync("tables")[0].steps == 0


def test_a_mirror_that_lost_its_note_goes_on_behind_its_commits_without_doubles(ws: Path):
    whole = mirrored.held(ws)
    (mirrored.delta_folder(ws) / NOTE).unlink()
    with small.reopen(ws) as workspace:
        assert workspace.mirrors.sync("tables")[0].steps == 0
    assert mirrored.held(ws) == whole


SAYS = "update ducklake_metadata set value = {} where key = 'tradex_{}'"


@pytest.mark.parametrize(
    ("statement", "said", "run"),
    cases(
        {0, 5, 7, 8, 10},
        (SAYS.format("'-4'", "position"), "a position that is none ('-4')"),
        (SAYS.format("null", "position"), "a position that is none ('None')"),
        (SAYS.format("x'ff'", "position"), "a position that is none"),
        (SAYS.format("4.5", "position"), "a position that is none ('4.5')"),
        (SAYS.format("'99999999999999999999'", "position"), "a position that is none"),
        (SAYS.format("'999999'", "position"), "is as of position 999999, and this ledger ends with"),
        (SAYS.format("null", "root"), "of a record that is none"),
        (SAYS.format("'another'", "ledger"), "is one of the ledger another"),
        ("delete from ducklake_metadata where key = 'tradex_root'", "somebody else made"),
        ("delete from ducklake_metadata", "has lost the word of how far it has come"),
        ("drop table ducklake_metadata", "has lost the word of how far it has come"),
    ),
)
def test_a_catalog_that_says_what_is_none_is_refused(ws: Path, statement: str, said: str, run: bool):
    with closing(sqlite3.connect(mirrored.catalog_file(ws))) as connection, connection:
        connection.execute(statement)
    refused(ws, "lakehouse", said, run=run)


@pytest.mark.parametrize("text", ["'{\"a'", "'[1]'", "null", "x'ff'", "'{\"a\": 1}'"])
def test_what_a_catalog_leaves_out_is_in_words_or_said_to_be_none(ws: Path, text: str):
    with closing(sqlite3.connect(mirrored.catalog_file(ws))) as connection, connection:
        connection.execute(SAYS.format(text, "left_out"))
    with small.reopen(ws) as workspace:
        problems = [one.problem for one in workspace.mirrors.all() if one.name == "lakehouse"]
        assert "in no words" in str(problems[0])
        assert workspace.mirrors.rebuild("lakehouse")[0].steps > 0


@pytest.mark.parametrize("how", [lambda whole: whole[: len(whole) // 2], lambda _: b"x" * 5000])
def test_a_catalog_that_is_torn_is_no_beginning(ws: Path, how: Callable[[bytes], bytes]):
    catalog = mirrored.catalog_file(ws)
    catalog.write_bytes(how(catalog.read_bytes()))
    refused(ws, "lakehouse", "the catalog of the mirror lakehouse cannot be used")
    catalog.unlink()  # as the mend says
    with small.reopen(ws) as workspace:
        assert workspace.mirrors.rebuild("lakehouse")[0].steps > 0
