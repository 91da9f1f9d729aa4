"""The golden worlds: ledgers and lakes as a release leaves them, with every kind of event that it knows.

    python -m tests.golden.worlds            (or: make golden)

tells the stories that the contracts are held against, and packs each as `world_v<N>_<story>.tar.gz`: the entries, the
files of the lake, and what was answered. What is there stays as it is; another release makes the next number. Clock,
ids, host and stopwatch are fixed: told again under the same libraries, the very same bytes come out.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import re
import secrets
import shutil
import socket
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import date
from http.server import HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.golden import frozen
from tests.golden.record import answers, plain
from tests.kit import small, story_of_rules, x_platform
from tests.kit.check import read_record
from tests.kit.lake_folder import root_of
from tradex_ledger import keyed
from tradex_ledger.audit.look import Look
from tradex_ledger.domain.retraction import Retraction
from tradex_ledger.driving.execution import Execution
from tradex_ledger.errors import TradexError
from tradex_ledger.lake.local import LocalLake
from tradex_ledger.ledger.copying import pour
from tradex_ledger.ledger.entry import parse
from tradex_ledger.ledger.merkle import leaf_hash
from tradex_ledger.ledger.rows import Row
from tradex_ledger.ledger.select import FORMAT
from tradex_ledger.ledger.store import database, open_engine, writing
from tradex_ledger.ledger.store_errors import StoreInfo
from tradex_ledger.workspace import Workspace
from tradex_ledger.workspace.core import Core

HERE = Path(__file__).parent
NAME = re.compile(r"world_v([0-9]+)_([a-z]+)\.tar\.gz")
QUESTIONS = (
    "select dataset, partition, logic_version, rows, outcome from partitions order by all",
    "select topic, v, count(*) from events group by all order by all",
    "select date, ticker, mentions, z, signal from gold_signals order by all",
    "select date, ticker, mentions, authors, sentiment_sum from gold_metrics order by all",
    "select event_date, ticker, count(*), sum(sentiment) from silver_social_events group by all order by all",
    "select event_date, count(*), count(distinct post_id) from bronze_x_posts group by all order by all",
)
"""What each world is asked, as of its end and as of its middle."""


def days(folder: Path) -> Workspace:
    """Ordinary days: failures, a rejection, a cancellation, a backfill."""
    source = folder / "ws" / "posts"
    small.deliver(source, days=5, posts_per_day=3)
    workspace = small.create(folder / "ws", f"files:{source}")
    small.tell_everything(workspace, source)
    return workspace


def rules(folder: Path) -> Workspace:
    """The operating rules."""
    return story_of_rules.tell(folder / "ws", folder / "ws" / "posts")


def calls(folder: Path) -> Workspace:
    """A source that is called, what it charges for, and posts that are to be shown no more, or to be held back."""
    with x_platform.platform(20):
        workspace = x_platform.create(folder / "ws")
        workspace.incremental.run(last=date(2024, 3, 1))
        workspace.backfills.request(x_platform.outage(1, 1))
        told: dict[str, Any] = {"pipeline": "x", "source": "x_retractions", "rows": ["17"], "job": None}
        told["file"] = ("1.jsonl", "0" * 64)
        workspace.ledger.append(Retraction.tell("retr-0000000000001", reason="LEGAL-17, its author", by="ana", **told))
        x_platform.quarantine(workspace)
    return workspace


STORIES: dict[str, Callable[[Path], Workspace]] = {"days": days, "rules": rules, "calls": calls}


@contextmanager
def fixed(room: Path) -> Iterator[None]:
    """Chance, host, process, stopwatch and caches are those of this block alone."""
    chance = random.Random(12)
    real = Core.execution

    def execution(core: Core, *given: Any, **more: Any) -> Execution:
        return replace(real(core, *given, **more), stopwatch=lambda: 0.0, task_clock=lambda: core.clock.now)  # type: ignore[attr-defined]  # a `Ticking`

    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(secrets, "token_hex", lambda size=32: chance.randbytes(size).hex())
        patch.setattr(secrets, "randbits", random.Random(13).getrandbits)  # ids: nothing else asks for these
        patch.setattr(os, "urandom", lambda size: random.Random(size).randbytes(size))  # of which keys are made
        patch.setattr(socket, "gethostname", lambda: "golden")
        patch.setattr(os, "getpid", lambda: 4711)
        patch.setattr(Core, "execution", execution)
        ports = iter(range(47_811, 47_911))  # a receiver of alerts is known by its URL
        patch.setattr(story_of_rules, "HTTPServer", lambda at, handler: HTTPServer((at[0], next(ports)), handler))
        patch.setenv(keyed.CONFIG_HOME, str(room / "config"))
        patch.setenv(keyed.CACHE_HOME, str(room / "cache"))
        yield


@dataclass(frozen=True, slots=True)
class World:
    """A world as it was packed: its entries, what it answered, and where its lake is."""

    lines: list[str]
    answers: dict[str, Any]
    lake: Path


def tell(story: str, folder: Path) -> World:
    """Tell a story in a folder that holds nothing else, the very same way each time."""
    with fixed(folder), STORIES[story](folder) as workspace:
        lines = [row[6] for row in read_record(workspace).rows]
        found = answers(workspace.ledger)
        return World(lines, found | {"queries": asked(workspace.audit.look)}, root_of(workspace))


def asked(look: Look) -> list[Any]:
    """What the questions are answered, with their texts; where there is no answer, the code of the error."""
    found = []
    for as_of in (None, str(look.store.position() // 2)):
        for sql in QUESTIONS:
            try:
                answer = [plain(row) for row in json.loads(json.dumps(look.query(sql, as_of=as_of).rows, default=str))]
            except TradexError as error:
                answer = [error.code]
            found.append({"sql": sql, "as_of": as_of, "rows": answer})
    return found


def packed(world: World) -> bytes:
    """A world as one file: the same bytes for the same world."""
    held = io.BytesIO()
    with gzip.GzipFile("", "wb", 9, held, mtime=0) as file, tarfile.open(fileobj=file, mode="w") as archive:
        _put(archive, "ledger.jsonl", "".join(f"{line}\n" for line in world.lines).encode())
        _put(archive, "answers.json", text_of(world.answers).encode())
        for path in sorted(path for path in world.lake.rglob("*.parquet") if ".staging" not in path.parts):
            _put(archive, f"lake/{path.relative_to(world.lake).as_posix()}", path.read_bytes())
    return held.getvalue()


def text_of(answers_: Any) -> str:
    """Answers as text, in one order; what JSON does not know is said as Python says it."""
    return json.dumps(answers_, ensure_ascii=False, sort_keys=True, default=str)


def _put(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def unpacked(file: Path, folder: Path) -> World:
    """A world that was packed, its lake in a folder."""
    with tarfile.open(file) as archive:
        if hasattr(tarfile, "data_filter"):  # Python has known it since 3.11.4
            archive.extraction_filter = tarfile.data_filter
        archive.extractall(folder)
    found = json.loads((folder / "answers.json").read_text(encoding="utf-8"))
    return World((folder / "ledger.jsonl").read_text(encoding="utf-8").splitlines(), found, folder / "lake")


@contextmanager
def opened(world: World, url: str) -> Iterator[Look]:
    """A world in a ledger of its own, byte for byte, to be asked."""
    engine = open_engine(url, create=True)
    rows = [_row(line) for line in world.lines]
    first = parse(world.lines[0])
    try:
        with writing(engine) as connection:
            pour(connection, StoreInfo(first.ledger, FORMAT, first.at), [rows])
        config: Any = None  # nothing of it is asked
        yield Look(database(engine), config, LocalLake(world.lake, reading=True))
    finally:
        engine.dispose()


def _row(line: str) -> Row:
    entry = parse(line)
    return (entry.position, entry.stream, entry.version, entry.topic, entry.at, leaf_hash(line.encode()), line)


def files(version: int | None = None) -> list[Path]:
    """The worlds that there are, of a number or of all."""
    matched = [(path, found) for path in sorted(HERE.iterdir()) if (found := NAME.fullmatch(path.name))]
    return [path for path, found in matched if version in (None, int(found[1]))]


def main() -> None:
    """Pack the next number of worlds, unless it would be what is there; and freeze the contracts that are new."""
    print(f"{len(frozen.freeze())} contracts are new on {frozen.LIST.name}")
    newest = max((int(found[1]) for path in files() if (found := NAME.fullmatch(path.name))), default=0)
    room = Path(tempfile.gettempdir(), "tradex-golden")
    made: dict[str, bytes] = {}
    for story in STORIES:
        shutil.rmtree(room, ignore_errors=True)
        room.mkdir()
        try:
            made[story] = packed(tell(story, room))
        finally:
            shutil.rmtree(room, ignore_errors=True)
    there = {path.name: path.read_bytes() for path in files(newest)}
    if there == {f"world_v{newest}_{story}.tar.gz": content for story, content in made.items()}:
        print(f"the worlds of number {newest} are these very ones: nothing is made")
        return
    for story, content in made.items():
        path = HERE / f"world_v{newest + 1}_{story}.tar.gz"
        with path.open("xb") as file:
            file.write(content)
        print(f"{path.name}: {len(content)} bytes")


if __name__ == "__main__":
    main()
