"""The objects below a prefix of a bucket: what is asked of them, tried again where that helps, with faults of ours.

The client tries again what broke or was refused for a while, but not a placing that nobody answered, and it takes a
body that was changed on its way for a good one: both are seen to here.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from io import FileIO
from operator import itemgetter
from typing import NamedTuple

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError

from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.lake.port import Entry
from tradex_ledger.lake.s3_errors import fault_of, is_passing
from tradex_ledger.lake.s3_store import endpoint, store
from tradex_ledger.lake.storage import LakeFileError

TRIES = 3
TOKEN = "tradex-placing"
_PAUSE_SECONDS = 0.2
_CHUNK = 4 << 20
_META: Callable[[obstore.ObjectMeta], tuple[str, int, datetime, str | None]] = itemgetter(
    "path", "size", "last_modified", "e_tag"
)


class Came(NamedTuple):
    """What came of an object: bytes, and their digests (hex)."""

    bytes: int
    sha256: str
    md5: str


@dataclass(frozen=True, slots=True)
class Objects:
    """Those of a lake, or of `what` has that name: the bucket, and the prefix before each path, or nothing.

    Raises: `S3Fault`.
    """

    name: str
    bucket: str
    prefix: str
    what: str = "lake"

    async def put(self, path: str, content: bytes, token: str) -> bool:
        """Place content under a path, if it is free; False where something else has it. Durable on return."""
        for tried in range(1, TRIES + 1):
            with self._faults(f"placing {path}"):
                try:
                    await obstore.put_async(
                        store(self.bucket, len(content)), self._key(path), content,
                        mode="create", use_multipart=False, attributes={TOKEN: token},
                    )  # fmt: skip
                except AlreadyExistsError:
                    break
                except BaseError as error:
                    if tried == TRIES or not is_passing(error):
                        raise
                    await asyncio.sleep(tried * _PAUSE_SECONDS)
                else:
                    return True
        return await self._is_placed(path, hashlib.sha256(content).hexdigest(), len(content), token)

    async def _is_placed(self, path: str, sha256: str, size: int, token: str) -> bool:
        """Whether what has the name is what was to get it: then the answer that said so was lost."""
        hashed = Hashed()
        try:
            with self._faults(f"looking at {path}"):
                found = await obstore.get_async(store(self.bucket, size), self._key(path))
                if found.attributes.get(TOKEN) != token or found.meta["size"] != size:
                    return False
                async for chunk in found.stream(_CHUNK):
                    hashed.add(chunk)
        except FileNotFoundError:
            return False
        return hashed.sha256.hexdigest() == sha256

    async def fill(self, file: LakeFile, made: FileIO) -> None:
        """Bring a file's very bytes. Raises `LakeFileError`, after a few tries: what came may have been damaged on its
        way."""
        for _ in range(TRIES):
            hashed = Hashed(made)
            try:
                with self._faults(f"reading {file.path}"):
                    found = await obstore.get_async(store(self.bucket, file.bytes), self._key(file.path))
                    if (size := found.meta["size"]) == file.bytes:
                        async for chunk in found.stream(_CHUNK):
                            hashed.add(chunk)
            except FileNotFoundError:
                raise LakeFileError(file.path, "is missing", is_missing=True) from None
            if size == file.bytes and hashed.sha256.hexdigest() == file.sha256:
                return
        if size != file.bytes:
            raise LakeFileError(file.path, f"has {size} bytes, not {file.bytes}: it was changed")
        raise LakeFileError(file.path, f"has other bytes than were written (SHA-256 is not {file.sha256[:12]}…)")

    async def copy(self, entry: Entry, made: FileIO) -> Came:
        """Write what lies under a path, as it was listed, to a file. Raises: `FileNotFoundError`, where it is no more,
        or another by now."""
        hashed, md5 = Hashed(made), hashlib.md5(usedforsecurity=False)
        with self._faults(f"reading {entry.path}"):
            found = await obstore.get_async(store(self.bucket, entry.bytes), self._key(entry.path))
            if self._entry(found.meta).version != entry.version:
                raise FileNotFoundError
            async for chunk in found.stream(_CHUNK):
                hashed.add(chunk)
                md5.update(chunk)
        return Came(made.tell(), hashed.sha256.hexdigest(), md5.hexdigest())

    async def look(self, path: str) -> Entry | None:
        """What is there under a path, if anything."""
        try:
            with self._faults(f"looking at {path}"):
                return self._entry(await obstore.head_async(store(self.bucket), self._key(path)))
        except FileNotFoundError:
            return None

    async def below(self, folder: str = "") -> AsyncIterator[Entry]:
        """Each object below a folder, a page of a thousand after the other."""
        with self._faults("listing"):
            key = self._key(folder)
            async for page in obstore.list(store(self.bucket), f"{key}/" if key else None, chunk_size=1000):
                for found in page:
                    if found["path"] != key:  # of the folder itself, as some tools make them
                        yield self._entry(found)

    async def delete(self, path: str) -> None:
        """Delete what is there under a path, if anything."""
        with self._faults(f"removing {path}"):
            try:
                await obstore.delete_async(store(self.bucket), self._key(path))
            except FileNotFoundError:
                return

    def _key(self, path: str) -> str:
        return "/".join(part for part in (self.prefix, path) if part)

    def _entry(self, found: obstore.ObjectMeta) -> Entry:
        key, size, modified, tag = _META(found)
        path = key.removeprefix(f"{self.prefix}/") if self.prefix else key
        return Entry(path, size, modified.timestamp(), "file", tag or f"{modified.timestamp()}")

    @contextmanager
    def _faults(self, doing: str) -> Iterator[None]:
        try:
            yield
        except BaseError as error:
            raise fault_of(error, f"the {self.what} {self.name}", endpoint(), doing) from None
        except FileNotFoundError as error:  # how the client says that there is no such object, or no bucket
            if "<Code>NoSuchBucket<" in str(error):
                raise fault_of(error, f"the {self.what} {self.name}", endpoint(), doing) from None
            raise FileNotFoundError from None


@dataclass(slots=True)
class Hashed:
    """What comes in, digested, and written to a file where there is one, from its beginning."""

    made: FileIO | None = None
    sha256: hashlib._Hash = field(default_factory=hashlib.sha256)

    def __post_init__(self) -> None:
        if self.made is not None:
            self.made.seek(0)
            self.made.truncate()

    def add(self, chunk: bytes) -> None:
        """Take the next bytes. Raises: `OSError` where the disk does not."""
        self.sha256.update(chunk)
        left = memoryview(chunk)
        while self.made is not None and left:
            left = left[self.made.write(left) :]
