"""What one file at the source may do: to memory, to time, to Bronze; and that what it cost is told."""

from __future__ import annotations

import bz2
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.kit import small
from tests.kit.delivered import batch
from tests.kit.lake import events, projection
from tests.kit.tree import ROOT
from tradex_ledger.cli.main import run as tradex
from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.sources import packed, stage
from tradex_ledger.sources.records import FileUnreadable, LeftForLater
from tradex_ledger.sources.source import Rejected
from tradex_ledger.sources.stage import Outputs, StageCounts, Wanted
from tradex_ledger.sources.x_posts import elements
from tradex_ledger.sources.x_posts.posts import Post, iter_line
from tradex_ledger.sources.x_posts.records import read_records
from tradex_ledger.sources.x_posts.time import time_us
from tradex_ledger.workspace import Workspace

BEYOND = stage.BEYOND.format(noun="post")
WANTED = Wanted(None, None, None, 1_710_000_000_000_000)
POST = b'{"id":"%d","text":"$GE","author_id":"7","created_at":"2024-01-02T12:00:00Z"}'

RETWEET = (
    '{"id":"%d","created_at":"2024-01-02T12:00:00Z","text":"RT","referenced_tweets":[{"type":"retweeted","id":"%d"}]}'
)


def staged(path: Path, name: str = "a.jsonl") -> StageCounts:
    folder = path.parent / "out"
    folder.mkdir(exist_ok=True)
    return stage.stage(batch([(path, name)]), WANTED, Outputs(folder / "p", folder / "r", folder / "u"))


def peak_mb(code: str, *args: str) -> float:
    """The most memory that a process of its own took, over that of one that only imports."""
    before = (
        "from tradex_ledger.sources import stage, source\n"
        "from tradex_ledger.sources.x_posts import posts, reader, records, schema\n"
    )
    after = "\nfrom tests.kit.memory import most_mb\nprint(most_mb())"
    taken = []
    for body in ("", code):
        made = [sys.executable, "-c", before + body + after, *args]
        taken.append(
            float(subprocess.run(made, capture_output=True, text=True, check=True, cwd=ROOT).stdout.split()[-1])
        )
    return taken[1] - taken[0]


STAGE = """
import sys
from pathlib import Path
path = Path(sys.argv[1])
out = stage.Outputs(*(path.with_name(kind) for kind in ("posts", "rejected", "undated")))
stated = source.Stated((), "event_date", ("post_id", "revision"))
batch = source.Batch(reader.XPosts(), stated, (source.SourceFile(path, path.name, 0),))
stage.stage(batch, stage.Wanted(None, None, None, 1_710_000_000_000_000), out)
"""


@pytest.mark.parametrize(
    "line",
    [
        b"[" + b",".join([b"1"] * 8_000_000) + b"]",
        b"[" + b",".join([b"{}"] * 5_000_000) + b"]",
        b'{"data":[' + b",".join([b"[]"] * 5_000_000) + b"]}",
        b"[" * 16_000_000,
        b'"' + b"x" * 16_000_000,
        b'{"id":"1","text":"' + b"\\ud800" * 2_700_000 + b'"}',
    ],
    ids=["numbers", "objects", "a page of lists", "brackets", "a string without end", "half surrogates"],
)
def test_a_few_kilobytes_do_not_fill_the_memory(tmp_path: Path, line: bytes):
    """The example: 17 kB of gzip, a line of 16 MiB, were 6 million rejected rows and 2 GB of memory."""
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(line + b"\n" + POST % 1, 9))
    assert path.stat().st_size < 60_000
    assert peak_mb(STAGE, str(path)) < 400


def test_a_line_of_too_many_values_is_one_rejected_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(elements, "VALUES_MAX", 100)
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"[" + b",".join([b"1"] * 101) + b"]\n" + POST % 1 + b"\n[" + b",".join([b"1"] * 50) + b"]\n")
    counts = staged(path)
    assert (counts.lines, counts.rows, counts.rejected) == (52, 1, 51)


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [
        (".gz", lambda raw: gzip.compress(raw, 9)),
        (".bz2", bz2.compress),
        (".zst", lambda raw: pa.compress(raw, codec="zstd", asbytes=True)),
    ],
)
def test_what_unpacks_to_hundreds_of_times_its_size_is_refused_with_its_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, pack: Callable[[bytes], bytes]
):
    monkeypatch.setattr(packed, "UNPACKED_FREE", 1 << 20)
    path = tmp_path / f"a.jsonl{suffix}"
    path.write_bytes(pack(b"x" * (1 << 20) + b"\n" + bytes(10 << 20)))
    with pytest.raises(FileUnreadable, match=r"bytes of it unpack to \d+ MiB, more than 200 times as much"):
        for _ in read_records(path):
            pass


def test_posts_pack_far_better_than_the_bound_allows(tmp_path: Path):
    posts = b"\n".join(POST % n for n in range(100_000))
    for name, pack in (("a.gz", lambda raw: gzip.compress(raw, 6)), ("a.bz2", bz2.compress)):
        path = tmp_path / name
        path.write_bytes(pack(posts))  # far more alike than posts ever are
        assert path.stat().st_size * packed.RATIO_MAX > len(posts)


def test_what_is_packed_twice_is_unpacked_once(tmp_path: Path):
    path = tmp_path / "a.jsonl.gz"
    inner = b"[1]\n" * (4 << 20)
    for _ in range(3):
        inner = gzip.compress(inner)
    path.write_bytes(inner)
    counts = staged(path)
    assert (counts.rows, counts.rejected) == (0, counts.lines)
    assert counts.lines < 100


# -- rejected lines


def test_rejected_lines_beyond_the_bound_are_counted_and_the_posts_are_kept(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        for n in range(25_000):
            file.write(b"no post %d\n" % n)
        for n in range(5):
            file.write(POST % n + b"\nno post\nno post\n")
    counts = staged(path)
    assert (counts.lines, counts.rows) == (25_015, 5)
    assert counts.rejected == stage.REJECTED_MAX + 5
    assert counts.beyond == 15_010 - 5
    (file_counts,) = counts.by_file
    assert file_counts.passed_over == BEYOND


def test_a_file_of_posts_may_hold_as_many_messages(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        for n in range(15_000):
            file.write(POST % n + b'\n{"delete":{"status":{"id":%d}}}\n' % n)
    counts = staged(path)
    assert (counts.rows, counts.rejected, counts.beyond) == (15_000, 15_000, 0)


def test_rejected_bytes_are_bounded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stage, "REJECTED_BYTES_MAX", 1000)
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(b"%d" % n + b"x" * 300 for n in range(10)))
    counts = staged(path)
    assert (counts.rejected, counts.beyond) == (3, 7)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    small.deliver(tmp_path / "posts", days=4, posts_per_day=3)
    return tmp_path / "posts"


@pytest.fixture
def workspace(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    with small.create(tmp_path / "ws", f"files:{source}") as workspace:
        monkeypatch.setenv("TRADEX_WORKSPACE", str(tmp_path / "ws"))
        monkeypatch.setenv("TRADEX_ACTOR", "ana")
        yield workspace


def test_what_was_not_kept_is_in_the_events_the_status_the_alerts_and_the_run(
    workspace: Workspace, source: Path, capsys: pytest.CaptureFixture[str]
):
    (source / "odd.jsonl").write_bytes(b"".join(b"no post %d\n" % n for n in range(10_500)))
    assert tradex(["run", "--to", "2024-01-04"]) == 0
    said = capsys.readouterr().out
    assert "500 lines that are no posts, too many in one file" in said
    assert f"1 × {BEYOND}: odd.jsonl" in said
    (layer,) = events(workspace, "topic = 'run.layer_completed' and layer = 'bronze'")
    found = json.loads(layer["data"])["source"]
    assert (found["beyond"], found["rejected_appended"]) == (500, 10_000)
    assert found["lines"] == found["posts"] + found["outside"] + found["rejected"] + found["beyond"]
    (row,) = projection(workspace, "source_looks")
    assert (row["beyond"], row["passed_over"]) == (500, 1)
    (alert,) = projection(workspace, "alerts")
    assert (alert["alert"], "500 lines" in alert["message"]) == ("rejected lines not kept", True)
    assert tradex(["status"]) == 0
    assert "500 lines that are no posts, too many in one file" in capsys.readouterr().out
    # The same file again is the same: known, counted as before, and no alert of its own.
    assert tradex(["run", "--to", "2024-01-05"]) == 0
    *_, last = events(workspace, "topic = 'run.layer_completed' and layer = 'bronze'")
    found = json.loads(last["data"])["source"]
    assert (found["beyond"], found["rejected_appended"]) == (500, 0)
    assert len(projection(workspace, "alerts")) == 1


def test_a_bomb_stops_the_run_with_a_line_and_the_run_goes_on_without_it(
    workspace: Workspace, source: Path, capsys: pytest.CaptureFixture[str]
):
    (source / "bomb.jsonl.bz2").write_bytes(bz2.compress((b"x" * 10_000 + b"\n") * 12_000))
    assert tradex(["run", "--to", "2024-01-04"]) == 6
    said = capsys.readouterr().err
    assert "bomb.jsonl.bz2" in said
    assert "200 times" in said
    assert "Traceback" not in said
    (source / "bomb.jsonl.bz2").unlink()
    assert tradex(["run", "--to", "2024-01-04"]) == 0


# -- what a line unfolds to


def test_a_post_that_came_along_once_is_not_unfolded_without_end():
    text = "x" * 200_000
    data = ",".join(RETWEET % (n, 9) for n in range(10, 3_000))
    along = f'{{"id":"9","text":"{text}","created_at":"2024-01-02T11:00:00Z"}}'
    line = f'{{"data":[{data}],"includes":{{"tweets":[{along}]}}}}'.encode()
    size, kinds = 0, {Post: 0, Rejected: 0}
    for found in iter_line(line):
        size += len(found.payload if isinstance(found, Post) else found.raw)
        kinds[type(found)] += 1
    assert size < 40 * len(line)
    assert kinds[Post] + kinds[Rejected] == 2_990
    assert kinds[Rejected]


def test_what_passes_on_what_passes_on_is_not_followed_without_end():
    along = ",".join(RETWEET % (n, n + 1) for n in range(100, 400))
    line = f'{{"data":[{RETWEET % (99, 100)}],"includes":{{"tweets":[{along}]}}}}'.encode()
    (found,) = iter_line(line)
    payload = found.payload if isinstance(found, Post) else found.raw
    assert len(payload) < 1_000


# -- times that are none


@pytest.mark.parametrize(
    "moment",
    [
        *(
            "2024-01-02T10:00:00+99:99",
            "2024-01-02T10:00:00-15:00",
            "2024-01-02T10:00:00+14:60",
            "0000-01-01T00:00:00Z",
        ),
        *("2024-02-30T00:00:00Z", "9999-12-31T23:59:59-14:00", "10000-01-01T00:00:00Z", "2024-01-02T24:00:00Z"),
        *("2024-13-01T00:00:00Z", "Tue Feb 11 21:45:52 +9999 2014", "Tue Feb 30 21:45:52 +0000 2014"),
        *("-001-01-01T00:00:00Z", "2024-01-02T10:00:61Z", "٢٠٢٤-01-02T10:00:00Z", 1e400, 2**200, None, [], {}),
    ],
)
def test_a_time_that_is_none_rejects_its_post_and_nothing_else(tmp_path: Path, moment: Any):
    assert time_us(moment) is None
    path = tmp_path / "a.jsonl"
    bad = json.dumps({"id": "1", "text": "x", "created_at": moment}).encode()
    path.write_bytes(bad + b"\n" + POST % 2 + b"\n")
    counts = staged(path)
    assert (counts.rows, counts.rejected) == (1, 1)


# -- what is no file any more, and files that grow


def test_what_became_a_pipe_since_it_was_listed_holds_nobody_up(tmp_path: Path):
    for name, make in (
        ("pipe.jsonl", os.mkfifo),
        ("folder.jsonl", os.mkdir),
        ("null.jsonl", lambda path: path.symlink_to("/dev/zero")),
    ):
        make(tmp_path / name)
        with pytest.raises(EnvironmentFault, match="cannot be read to its end"):
            list(read_records(tmp_path / name))


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_file_that_grows_has_an_end_and_its_last_line_is_left(tmp_path: Path, is_whole: bool):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(POST % n for n in range(3)) + (b"\n" if is_whole else b""))
    found = []
    with pytest.raises(LeftForLater):
        for record in read_records(path):
            found.append(record.raw)
            with path.open("ab") as file:  # as fast as it is read
                file.write(POST % 99 + b"\n")
    assert found == [POST % 0, POST % 1]
    counts = staged(path)
    assert counts.rows == (5 if is_whole else 3)


def test_a_big_day_passes(tmp_path: Path):
    """Rows are written as they are read, so that a million take no more memory than these."""
    path = tmp_path / "a.jsonl.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for n in range(50_000):
            file.write(POST % n + b"\n")
    assert peak_mb(STAGE, str(path)) < 200
    counts = staged(path)
    assert (counts.rows, counts.beyond) == (50_000, 0)
