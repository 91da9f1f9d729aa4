"""The readers that there are, by name: those that come with the program, and those of installed packages.

A package names its own in an entry point of the group `tradex_ledger.sources`: `sensors = "my_package:Sensors"`, what
makes a `Reader` when it is called without arguments.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from tradex_ledger.domain.words import ROW
from tradex_ledger.errors import RefusedError
from tradex_ledger.sources import x_posts

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.metadata import EntryPoint

    from tradex_ledger.sources.source import Reader

GROUP = "tradex_ledger.sources"


def _csv() -> Reader:
    from tradex_ledger.sources.csv_rows import CsvRows

    return CsvRows()


def _x_posts() -> Reader:
    from tradex_ledger.sources.x_posts.reader import XPosts

    return XPosts()


def _x_retractions() -> Reader:
    from tradex_ledger.sources.x_posts.retractions import XRetractions

    return XRetractions()


READERS: dict[str, Callable[[], Reader]] = {"csv": _csv, "x_posts": _x_posts, "x_retractions": _x_retractions}
"""What makes those that come with the program; who asks for one loads no other."""
NOUNS = {"csv": ROW, "x_posts": x_posts.NOUN, "x_retractions": "retraction"}
"""What their rows are called, for who needs the word and no reader."""


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
    found = _found(name)
    if found is None:
        raise UnknownReaderError(name, sorted({*READERS, *_entries()}))
    return found


def _found(name: str) -> Reader | None:
    return READERS[name]() if name in READERS else _installed(name)


@cache
def _installed(name: str) -> Reader | None:
    found = _entries().get(name)
    return None if found is None else found.load()()


def _entries() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points  # a tenth of what `tradex status` takes

    return {entry.name: entry for entry in entry_points(group=GROUP)}


def noun_of(name: str | None) -> str:
    """What a row of a reader is called; `row` for one that nobody has installed, or for none."""
    if name is None:
        return ROW
    if name in NOUNS:
        return NOUNS[name]
    found = _installed(name)
    return found.noun if found else ROW


def reader_version(name: str | None) -> int | None:
    """The version of a reader; None for what nobody reads. Raises `UnknownReaderError`."""
    return None if name is None else reader_of(name).version
