"""Files in the cache of a lake, and processes that fill it and hold what is in it."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from tests.kit.tree import ROOT
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.lake.cache import Cache

KB = 1024


def content(number: int) -> bytes:
    """Bytes of a file, 1 KiB, that no other number has."""
    return f"{number:04}".encode() * (KB // 4)


def file_of(data: bytes) -> LakeFile:
    """What an event would say of them."""
    return LakeFile(
        f"gold/date=2024-01-03/bf-1-{data[:4].decode()}.parquet", len(data), 1, hashlib.sha256(data).hexdigest()
    )


def fill(cache: Cache, data: bytes, now: float = 0) -> Path:
    """Lay them into a cache."""
    file = file_of(data)
    with cache.half(file, now) as (path, made):
        made.write(data)
        return cache.lay(path, file, now)


def n_bytes(cache: Cache) -> int:
    """How much there is in a cache."""
    return sum(path.stat().st_size for path in cache.root.rglob("*") if path.is_file())


_HOLDER = """
import sys
from pathlib import Path
from tests.kit.cached import content, fill
from tradex_ledger.lake.cache import Cache
cache = Cache(Path(sys.argv[1]), int(sys.argv[2]))
first, last = int(sys.argv[3]), int(sys.argv[4])
for number in range(first, last):
    place = fill(cache, content(number))
print(place, flush=True)
sys.stdin.readline()
print(place.exists() and place.read_bytes() == content(last - 1), flush=True)
"""


def other_process(cache: Cache, first: int, last: int) -> subprocess.Popen[str]:
    """A process that fills the cache, and then holds what it filled until it is told to end."""
    return subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(cache.root), str(cache.bound), str(first), str(last)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
