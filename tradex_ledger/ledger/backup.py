"""A ledger as one file, whichever database it lives in: gzip of lines, which any tool can read.

The first line says which ledger it is, how many events follow, and the root over them; then each entry, as it is, on a
line of its own; the last line is a digest of all before it. All else in a store follows from the entries. Events are
only ever added, so the first so many are one state, whoever writes meanwhile.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import orjson

from tradex_ledger.errors import BrokenLedgerError, RefusedError
from tradex_ledger.ledger.entry import NotCanonicalError, canonical, parse
from tradex_ledger.ledger.merkle import Growing, leaf_hash
from tradex_ledger.ledger.rows import BrokenRowError, Row, check_range, check_row
from tradex_ledger.ledger.select import FORMAT, Store, read
from tradex_ledger.ledger.tree import stored_tree
from tradex_ledger.paths import sync

KIND = "tradex-ledger backup"
VERSION = 1
PAGE = 1024
"""So many events are in memory at once."""
LONGEST = 1 << 28
"""Bytes of a line: what is longer is no entry, and is not read to its end."""
_ROOT = re.compile("[0-9a-f]{64}")
_LEVEL = 3  # of compression: twice as fast as the usual one, a tenth larger


class BackupError(BrokenLedgerError):
    """A file that is no whole backup of a ledger."""

    code = "backup"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path} is no whole backup of a ledger: {reason}; nothing was restored",
            mend="take another copy of it, or an older one",
        )


class FileThereError(RefusedError):
    """A file stands where one is to be written: a backup, or the read side."""

    code = "file-there"

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is there already, and is not overwritten", mend="name a file that is not there")


@dataclass(frozen=True, slots=True)
class Header:
    """What a backup says of itself: the ledger, when that was made, how many events there are, their root (hex)."""

    ledger: str
    format: int
    created_at: str
    events: int
    root: str


def write(store: Store, path: Path) -> Header:
    """Write a backup of a ledger as it is now; there is a whole one, or none. Raises: `FileThereError`, `OSError`."""
    size = store.position()
    ((form, created_at),) = store.select(read("made"))
    header = Header(store.ledger, form, str(created_at), size, stored_tree(store, size).root().hex())
    if os.path.lexists(path):
        raise FileThereError(path)
    half_made = path.with_name(f".{path.name}.{os.getpid()}.new")
    half_made.unlink(missing_ok=True)  # a crash of a process of that number
    try:
        with half_made.open("xb") as file:
            with gzip.GzipFile("", "wb", _LEVEL, file, mtime=0) as packed:
                _write(store, header, packed)
            file.flush()
            os.fsync(file.fileno())
        _check(half_made, header)
        os.link(half_made, path)
        sync(path.parent)
    except FileExistsError:
        raise FileThereError(path) from None
    finally:
        with suppress(OSError):
            half_made.unlink()
    return header


def _write(store: Store, header: Header, file: gzip.GzipFile) -> None:
    told = {"kind": KIND, "version": VERSION, **asdict(header)}
    first = canonical(told) + b"\n"
    digest = hashlib.sha256(first)
    file.write(first)
    for begin, upto in _spans(header.events):
        rows = cast("list[Row]", store.select(read("range"), first=begin, last=upto))
        lines = b"".join(row[6].encode() + b"\n" for row in check_range(store.ledger, rows, begin, upto))
        digest.update(lines)
        file.write(lines)
    file.write(canonical({"sha256": digest.hexdigest()}) + b"\n")


def _check(path: Path, wanted: Header) -> None:
    """Read a backup to its end, and hold it against what it should be. Raises: `BackupError`, `OSError`."""
    tree = Growing()
    with opened(path) as (header, pages):
        for page in pages:
            tree.add(row[5] for row in page)
    if header != wanted or tree.root().hex() != wanted.root:
        raise BackupError(path, "it was not written as it was meant to be")


@contextmanager
def opened(path: Path) -> Iterator[tuple[Header, Iterator[list[Row]]]]:
    """What a backup says of itself, and its rows page by page; only its end tells that all of it was sound.

    Raises: `BackupError`; `OSError` where it cannot be read.
    """
    with path.open("rb") as file, gzip.GzipFile(fileobj=file) as packed:
        lines = _Lines(path, packed)
        try:
            header = lines.header()
            yield header, lines.pages(header)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise BackupError(path, str(error)) from error


class _Lines:
    """The lines of a backup, and the digest of those that were read."""

    def __init__(self, path: Path, file: gzip.GzipFile) -> None:
        self._path = path
        self._file = file
        self._digest = hashlib.sha256()

    def _next(self) -> bytes:
        line = self._file.readline(LONGEST)
        if not line.endswith(b"\n"):
            raise BackupError(self._path, "it ends too early")
        self._digest.update(line)
        return line[:-1]

    def header(self) -> Header:
        """The first line."""
        try:
            told = orjson.loads(self._next())
        except orjson.JSONDecodeError:
            told = None
        match told:
            case {"kind": str(kind), "version": int(version), "format": int(form)} if kind == KIND and (
                version > VERSION or form > FORMAT
            ):
                raise BackupError(self._path, f"a later release wrote it (version {version}, format {form})")
            case {"kind": str(kind), "format": int(form), "ledger": str(ledger), "created_at": str(created_at),
                  "events": int(events), "root": str(root)} if (
                kind == KIND and events >= 0 and _ROOT.fullmatch(root)
            ):  # fmt: skip
                return Header(ledger, form, created_at, events, root)
        raise BackupError(self._path, "it does not begin as one")

    def pages(self, header: Header) -> Iterator[list[Row]]:
        """The lines between, and at the end the last, which must be the digest of all before it."""
        for begin, upto in _spans(header.events):
            yield [self._row(header.ledger, position) for position in range(begin, upto + 1)]
        wanted = canonical({"sha256": self._digest.hexdigest()})
        if self._next() != wanted or self._file.read(1):
            raise BackupError(self._path, "its digest is not that of what it holds")

    def _row(self, ledger: str, position: int) -> Row:
        line = self._next()
        try:
            entry = parse(line)
            row = (entry.position, entry.stream, entry.version, entry.topic, entry.at, leaf_hash(line), line.decode())
            check_row(ledger, row)
        except (NotCanonicalError, BrokenRowError, UnicodeDecodeError) as error:
            raise BackupError(self._path, f"what stands for position {position} is no event of it") from error
        if entry.position != position:
            raise BackupError(self._path, f"where position {position} should stand, there is {entry.position}")
        return row


def _spans(events: int) -> Iterator[tuple[int, int]]:
    for begin in range(1, events + 1, PAGE):
        yield begin, min(begin + PAGE - 1, events)
