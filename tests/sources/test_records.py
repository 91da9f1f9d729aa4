"""A delivered file as records: lines, or the elements of a document; packed or not; what a broken one says."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradex_ledger.sources.records import FileUnreadable
from tradex_ledger.sources.source import NothingInside
from tradex_ledger.sources.x_posts.elements import Record, elements
from tradex_ledger.sources.x_posts.records import read_records

PACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".zst": lambda content: pa.compress(content, codec="zstd", asbytes=True),
}


def lines_of(path: Path) -> list[bytes]:
    return [record.raw for record in read_records(path)]


def deliver(path: Path, content: bytes) -> Path:
    path.write_bytes(PACK.get(path.suffix.lower(), bytes)(content))
    return path


POSTS: list[dict[str, Any]] = [
    {"id": str(n), "text": 'a [x] {y} "q" \\ é,', "deep": [1, {"z": [[]]}]} for n in range(3)
]


@pytest.mark.parametrize("packed", PACK)
@pytest.mark.parametrize(
    "document",
    [
        json.dumps(POSTS, indent=1),
        "[\n" + ",\n".join(map(json.dumps, POSTS)) + "\n]\n",
        "\ufeff\n\n " + json.dumps(POSTS, indent=2),
        "window.YTD.tweets.part0 = " + json.dumps(POSTS, indent=2),
        "window.YTD.tweet.part12=" + json.dumps(POSTS) + ";",
        "\n".join(json.dumps(post, indent=1) for post in POSTS),
    ],
)
def test_a_document_is_its_elements(tmp_path: Path, packed: str, document: str):
    found = list(read_records(deliver(tmp_path / f"x.json{packed}", document.encode())))
    assert [json.loads(record.raw) for record in found] == POSTS
    assert [record.item for record in found] == [1, 2, 3]
    lines = document.splitlines()
    assert all('"id"' in lines[record.line - 1] + lines[min(record.line, len(lines) - 1)] for record in found)


def test_a_page_over_several_lines_is_one_record(tmp_path: Path):
    page = json.dumps({"data": POSTS}, indent=1)
    assert [json.loads(raw) for raw in lines_of(deliver(tmp_path / "x.json", page.encode()))] == [{"data": POSTS}]
    assert [json.loads(raw) for raw in lines_of(deliver(tmp_path / "x.jsonl", page.encode()))] == [{"data": POSTS}]


@pytest.mark.parametrize("name", ["x.json", "x.jsonl", "x.ndjson", "x.JSON"])
def test_lines_stay_lines_whatever_the_file_is_called_and_one_broken_line_spoils_no_other(tmp_path: Path, name: str):
    whole = [json.dumps(post).encode() for post in POSTS]
    for lines in (whole, [b'{"broken', *whole], [*whole[:1], b"[", *whole], [json.dumps(POSTS).encode(), *whole]):
        found = list(read_records(deliver(tmp_path / name, b"\n".join(lines))))
        assert [(record.line, record.item, record.raw) for record in found] == [
            (number, None, line) for number, line in enumerate(lines, start=1)
        ]


@pytest.mark.parametrize("name", ["x.jsonl", "x.json"])
def test_a_list_that_was_cut_off_in_its_line_spoils_no_line_that_follows(tmp_path: Path, name: str):
    lines = [b'[{"id":"1","text":"cut', b'{"id":"2"}', b'{"id":"3"}']
    found = read_records(deliver(tmp_path / name, b"\n".join(lines) + b"\n"))
    assert list(found) == [Record(number, None, line) for number, line in enumerate(lines, start=1)]


@pytest.mark.parametrize("name", ["x.jsonl", "x.ndjson", "x.json"])
@pytest.mark.parametrize(
    "document",
    ['{"data": [\n{"id":"1"},\n{"id":"2"}\n]}', '[{"id":"1"},\n{"id":"2"}\n]', '{"data":\n[\n{"id":"1"}\n]}'],
)
def test_a_document_is_one_by_how_its_first_line_ends(tmp_path: Path, name: str, document: str):
    found = list(read_records(deliver(tmp_path / name, document.encode())))
    assert [record.item for record in found] == list(range(1, len(found) + 1))
    read = [json.loads(record.raw) for record in found]
    assert json.loads(document) in (read, read[0])


def test_what_stands_between_the_elements_is_not_left_out(tmp_path: Path):
    path = deliver(tmp_path / "x.json", b'[{"a":1},\n 5, "x",\n{"b":2}\n] 7\n{"c":\n3}')
    assert [(r.line, r.raw) for r in read_records(path)] == [
        (1, b'{"a":1}'),
        (2, b'5, "x"'),
        (3, b'{"b":2}'),
        (4, b"7"),
        (5, b'{"c":\n3}'),
    ]


def test_a_document_that_ends_early_gives_its_whole_elements_and_the_rest_as_one(tmp_path: Path):
    found = lines_of(deliver(tmp_path / "x.json", json.dumps(POSTS, indent=1).encode()[:-40]))
    assert [json.loads(raw) for raw in found[:-1]] == POSTS[:2]
    assert found[-1].startswith(b'{\n  "id": "2"')


def test_another_part_of_an_archive_is_passed_over_with_its_name(tmp_path: Path):
    with pytest.raises(NothingInside, match=r"holds no posts \(account\)"):
        lines_of(deliver(tmp_path / "account.js", b'window.YTD.account.part0 = [ { "account": {} } ]'))


def test_an_element_without_end_is_a_fault_and_does_not_fill_the_memory(tmp_path: Path):
    path = deliver(tmp_path / "x.json.gz", b'[\n{"a":1},\n{"b":"' + b"x" * (20 << 20))
    with pytest.raises(FileUnreadable, match="longer than 16 MiB"):
        lines_of(path)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )
    .map(lambda value: {"post": value})
    .flatmap(lambda post: st.lists(st.just(post), max_size=4)),
    st.integers(1, 20),
    st.sampled_from([None, 1]),
)
def test_elements_do_not_depend_on_the_pieces_that_a_file_comes_in(posts: list[Any], size: int, indent: int | None):
    document = json.dumps(posts, indent=indent, ensure_ascii=False).encode()
    pieces = [document[at : at + size] for at in range(0, len(document), size)]
    found = list(elements(iter(pieces)))
    assert [json.loads(record.raw) for record in found] == posts
    assert found == list(elements(iter([document])))
    assert all(isinstance(record, Record) for record in found)


@pytest.mark.parametrize("packed", PACK)
def test_the_digest_takes_in_the_whole_file(tmp_path: Path, packed: str):
    path = deliver(tmp_path / f"x.jsonl{packed}", b"one\ntwo\n")
    digest = hashlib.sha256()
    list(read_records(path, digest))
    assert digest.hexdigest() == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("packed", [".gz", ".bz2", ".zst"])
def test_packed_files_that_end_early_or_are_corrupt_are_faults(tmp_path: Path, packed: str):
    content = b"".join(b'{"id":%d}\n' % (n * n * 7919) for n in range(50_000))
    path = deliver(tmp_path / f"x.jsonl{packed}", content)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileUnreadable, match="ends early"):
        lines_of(path)
    path.write_bytes(b"")
    with pytest.raises(FileUnreadable, match=r"is empty|ends early"):
        lines_of(path)
    path.write_bytes(b"no such format" + whole)
    with pytest.raises(FileUnreadable, match="is corrupt"):
        lines_of(path)
    path.write_bytes(whole + whole)
    assert lines_of(path) == content.splitlines() * 2


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz"])
def test_lines_are_numbered_from_1_and_blank_ones_count(tmp_path: Path, name: str):
    path = deliver(tmp_path / name, b"\xef\xbb\xbfone\r\n\nthree\nlast")
    assert [(r.line, r.raw) for r in read_records(path)] == [
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
        seen.extend(number for number, *_ in read_records(path))
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


def test_lines_that_cross_the_pieces_of_a_plain_file_stay_whole(tmp_path: Path):
    expected = [b"%07d" % n + b"x" * 60 for n in range(50_000)]
    found = list(read_records(deliver(tmp_path / "x.jsonl", b"\n".join(expected))))
    assert [record.raw for record in found] == expected
    assert all(after[0] == before[0] + 1 for before, after in pairwise(found))
