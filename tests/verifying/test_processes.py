"""Several processes find in a ledger what one finds, in the same order."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests import worlds
from tests.kit import tampering
from tests.kit.tampering import EARLY, Raw, Said
from tradex_ledger.ledger.select import open_store
from tradex_ledger.verifying import ledger
from tradex_ledger.verifying.questions import BY_BOTH, INDEXES, STRANGE, Question, answered, rows
from tradex_ledger.verifying.report import Verdict, Wanted, verified


@pytest.fixture
def ws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace whose ledger is judged in parts of one tile."""
    monkeypatch.setattr(ledger, "EVENTS", 256)
    monkeypatch.setattr(ledger, "FEW", 0)
    return worlds.copy("tampered", partial(tampering.make, create=worlds.create), tmp_path)


def url_of(ws: Path) -> str:
    return f"sqlite:///{ws / 'ledger.db'}"


def judged(ws: Path, workers: int) -> Verdict:
    return verified(Wanted(open_store(url_of(ws)), url_of(ws), None, workers=workers))


@pytest.mark.parametrize(
    "attack", [None, tampering.insert_in_front, tampering.insert_far_behind, tampering.edit, tampering.back_in_time]
)
def test_several_processes_find_what_one_finds(ws: Path, attack: Callable[[Raw], Said] | None):
    if attack is not None:
        with tampering.sqlite(ws) as raw:
            said = attack(raw)
    one, two = judged(ws, 1), judged(ws, 2)
    assert (two.findings, two.root, two.unjudged) == (one.findings, one.root, one.unjudged)
    assert one.findings == [] if attack is None else said.kind in {found.kind for found in one.findings}


@pytest.mark.parametrize("index", ["events_by_topic", "events_by_stream_topic"])
@pytest.mark.parametrize("workers", [1, 2])
def test_an_index_that_leads_elsewhere_is_named_alone(ws: Path, index: str, workers: int):
    change, where = "update events set topic = ? where position = ?", "sqlite_master where name = ?"
    with tampering.sqlite(ws, guarded=False) as raw:
        topic = tampering.row_at(raw, EARLY)[3]
        raw.run(change, "backfill.cancelled", EARLY)
        (row,) = raw.rows(f"select type, name, tbl_name, rootpage, sql from {where}", index)
        raw.run("pragma writable_schema = on")
        raw.run(f"delete from {where}", index)
    with tampering.sqlite(ws, guarded=False) as raw:  # here nobody knows of the index, and nobody keeps it
        raw.run(change, topic, EARLY)
        raw.run("pragma writable_schema = on")
        raw.run("insert into sqlite_master values (?, ?, ?, ?, ?)", *row)
    with tampering.sqlite(ws):
        pass
    found = judged(ws, workers).findings
    assert found and {(one.kind, one.detail.split()[2]) for one in found} == {("index changed", index)}


def test_what_could_not_be_answered_is_asked_again(ws: Path):
    with tampering.sqlite(ws, guarded=False) as raw:
        raw.run("drop index events_by_stream_topic")
    store = open_store(url_of(ws))
    assert answered(Question(url_of(ws), BY_BOTH, 10)) is None
    for name in (*INDEXES[1:], STRANGE):
        question = Question(url_of(ws), name, 10 if name != STRANGE else 280)
        assert rows(store, question, answered(question)) == rows(store, question, None) != []
