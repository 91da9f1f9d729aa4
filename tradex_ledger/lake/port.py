"""What a lake is to everybody else: a place of immutable files, visible only where an event says so.

A storage is a class with these methods, and a line in `lake/open.py`; `tests/lake/test_contract.py` holds each to what
stands here. A lake is sent to worker processes with their tasks: it is small, it can be pickled, and it opens what it
needs where it is used.

Errors of all methods: `EnvironmentFault`, or an `OSError` that whoever calls translates (`storage.translate`) with what
it was doing. Nothing is tried again here: a run that failed is driven again, and what is done twice does no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from tradex_ledger.clock import utc_now
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.lake.markers import Marker
from tradex_ledger.lake.storage import StagedFile


@dataclass(slots=True)
class Seen:
    """What this process found right of a lake's files (`lake/verified.py`); None: the user's cache was not read yet.

    It stays in its process: who gets the lake with a task begins anew.
    """

    clock: Callable[[], datetime] = utc_now
    known: dict[bytes, int] | None = None

    def __reduce__(self) -> tuple[type[Seen], tuple[()]]:
        return (Seen, ())


@dataclass(frozen=True, slots=True)
class Entry:
    """What lies in a lake: its path, bytes, when it was last written (seconds since 1970), and what it is.

    `kind` is `file`, `link`, `folder` (of a staging, or one that this user may not look into) or `other`; `version` is
    another one once something else lies there.
    """

    path: str
    bytes: int
    modified: float
    kind: str
    version: str


class Files(Protocol):
    """Files to be read, by what is known of them."""

    @property
    def name(self) -> str:
        """Where they are, for people, and as the settings name it: one name, one lake."""
        ...

    @property
    def seen(self) -> Seen:
        """What this process found right of its files."""
        ...

    def near(self, file: LakeFile) -> Path:
        """Where the bytes can be opened on this machine; brought here if need be. Nobody vouches for them.

        It is good as long as the process lives. Raises: `LakeFileError` where they would have to be brought, and are
        missing.
        """
        ...

    def bring(self, files: Iterable[LakeFile]) -> None:
        """Have files ready for `near`, many at once, where they have to be brought. Raises: as `near` does."""
        ...

    def fetch(self, file: LakeFile) -> Path:
        """Where those very bytes can be opened on this machine: they were read, and have that digest.

        Raises: `LakeFileError` when the file is missing, or is another one.
        """
        ...


class Lake(Files, Protocol):
    """A place of immutable files. Paths are relative to it, with `/` between their parts."""

    @property
    def reading(self) -> bool:
        """Whether whoever opened it only reads; then nothing is written, not even a marker."""
        ...

    def at_hand(self) -> Path | None:
        """The folder of this machine in which its files lie under their paths, for good; None where they would have to
        be brought."""
        return None

    # -- files that events name

    def has(self, file: LakeFile) -> bool:
        """Whether a file is there with that size: a look, no proof.

        What this user may not look at is not there; raises where a storage cannot be asked at all.
        """
        ...

    def absent(self, files: Iterable[LakeFile]) -> set[LakeFile]:
        """Of some files those that `has` does not find. A storage that has to be asked is asked for many at once."""
        return {file for file in files if not self.has(file)}

    def place(self, staged: Mapping[str, StagedFile], run_id: str, taken: Collection[str] = ()) -> list[LakeFile]:
        """Give staged files, by the folder that each goes to, names that never existed before; in that order.

        Create-only: whatever stands under a name stays. `run_id` is in the names; those in `taken` are given to
        nobody: a lost file has its name for ever. On return the files and their names are durable, and only then an
        event may name them. A crash before leaves files that no event names, which `files` lists. The staged ones are
        gone.
        """
        ...

    def remove(self, path: str, version: str | None = None) -> None:
        """Remove a file, or a staging folder with all that is in it; not what is another than that `version`.

        What is not there is removed already.
        """
        ...

    def forget(self, file: LakeFile) -> None:  # noqa: ARG002 — most keep none
        """Have no copy of a file on this machine any more, where a storage keeps any; the file itself stays."""
        return

    def files(self) -> Iterator[Entry]:
        """Each thing that lies there, markers and staging apart, whoever put it there; links are not followed.

        All that was placed before the call is among them.
        """
        ...

    # -- work under way

    def check_writable(self) -> None:
        """Raise `EnvironmentFault` before any work when nothing could be written; not where nothing will be."""
        ...

    def new_staging(self, run_id: str, token: str) -> Path:
        """An empty folder of this machine for one drive of a run; what an earlier, dead drive left there goes.

        Workers have their own, on their machines, by `attempt`.
        """
        ...

    def attempt(self, drive: str) -> Path:
        """An empty folder of this machine that nobody else has, for one attempt at a task of a drive: `drive` is the
        name of the folder that `new_staging` made for it, maybe on another machine.

        A task may be tried twice at once, when a worker is lost. What a lost attempt left goes with the drive's folder
        where all see that one; on another machine it stays until the run's next drive has an attempt there. Raises:
        `OSError` where the drive's folder should be, and is gone: who drives now has wiped it.
        """
        ...

    def drop_staging(self, folder: Path) -> None:
        """Remove what a drive staged, or an attempt at a task.

        What stays behind after a crash is wiped by the next drive of the run.
        """
        ...

    def staged(self) -> Iterator[Entry]:
        """What drives left in the staging: a folder each, with the time at which something in it was last written."""
        ...

    # -- whose it is

    def markers(self) -> list[Marker]:
        """The markers, the highest last. Raises: `OSError` where they cannot be looked at."""
        ...

    def lay(self, marker: Marker) -> bool:
        """Lay a marker, for good; False where it is already. Durable on return. Raises: `OSError`."""
        ...

    def take_back(self, marker: Marker) -> None:
        """Remove a marker; one that is not there is removed already."""
        ...

    def neighbours(self, *, deep: bool) -> Iterator[str]:
        """Other lakes that lie in this one or around it, where a storage has such a thing; `deep`: at any depth."""
        ...

    def exposed(self) -> Iterator[str]:
        """What others can do with it that they should not, each with its mend."""
        ...
