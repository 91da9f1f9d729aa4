"""`docs/operating.md`: what it says to type is what the program takes, and its blocks work, from first to last."""

from __future__ import annotations

import csv
import re
import shlex
from itertools import pairwise
from pathlib import Path

import click
import pytest

from tests import worlds
from tests.deploy import parts
from tests.deploy.living import moved
from tests.deploy.scripts import ADMIN, ADMINS, LOGIN, LOGINS, guarded, passwords, place
from tests.kit import s3, small
from tests.kit.check import check_everything
from tests.kit.stores import point
from tests.kit.tree import ROOT

PAGES = [ROOT / "docs" / "operating.md", ROOT / "docs" / "scale.md", ROOT / "deploy" / "README.md"]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.M | re.S)
QUOTED = re.compile(r"`(tradex [^`\n]+)`")
DIGEST = "3f2a…"


def lines() -> list[str]:
    """Each line of each block, in order."""
    return [line for block in BLOCK.findall(PAGES[0].read_text("utf-8")) for line in block.splitlines() if line]


def named() -> list[str]:
    """Each command of the program that a page names, in blocks or in between."""
    found = [line for line in lines() if line.startswith("tradex ")]
    return sorted({*found, *(one for page in PAGES for one in QUOTED.findall(page.read_text("utf-8")))})


@pytest.mark.parametrize("command", named())
def test_each_command_that_is_named_is_one_that_the_program_takes(command: str):
    said = shlex.split(command)
    words = [word for before, word in pairwise(said) if word != "…" or before.startswith("--")]
    try:
        parts.parse(words).close()
    except click.UsageError as error:
        assert "Missing" in error.format_message()
        assert command in QUOTED.findall("".join(page.read_text("utf-8") for page in PAGES))  # it is only named


@pytest.mark.soak
def test_the_blocks_work_from_the_first_to_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    at, etc = place(tmp_path), tmp_path / "etc"
    ws = worlds.copied(tmp_path, thin=True, days=4, until=4)
    for folder in (etc, tmp_path / "backups"):
        folder.mkdir()
    for name in ("systemctl", "pip"):
        (tmp_path / "bin" / name).write_text("#!/bin/sh\n", encoding="utf-8")
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "bin" / "python").symlink_to("pip")  # what is installed is another test's: test_upgrade.py
    (tmp_path / "new-token").write_text("a-new-token\n", encoding="utf-8")
    for name in ("aws-credentials", "aws-credentials.new"):
        (etc / name).write_text(f"[default]\naws_access_key_id = {s3.KEY}\n", encoding="utf-8")
    with guarded() as database:
        moved(at, ws, database)
        database.say("create database tradex_2")
        passwords(at, **{ADMIN: ADMINS, LOGIN: LOGINS}).rename(etc / "pgpass")
        at.environment.update(PGPASSFILE=str(etc / "pgpass"), TRADEX_WORKSPACE=str(ws), TRADEX_ACTOR="ana")
        meant = {
            "/backups/": f"{tmp_path}/backups/", "/etc/tradex/": f"{etc}/", "/opt/tradex/bin/": f"{tmp_path}/bin/",
            "deploy/scripts/": f"{parts.DEPLOY}/scripts/", "postgresql:///tradex_2": database.url("tradex_2"),
        }  # fmt: skip
        digest, said = "", ""
        (etc / "pgpass_b").write_text("*:*:*:tradex_b:of-b\n", encoding="utf-8")
        (etc / "pgpass_b").chmod(0o600)
        for line in lines():
            command = line.replace(DIGEST, digest)
            for name, real in meant.items():
                command = command.replace(name, shlex.quote(real) if "?" in real else real)
            expected = 3 if "bump --changed" in line else 0  # as the page says: nothing has changed
            said = at.call(["sh", "-c", command], status=expected)
            if "--add tradex_b" in line:
                assert "tradex_b has the rights of tradex_writer" in said
                database.say("alter role tradex_b password 'of-b'")
            if found := re.findall(r"^digest +([0-9a-f]{64})$", said, re.M):
                digest = found[0]
        point(ws, database.server.url("tradex_2"))
        with small.reopen(ws) as workspace:
            check_everything(workspace)


def test_each_code_that_is_named_is_one_that_there_is():
    text = PAGES[0].read_text("utf-8")
    named = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", text)) | {"fenced"}
    with (ROOT / "schema" / "codes.csv").open(encoding="utf-8") as file:
        codes = {row["code"]: row["exit_status"] for row in csv.DictReader(file)}
    assert len(named) > 15
    assert named - codes.keys() == set()
    for code, status in re.findall(r"`([a-z-]+)`, exit (\d+)", text):
        assert codes[code] == status
