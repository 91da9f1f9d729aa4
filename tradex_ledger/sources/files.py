"""A folder of delivered files: the source for those who receive the data as files. Here they are listed.

What is not read is told, too: files whose suffix nobody reads, dangling links, pipes and devices (never opened),
folders that cannot be listed, what this user may not look at. A linked folder is read, once, and so is what lies in it
under another name already, whatever circles the links make.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tradex_ledger.domain.not_read import NotRead
from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.paths import check_name, check_no_url, current_folder, given, written
from tradex_ledger.sources.source import Listing, PassedOver, SourceFile

SUFFIX = "its suffix is none that is read"
DANGLING = "a link to nothing"
SPECIAL = "no file: a pipe, a socket or a device"
UNREADABLE = "a folder that cannot be listed"
HIDDEN = "this user may not look at it"
AGAIN = "a link to what is read already"
_SCHEME = "files:"
_NAMES_MAX = 5
_NOTHING = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


class FolderUnreadable(EnvironmentFault):
    """The folder that is delivered to cannot be listed."""

    code = "source-folder-unreadable"

    def __init__(self, folder: Path, why: str) -> None:
        super().__init__(
            f"The source folder {folder} cannot be read: {why}.",
            mend="Create it, let this user read it, or correct the source of the workspace (files:PATH).",
        )


@dataclass(frozen=True, slots=True)
class FilesPlace:
    """All files in and below a folder whose names end as a reader wants it."""

    folder: Path
    base: Path | None = None
    """The folder of the workspace: what lies in it is named relative to it, so that both can move."""

    def describe(self) -> str:
        """The source as it is written in the workspace and in the ledger."""
        return f"{_SCHEME}{written(self.folder, self.base) if self.base else self.folder}"

    def is_meant(self, described: str) -> bool:
        """Whether a description, however it was written, means this very folder."""
        path = described.removeprefix(_SCHEME)
        if path == described or not path or "://" in path:
            return False
        return os.path.realpath(open_folder(path, self.base).folder) == os.path.realpath(self.folder)

    def look(self, suffixes: tuple[str, ...]) -> Listing:
        """What has been delivered so far under such names (in any case), and what is passed over, by relative name;
        nothing is opened. Raises `FolderUnreadable`."""
        try:
            next(self.folder.iterdir(), None)
        except OSError as error:
            raise FolderUnreadable(self.folder, error.strerror or type(error).__name__) from error
        walk = _Walk(self.folder, suffixes)
        walk.run()
        return Listing(sorted(walk.files, key=lambda f: f.name), sorted(walk.passed_over))


class _Walk:
    """Through a folder and what is linked into it: real folders first, so that each thing has its own name."""

    def __init__(self, root: Path, suffixes: tuple[str, ...]) -> None:
        self._root, self._suffixes = root, suffixes
        self._met: set[tuple[int, int]] = set()
        self._linked = False
        self.files: list[SourceFile] = []
        self.passed_over: list[PassedOver] = []

    def run(self) -> None:
        links = self._folder(self._root)
        self._linked = True
        while links:
            path = links.pop(0)
            links += self._link(path)

    def _folder(self, folder: Path) -> list[Path]:
        """Take in a folder and all below it; returns the links that were met, by name."""
        links: list[Path] = []
        waiting = [folder]
        while waiting:
            here = waiting.pop()
            try:
                met = _identity(here.stat())
                entries = sorted(os.scandir(here), key=lambda entry: os.fsencode(entry.name))
            except OSError:
                self._pass(here, UNREADABLE)
                continue
            if met in self._met:  # a link into what lies above it: the rest there is new, this is not
                self._pass(here, AGAIN)
                continue
            self._met.add(met)
            for entry in entries:
                path = Path(entry.path)
                if entry.is_symlink():
                    links.append(path)
                elif entry.is_dir(follow_symlinks=False):
                    waiting.append(path)
                else:
                    self._file(path, follow=False)
        return sorted(links)

    def _link(self, path: Path) -> list[Path]:
        try:
            status = path.stat()
        except OSError as error:
            self._pass(path, DANGLING if error.errno in _NOTHING else HIDDEN)
            return []
        if stat.S_ISDIR(status.st_mode):
            return self._folder(path)
        self._file(path, follow=True)
        return []

    def _file(self, path: Path, *, follow: bool) -> None:
        try:
            status = path.stat(follow_symlinks=follow)
        except OSError as error:
            if error.errno not in _NOTHING:  # else it was taken away since it was listed
                self._pass(path, HIDDEN)
            return
        if not stat.S_ISREG(status.st_mode):
            self._pass(path, SPECIAL)
        elif self._linked and _identity(status) in self._met:
            self._pass(path, AGAIN)
        elif not path.name.lower().endswith(self._suffixes):
            self._pass(path, SUFFIX)
        else:
            self._met.add(_identity(status))
            self.files.append(SourceFile(path, self._name(path), status.st_size))

    def _pass(self, path: Path, why: str) -> None:
        self.passed_over.append(PassedOver(self._name(path), why))

    def _name(self, path: Path) -> str:
        # Bytes that are not UTF-8 could neither be stored nor hashed later on; two such names stay two.
        return os.fsencode(path.relative_to(self._root).as_posix()).decode(errors="backslashreplace")


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def told(passed_over: Sequence[PassedOver]) -> list[NotRead]:
    """What was passed over, by reason."""
    counts = Counter(item.why for item in passed_over)
    return [
        NotRead(why, counts[why], [i.name for i in passed_over if i.why == why][:_NAMES_MAX]) for why in sorted(counts)
    ]


def open_folder(path: str, base: Path | None = None) -> FilesPlace:
    """The place that a folder is. A relative one belongs to `base`, else to the current one.

    Raises: `UsageError` for a path that cannot be used.
    """
    check_no_url(path, "the source")
    folder = given(path, base or current_folder())
    check_name(folder, "the source")
    return FilesPlace(folder, base)
