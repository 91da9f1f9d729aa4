"""What is known of delivered files that were read before: what is in them, and for which days Bronze has it all.

A cache beside the ledger; delete it, and the files are read again. A file is known by its name and the SHA-256 of its
bytes. What is said of Bronze stays true, since Bronze only grows; it is bound to the ledger by the root of its tree at
that time, and to the code and the definitions that reading and dedup follow from. A file that is not known for all the
days asked for is read; for one that is, its counts by day stand in for its lines, so that the same events are recorded.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import orjson

from tradex_ledger.datasets.fingerprint import fingerprint
from tradex_ledger.executors.context import Execution
from tradex_ledger.lake.storage import sha256_of
from tradex_ledger.ledger.log import stored_tree
from tradex_ledger.ledger.select import file_of
from tradex_ledger.ledger.store import reading
from tradex_ledger.sources.files import SourceFile
from tradex_ledger.sources.stage import DAY_UNKNOWN, FileCounts

_CODE = ("sources/files.py", "sources/stage.py", "sources/x_posts.py", "executors/bronze.py", "executors/delivered.py")

Days = tuple[int, int]  # from the first to the second, excluded; days since 1970-01-01


@dataclass(frozen=True, slots=True)
class Known:
    """A file that was read, and the ranges of days of which Bronze has all its rows."""

    counts: FileCounts
    held: tuple[Days, ...]

    def is_held(self, days: Days) -> bool:
        """Whether Bronze has all of it that lies in those days."""
        return any(first <= days[0] and days[1] <= until for first, until in self.held)

    def posts(self, days: Days) -> Counter[int]:
        """Its posts of those days, by day."""
        return Counter({day: n for day, n in self.counts.posts.items() if days[0] <= day < days[1]})

    def rejected(self, days: Days) -> Counter[int]:
        """Its rejected lines of those days, by day; those without a day are always among them."""
        found = self.counts.rejected.items()
        return Counter({day: n for day, n in found if day == DAY_UNKNOWN or days[0] <= day < days[1]})


@dataclass
class Delivered:
    """What is known of the files of one extraction. Without `path` nothing is, and nothing is kept."""

    path: Path | None
    binding: str = ""
    known: dict[str, Known] = field(default_factory=dict)

    def split(self, files: Iterable[SourceFile], days: Days | None) -> tuple[list[SourceFile], list[Known]]:
        """The files that have to be read, and what is known of the others. Files that are gone are forgotten."""
        unread, held = [], []
        listed = list(files)
        self.known = {file.name: self.known[file.name] for file in listed if file.name in self.known}
        for file in listed:
            known = self.known.get(file.name)
            if known and days and known.is_held(days) and _is_still(file.path, known.counts.sha256):
                held.append(known)
            else:
                unread.append(file)
        return unread, held

    def keep(self, ex: Execution, read: list[FileCounts], days: Days | None) -> None:
        """Remember what was read, once all of it that lies in those days is in Bronze."""
        if self.path is None or days is None or not read:
            return
        for counts in read:
            before = self.known.get(counts.name)
            held = before.held if before and before.counts == counts else ()
            self.known[counts.name] = Known(counts, _joined([*held, days]))
        position = ex.ledger.position()
        files = [
            (*known.counts[:3], _pairs(known.counts.posts), _pairs(known.counts.rejected), known.held)
            for known in self.known.values()
        ]
        body = orjson.dumps(
            {"binding": self.binding, "position": position, "root": _root(ex, position), "files": files}
        )
        half_made = self.path.with_name(f".{self.path.name}-{os.getpid()}")
        with suppress(OSError):  # it is only a cache
            half_made.write_bytes(_sealed(body))
            # A crash before this leaves what was known before; after it, what is known now.
            half_made.replace(self.path)
        with suppress(OSError):
            half_made.unlink(missing_ok=True)


def open_delivered(ex: Execution) -> Delivered:
    """What the cache knows, as far as it fits this ledger, these definitions and this code."""
    file = file_of(ex.ledger.engine)
    if file is None:
        return Delivered(None)
    delivered = Delivered(file.with_name(f"{file.name}-delivered"), _binding(ex))
    try:
        content = delivered.path.read_bytes() if delivered.path else b""
    except OSError:
        return delivered
    body = content.partition(b"\n")[2]
    if content != _sealed(body):
        return delivered
    document = orjson.loads(body)
    if document.get("binding") != delivered.binding or document["position"] > ex.ledger.position():
        return delivered
    if document["root"] == _root(ex, document["position"]):
        delivered.known = {entry[0]: _known(entry) for entry in document["files"]}
    return delivered


def _known(entry: list[Any]) -> Known:
    name, sha256, lines, posts, rejected, held = entry
    counts = FileCounts(name, sha256, lines, dict(posts), dict(rejected))
    return Known(counts, tuple((first, until) for first, until in held))


def _pairs(days: dict[int, int]) -> list[tuple[int, int]]:
    return sorted(days.items())


def _sealed(body: bytes) -> bytes:
    """The content of the cache's file: the digest of its body, then the body."""
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def _binding(ex: Execution) -> str:
    """All that reading a file and finding its rows in Bronze follow from, beside the file and Bronze."""
    digest = hashlib.sha256(f"{sys.version}\n{orjson.__version__}\n".encode())
    for definition in ex.posts():
        digest.update(f"{definition and definition.name} {definition and fingerprint(definition)}\n".encode())
    package = resources.files("tradex_ledger")
    for name in _CODE:
        digest.update(package.joinpath(name).read_bytes())
    return digest.hexdigest()


def _root(ex: Execution, position: int) -> str:
    """The root of the ledger's tree at a position: nothing before it can be otherwise under the same one."""
    with reading(ex.ledger.engine) as connection:
        return stored_tree(connection, position).root().hex()


def _is_still(path: Path, sha256: str) -> bool:
    try:
        return sha256_of(path) == sha256
    except OSError:
        return False  # who reads it says why


def _joined(ranges: list[Days]) -> tuple[Days, ...]:
    """The same days as few ranges, in order."""
    found: list[Days] = []
    for first, until in sorted(ranges):
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], until))
        else:
            found.append((first, until))
    return tuple(found)
