"""Every storage keeps what `tradex_ledger/lake/port.py` promises."""

from __future__ import annotations

import errno
import os
import pickle
import sqlite3
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from examples.new_storage.sqlite_lake import SqliteLake
from tests.kit import s3
from tradex_ledger.domain.day import Day
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.lake.local import LocalLake
from tradex_ledger.lake.markers import KEPT, Marker, drop_old
from tradex_ledger.lake.port import Lake
from tradex_ledger.lake.s3 import S3Lake
from tradex_ledger.lake.storage import LakeFileError, StagedFile, sha256_of

FOLDER, OTHER = "gold_metrics/date=2024-01-03", "gold_metrics/date=2024-01-04"


@dataclass(frozen=True)
class Made:
    """A lake to be tested: how it is opened, and how somebody changes bytes in it behind its back."""

    open: Callable[[Path], Lake]
    damage: Callable[[Lake, str, bytes], None]


def change_file(lake: Lake, path: str, content: bytes) -> None:
    Path(lake.name, path).write_bytes(content)


def change_row(lake: Lake, path: str, content: bytes) -> None:
    database = sqlite3.connect(lake.name.removeprefix("sqlite://"))
    with database:
        database.execute("update files set bytes = ? where path = ?", [content, path])
    database.close()


def change_object(store: Callable[[], s3.Store]) -> Callable[[Lake, str, bytes], None]:
    return lambda lake, path, content: s3.change(store(), lake.name, path, content)


LAKES = {
    "a folder": Made(lambda folder: LocalLake(folder / "lake"), change_file),
    "a folder without hard links": Made(lambda folder: LocalLake(folder / "lake"), change_file),
    "one SQLite file": Made(lambda folder: SqliteLake(f"sqlite://{folder}/lake.db"), change_row),
    **{name: Made(lambda folder: S3Lake(s3.url_of(folder)), change_object(store)) for name, store in s3.STORES.items()},
}


@pytest.fixture(params=LAKES)
def made(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    if request.param == "a folder without hard links":
        monkeypatch.setattr(os, "link", refuse)
    if (store := s3.STORES.get(request.param)) is not None:
        store().use(monkeypatch)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return LAKES[request.param]


@pytest.fixture
def lake(made: Made, tmp_path: Path) -> Lake:
    found = made.open(tmp_path)
    found.check_writable()
    return found


def staged(lake: Lake, content: bytes, token: str = "t") -> StagedFile:
    path = lake.new_staging("bf-1", token) / "2024-01-03.parquet"
    path.write_bytes(content)
    return StagedFile(Day(738888), path, 1, len(content), sha256_of(path))


def place(lake: Lake, content: bytes, run_id: str = "bf-1", folder: str = FOLDER) -> LakeFile:
    (file,) = lake.place({folder: staged(lake, content)}, run_id)
    return file


def test_of_what_is_forgotten_there_is_no_copy_here_and_the_file_itself_stays(lake: Lake) -> None:
    kept, gone = place(lake, b"kept"), place(lake, b"gone")
    paths = [lake.near(file) for file in (kept, gone)]
    lake.remove(gone.path)
    for file in (kept, gone):
        lake.forget(file)
    assert lake.fetch(kept).read_bytes() == b"kept"
    assert not paths[1].exists()
    lake.forget(gone)


@pytest.mark.norm("N1")
def test_a_name_is_given_once_and_whatever_stands_there_stays(lake: Lake) -> None:
    placed = [place(lake, content, run) for content, run in ((b"1st", "bf-1"), (b"2nd", "bf-1"), (b"3rd", "bf-2"))]
    assert len({file.path for file in placed}) == 3
    assert [lake.fetch(file).read_bytes() for file in placed] == [b"1st", b"2nd", b"3rd"]
    assert all(file.path.startswith(f"{FOLDER}/bf-") for file in placed)


def test_several_files_are_placed_at_once_in_order_and_their_staged_ones_are_gone(lake: Lake) -> None:
    folder = lake.new_staging("bf-1", "t")
    files = {}
    for name, content in ((FOLDER, b"one"), (OTHER, b"two")):
        path = folder / name.replace("/", "-")
        path.write_bytes(content)
        files[name] = StagedFile(Day(738888), path, 1, 3, sha256_of(path))
    placed = lake.place(files, "bf-1")
    assert [file.path.rpartition("/")[0] for file in placed] == [FOLDER, OTHER]
    assert [lake.fetch(file).read_bytes() for file in placed] == [b"one", b"two"]
    assert list(folder.iterdir()) == []
    assert lake.place({}, "bf-1") == []


def test_the_name_of_a_lost_file_is_given_to_nobody(lake: Lake) -> None:
    lost = place(lake, b"lost")
    lake.remove(lost.path)
    (again,) = lake.place({FOLDER: staged(lake, b"lost")}, "bf-1", {lost.path})
    assert again.path != lost.path
    assert not lake.has(lost)
    assert lake.absent([again, lost, again]) == {lost}
    assert lake.absent([]) == set()


def test_what_is_fetched_are_the_very_bytes_or_it_is_an_error_that_names_the_file(made: Made, lake: Lake) -> None:
    file = place(lake, b"content")
    assert lake.has(file)
    for content, problem in ((b"cOntent", "other bytes"), (b"more content", "bytes, not 7")):
        made.damage(lake, file.path, content)
        with pytest.raises(LakeFileError, match=problem) as caught:
            lake.fetch(file)
        assert (caught.value.path, caught.value.is_missing) == (file.path, False)
    assert not lake.has(file)
    lake.remove(file.path)
    with pytest.raises(LakeFileError, match="is missing") as caught:
        lake.fetch(file)
    assert caught.value.is_missing
    assert not lake.has(file)


def test_a_lake_goes_to_another_process(lake: Lake) -> None:
    file = place(lake, b"content")
    sent = pickle.loads(pickle.dumps(lake))
    assert sent == lake
    assert sent.fetch(file).read_bytes() == lake.near(file).read_bytes() == b"content"
    assert len(pickle.dumps(lake)) < 1000


def test_all_that_lies_there_is_listed_and_goes_if_it_is_what_was_seen(made: Made, lake: Lake) -> None:
    first, second = place(lake, b"first"), place(lake, b"second", folder=OTHER)
    lake.lay(Marker(0, 1, "ab" * 32, "ledger"))
    listed = {entry.path: entry for entry in lake.files()}
    assert {path: entry.bytes for path, entry in listed.items()} == {first.path: 5, second.path: 6}
    assert {entry.kind for entry in listed.values()} == {"file"}
    lake.remove(first.path, "another one")
    assert lake.has(first)
    lake.remove(first.path, listed[first.path].version)
    lake.remove(second.path)
    lake.remove(second.path)
    assert list(lake.files()) == []


def test_what_is_staged_is_listed_until_it_is_dropped_or_the_run_is_driven_again(lake: Lake) -> None:
    assert list(lake.staged()) == []
    first = staged(lake, b"content").path.parent
    (entry,) = lake.staged()
    assert (entry.kind, entry.path.rpartition("/")[2]) == ("folder", "bf-1.t")
    assert entry.bytes >= 7
    second = lake.new_staging("bf-1", "u")
    assert (first.exists(), list(second.iterdir())) == (False, [])
    lake.drop_staging(second)
    lake.new_staging("bf-2", "t")
    (left,) = lake.staged()
    lake.remove(left.path, left.version)
    assert list(lake.staged()) == []


def test_markers_are_laid_once_listed_in_order_and_the_highest_stay(lake: Lake) -> None:
    assert lake.markers() == []
    laid = [Marker(0, position, "ab" * 32, "a/ledger") for position in range(1, KEPT + 4)]
    assert [lake.lay(marker) for marker in reversed(laid)] == [True] * len(laid)
    assert lake.lay(laid[0]) is False
    assert lake.markers() == laid
    drop_old(lake)
    assert lake.markers() == laid[-KEPT:]
    lake.take_back(laid[-1])
    lake.take_back(laid[-1])
    assert lake.markers() == laid[-KEPT:-1]


def test_who_only_reads_makes_nothing(made: Made, tmp_path: Path) -> None:
    reader = replace(made.open(tmp_path), reading=True)  # type: ignore[type-var]  # both are dataclasses
    reader.check_writable()
    assert (reader.markers(), list(reader.files()), list(reader.staged())) == ([], [], [])
    assert not list(tmp_path.iterdir())


def test_each_attempt_at_a_task_has_a_folder_of_its_own_which_goes_with_the_drives(lake: Lake) -> None:
    folder = lake.new_staging("bf-1", "t")
    sent = pickle.loads(pickle.dumps(lake))  # as workers get it
    lost, ended = sent.attempt(folder.name), sent.attempt(folder.name)
    assert lost != ended and list(lost.iterdir()) == []
    (lost / "half").write_bytes(b"half")
    sent.drop_staging(ended)
    assert lost.exists() and not ended.exists()
    lake.drop_staging(folder)
    assert not lost.exists() and list(lake.staged()) == []
