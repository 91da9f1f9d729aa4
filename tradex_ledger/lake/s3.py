"""A lake in S3, or in a store that speaks as it does: staged here, digested, and given a name only if it is free.

What is read comes through a cache of this machine (`cache.py`), so that the engine opens files; what is placed stays in
it. Its digest is checked when it arrives.

The answer that says "placed" may be lost. Whoever asks again is told that the name is taken: by that very object, then.
Each placing has a token of its own, which its object carries; an object with that token and that digest is the one that
was to be placed. Without that proof the file gets another name, and `lake gc` finds the first.

Crashes: before a file is placed it lies in the staging, which the run's next drive wipes; after that it is an object
that no event names. Names are given by the store alone, one at a time, so two writers never share one.
"""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import count
from pathlib import Path

from tradex_ledger.clock import new_token
from tradex_ledger.config_places import s3_place
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.lake import staging
from tradex_ledger.lake.cache import Cache, open_cache, user_folder
from tradex_ledger.lake.markers import MARKS, Marker, marker_of
from tradex_ledger.lake.port import Entry, Lake, Seen
from tradex_ledger.lake.s3_errors import OverwritesError, S3Fault
from tradex_ledger.lake.s3_objects import Objects
from tradex_ledger.lake.s3_store import endpoint, together, wait_for
from tradex_ledger.lake.storage import StagedFile, translate

_LOCAL = ("http://localhost", "http://127.0.0.1", "http://[::1]")


@dataclass(frozen=True, slots=True)
class S3Lake(Lake):
    """A lake below a prefix of a bucket: `s3://BUCKET/PREFIX`. Raises: `NoS3PlaceError`."""

    url: str
    reading: bool = False
    seen: Seen = field(default_factory=Seen, compare=False)

    def __post_init__(self) -> None:
        bucket, prefix = s3_place(self.url)
        object.__setattr__(self, "url", f"s3://{bucket}" + (f"/{prefix}" if prefix else ""))

    @property
    def name(self) -> str:
        """Its URL, without needless slashes."""
        return self.url

    # -- files

    def near(self, file: LakeFile) -> Path:
        """The copy in the cache; brought and digested if there is none of that size."""
        cache = open_cache()
        return cache.find(file, self._now()) or self._bring(cache, [file], believed=True)[0]

    def bring(self, files: Iterable[LakeFile]) -> None:
        """Bring what is not in the cache, eight at once."""
        cache, now = open_cache(), self._now()
        missing = {file.sha256: file for file in files if cache.find(file, now) is None}
        if missing:
            self._bring(cache, missing.values(), believed=True)

    def fetch(self, file: LakeFile) -> Path:
        """The same as `near`, once what the store has was brought and digested."""
        return self._bring(open_cache(), [file], believed=False)[0]

    def has(self, file: LakeFile) -> bool:
        """Whether an object is there with that size."""
        return not self.absent([file])

    def absent(self, files: Iterable[LakeFile]) -> set[LakeFile]:
        """The same of many, eight at once."""
        asked, objects = list(files), self._objects()
        found = wait_for(together((0, partial(objects.look, file.path)) for file in asked))
        return {file for file, entry in zip(asked, found, strict=True) if entry is None or entry.bytes != file.bytes}

    def place(self, staged: Mapping[str, StagedFile], run_id: str, taken: Collection[str] = ()) -> list[LakeFile]:
        """Place each file under the first number that is free, eight at once; what was placed is in the cache then."""
        placed = self._give_names(staged, run_id, taken) if staged else []
        cache, now = open_cache(), self._now()
        for file, given in zip(staged.values(), placed, strict=True):
            with suppress(OSError):  # on another disk, say: then it is brought once it is read
                cache.give(file.path, given, now)
            file.path.unlink(missing_ok=True)
        return placed

    def remove(self, path: str, version: str | None = None) -> None:
        """Delete an object, unless another is there by now, or a staging folder."""
        if staging.remove(self._staging(), path, version):
            return
        objects = self._objects()
        if version is None or ((found := wait_for(objects.look(path))) and found.version == version):
            wait_for(objects.delete(path))

    def forget(self, file: LakeFile) -> None:
        """Remove it from the cache of this user."""
        open_cache().forget(file)

    def files(self) -> Iterator[Entry]:
        """Each object but the markers."""
        return (entry for entry in wait_for(_all(self._objects().below())) if not entry.path.startswith(f"{MARKS}/"))

    # -- work under way

    def check_writable(self) -> None:
        """Ask for a name that is taken: the store says so to who may write, and one that overwrites shows itself."""
        if not self.reading and (found := self.markers()) and self.lay(found[-1]):
            raise OverwritesError(f"the lake {self.name}", endpoint())

    def new_staging(self, run_id: str, token: str) -> Path:
        """A folder beside this user's caches."""
        return staging.new(self._staging(), run_id, token)

    def attempt(self, drive: str) -> Path:
        """A folder below the drive's on this machine."""
        return staging.attempt(self._staging(), drive)

    def drop_staging(self, folder: Path) -> None:
        """Remove it."""
        shutil.rmtree(folder, ignore_errors=True)

    def staged(self) -> Iterator[Entry]:
        """The staging folders of this machine."""
        return staging.listed(self._staging())

    # -- whose it is

    def markers(self) -> list[Marker]:
        """The objects below `.tradex-lake`."""
        return wait_for(_markers(self._objects()))

    def lay(self, marker: Marker) -> bool:
        """Place a marker's object; of one that is placed already no more than its name was asked for."""
        content = json.dumps(asdict(marker), sort_keys=True) + "\n"
        return wait_for(self._objects().put(f"{MARKS}/{marker.name}", content.encode(), new_token()))

    def take_back(self, marker: Marker) -> None:
        """Delete a marker's object."""
        wait_for(self._objects().delete(f"{MARKS}/{marker.name}"))

    def neighbours(self, *, deep: bool) -> Iterator[str]:
        """Lakes at the prefixes above, asked each time; those below where no marker is: they look above, too."""
        bucket, prefix = s3_place(self.url)
        parts = prefix.split("/") if prefix else []
        above = [Objects(self.name, bucket, "/".join(parts[:number])) for number in range(len(parts))]
        marked = wait_for(together((0, partial(_markers_seen, one)) for one in above))
        yield from (f"s3://{bucket}/{one.prefix}" for one, found in zip(above, marked, strict=True) if found)
        paths = [entry.path for entry in self.files()] if deep else []
        yield from sorted({f"{self.url}/{path.partition(f'/{MARKS}/')[0]}" for path in paths if f"/{MARKS}/" in path})

    def exposed(self) -> Iterator[str]:
        """Whether files travel where others can read and change them."""
        if (place := endpoint()).startswith("http://") and not place.startswith(_LOCAL):
            yield f"the lake's files travel unencrypted to {place}: give an https:// URL in AWS_ENDPOINT_URL"

    # -- calls

    def _objects(self) -> Objects:
        return Objects(self.name, *s3_place(self.url))

    def _now(self) -> float:
        return self.seen.clock().timestamp()

    def _staging(self) -> Path:
        return user_folder(f"{hashlib.sha256(self.name.encode()).hexdigest()[:32]}-staging")

    def _bring(self, cache: Cache, files: Collection[LakeFile], *, believed: bool) -> list[Path]:
        """Bring files, whatever the cache has; it gives up all that nobody holds where the disk has no room."""
        objects, now = self._objects(), self._now()

        async def brought(file: LakeFile) -> Path:
            with cache.half(file, now) as (path, made):
                await objects.fill(file, made)
                return cache.lay(path, file, now, believed=believed)

        def bring() -> list[Path]:
            return wait_for(together((0, partial(brought, file)) for file in files))

        try:
            try:
                return bring()
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                cache.trim(0)
                return bring()
        except S3Fault:
            raise
        except OSError as error:
            raise translate(error, f"bringing files of the lake {self.name}") from error

    def _give_names(self, staged: Mapping[str, StagedFile], run_id: str, taken: Collection[str]) -> list[LakeFile]:
        objects, token = self._objects(), new_token()

        async def named(folder: str, file: StagedFile) -> LakeFile:
            content = file.path.read_bytes()
            for number in count(1):
                path = f"{folder}/{run_id}-{number}.parquet"
                if path not in taken and await objects.put(path, content, token):
                    break
            return LakeFile(path, file.bytes, file.rows, file.sha256)

        return wait_for(together((file.bytes, partial(named, folder, file)) for folder, file in staged.items()))


async def _all(entries: AsyncIterator[Entry]) -> list[Entry]:
    return [entry async for entry in entries]


async def _markers(objects: Objects) -> list[Marker]:
    names = [entry.path.rpartition("/")[2] for entry in await _all(objects.below(MARKS))]
    return sorted(marker for name in names if (marker := marker_of(name)))


async def _markers_seen(objects: Objects) -> list[Marker]:
    """The markers of a lake that may be another's: where this user may not look, none are seen."""
    try:
        return await _markers(objects)
    except S3Fault as fault:
        if fault.code != "no-permission":
            raise
        return []
