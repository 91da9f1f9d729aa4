"""The scripts of `deploy/scripts`, called as people call them, and a server that asks for passwords."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg

from tests.deploy.parts import DEPLOY
from tests.kit import postgres
from tests.kit.tree import CLI

ADMIN, LOGIN = "tradex_admin", "tradex"
ADMINS, LOGINS = "of-the-admin", "of-the-login"
"""Their passwords, as they are first."""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder for what a story needs: the program as a file, and what is told by the environment."""

    folder: Path
    environment: dict[str, str]

    def but(self, **more: str) -> Place:
        """The same place, with something else in the environment."""
        return replace(self, environment={**self.environment, **more})

    def call(self, words: list[str], *, status: int | None = 0, told: str = "") -> str:
        """Run something, and return all that it said; its exit status is as given (None: whichever)."""
        env = {**os.environ, **self.environment}
        done = subprocess.run(
            words, env=env, input=told, cwd=self.folder, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        assert status is None or done.returncode == status, f"{shlex.join(words)}: {done.returncode}\n{done.stdout}"
        return done.stdout

    def script(self, name: str, *words: str | Path, status: int | None = 0, told: str = "") -> str:
        """Run a script."""
        return self.call([str(DEPLOY / "scripts" / name), *map(str, words)], status=status, told=told)

    def tradex(self, *words: str | Path, status: int | None = 0) -> str:
        """Run the program."""
        return self.call(["tradex", *map(str, words)], status=status)

    def answer(self, *words: str | Path) -> Any:
        """Run a command and read what it answers, whatever it says beside that."""
        said = self.call(["sh", "-c", 'exec "$0" "$@" 2>beside', "tradex", "--json", *map(str, words)])
        return json.loads(said)


def place(folder: Path) -> Place:
    """A place in a folder. The program is a file there, which counts how often it is called.

    With TRADEX_TEST_DIE=`3` it dies before it does what the third call wants, with `3+` right after that; the script
    that called it dies, too.
    """
    program = folder / "bin" / "tradex"
    program.parent.mkdir(parents=True)
    program.write_text(
        f"""#!/bin/sh
echo "$@" >>{shlex.quote(str(folder))}/calls
n=$(wc -l <{shlex.quote(str(folder))}/calls)
[ "${{TRADEX_TEST_DIE:-}}" != "$((n))" ] || kill -9 0
status=0
{shlex.join([sys.executable, str(CLI)])} "$@" || status=$?
[ "${{TRADEX_TEST_DIE:-}}" != "$((n))+" ] || kill -9 0
exit $status
""",
        encoding="utf-8",
    )
    program.chmod(0o755)
    (program.parent / "psql").symlink_to(postgres.binary("psql"))
    return Place(folder, {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"})


def calls(at: Place) -> list[str]:
    """What the program was called with since it was asked last."""
    file = at.folder / "calls"
    found = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return found


@dataclass(frozen=True, slots=True)
class Guarded:
    """A server that asks everybody but its superuser for a password."""

    server: postgres.Server

    def url(self, database: str = "tradex") -> str:
        """A URL that names no user."""
        return f"postgresql:///{database}?host={self.server.folder}"

    def say(self, statement: str, database: str = "postgres") -> list[Any]:
        """As the superuser."""
        with psycopg.connect(self.server.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def takes(self, login: str, password: str) -> bool:
        """Whether somebody gets in with a password."""
        try:
            psycopg.connect(self.url(), user=login, password=password).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def guarded() -> Iterator[Guarded]:
    """A server with the owner of a database and one who will work there, each with a password."""
    with postgres.server() as server:
        rules = "local all postgres trust\nlocal all all scram-sha-256\n"
        (server.folder / "data" / "pg_hba.conf").write_text(rules, encoding="utf-8")
        assert server.process is not None
        made = Guarded(server)
        made.say(f"create role {ADMIN} login superuser password '{ADMINS}'")
        made.say(f"create role {LOGIN} login password '{LOGINS}'")
        made.say(f"create database tradex owner {ADMIN}")
        server.process.send_signal(signal.SIGHUP)
        yield made


def passwords(at: Place, **said: str) -> Path:
    """A password file."""
    file = at.folder / "pgpass"
    file.write_text("# host:port:database:user:password\n" + "".join(f"*:*:*:{n}:{p}\n" for n, p in said.items()))
    file.chmod(0o600)
    return file
