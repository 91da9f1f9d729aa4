"""`files:s3://BUCKET/PREFIX`: files that are delivered to a bucket. They are listed there, and read from copies.

A copy is of an object as it was listed: its name is made of key, size and tag, so that an object that was written again
is another one, and each is brought once. What is only half here has another name. Copies lie in the workspace, as the
pages of a source that is called do; who deletes them has them brought again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tradex_ledger import slow
from tradex_ledger.clock import new_token
from tradex_ledger.config_places import S3, s3_place
from tradex_ledger.extras import load
from tradex_ledger.lake.storage import translate
from tradex_ledger.paths import is_there, sync
from tradex_ledger.sources.files import SUFFIX
from tradex_ledger.sources.source import Listing, PassedOver, SourceFile

if TYPE_CHECKING:
    from io import FileIO

    from tradex_ledger.lake.port import Entry
    from tradex_ledger.lake.s3_objects import Objects

MOVED = "taken away, or written again, since it was listed"
_WHAT = "source"
_CODES = {
    "lake-bucket": "source-folder-unreadable",
    "lake-credentials": "source-denied",
    "lake-unreachable": "source-unreachable",
}
"""What befalls a store is told of what lies there."""


@dataclass(frozen=True, slots=True)
class S3FilesPlace:
    """All objects below a prefix of a bucket whose keys end as a reader wants it."""

    bucket: str
    prefix: str
    base: Path
    """The folder of the workspace: copies lie in it."""

    @classmethod
    def named(cls, url: str, base: Path) -> S3FilesPlace:
        """The place at a URL. Raises: `NoS3PlaceError`."""
        bucket, prefix = s3_place(url, _WHAT)
        return cls(bucket, prefix, base)

    @property
    def url(self) -> str:
        """Where it is, in one spelling."""
        return f"{S3}{'/'.join(filter(None, (self.bucket, self.prefix)))}"

    @property
    def kept(self) -> Path:
        """Where its copies are."""
        return self.base / "fetched" / f"s3-{hashlib.sha256(self.url.encode()).hexdigest()[:12]}"

    def describe(self) -> str:
        """The source as it is written in the workspace and in the ledger."""
        return f"files:{self.url}"

    def is_meant(self, described: str) -> bool:
        """Whether a description, however it was written, means this very bucket and prefix."""
        scheme, _, rest = described.partition(f":{S3}")
        return scheme == "files" and "/".join(filter(None, rest.split("/"))) == self.url.removeprefix(S3)

    def look(self, suffixes: tuple[str, ...]) -> Listing:
        """What has been delivered so far under such names (in any case), each brought near, and what is passed over.

        Raises: `MissingExtraError`, `S3Fault`; `EnvironmentFault` where the disk has no room.
        """
        errors = _module("s3_errors")
        try:
            return self._looked(suffixes)
        except errors.S3Fault as fault:
            fault.code = _CODES.get(fault.code, fault.code)
            raise

    def _looked(self, suffixes: tuple[str, ...]) -> Listing:
        objects: Objects = _module("s3_objects").Objects(self.url, self.bucket, self.prefix, _WHAT)
        wait_for, together = _module("s3_store").wait_for, _module("s3_store").together
        entries: list[Entry] = wait_for(_all(objects))
        wanted = {entry.path: entry for entry in entries if entry.path.lower().endswith(suffixes)}
        passed = [PassedOver(entry.path, SUFFIX) for entry in entries if entry.path not in wanted]
        lacking = [entry for entry in wanted.values() if not is_there(self._copy(entry, suffixes), entry.bytes)]
        if lacking:
            total = sum(entry.bytes for entry in lacking)
            slow.doing(f"bring {len(lacking)} new files of {self.url}, {total / 1e6:,.1f} MB")
            try:
                self.kept.mkdir(mode=0o700, parents=True, exist_ok=True)
                works = ((0, partial(self._bring, objects, entry, suffixes)) for entry in lacking)
                gone = [entry.path for entry in wait_for(together(works)) if entry is not None]
            except OSError as error:
                if error.errno is None:  # of the store: it has its own words
                    raise
                raise translate(error, f"bringing files of {self.url}") from error
            passed += [PassedOver(wanted.pop(path).path, MOVED) for path in gone]
        files = [SourceFile(self._copy(entry, suffixes), path, entry.bytes) for path, entry in wanted.items()]
        return Listing(sorted(files, key=lambda file: file.name), sorted(passed))

    def _copy(self, entry: Entry, suffixes: Iterable[str]) -> Path:
        """Where the copy of an object lies, as it was listed: how its name ends tells how it is packed."""
        told = f"{entry.path}\0{entry.bytes}\0{entry.version}"
        suffix = max((one for one in suffixes if entry.path.lower().endswith(one)), key=len)
        return self.kept / f"{hashlib.sha256(told.encode()).hexdigest()[:32]}{suffix}"

    async def _bring(self, objects: Objects, entry: Entry, suffixes: Iterable[str]) -> Entry | None:
        """Bring one object; returns it where it was taken away, or written again, since it was listed: the next look
        meets what there is then."""
        place = self._copy(entry, suffixes)
        half = place.with_name(f".{place.name}.{new_token()}.half")
        try:
            with half.open("xb", buffering=0) as made:
                if not await _whole(objects, entry, made):
                    return entry
            sync(half)
            half.replace(place)
        finally:
            half.unlink(missing_ok=True)
        return None


async def _whole(objects: Objects, entry: Entry, made: FileIO) -> bool:
    """Write an object to a file; False where it is no more, or another by now. Raises: `S3Fault`.

    The client takes a body that was changed on its way for a good one. A tag is mostly the MD5 of the bytes; where it
    is none (what was uploaded in parts, or is encrypted), the same bytes have to come twice.
    """
    seen, tries = set[str](), _module("s3_objects").TRIES
    for _ in range(tries):
        try:
            came = await objects.copy(entry, made)
        except FileNotFoundError:
            return False
        if came.md5 == entry.version.strip('"') or came.sha256 in seen:
            return True
        if came.bytes == entry.bytes:
            seen.add(came.sha256)
    raise _module("s3_errors").S3Fault(
        f"{entry.path} of the source {objects.name} came otherwise each of {tries} times",
        mend="see what lies between this machine and the store, then run the same command again",
    )


async def _all(objects: Objects) -> list[Entry]:
    return [entry async for entry in objects.below()]


def _module(name: str) -> Any:
    return load(f"tradex_ledger.lake.{name}", "a source in S3", "s3")
