"""A folder as a lake: files are staged, made durable, then given their final name once and never changed."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tradex_ledger.clock import new_token
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.lake import folder as folders
from tradex_ledger.lake import staging
from tradex_ledger.lake.folder import STAGING
from tradex_ledger.lake.markers import MARKS, Marker
from tradex_ledger.lake.port import Entry, Lake, Seen
from tradex_ledger.lake.storage import StagedFile, check_file, sync_folders, translate
from tradex_ledger.modes import written_by_others
from tradex_ledger.paths import is_there, sync


@dataclass(frozen=True, slots=True)
class LocalLake(Lake):
    """A lake in a folder of this machine (or mounted on it)."""

    root: Path
    reading: bool = False
    seen: Seen = field(default_factory=Seen, compare=False)

    @property
    def name(self) -> str:
        """Its folder."""
        return str(self.root)

    def at_hand(self) -> Path:
        """Its folder."""
        return self.root

    def near(self, file: LakeFile) -> Path:
        """Where the file is: here already."""
        return self.root / file.path

    def bring(self, files: Iterable[LakeFile]) -> None:
        """Nothing is to be done."""

    def fetch(self, file: LakeFile) -> Path:
        """The same, once it was hashed."""
        check_file(self.root / file.path, file)
        return self.root / file.path

    def has(self, file: LakeFile) -> bool:
        """Whether a file is there with that size."""
        return is_there(self.root / file.path, file.bytes)

    def absent(self, files: Iterable[LakeFile]) -> set[LakeFile]:
        """Those that `has` does not find."""
        root = f"{self.root}{os.sep}"
        return {file for file in files if not is_there(root + file.path, file.bytes)}

    def place(self, staged: Mapping[str, StagedFile], run_id: str, taken: Collection[str] = ()) -> list[LakeFile]:
        """Link each file to its name, then make the names durable up to the lake's own folder."""
        placed = []
        for folder, file in staged.items():
            path = self.give_name(file, folder, run_id, taken)
            placed.append(LakeFile(path, file.bytes, file.rows, file.sha256))
        self.sync_placed(file.path for file in placed)
        return placed

    def give_name(self, staged: StagedFile, folder: str, run_id: str, taken: Collection[str]) -> str:
        """Give a staged file its final name; returns it. A crash in between leaves both names, or an unnamed file."""
        target = self.root / folder
        target.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            path = f"{folder}/{run_id}-{number}.parquet"
            if path not in taken:
                with suppress(FileExistsError):
                    _link_new(staged.path, self.root / path)
                    break
            number += 1
        staged.path.unlink()
        return path

    def sync_placed(self, paths: Iterable[str]) -> None:
        """Make the names of placed files durable, up to the lake's own folder."""
        found: set[Path] = set()
        for path in paths:
            folder = (self.root / path).parent
            while folder != self.root.parent:
                found.add(folder)
                folder = folder.parent
        sync_folders(found)

    def remove(self, path: str, version: str | None = None) -> None:
        """Remove what is there under a name, unless somebody put something else in its place meanwhile."""
        if staging.remove(self.root / STAGING, path, version):
            return
        place = self.root / path
        with suppress(FileNotFoundError):
            if version in (None, staging.version(place.stat(follow_symlinks=False))):
                place.unlink(missing_ok=True)

    def files(self) -> Iterator[Entry]:
        """Each thing in the folder that is no folder itself."""
        for path, state in folders.all_entries(self.root, frozenset((MARKS, STAGING))):
            yield Entry(path, state.st_size, state.st_mtime, staging.kind(state), staging.version(state))

    def check_writable(self) -> None:
        """Raise `EnvironmentFault` unless files can be made in the folder, and staged."""
        if self.reading:
            return
        try:
            probe = self.root / STAGING
            probe.mkdir(parents=True, exist_ok=True)
            if not os.access(probe, os.W_OK | os.X_OK) or not os.access(self.root, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, "not writable", str(self.root))
        except OSError as error:
            raise translate(error, f"preparing the lake {self.root}") from error

    def new_staging(self, run_id: str, token: str) -> Path:
        """A folder in the lake itself: a file is placed by a link."""
        return staging.new(self.root / STAGING, run_id, token)

    def attempt(self, drive: str) -> Path:
        """A folder below the drive's, which all see who share the lake."""
        folder = self.root / STAGING / drive / f"attempt-{new_token()}"
        folder.mkdir()
        return folder

    def drop_staging(self, folder: Path) -> None:
        """Remove a staging folder."""
        shutil.rmtree(folder, ignore_errors=True)

    def staged(self) -> Iterator[Entry]:
        """What lies in the staging folder."""
        return staging.listed(self.root / STAGING)

    def markers(self) -> list[Marker]:
        """The markers in the folder `.tradex-lake`."""
        if self.root.exists() and not self.root.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "not a folder", str(self.root))
        return folders.markers(self.root)

    def lay(self, marker: Marker) -> bool:
        """Make a marker's file."""
        return folders.lay(self.root, marker)

    def take_back(self, marker: Marker) -> None:
        """Remove a marker's file."""
        (self.root / MARKS / marker.name).unlink(missing_ok=True)

    def neighbours(self, *, deep: bool) -> Iterator[str]:
        """The lakes in the folders above, in those below, and where links in it lead."""
        yield from map(str, folders.lakes_above(self.root))
        yield from map(str, folders.lakes_below(self.root, deep=deep))

    def exposed(self) -> Iterator[str]:
        """The folders that anybody can write."""
        return written_by_others(self.root)


def _link_new(source: Path, final: Path) -> None:
    """Move without ever replacing: a hard link fails where the name exists, a rename would not."""
    try:
        os.link(source, final)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.EXDEV, errno.EMLINK):
            raise
        # No hard links here: take the name exclusively, then put the bytes under it.
        os.close(os.open(final, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        shutil.copyfile(source, final)
        sync(final)
