"""A lake in one SQLite file, as a worked example: what is read is brought to a scratch folder of each machine."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.lake.markers import Marker, marker_of
from tradex_ledger.lake.port import Entry, Lake, Seen
from tradex_ledger.lake.storage import LakeFileError, StagedFile, check_file, translate
from tradex_ledger.paths import is_there

SCHEME = "sqlite"
_TABLES = """
    create table if not exists files (
        id integer primary key autoincrement, path text unique not null, bytes blob not null, written real not null
    );
    create table if not exists markers (name text primary key);
"""


@dataclass(frozen=True, slots=True)
class SqliteLake(Lake):
    """A lake in the SQLite file of a URL, `sqlite:///absolute/path`."""

    url: str
    reading: bool = False
    seen: Seen = field(default_factory=Seen, compare=False)

    @property
    def name(self) -> str:
        """Its URL."""
        return self.url

    # -- files

    def near(self, file: LakeFile) -> Path:
        """The copy in the scratch folder; made if there is none of that size."""
        place = self._scratch("files", file.path)
        if not is_there(place, file.bytes):
            self._bring(file, place)
        return place

    def bring(self, files: Iterable[LakeFile]) -> None:
        """Left out of the example: `near` brings one after the other."""

    def fetch(self, file: LakeFile) -> Path:
        """The same, once what the database has was hashed; a copy that is right stays as it is."""
        place = self._scratch("files", file.path)
        brought = self._bring(file, place.with_name(f".{place.name}.{os.getpid()}.{time.monotonic_ns()}"))
        try:
            check_file(brought, file)
            if not is_there(place, file.bytes) or place.read_bytes() != brought.read_bytes():
                brought.replace(place)
        finally:
            brought.unlink(missing_ok=True)
        return place

    def has(self, file: LakeFile) -> bool:
        """Whether a row has that path and size."""
        try:
            with self._open() as database:
                found = database.execute("select length(bytes) from files where path = ?", [file.path]).fetchone()
        except OSError:
            return False
        return found is not None and found[0] == file.bytes

    def place(self, staged: Mapping[str, StagedFile], run_id: str, taken: Collection[str] = ()) -> list[LakeFile]:
        """One transaction for all; a path is unique. Durable when it is committed."""
        placed = []
        with self._open() as database:
            database.execute("begin immediate")
            for folder, file in staged.items():
                number = 1
                while (path := f"{folder}/{run_id}-{number}.parquet") in taken or database.execute(
                    "select 1 from files where path = ?", [path]
                ).fetchone():
                    number += 1
                insert = "insert into files (path, bytes, written) values (?, ?, ?)"
                database.execute(insert, [path, file.path.read_bytes(), file.path.stat().st_mtime])
                placed.append(LakeFile(path, file.bytes, file.rows, file.sha256))
            database.execute("commit")
        for file in staged.values():
            file.path.unlink()
        return placed

    def remove(self, path: str, version: str | None = None) -> None:
        """Delete a row, or a staging folder."""
        if path.startswith("staging/"):
            shutil.rmtree(self._scratch(path), ignore_errors=True)
            return
        with self._open() as database:
            statement = "delete from files where path = ? and cast(id as text) = coalesce(?, id)"
            database.execute(statement, [path, version])

    def forget(self, file: LakeFile) -> None:
        """Remove the copy in the scratch folder."""
        self._scratch("files", file.path).unlink(missing_ok=True)

    def files(self) -> Iterator[Entry]:
        """Each row."""
        with self._open() as database:
            found = database.execute("select path, length(bytes), written, id from files order by path").fetchall()
        for path, size, written, number in found:
            yield Entry(path, size, written, "file", str(number))

    # -- work under way

    def check_writable(self) -> None:
        """Make the tables, unless they are there."""
        if not self.reading:
            try:
                with self._open() as database:
                    database.execute("begin immediate")
                    database.execute("rollback")
            except OSError as error:
                raise translate(error, f"preparing the lake {self.url}") from error

    def new_staging(self, run_id: str, token: str) -> Path:
        """A folder in the scratch folder of this machine."""
        folder = self._scratch("staging", f"{run_id}.{token}")
        for left in folder.parent.glob(f"{run_id}.*"):
            shutil.rmtree(left, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def attempt(self, drive: str) -> Path:
        """A folder below the drive's on this machine, where those of earlier drives of the run go."""
        parent = self._scratch("staging", drive)
        for left in parent.parent.glob(f"{drive.partition('.')[0]}.*"):
            if left != parent:
                shutil.rmtree(left, ignore_errors=True)
        parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix="attempt-", dir=parent))

    def drop_staging(self, folder: Path) -> None:
        """Remove it."""
        shutil.rmtree(folder, ignore_errors=True)

    def staged(self) -> Iterator[Entry]:
        """The staging folders of this machine."""
        for folder in sorted(self._scratch("staging").glob("*")):
            states = [path.stat() for path in (folder, *folder.rglob("*"))]
            newest = max(state.st_mtime for state in states)
            yield Entry(f"staging/{folder.name}", sum(s.st_size for s in states[1:]), newest, "folder", str(newest))

    # -- whose it is

    def markers(self) -> list[Marker]:
        """The rows of `markers`."""
        with self._open() as database:
            found = database.execute("select name from markers").fetchall()
        return sorted(marker for (name,) in found if (marker := marker_of(name)))

    def lay(self, marker: Marker) -> bool:
        """Add a row."""
        with self._open() as database:
            return database.execute("insert or ignore into markers values (?)", [marker.name]).rowcount == 1

    def take_back(self, marker: Marker) -> None:
        """Delete a row."""
        with self._open() as database:
            database.execute("delete from markers where name = ?", [marker.name])

    def neighbours(self, *, deep: bool) -> Iterator[str]:
        """No lake can lie in this one."""
        return iter(())

    def exposed(self) -> Iterator[str]:
        """Left out of the example."""
        return iter(())

    # -- SQLite

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """The database, each statement a transaction; its faults as `OSError`, as the port has them."""
        path = Path(self.url.removeprefix(f"{SCHEME}://"))
        try:
            if not self.reading:
                path.parent.mkdir(parents=True, exist_ok=True)
            elif not path.exists():
                path = Path(":memory:")  # nothing is there yet, and nothing is made by who only reads
            with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as database:
                database.execute("pragma synchronous = full")
                database.executescript(_TABLES)
                yield database
        except sqlite3.Error as error:
            raise OSError(errno.EIO, str(error), str(path)) from error

    def _bring(self, file: LakeFile, place: Path) -> Path:
        with self._open() as database:
            found = database.execute("select bytes from files where path = ?", [file.path]).fetchone()
        if found is None:
            raise LakeFileError(file.path, "is missing", is_missing=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        half = place.with_name(f".{place.name}.{os.getpid()}.{time.monotonic_ns()}.half")
        half.write_bytes(found[0])
        try:
            os.link(half, place)
        except FileExistsError:  # somebody else brought it, and may be reading it: it stays, unless it is cut
            if not is_there(place, len(found[0])):
                half.replace(place)
        finally:
            half.unlink(missing_ok=True)
        return place

    def _scratch(self, *parts: str) -> Path:
        """A folder of this user on this machine: what is in it can be brought again."""
        own = hashlib.sha256(self.url.encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir(), f"lake-{os.getuid()}-{own}", *parts)
