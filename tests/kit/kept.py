"""What is kept of the projections, in tests: answers over it and from zero, and what may befall its files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tradex_ledger.ledger import segments
from tradex_ledger.ledger.select import Store
from tradex_ledger.views import AsOf, add_projections, kept, open_view, open_views, projected

Answers = dict[str, list[Any]]
Harm = Callable[[Path, list[Path]], None]
"""What befalls a file; the others that lie there are given, too."""


def make_small(patch: pytest.MonkeyPatch, events: int) -> None:
    """A generation of every so many events (a power of two), and few at once: as of a ledger of some years."""
    patch.setattr(segments, "EVENTS", events)
    patch.setattr(kept, "STEP", 2)
    patch.setattr(kept, "SPARSE", 2)


def told(connection: Any, *names: str) -> Answers:
    """Every projection, or some: of what is kept whole the rows in their order, of others in that of their texts."""
    found: Answers = {}
    for name in names or projected.names():
        add_projections(connection, [name])
        rows, how = connection.execute(f'from "{name}"').fetchall(), projected.kept(name)
        found[name] = rows if how and how.by is not projected.By.OVER else sorted(map(repr, rows))
    return found


def from_zero(store: Store, upto: int) -> Answers:
    """What every projection says as of a position, worked out from all events."""
    with open_view(store, upto, None).connection as connection:
        return told(connection)


def asked(store: Store, upto: int, *names: str) -> Answers:
    """The same over what is kept, or but some, as whoever asks is told it; what is due is kept first.

    All at once, so two at a time; from zero it is one after the other.
    """
    with open_views(store, AsOf(upto, None)) as connection:
        add_projections(connection, names or projected.names())
        return told(connection, *names)


def files(store: Store) -> list[Path]:
    """What is kept, by position."""
    folder = store.caches.path("kept")
    assert folder is not None
    return sorted(folder.glob("*.parquet"))


# -- harm


def delete(path: Path, _: list[Path]) -> None:
    path.unlink()


def empty(path: Path, _: list[Path]) -> None:
    path.write_bytes(b"")


def cut(path: Path, _: list[Path]) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path, _: list[Path]) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def swap(path: Path, others: list[Path]) -> None:
    """What is kept of the same projection as of another position, under this one's name; itself where there is none."""
    name = path.name.split("-")[1]
    other = next((p for p in others if p != path and p.name.split("-")[1] == name), path)
    path.write_bytes(other.read_bytes())


def link(path: Path, _: list[Path]) -> None:
    path.rename(path.with_suffix(".elsewhere"))
    path.symlink_to(path.with_suffix(".elsewhere"))


def pipe(path: Path, _: list[Path]) -> None:
    path.unlink()
    os.mkfifo(path)


HARMS: tuple[Harm, ...] = (delete, empty, cut, flip, swap, link, pipe)
