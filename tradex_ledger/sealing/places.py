"""Where heads are kept: the workspace, and any number of places outside.

A place has a file for each head, which never changes. Its name is the size in 15 digits (`000000000000120`), the line
of the ledger where that is not the first (`000000000000120-3`), and, where it is cosigned, the id of the witness
(`000000000000120.0a1b2c3d`).

Outside, a folder of the ledger's id is made for them; the place itself must be there, so that nothing is laid on the
wrong disk while the right one is not mounted.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tradex_ledger.sealing import files
from tradex_ledger.sealing.note_text import MOST_BYTES, text_of

FOLDER = "checkpoints"
_NAME = re.compile(r"([0-9]{15})(?:-([1-9][0-9]{0,8}))?(?:\.([0-9a-f]{8}))?").fullmatch


class Named(NamedTuple):
    """What a head's file says by its name: the line, the size, and the id (hex) of the witness that cosigned it."""

    line: int
    size: int
    witness: str = ""

    @property
    def name(self) -> str:
        """The name of the file."""
        line = f"-{self.line}" if self.line else ""
        return f"{self.size:015d}{line}{f'.{self.witness}' if self.witness else ''}"


class Place(NamedTuple):
    """A folder of heads, by the name that people know it by; `root` must be there, where it is outside."""

    name: str
    folder: Path
    root: Path | None = None

    @property
    def is_outside(self) -> bool:
        """Whether who has the workspace in his hands has not this place with it."""
        return self.root is not None

    def heads(self) -> list[Named]:
        """The heads that are there without those that are cosigned, the newest last. Raises `OSError`."""
        return sorted(one for one in self._all() if not one.witness)

    def cosigned(self) -> list[Named]:
        """The heads that are there with a witness's signature, the newest last. Raises `OSError`."""
        return sorted(one for one in self._all() if one.witness)

    def newest(self) -> Named | None:
        """The newest head: of the newest line, of the most events. Raises `OSError`."""
        return max((one for one in self._all() if not one.witness), default=None)

    def read(self, named: Named) -> str:
        """The note of a head; none where there is none. Raises: `NoteError`, `OSError`."""
        return text_of(files.read_file(self.folder / named.name, MOST_BYTES + 1) or b"")

    def lay(self, named: Named, note: str) -> bool:
        """Lay a head there, for good; False where there is one of that name. Raises `OSError`."""
        if self.root is None:
            self.folder.mkdir(parents=True, exist_ok=True)
        elif not self.folder.is_dir():
            self.folder.mkdir(exist_ok=True)  # not its root: that may be a disk that is not there
            files.sync(self.root)
        return files.lay(self.folder / named.name, note.encode(), 0o644)

    def _all(self) -> Iterable[Named]:
        try:
            names = os.listdir(self.folder)  # noqa: PTH208 — names are all that is asked for
        except FileNotFoundError:
            if self.root is not None:
                self.root.stat()  # a place that is not there is told, one without heads is none
            return
        for name in names:
            if found := _NAME(name):
                yield Named(int(found[2] or 0), int(found[1]), found[3] or "")


class Places(NamedTuple):
    """All places of a ledger's heads: the workspace first."""

    workspace: Path
    inside: Place
    outside: tuple[Place, ...]

    @property
    def all(self) -> tuple[Place, ...]:
        """Each of them."""
        return self.inside, *self.outside


def places_of(workspace: Path, ledger: str, sinks: Iterable[str]) -> Places:
    """The places of a ledger: in its workspace, and in the folders outside (absolute paths) one of its id each."""
    found = tuple(Place(sink, Path(sink, ledger), Path(sink)) for sink in sinks)
    return Places(workspace, Place("the workspace", workspace / FOLDER), found)
