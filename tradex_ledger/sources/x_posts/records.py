"""A delivered file as records: one a line, or one an element of a longer JSON document; packed or not.

A file holds a document, not lines, when its first line alone is no JSON: a list or a page over several lines, or a part
of the platform's archive (`window.YTD.tweets.part0 = […]`). Everything is read in constant memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import orjson

from tradex_ledger.sources.records import LINE_BYTES_MAX, lines_of, read_file
from tradex_ledger.sources.source import Digest, NothingInside
from tradex_ledger.sources.x_posts.elements import Record, elements, has_too_many_values

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_ARCHIVE = re.compile(rb"\s*window\.YTD\.([A-Za-z0-9_-]+)\.part[0-9]+\s*=\s*")
_ARCHIVED_POSTS = (b"tweet", b"tweets", b"post", b"posts")


def read_records(path: Path, digest: Digest | None = None) -> Iterator[Record]:
    """Each record of a file, in its order; blank lines of a file of lines count and are handed out, too.

    Raises what `read_file` raises; `NothingInside` before the first for a part of an archive that holds something else.
    """
    return read_file(path, _records, digest)


def _records(pieces: Iterator[bytes], name: str) -> Iterator[Record]:
    head = _head(pieces).removeprefix(_BYTE_ORDER_MARK)
    archive = _ARCHIVE.match(head)
    if archive is not None:
        if archive[1].lower() not in _ARCHIVED_POSTS:
            raise NothingInside(f"a part of an archive that holds no posts ({archive[1].decode()})")
        yield from elements(chain([head[archive.end() :]], pieces))
    elif _is_document(head, name):
        yield from elements(chain([head], pieces))
    else:
        for number, line in enumerate(lines_of(chain([head], pieces)), start=1):
            yield Record(number, None, line.removesuffix(b"\r"))


def _head(pieces: Iterator[bytes]) -> bytes:
    """The beginning of a file, up to its second line that is not blank (or as much as a line may hold)."""
    head = b""
    for piece in pieces:
        head += piece
        if head.lstrip().count(b"\n") > 1 or len(head) > LINE_BYTES_MAX:
            break
    return head


def _is_document(head: bytes, name: str) -> bool:
    first, _, rest = head.lstrip().partition(b"\n")
    if first[:1] not in (b"[", b"{") or _is_json(first):
        return False
    # One broken line does not make a document of the lines that follow; what is told on over lines ends its first so.
    second = rest.lstrip().partition(b"\n")[0]
    if first.rstrip()[-1:] in (b"[", b"{", b",", b":"):
        return first[:1] == b"[" or not _is_json(second)
    return not _is_json(second) and (first[:1] == b"[" or ".json" in name.replace(".jsonl", ""))


def _is_json(line: bytes) -> bool:
    if len(line) > LINE_BYTES_MAX:
        return False  # a longer document's beginning
    if has_too_many_values(line):
        return True  # never unfolded; it is rejected as a line
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True
