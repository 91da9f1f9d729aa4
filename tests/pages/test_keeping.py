"""What the pages for who keeps ledger and lake say to type: on a workspace, a server of PostgreSQL, a store."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.kit import postgres, s3, small
from tests.kit.examples import blocks, settled
from tests.kit.february import Staged, deliver, driven, ordered
from tests.kit.stores import point
from tradex_ledger.config import FILE
from tradex_ledger.workspace import Workspace

RUN = {"tradex run": "tradex run --to 2014-02-11"}
"""As a person types it over posts of long ago."""
WITNESS = re.compile(r"example\.org/eve\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+")


def told(ws: Path, settings: str) -> None:
    """Say something more in the settings of a workspace, below the headings that are there."""
    text = (ws / FILE).read_text(encoding="utf-8")
    (ws / FILE).write_text(settled(text, settings), encoding="utf-8")


def policy(ws: Path, **more: object) -> None:
    small.propose_policy(ws, **more)
    with Workspace.open(ws, actor="ana") as workspace:
        workspace.policy.set(reason="asked for by the desk, INC-4301")


def test_the_lake_and_its_ledger(staged: Staged, monkeypatch: pytest.MonkeyPatch):
    stage = staged("docs/lake.md", "run")
    ws = stage.folder / "ws"
    shutil.copyfile(ws / "ledger.db", "older.db")
    deliver(stage.folder / "posts", (3, 8))
    driven(ws, ordered(ws))
    with Workspace.open(ws, actor="ana") as workspace:
        lost = workspace.ledger.position()
    shutil.copyfile("older.db", ws / "ledger.db")
    stage.meant |= {"1204": str(lost), **RUN}
    stage.block(ledger_show=1)
    policy(ws, may_erase=["ana", "maria"])
    post = stage.play('tradex query "select min(post_id) from bronze_x_posts" --format csv').splitlines()[1]
    stage.meant["1742500000000000000"] = post
    assert ", ended: " in stage.block()
    s3.moto().use(monkeypatch)
    stage.meant |= {"pip install 'tradex-ledger[s3]'": "true", "BUCKET": s3.BUCKET, "init ws": "init other"}
    stage.block()


def test_where_the_ledger_lives(staged: Staged, monkeypatch: pytest.MonkeyPatch):
    stage = staged("docs/ledger.md", "run")
    ws = stage.folder / "ws"
    with postgres.server() as server, postgres.fresh(server.url()) as first, postgres.fresh(server.url()) as second:
        stage.play(f"tradex init shared --source files:posts --ledger '{first}'")
        monkeypatch.setenv("TRADEX_WORKSPACE", "shared")
        name = first.partition("@/")[2].partition("?")[0]
        said = {"PGHOST": str(server.folder), "PGUSER": "postgres", "PGDATABASE": name}
        for variable, value in said.items():
            monkeypatch.setenv(variable, value)
        stage.play("psql -c 'create role ana' -c 'create role eve'")
        assert "tradex_reader" in stage.block()
        monkeypatch.setenv("TRADEX_WORKSPACE", str(ws))
        stage.meant["postgresql://ana@db/tradex"] = f"'{second}'"
        stage.block()
        point(ws, second)
        stage.meant["/backups/"] = f"{stage.folder}/"
        stage.block()
        point(ws, "sqlite:///restored.db")
        stage.meant |= RUN
        stage.block()


def test_heads_and_witnesses(staged: Staged, monkeypatch: pytest.MonkeyPatch):
    stage = staged("docs/sealing.md")
    said = stage.block()
    monkeypatch.setenv("VKEY", Path("ws", "keys", "checkpoint.pub").read_text("utf-8").strip())
    assert "tradex-ledger" in said
    stage.block()
    (witness,) = WITNESS.findall(stage.block())
    settings = blocks("docs/sealing.md", "toml")[1].text
    told(Path("ws"), WITNESS.sub(witness, settings))
    stage.meant["1204"] = stage.play("ls ws/checkpoints").splitlines()[-1].lstrip("0")
    assert "cosigned" in stage.block()


def test_mirrors(staged: Staged):
    stage = staged("docs/mirrors.md")
    ws = stage.folder / "ws"
    (settings,) = blocks("docs/mirrors.md", "toml")
    told(ws, settings.text)
    stage.meant |= {" [NAME]": "", "version=3": "version=2"}
    stage.block(mirror_list=1)
    (reading,) = blocks("docs/mirrors.md", "python")
    stage.play(f"cd ws && python -c {shlex.quote(reading.text)}")


def test_those_who_are_told(staged: Staged):
    stage = staged("docs/feeds.md")
    settings, _ = blocks("docs/feeds.md", "toml")[0].text.split("\n\n")
    receiver = settings.partition('"')[2].partition('"')[0]
    told(Path("ws"), settings.replace(receiver, "file:lineage.jsonl").replace("token_env", "# token_env"))
    for command in stage.take():
        if "--follow" not in command:
            stage.play(command)


def test_operating(staged: Staged):
    stage = staged("docs/operating.md")
    stage.meant["/backups/"] = f"{stage.folder}/"
    while stage.left:
        for command in stage.take():
            if command.startswith("tradex "):
                stage.play(command, 3 if "bump --changed" in command else 0)  # as the page says: nothing has changed


def test_upgrading(staged: Staged):
    stage = staged("docs/upgrading.md")
    assert "policy adopt" in " ".join(stage.take())  # run by tests/stories/test_old_workspace_at_work.py
    assert "compared_with" in stage.block()
