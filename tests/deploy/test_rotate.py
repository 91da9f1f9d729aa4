"""`rotate.sh`: credentials change while a worker lives, and no call of it that is cut off leaves half of a change."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import obstore
import psutil
import pytest
from obstore.exceptions import BaseError
from obstore.store import S3Store

from tests import worlds
from tests.deploy.living import moved, request, until, worker
from tests.deploy.scripts import ADMIN, ADMINS, LOGIN, LOGINS, Guarded, Place, guarded, passwords, place
from tests.kit import s3, small, x_platform
from tests.kit.check import check_everything
from tests.kit.stores import point


@pytest.fixture
def at(tmp_path: Path) -> Place:
    return place(tmp_path)


def drop(database: Guarded) -> None:
    """Cut all connections of who works, as a failover does."""
    database.say(f"select pg_terminate_backend(pid) from pg_stat_activity where usename = '{LOGIN}'")


def change(at: Place, database: Guarded) -> str:
    words = ("--url", database.url(), "--admin", ADMIN, "--login", LOGIN, "--passfile", at.folder / "pgpass")
    return at.script("rotate.sh", "password", *words)


def password(at: Place) -> str:
    (line,) = [line for line in (at.folder / "pgpass").read_text().splitlines() if f":{LOGIN}:" in line]
    return line.rpartition(":")[2]


def test_a_password_changes_while_a_worker_lives(at: Place):
    ws = worlds.copied(at.folder, thin=True, days=3, until=3)
    with guarded() as database:
        moved(at, ws, database)
        with worker(at, ws):
            change(at, database)
            assert password(at) != LOGINS
            assert not database.takes(LOGIN, LOGINS)
            assert (at.folder / "pgpass").stat().st_mode & 0o777 == 0o600
            assert f"*:*:*:{ADMIN}:{ADMINS}\n" in (at.folder / "pgpass").read_text()
            drop(database)  # what was open is gone: whoever goes on has come in by the new one
            made = request(at, ws)
            log = at.folder / "worker.log"
            until(lambda: f"{made}: " in log.read_text())
        assert password(at) not in log.read_text()
        # Cut off between the database and the file: what is beside it is found to be right, and put in its place.
        before = (at.folder / "pgpass").read_text()
        (at.folder / "pgpass.next").write_text(before.replace(password(at), "the-next-one"))
        (at.folder / "pgpass.next").chmod(0o600)
        database.say(f"alter role {LOGIN} password 'the-next-one'")
        assert "has the new password already" in change(at, database)
        assert password(at) == "the-next-one"
        # Cut off before the database: it has not taken it, and another one is made.
        (at.folder / "pgpass.next").write_text(before.replace(password(at), "never-told"))
        change(at, database)
        assert database.takes(LOGIN, password(at))
        assert not (at.folder / "pgpass.next").exists()
        point(ws, database.server.url("tradex"))
        with small.reopen(ws) as workspace:
            check_everything(workspace)


def credentials(file: Path, key: str, secret: str) -> Path:
    file.write_text(f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n", encoding="utf-8")
    file.chmod(0o600)
    return file


def allow(store: s3.Store, **keys: str) -> None:
    """Have the store take those keys, and no others: it reads its file again at SIGHUP."""
    said = next(word for word in psutil.Process(store.process.pid).cmdline() if word.startswith("-s3.config="))
    known = [{"accessKey": key, "secretKey": secret} for key, secret in keys.items()]
    identity = {"name": "test", "credentials": known, "actions": ["Admin"]}
    Path(said.partition("=")[2]).write_text(json.dumps({"identities": [identity]}), encoding="utf-8")
    store.process.send_signal(signal.SIGHUP)


def takes(store: s3.Store, key: str, secret: str) -> bool:
    """Whether the store takes a key."""
    client = S3Store(
        s3.BUCKET, endpoint=store.endpoint, region="us-east-1", access_key_id=key, secret_access_key=secret,
        client_options={"allow_http": True, "timeout": "5s"}, retry_config={"max_retries": 0},
    )  # fmt: skip
    try:
        obstore.get(client, "ready")
    except (BaseError, PermissionError):
        return False
    return True


@pytest.mark.soak
def test_the_keys_of_the_lake_change_while_a_worker_lives(at: Place, monkeypatch: pytest.MonkeyPatch):
    store = s3.seaweed()
    old, new = {s3.KEY: s3.SECRET}, {"another-key": "another-secret"}
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    own = credentials(at.folder / "own", s3.KEY, s3.SECRET)
    at.environment.update(
        AWS_ENDPOINT_URL=store.endpoint, AWS_REGION="us-east-1", AWS_SHARED_CREDENTIALS_FILE=str(own),
        AWS_CONFIG_FILE=os.devnull,
    )  # fmt: skip
    posts, ws = at.folder / "posts", at.folder / "ws"
    small.deliver(posts, days=3)
    at.tradex("--as", "ana", "init", ws, "--source", f"files:{posts}", "--lake", s3.fresh_url())
    at.tradex("-C", ws, "--as", "ana", "run", "--to", "2024-01-02")
    words = ("s3", "-C", ws, "--credentials", own, "--new", at.folder / "next", "--as", "ana")
    try:
        with worker(at, ws):
            credentials(at.folder / "next", "another-key", "wrong")
            assert "nothing was changed" in at.script("rotate.sh", *words, status=6)
            assert s3.KEY in own.read_text()
            credentials(at.folder / "next", *next(iter(new.items())))
            allow(store, **old, **new)
            until(lambda: takes(store, "another-key", "another-secret"))
            at.script("rotate.sh", *words)
            assert "put in place already" in at.script("rotate.sh", *words)
            allow(store, **new)
            until(lambda: not takes(store, s3.KEY, s3.SECRET))
            made = request(at, ws)
            log = at.folder / "worker.log"
            until(lambda: at.answer("-C", ws, "backfill", "show", made)["status"] == "SUCCESS")
        assert "another-secret" not in log.read_text()
    finally:
        allow(store, **old)


def test_only_the_lines_of_the_login_change(at: Place):
    """Its name may be that of a database, or the beginning of another's; a server's address has colons."""
    (at.folder / "bin" / "psql").unlink()
    (at.folder / "bin" / "psql").write_text("#!/bin/sh\ncat >/dev/null\n", encoding="utf-8")
    (at.folder / "bin" / "psql").chmod(0o755)
    others = [
        "#db:1:tradex:tradex:old",
        "db:5432:tradex:tradex_admin:of-admin",
        "*:*:*:tradex2:x",
        r"\:\:1:5432:*:eve:a\:b",
    ]
    mine = ["db:5432:tradex:tradex:", r"\:\:1:5432:*:tradex:"]
    file = at.folder / "pgpass"
    file.write_text("".join(f"{line}\n" for line in [*others, *(f"{line}old" for line in mine)]), encoding="utf-8")
    words = ("password", "--url", "x", "--admin", "a", "--passfile", file)
    at.script("rotate.sh", *words, "--login", LOGIN)
    found = file.read_text(encoding="utf-8").splitlines()
    assert found[: len(others)] == others
    assert [line.rpartition(":")[0] + ":" for line in found[len(others) :]] == mine
    assert len({line.rpartition(":")[2] for line in found[len(others) :]} - {"old"}) == 1
    assert "has no line of nobody" in at.script("rotate.sh", *words, "--login", "nobody", status=4)
    assert file.read_text(encoding="utf-8").splitlines() == found


def test_a_token_changes_by_a_new_start(at: Place):
    file, started = at.folder / "x-token.env", at.folder / "started"
    file.write_text("TRADEX_X_API=http://127.0.0.1:1\nX_BEARER_TOKEN=old\n", encoding="utf-8")
    file.chmod(0o600)
    words = ("token", "--file", file, "--restart", f"cat {file} >{started}")
    assert "no token came" in at.script("rotate.sh", *words, status=2)
    assert "X_BEARER_TOKEN=old" in file.read_text()
    said = at.script("rotate.sh", *words, told="the-new-one\n")
    assert file.read_text() == started.read_text() == "TRADEX_X_API=http://127.0.0.1:1\nX_BEARER_TOKEN=the-new-one\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert "the-new-one" not in said
    at.script("rotate.sh", "token", "--file", file, "--restart", "exit 5", told="a-third", status=5)
    at.script("rotate.sh", *words, told="a-third")


@pytest.mark.soak
def test_a_login_takes_the_place_of_another(at: Place):
    ws = worlds.copied(at.folder, thin=True, days=3, until=3)
    with guarded() as database:
        moved(at, ws, database)
        words = (
            "login",
            "--url",
            database.url(),
            "--admin",
            ADMIN,
            "-C",
            ws,
            "--as",
            "ana",
            "--add",
            "bea",
            "--remove",
            LOGIN,
        )
        for _ in range(2):
            at.script("rotate.sh", *words)
        database.say("alter role bea password 'of-bea'")
        passwords(at, **{ADMIN: ADMINS, LOGIN: LOGINS, "bea": "of-bea"})
        assert not database.takes(LOGIN, LOGINS)
        at.tradex("-C", ws, "--as", "ana", "run", "--to", "2024-01-03", status=6)
        at.but(PGUSER="bea").tradex("-C", ws, "--as", "ana", "run", "--to", "2024-01-03")
        assert "no name of a role" in at.script("rotate.sh", *words[:-1], 'x"; drop table events; --', status=2)


WRONG = [(), ("passwrod",), ("password",), ("s3", "--new"), ("password", "--url", "x", "--admin", "a", "--login", "A")]


@pytest.mark.parametrize("words", WRONG, ids=str)
def test_a_wrong_call_says_how_it_is_called(at: Place, words: tuple[str, ...]):
    assert "rotate: " in at.script("rotate.sh", *words, status=2)


@pytest.mark.soak
def test_a_run_that_was_not_let_in_goes_on_with_a_new_token(at: Place):
    file = at.folder / "x-token.env"
    file.write_text("X_BEARER_TOKEN=an-old-one\n", encoding="utf-8")
    with x_platform.platform(48) as platform:
        x_platform.create(at.folder / "ws").close()
        start = f"set -a; . {file}; tradex -C {at.folder / 'ws'} --as ana run --to 2024-03-02"
        refused = at.call(["sh", "-c", start], status=6)
        assert "an-old-one" not in refused
        at.script("rotate.sh", "token", "--file", file, "--restart", start, told=platform.token)
        told = (at.folder / "ws").rglob("*")
        assert platform.token not in "".join(path.read_text("latin-1") for path in told if path.is_file())
