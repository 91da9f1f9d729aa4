"""A folder of delivered files: what is listed, how it is read, what a broken file says."""

from __future__ import annotations

import gzip
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.sources.files import (
    FilesSource,
    FileUnreadable,
    FolderUnreadable,
    SourceFile,
    groups,
    read_lines,
)


def lines_of(path: Path) -> list[bytes]:
    return [line for _, line in read_lines(path)]


def deliver(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def test_only_jsonl_files_are_listed_by_relative_name_in_all_folders(tmp_path: Path):
    for name in ("b.jsonl", "a/z.jsonl.gz", "a/.hidden.txt", "c.json", "a.jsonl.gz.part", "B.jsonl"):
        deliver(tmp_path / name, b"{}\n")
    source = FilesSource(tmp_path)
    files = source.list_files()
    assert [file.name for file in files] == ["B.jsonl", "a/z.jsonl.gz", "b.jsonl"]
    assert files[2] == SourceFile(tmp_path / "b.jsonl", "b.jsonl", 3)
    assert source.describe() == f"files:{tmp_path}"


def test_an_empty_folder_holds_no_files_and_a_missing_one_is_a_fault_that_says_what_mends_it(tmp_path: Path):
    assert FilesSource(tmp_path).list_files() == []
    with pytest.raises(FolderUnreadable, match=r"gone cannot be read: No such file") as raised:
        FilesSource(tmp_path / "gone").list_files()
    assert isinstance(raised.value, EnvironmentFault)
    assert raised.value.mend


def test_a_file_in_place_of_the_folder_is_a_fault(tmp_path: Path):
    with pytest.raises(FolderUnreadable, match="Not a directory"):
        FilesSource(deliver(tmp_path / "x.jsonl", b"")).list_files()


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz"])
def test_lines_are_numbered_from_1_and_blank_ones_count(tmp_path: Path, name: str):
    path = deliver(tmp_path / name, b"\xef\xbb\xbfone\r\n\nthree\nlast")
    assert list(FilesSource(tmp_path).read_lines(path)) == [
        (1, b"one"),
        (2, b""),
        (3, b"three"),
        (4, b"last"),
    ]


def test_an_empty_plain_file_has_no_lines_but_an_empty_gzip_file_ended_early(tmp_path: Path):
    (tmp_path / "x.jsonl").touch()
    (tmp_path / "x.jsonl.gz").touch()
    assert lines_of(tmp_path / "x.jsonl") == []
    with pytest.raises(FileUnreadable, match="ends early; 0 lines were readable"):
        lines_of(tmp_path / "x.jsonl.gz")


def test_several_gzip_members_and_padding_are_one_file(tmp_path: Path):
    path = tmp_path / "x.jsonl.gz"
    path.write_bytes(gzip.compress(b"one\ntw") + gzip.compress(b"") + gzip.compress(b"o\n") + b"\0" * 700)
    assert lines_of(path) == [b"one", b"two"]


def test_a_line_that_unpacks_to_megabytes_is_read_whole(tmp_path: Path):
    long = b"a" * 3_000_001
    assert lines_of(deliver(tmp_path / "x.jsonl.gz", long + b"\nb")) == [long, b"b"]


def test_a_line_without_end_is_a_fault_and_does_not_fill_the_memory(tmp_path: Path):
    path = deliver(tmp_path / "x.jsonl.gz", b"one\n" + b"\0" * (20 << 20))
    with pytest.raises(FileUnreadable, match="longer than 16 MiB; 1 line was readable"):
        lines_of(path)


def test_a_truncated_file_gives_its_whole_lines_and_then_the_fault(tmp_path: Path):
    path = deliver(tmp_path / "2014-01-05.jsonl.gz", b"".join(b'{"id":%d}\n' % n for n in range(50_000)))
    path.write_bytes(path.read_bytes()[:-2000])
    seen: list[int] = []
    with pytest.raises(FileUnreadable) as raised:
        seen.extend(number for number, _ in read_lines(path))
    assert 40_000 < seen[-1] < 50_000
    assert raised.value.message == (
        f"2014-01-05.jsonl.gz cannot be read to its end: the gzip data ends early; {seen[-1]} lines were readable."
    )
    assert raised.value.mend == f"Deliver the file again, or move it out of {tmp_path}."


@pytest.mark.parametrize("damage", ["checksum", "header", "trailing"])
def test_a_corrupt_file_is_a_fault(tmp_path: Path, damage: str):
    path = deliver(tmp_path / "x.jsonl.gz", b"one\ntwo\n")
    content = bytearray(path.read_bytes())
    if damage == "trailing":
        content += b"garbage"
    else:
        content[-8 if damage == "checksum" else 0] ^= 1
    path.write_bytes(content)
    with pytest.raises(FileUnreadable, match="the gzip data is corrupt"):
        lines_of(path)


def test_a_file_that_has_gone_since_it_was_listed_is_a_fault(tmp_path: Path):
    with pytest.raises(FileUnreadable, match="No such file or directory; 0 lines were readable"):
        lines_of(tmp_path / "x.jsonl")


@given(st.lists(st.integers(0, 1000), max_size=40), st.integers(1, 3000))
def test_groups_keep_every_file_in_order_and_are_roughly_equal(sizes: list[int], n_bytes: int):
    files = [SourceFile(Path(f"{n}.jsonl"), f"{n}.jsonl", size) for n, size in enumerate(sizes)]
    found = groups(files, n_bytes)
    assert [file for group in found for file in group] == files
    assert all(found)
    target = sum(sizes) / max(1, round(sum(sizes) / n_bytes))
    largest = max(sizes, default=0)
    assert all(sum(file.bytes for file in group) <= target + largest for group in found)


def test_lines_that_cross_the_pieces_of_a_plain_file_stay_whole(tmp_path: Path):
    expected = [b"%07d" % n + b"x" * 60 for n in range(50_000)]
    found = list(read_lines(deliver(tmp_path / "x.jsonl", b"\n".join(expected))))
    assert [line for _, line in found] == expected
    assert all(after[0] == before[0] + 1 for before, after in pairwise(found))
