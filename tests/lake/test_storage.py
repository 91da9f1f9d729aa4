"""A name in the lake is given once: whatever stands there stays."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tradex_ledger.domain.day import Day
from tradex_ledger.lake.storage import LocalLake, StagedFile, sha256_of

FOLDER = "gold_metrics/date=2024-01-03"


def staged(folder: Path, content: bytes) -> StagedFile:
    path = folder / "2024-01-03.parquet"
    path.write_bytes(content)
    return StagedFile(Day(738_888), path, 1, len(content), sha256_of(path))


@pytest.fixture(params=["hard links", "no hard links"])
def lake(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalLake:
    """On a disk that has hard links, and on one that has none."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    if request.param == "no hard links":
        monkeypatch.setattr(os, "link", refuse)
    return LocalLake(tmp_path / "lake")


@pytest.mark.norm("N1")
def test_a_run_that_places_a_partition_again_leaves_what_it_placed_before(lake: LocalLake, tmp_path: Path):
    first = lake.place(staged(tmp_path, b"first"), FOLDER, "bf-1")
    stamp = lake.absolute(first).stat()
    second = lake.place(staged(tmp_path, b"second"), FOLDER, "bf-1")
    other = lake.place(staged(tmp_path, b"other"), FOLDER, "bf-2")
    assert len({first, second, other}) == 3
    assert [lake.absolute(path).read_bytes() for path in (first, second, other)] == [b"first", b"second", b"other"]
    assert (lake.absolute(first).stat().st_ino, lake.absolute(first).stat().st_mtime_ns) == (
        stamp.st_ino,
        stamp.st_mtime_ns,
    )
    assert not (tmp_path / "2024-01-03.parquet").exists()
