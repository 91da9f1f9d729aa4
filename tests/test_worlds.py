"""Worlds are made once, and each copy of one is a workspace of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import worlds
from tests.kit import small
from tests.kit.check import check_everything

POST = '{"id":"1741941000000000002","text":"$TSLA","author_id":"9","created_at":"2024-01-03T10:00:00.000Z"}\n'


def test_a_copy_goes_on_by_itself_and_names_nothing_of_the_original(tmp_path: Path):
    one, other = (worlds.copied(tmp_path / name, days=4, until=4) for name in ("one", "other"))
    room = os.environ[worlds.ROOM].encode()
    assert [path for path in one.rglob("*") if path.is_file() and room in path.read_bytes()] == []
    (one.parent / "posts" / "2024-01-03-late.jsonl").write_text(POST, encoding="utf-8")
    with small.reopen(one) as workspace, small.reopen(other) as untouched:
        before = untouched.ledger.position()
        assert before == workspace.ledger.position()
        assert small.backfill(workspace, 3, 3).status == "SUCCESS"
        assert workspace.incremental.run(last=small.day(4)).status == "SUCCESS"
        assert untouched.ledger.position() == before
        check_everything(workspace)
        check_everything(untouched)


def test_a_world_is_made_once_and_what_failed_half_way_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(worlds.ROOM, str(tmp_path))
    calls = []

    def make(folder: Path) -> None:
        calls.append(folder)
        assert list(folder.iterdir()) == []
        (folder / "begun").touch()
        if len(calls) == 1:
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        worlds.made("any", make)
    assert worlds.made("any", make) == worlds.made("any", make)
    assert len(calls) == 2
