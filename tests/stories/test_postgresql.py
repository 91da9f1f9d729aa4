"""The product over PostgreSQL: made by the owner, used by who may only append, asked by who may only read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from tests.kit import small
from tests.kit.check import check_everything
from tests.kit.stores import POSTGRES, point
from tradex_ledger.cli.main import run
from tradex_ledger.workspace import Workspace

ME = os.getpid()
ROLES = {who: f"story_{who}_{ME}" for who in ("owner", "writer", "reader")}
Tradex = Callable[..., str]


@pytest.fixture
def tradex(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Tradex]:
    """Runs a command in the workspace and returns what it printed; its exit status is 0, or the one that is given."""

    def call(*words: str, actor: str = "ana", status: int = 0) -> str:
        assert run(["-C", str(tmp_path / "ws"), "--as", actor, *words]) == status, capsys.readouterr().err
        captured = capsys.readouterr()
        return captured.out if status == 0 else captured.err

    yield call


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A database, and people who will be members of the roles of its ledger."""
    with POSTGRES[0].fresh(tmp_path) as made:
        yield made
    with psycopg.connect(make_url(made).set(database="postgres").render_as_string(), autocommit=True) as connection:
        for name in (f"ana_{ME}", f"eve_{ME}", *ROLES.values()):
            connection.execute(f'DROP ROLE IF EXISTS "{name}"')


def test_the_whole_of_it(tmp_path: Path, url: str, tradex: Tradex) -> None:
    ws, posts = tmp_path / "ws", tmp_path / "posts"
    small.deliver(posts, days=4)
    assert run(["init", str(ws), "--source", f"files:{posts}", "--ledger", url, "--as", "ana"]) == 0
    names = [part for who, name in ROLES.items() for part in (f"--{who}", name)]
    assert "CREATE ROLE" in tradex("ledger", "grants", "--print", *names)
    tradex("ledger", "grants", *names)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE ROLE "ana_{ME}" LOGIN IN ROLE "{ROLES["writer"]}"')
        connection.execute(f'CREATE ROLE "eve_{ME}" LOGIN IN ROLE "{ROLES["reader"]}"')
    writes, reads = (make_url(url).set(username=f"{who}_{ME}").render_as_string() for who in ("ana", "eve"))

    point(ws, writes)  # from here on nobody works as the owner
    tradex("run", "--to", "2024-01-04")
    before = json.loads(tradex("--json", "ledger", "show"))["position"]
    (posts / "2024-01-05-late.jsonl").write_text(small.LATE, encoding="utf-8")
    span = ("bronze_x_posts", "--from", "2024-01-03", "--to", "2024-01-03")
    asked = tradex("--json", "backfill", "request", "temporal", *span, "--no-override-state", "--reason", small.REASON)
    backfill = json.loads(asked)["run_id"]
    tradex("backfill", "approve", backfill, actor="ben")
    tradex("backfill", "run", backfill)
    count = ("--json", "query", "select count(*) as n from silver_social_events")
    assert rows(tradex(*count)) == rows(tradex(*count, "--as-of", str(before))) + 1
    tradex("backfill", "revert", backfill, "--reason", "the vendor took its delivery back, INC-4212")
    assert rows(tradex(*count)) == rows(tradex(*count, "--as-of", str(before)))
    another = json.loads(
        tradex(
            "--json", "backfill", "request", "dataset", "gold_signals", "--no-override-state", "--reason", small.REASON
        )
    )["run_id"]
    tradex("backfill", "approve", another, actor="ben")
    tradex("worker", "--once")
    assert "backfill.completed" in tradex("audit", "history", another)
    tradex("dataset", "bump", "gold_signals", "--reason", small.REASON, status=3)  # nothing changed
    with small.reopen(ws) as opened:
        check_everything(opened)

    point(ws, reads)
    for words in (("status",), ("audit", "log"), ("backfill", "list"), ("dataset", "list"), ("ledger", "show")):
        assert tradex(*words)
    assert "does not let this role do that" in tradex("run", "--to", "2024-01-05", status=6)
    backup = tmp_path / "backup.gz"
    tradex("ledger", "backup", str(backup))
    with Workspace.open(ws, reading=True) as opened:
        assert opened.ledger.position() > before


def rows(answer: str) -> int:
    return int(json.loads(answer)["rows"][0][0])


def test_a_ledger_in_a_file_has_no_roles(tmp_path: Path, tradex: Tradex) -> None:
    small.deliver(tmp_path / "posts", days=1)
    assert run(["init", str(tmp_path / "ws"), "--source", f"files:{tmp_path / 'posts'}"]) == 0
    said = tradex("ledger", "grants", status=2)
    assert "it knows no roles" in said
    assert "tradex ledger copy" in said
