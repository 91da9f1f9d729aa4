"""What a status says needs somebody, and with which command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import worlds
from tests.kit import small
from tradex_ledger.cli.main import run
from tradex_ledger.workspace import Workspace


def attention(folder: Path, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, tuple[str, str]]:
    capsys.readouterr()
    assert run(["-C", str(folder), "status", "--json", *words]) == 0
    found = json.loads(capsys.readouterr().out)["attention"]
    return {one["kind"]: (one["message"], one["command"]) for one in found}


def test_what_waits_is_told_with_the_command_that_helps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = worlds.copied(tmp_path)
    quiet = attention(folder, capsys)
    assert quiet.keys() == {"cursor behind", "unsealed"}
    assert quiet["cursor behind"][1] == "tradex run"
    with Workspace.open(folder, actor="ana") as workspace:
        run_id = small.request(workspace)
    assert attention(folder, capsys)["planned"] == (
        f"{run_id} waits for approval",
        f"tradex backfill approve {run_id}",
    )
    assert "planned" not in attention(folder, capsys, "--as-of", "1")


def test_a_check_ends_with_one_where_something_needs_somebody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = worlds.copied(tmp_path)
    assert run(["-C", str(folder), "status", "--check"]) == 1
    assert "needs attention" in capsys.readouterr().err
    assert run(["-C", str(folder), "status", "--check", "--as-of", "72"]) == 0
    assert "nothing needs attention" in capsys.readouterr().err


def test_days_that_lack_rows_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = worlds.copied(tmp_path, days=9, posts_per_day=60, until=None)
    for file in (folder.parent / "posts").rglob("*.gz"):
        file.unlink()
    lines = [
        json.dumps(
            {"id": f"{day}{n:017}", "text": "$AAPL", "author_id": str(n), "created_at": f"2024-01-0{day}T10:00:00.000Z"}
        )
        for day in range(1, 10)
        for n in range(3 if day == 7 else 30)
    ]
    (folder.parent / "posts" / "all.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with Workspace.open(folder, actor="ana") as workspace:
        workspace.incremental.run(last=small.day(9))
    message, command = attention(folder, capsys)["thin days"]
    assert "1 day of bronze_x_posts (2024-01-07 to 2024-01-07)" in message
    assert command == "tradex dataset show bronze_x_posts --partitions"
