"""The readers that there are, by name: those that come with the program, and those of installed packages.

A package names its own in an entry point of the group `tradex_ledger.sources`: `sensors = "my_package:Sensors"`, what
makes a `Reader` when it is called without arguments.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from tradex_ledger.domain.words import ROW
from tradex_ledger.errors import RefusedError
from tradex_ledger.sources.csv_rows import CsvRows
from tradex_ledger.sources.source import Reader
from tradex_ledger.sources.x_posts.reader import XPosts

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "tradex_ledger.sources"
READERS: dict[str, Reader] = {"csv": CsvRows(), "x_posts": XPosts()}


class UnknownReaderError(RefusedError):
    """A definition names a reader that nobody has installed."""

    code = "unknown-reader"

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(
            f"there is no reader {name!r} of what a source delivers",
            mend=f'name one in the header of the definition (reader = "…"): {", ".join(known)}; or install a package '
            f"that has an entry point {name!r} of the group {GROUP}",
        )


def reader_of(name: str) -> Reader:
    """The reader of that name. Raises `UnknownReaderError`."""
    found = READERS.get(name) or _installed(name)
    if found is None:
        raise UnknownReaderError(name, sorted({*READERS, *_entries()}))
    return found


@cache
def _installed(name: str) -> Reader | None:
    found = _entries().get(name)
    return None if found is None else found.load()()


def _entries() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points  # a tenth of what `tradex status` takes

    return {entry.name: entry for entry in entry_points(group=GROUP)}


def noun_of(name: str | None) -> str:
    """What a row of a reader is called; `row` for one that nobody has installed, or for none."""
    found = None if name is None else READERS.get(name) or _installed(name)
    return found.noun if found else ROW


def reader_version(name: str | None) -> int | None:
    """The version of a reader; None for what nobody reads. Raises `UnknownReaderError`."""
    return None if name is None else reader_of(name).version
