"""A folder of delivered files: what is listed, what is passed over, and in which groups it is read."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kit.delivered import READER, STATED, files_in, look
from tradex_ledger.domain.not_read import NotRead
from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.sources.files import (
    AGAIN,
    DANGLING,
    HIDDEN,
    SPECIAL,
    SUFFIX,
    UNREADABLE,
    FilesPlace,
    FolderUnreadable,
    told,
)
from tradex_ledger.sources.source import PassedOver, Source, SourceFile


def deliver(path: Path, content: bytes = b"{}\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_files_are_listed_by_relative_name_in_all_folders_and_others_are_passed_over(tmp_path: Path):
    for name in ("b.jsonl", "a/z.jsonl.gz", "a/.hidden.txt", "c.json", "a.jsonl.gz.part", "B.jsonl", "gz", "x.zst"):
        deliver(tmp_path / name)
    listing = look(tmp_path)
    assert [file.name for file in listing.files] == ["B.jsonl", "a/z.jsonl.gz", "b.jsonl", "c.json"]
    assert listing.files[2] == SourceFile(tmp_path / "b.jsonl", "b.jsonl", 3)
    assert listing.passed_over == [
        PassedOver(name, SUFFIX) for name in ("a.jsonl.gz.part", "a/.hidden.txt", "gz", "x.zst")
    ]


@pytest.mark.parametrize("suffix", READER.suffixes)
def test_every_suffix_is_read_in_any_case(tmp_path: Path, suffix: str):
    for name in (f"a{suffix}", f"B{suffix.upper()}", f"c{suffix.title()}"):
        deliver(tmp_path / name)
    assert len(files_in(tmp_path)) == 3
    assert {".jsonl", ".ndjson", ".json", ".json.gz", ".jsonl.bz2", ".ndjson.zst", ".js"} <= set(READER.suffixes)


def test_a_linked_folder_is_read_once_and_circles_end(tmp_path: Path):
    deliver(tmp_path / "elsewhere" / "deep" / "x.jsonl")
    source = tmp_path / "source"
    deliver(source / "own" / "y.jsonl")
    (source / "link").symlink_to(tmp_path / "elsewhere")
    (source / "second").symlink_to(tmp_path / "elsewhere" / "deep")
    (source / "own" / "up").symlink_to(source)
    (tmp_path / "elsewhere" / "back").symlink_to(source / "own")
    (source / "self").symlink_to(source / "self")
    (source / "gone").symlink_to(tmp_path / "nothing")
    listing = look(source)
    assert [file.name for file in listing.files] == ["link/deep/x.jsonl", "own/y.jsonl"]
    assert listing.passed_over == [
        PassedOver("gone", DANGLING),
        PassedOver("link/back", AGAIN),
        PassedOver("own/up", AGAIN),
        PassedOver("second", AGAIN),
        PassedOver("self", DANGLING),
    ]


def test_a_link_to_what_lies_above_brings_what_is_new_there_and_nothing_twice(tmp_path: Path):
    source = tmp_path / "all" / "source"
    deliver(source / "a.jsonl")
    deliver(source / "deep" / "b.jsonl")
    deliver(tmp_path / "all" / "c.jsonl")
    deliver(tmp_path / "other" / "d.jsonl")
    deliver(tmp_path / "other" / "e.jsonl")
    (source / "up").symlink_to("..")
    (source / "d.jsonl").symlink_to(tmp_path / "other" / "d.jsonl")
    (source / "other").symlink_to(tmp_path / "other")
    listing = look(source)
    assert [file.name for file in listing.files] == [
        *("a.jsonl", "d.jsonl", "deep/b.jsonl", "other/e.jsonl", "up/c.jsonl"),
    ]
    assert listing.passed_over == [PassedOver("other/d.jsonl", AGAIN), PassedOver("up/source", AGAIN)]


def test_what_this_user_may_not_look_at_is_passed_over_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A folder may be listed and not entered (mode 744): its names are there, and that is all."""
    deliver(tmp_path / "shut" / "a.jsonl")
    deliver(tmp_path / "b.jsonl")
    (tmp_path / "link.jsonl").symlink_to("shut/a.jsonl")
    real = Path.stat

    def stat(self: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        behind = os.path.realpath(self) if follow_symlinks else str(self)
        if "/shut/" in behind:
            raise PermissionError(13, "Permission denied")
        return real(self, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", stat)
    listing = look(tmp_path)
    assert [file.name for file in listing.files] == ["b.jsonl"]
    assert listing.passed_over == [PassedOver("link.jsonl", HIDDEN), PassedOver("shut/a.jsonl", HIDDEN)]


def test_a_linked_file_is_read_under_its_own_name_unless_it_is_read_already(tmp_path: Path):
    source = tmp_path / "source"
    deliver(source / "a.jsonl")
    (source / "again.jsonl").symlink_to(source / "a.jsonl")
    (source / "other.jsonl").symlink_to(deliver(tmp_path / "b.jsonl"))
    (source / "plain").symlink_to(tmp_path / "b.jsonl")
    listing = look(source)
    assert [file.name for file in listing.files] == ["a.jsonl", "other.jsonl"]
    assert listing.passed_over == [PassedOver("again.jsonl", AGAIN), PassedOver("plain", AGAIN)]


def test_pipes_sockets_and_devices_are_never_opened(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.jsonl")  # opening it would wait for ever
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(tmp_path)
        try:
            server.bind("socket.jsonl")
        finally:
            os.chdir(here)
    (tmp_path / "null.jsonl").symlink_to("/dev/null")
    listing = look(tmp_path)
    assert listing.files == []
    assert listing.passed_over == [PassedOver(n, SPECIAL) for n in ("null.jsonl", "pipe.jsonl", "socket.jsonl")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_a_folder_that_cannot_be_listed_is_passed_over_by_name(tmp_path: Path):
    deliver(tmp_path / "closed" / "x.jsonl")
    (tmp_path / "closed").chmod(0)
    try:
        assert look(tmp_path).passed_over == [PassedOver("closed", UNREADABLE)]
    finally:
        (tmp_path / "closed").chmod(0o755)


def test_a_folder_that_is_taken_away_meanwhile_is_passed_over_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    deliver(tmp_path / "closed" / "x.jsonl")
    deliver(tmp_path / "x.jsonl")
    scan = os.scandir

    def scandir(path: Path):
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    listing = look(tmp_path)
    assert [file.name for file in listing.files] == ["x.jsonl"]
    assert listing.passed_over == [PassedOver("closed", UNREADABLE)]


def test_names_that_are_no_text_stay_different(tmp_path: Path):
    for name in (b"caf\xe9.jsonl", b"caf\xe8.jsonl"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(b"{}")
    assert [file.name for file in files_in(tmp_path)] == ["caf\\xe8.jsonl", "caf\\xe9.jsonl"]


def test_what_is_passed_over_is_told_by_reason_with_the_first_names():
    items = [PassedOver(f"{n}.txt", SUFFIX) for n in range(7)] + [PassedOver("l", DANGLING)]
    assert told(items) == [
        NotRead(DANGLING, 1, ["l"]),
        NotRead(SUFFIX, 7, ["0.txt", "1.txt", "2.txt", "3.txt", "4.txt"]),
    ]


def test_an_empty_folder_holds_no_files_and_a_missing_one_is_a_fault_that_says_what_mends_it(tmp_path: Path):
    assert files_in(tmp_path) == []
    with pytest.raises(FolderUnreadable, match=r"gone cannot be read: No such file") as raised:
        files_in(tmp_path / "gone")
    assert isinstance(raised.value, EnvironmentFault)
    assert raised.value.mend


def test_a_file_in_place_of_the_folder_is_a_fault(tmp_path: Path):
    with pytest.raises(FolderUnreadable, match="Not a directory"):
        files_in(deliver(tmp_path / "x.jsonl", b""))


@given(st.lists(st.integers(0, 1000), max_size=40), st.integers(1, 3000))
def test_groups_keep_every_file_in_order_and_are_roughly_equal(sizes: list[int], n_bytes: int):
    files = [SourceFile(Path(f"{n}.jsonl"), f"{n}.jsonl", size) for n, size in enumerate(sizes)]
    source = Source("x_posts", FilesPlace(Path()), READER)
    found = [list(batch.files) for batch in source.batches(files, STATED, n_bytes)]
    assert [file for group in found for file in group] == files
    assert all(found)
    target = sum(sizes) / max(1, round(sum(sizes) / n_bytes))
    largest = max(sizes, default=0)
    assert all(sum(file.bytes for file in group) <= target + largest for group in found)
