"""Folders of posts as the reader of posts has them: the files in one, and a batch of some."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tradex_ledger.sources.files import FilesPlace
from tradex_ledger.sources.source import Batch, Listing, SourceFile, Stated
from tradex_ledger.sources.x_posts.reader import XPosts

READER = XPosts()
STATED = Stated((), "event_date", ("post_id", "revision"))
"""The reader of posts gives all of their columns, whatever is stated."""


def look(folder: Path) -> Listing:
    """What there is in a folder, as a run would see it."""
    return FilesPlace(folder).look(READER.suffixes)


def files_in(folder: Path) -> list[SourceFile]:
    """The files that a run would read."""
    return look(folder).files


def batch(files: Sequence[SourceFile | tuple[Path, str]]) -> Batch:
    """Files (path, relative name) as a task is given them."""
    return Batch(READER, STATED, tuple(SourceFile(file[0], file[1], 0) for file in files))
