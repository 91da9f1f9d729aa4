"""How far a receiver has come: ahead of the ledger it is refused, what a file has lost is told again, nothing twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.feeds import told
from tests.kit import small
from tests.kit.receiver import Receiver
from tradex_ledger import slow
from tradex_ledger.cli.main import run
from tradex_ledger.feeds.errors import FeedAheadError, FeedFileError


def sent(ws: Path) -> list[Any]:
    with small.reopen(ws) as workspace:
        return workspace.feeds.send()[1]


@pytest.fixture
def lines(ws: Path) -> Path:
    """A file that was told all there is; then something happens."""
    told.feed(ws, "lineage", "file:lineage.jsonl")
    assert sent(ws) == []
    with small.reopen(ws) as workspace:
        small.backfill(workspace, 2, 2)
    return ws / "lineage.jsonl"


def test_one_that_has_come_further_than_the_ledger_is_refused(ws: Path, there: Receiver):
    told.subscribe(ws, "desk", there.url)
    with small.reopen(ws) as workspace:
        end = workspace.ledger.position()
        workspace.ledger.track("feed desk", end + 900)
    (error,) = sent(ws)
    assert isinstance(error, FeedAheadError)
    assert f"position {end + 900}, and this ledger ends with {end}" in error.message
    assert f"after = {end}" in error.mend
    assert there.got == []
    with small.reopen(ws) as workspace:
        (said,) = (one for one in workspace.status().attention if one.kind == "feed")
    assert str(end + 900) in said.message


def test_one_that_is_to_begin_behind_the_end_is_refused_and_nothing_is_put_down(
    ws: Path, there: Receiver, capfd: pytest.CaptureFixture[str]
):
    told.subscribe(ws, "desk", there.url, after="999999")
    assert run(["-C", str(ws), "--as", "ana", "feed", "send"]) == 6
    assert "has come to position 999999" in capfd.readouterr().err
    with small.reopen(ws) as workspace:
        assert [one.position for one in workspace.feeds.all()] == [None]


@pytest.mark.parametrize("lost", [1, 2, 7])
def test_what_a_file_has_lost_is_told_again_and_nothing_twice(ws: Path, lines: Path, lost: int):
    whole = lines.read_bytes().splitlines(keepends=True)
    lines.write_bytes(b"".join(whole[:-lost]))
    heard: list[str] = []
    with slow.listen(heard.append):
        assert sent(ws) == []
    found = lines.read_bytes().splitlines(keepends=True)
    assert found[: len(whole)] == whole
    assert len(found) == len(set(found)) > len(whole)
    assert [text for text in heard if "had lost what is behind position" in text]


def test_a_file_that_lost_nothing_is_only_added_to(ws: Path, lines: Path):
    whole = lines.read_bytes()
    heard: list[str] = []
    with slow.listen(heard.append):
        assert sent(ws) == []
    assert lines.read_bytes().startswith(whole) and lines.read_bytes() != whole
    assert heard == []


def test_a_file_that_was_taken_away_begins_anew_behind_what_was_told(ws: Path, lines: Path):
    whole = set(lines.read_bytes().splitlines())
    lines.rename(lines.with_name("lineage-of-january.jsonl"))
    assert sent(ws) == []
    found = lines.read_bytes().splitlines()
    assert found and not set(found) & whole


@pytest.mark.parametrize(
    "says",
    [
        {"position": -1},
        {"position": 0},
        {"position": 2**70},
        {"position": 999_999},
        {"position": "x"},
        {"part": None},
        {"leaf": "00"},
        {"leaf": None},
        {"ledger": "another"},
    ],
)
def test_a_last_line_that_says_what_is_none_is_not_written_behind(ws: Path, lines: Path, says: dict[str, Any]):
    *others, last = lines.read_bytes().splitlines()
    line = json.loads(last)
    line["run"]["facets"]["tradex_ledger"].update(says)
    lines.write_bytes(b"\n".join([*others, json.dumps(line).encode(), b""]))
    before = lines.read_bytes()
    (error,) = sent(ws)
    assert isinstance(error, FeedFileError)
    assert str(lines) in error.message and "name another file" in error.mend
    assert lines.read_bytes() == before
