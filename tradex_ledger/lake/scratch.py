"""Files that no event names and no lake has, read beside those of a lake: what a preview built."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.lake.port import Files, Seen
from tradex_ledger.lake.storage import StagedFile, check_file

_MINE = ".scratch/"
"""No path in a lake begins so: they begin with the name of a dataset."""


@dataclass(frozen=True, slots=True)
class Scratch:
    """The files of a lake, and those in a folder of this machine."""

    lake: Files
    folder: Path

    @property
    def name(self) -> str:
        """That of the lake."""
        return self.lake.name

    @property
    def seen(self) -> Seen:
        """That of the lake."""
        return self.lake.seen

    def named(self, staged: StagedFile) -> LakeFile:
        """A file in the folder as if a lake had it."""
        path = staged.path.relative_to(self.folder).as_posix()
        return LakeFile(f"{_MINE}{path}", staged.bytes, staged.rows, staged.sha256)

    def near(self, file: LakeFile) -> Path:
        """Where a file can be opened."""
        mine = self._mine(file)
        return self.lake.near(file) if mine is None else mine

    def bring(self, files: Iterable[LakeFile]) -> None:
        """Have those of the lake ready."""
        self.lake.bring([file for file in files if self._mine(file) is None])

    def fetch(self, file: LakeFile) -> Path:
        """Where those very bytes can be opened. Raises `LakeFileError`."""
        mine = self._mine(file)
        if mine is None:
            return self.lake.fetch(file)
        check_file(mine, file)
        return mine

    def _mine(self, file: LakeFile) -> Path | None:
        return self.folder / file.path.removeprefix(_MINE) if file.path.startswith(_MINE) else None
