"""The cache of files that are brought: bounded, shared, and nothing in it is believed for being there."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.kit import s3
from tests.kit.cached import KB, content, file_of, fill, n_bytes, other_process
from tests.kit.tree import ROOT
from tradex_ledger import keyed
from tradex_ledger.domain.day import Day
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.lake.cache import BOUND, Cache, open_cache
from tradex_ledger.lake.inputs import InputFile, check_near, checked
from tradex_ledger.lake.s3 import S3Lake
from tradex_ledger.lake.storage import LakeFileError, StagedFile
from tradex_ledger.lake.verified import Reading


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    root = tmp_path / "cache"
    root.mkdir(mode=0o700)
    return Cache(root, 64 * KB)


def test_what_no_process_holds_is_trimmed_and_what_one_holds_stays(cache: Cache):
    gone = other_process(cache, 0, 60)
    gone.communicate("\n")
    holding = other_process(cache, 100, 110)
    assert holding.stdout is not None
    assert holding.stdin is not None
    holding.stdout.readline()
    cache.trim(0)
    assert n_bytes(cache) == 10 * KB
    assert holding.communicate("\n")[0] == "True\n"
    cache.trim(0)
    assert n_bytes(cache) == 0


def test_two_processes_fill_and_trim_at_once_and_the_bound_holds_once_they_are_gone(cache: Cache):
    both = [other_process(cache, 0, 200), other_process(cache, 100, 300)]
    assert [process.communicate("\n")[0].splitlines()[1] for process in both] == ["True", "True"]
    fill(cache, content(999))
    assert n_bytes(cache) <= cache.bound


def test_what_is_no_longer_asked_for_is_let_go_after_a_day(cache: Cache):
    for number in range(200):
        fill(cache, content(number), now=0)
    assert n_bytes(cache) == 200 * KB
    for number in range(200, 210):
        fill(cache, content(number), now=86_401)
    assert n_bytes(cache) <= cache.bound


def test_what_was_placed_is_held_by_nobody_and_the_bound_holds(cache: Cache, tmp_path: Path):
    for number in range(200):
        made = tmp_path / "made"
        made.write_bytes(content(number))
        made.chmod(0o664)
        cache.give(made, file_of(content(number)), now=0)
        assert not made.exists()
    assert n_bytes(cache) <= cache.bound
    found = cache.find(file_of(content(199)), now=0)
    assert found is not None
    assert found.read_bytes() == content(199)


def test_a_file_that_comes_twice_stays_what_readers_have_looked_at(cache: Cache):
    places = [fill(cache, content(1)) for _ in range(2)]
    before = places[0].stat()
    fill(cache, content(1))
    assert (places[0], before.st_ino) == (places[1], places[0].stat().st_ino)


def test_what_a_dead_process_left_half_filled_goes(cache: Cache):
    code = "import os,sys\nfrom pathlib import Path\nfrom tests.kit.cached import *\nc=Cache(Path(sys.argv[1]),9999)\n"
    code += "with c.half(file_of(content(1)), 0) as (path, made):\n    os._exit(0)"
    subprocess.run([sys.executable, "-c", code, str(cache.root)], cwd=ROOT, check=True)
    assert [path.name for path in cache.root.iterdir() if path.name.startswith(".half")]
    fill(cache, content(2))
    assert not [path.name for path in cache.root.iterdir() if path.name.startswith(".half")]


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> S3Lake:
    s3.moto().use(monkeypatch)
    monkeypatch.setenv(keyed.CACHE_HOME, str(tmp_path / "home"))
    return S3Lake(s3.fresh_url())


def placed(lake: S3Lake, data: bytes) -> LakeFile:
    path = lake.new_staging("bf-1", "t") / "x"
    path.write_bytes(data)
    staged = StagedFile(Day(738888), path, 1, len(data), hashlib.sha256(data).hexdigest())
    (file,) = lake.place({"gold/date=2024-01-03": staged}, "bf-1")
    return file


def link(place: Path, elsewhere: Path) -> None:
    elsewhere.write_bytes(place.read_bytes())
    place.unlink()
    place.symlink_to(elsewhere)


def pipe(place: Path, _: Path) -> None:
    place.unlink()
    os.mkfifo(place)


HOSTILE = {
    "other bytes": lambda place, _: place.write_bytes(place.read_bytes()[::-1]),
    "cut": lambda place, _: os.truncate(place, 3),
    "a link": link,
    "a pipe": pipe,
    "for all to write": lambda place, _: place.chmod(0o666),
    "gone": lambda place, _: place.unlink(),
}


@pytest.mark.parametrize("how", HOSTILE)
def test_a_file_in_the_cache_that_is_not_what_it_should_be_is_brought_again(lake: S3Lake, tmp_path: Path, how: str):
    data = content(7)
    file = placed(lake, data)
    place = lake.near(file)
    HOSTILE[how](place, tmp_path / "elsewhere")
    check_near(lake, file)
    with Reading(lake) as reading:
        reading.check([file])
        assert place.read_bytes() == data
    assert not place.is_symlink()
    assert not place.stat().st_mode & 0o022


def test_many_files_are_brought_at_once_and_each_once(lake: S3Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    files = [placed(lake, content(number)) for number in range(20)]
    monkeypatch.setenv(keyed.CACHE_HOME, str(tmp_path / "other"))
    lake.bring([*files, *files])
    assert [lake.near(file).read_bytes() for file in files] == [content(number) for number in range(20)]


def test_where_there_is_no_folder_of_ones_own_or_no_bound_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(BOUND, "many")
    with pytest.raises(EnvironmentFault, match="no number of megabytes"):
        open_cache()
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    monkeypatch.setenv(BOUND, "1")
    monkeypatch.setenv(keyed.CACHE_HOME, str(open_to_all))
    with pytest.raises(EnvironmentFault) as caught:
        open_cache()
    assert keyed.CACHE_HOME in caught.value.mend


def test_an_input_that_is_missing_where_it_is_brought_from_can_be_built_again(
    lake: S3Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = placed(lake, content(1))
    lake.remove(file.path)
    monkeypatch.setenv(keyed.CACHE_HOME, str(tmp_path / "other"))
    with pytest.raises(LakeFileError) as caught, checked([InputFile(Day(738888), file, lake, layer="gold")]):
        pass
    assert caught.value.is_missing
    assert "or build it again: tradex backfill request forced gold" in caught.value.mend


def test_threads_that_begin_at_once_hold_together_what_their_process_holds(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
):
    opened, made = os.open, []

    def slowly(path: Path, flags: int, mode: int = 0o777) -> int:
        if path == cache.root / ".locks":
            made.append(path)
            time.sleep(0.2)
        return opened(path, flags, mode)

    monkeypatch.setattr(os, "open", slowly)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda number: cache.find(file_of(content(number)), now=0), range(2)))
    assert len(made) == 1
