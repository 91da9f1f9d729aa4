"""The ledger from its first event to its last, in parts of 16,384 events that are judged each for itself.

A part is a whole number of tiles, so that a part's tiles follow from its events alone; what goes from one part to the
next (versions of streams, times, the tree above) is put together in order, by who asked. Memory does not grow with the
ledger, but for 32 bytes each 256 events, and some for each stream.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import compress
from operator import gt, mul, ne
from typing import NamedTuple, cast

import orjson

from tradex_ledger.domain.day import day_of
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.errors import EnvironmentFault, UsageError
from tradex_ledger.garbage import all_stays
from tradex_ledger.lake.known import ERASED, NAMED
from tradex_ledger.ledger.merkle import TILE_WIDTH
from tradex_ledger.ledger.rows import Row
from tradex_ledger.ledger.select import Ask, Store, open_store, read
from tradex_ledger.verifying import finding
from tradex_ledger.verifying.finding import Finding
from tradex_ledger.verifying.page import REBUILT, Columns, Judge, Page
from tradex_ledger.verifying.tiles import Leaves, roots_of

RowsOf = Callable[[int, int], tuple[list[Row], list[Finding]]]
EVENTS = 64 * TILE_WIDTH
PAGE = 256
"""Few rows at once: what is made of them stays in the processor's own memory."""
LOW = 1023
"""The bits of a version that count for `Part.versions`: SQLite adds up 64 bits."""


@dataclass(frozen=True, slots=True)
class Task:
    """The events first…last of the ledger at a URL: a part, or the beginning of one."""

    url: str
    ledger: str
    first: int
    last: int
    files: bool = False
    """Whether the files are asked for that events name."""


class Named(NamedTuple):
    """A file of the lake, and the position of the event that it was written for."""

    position: int
    file: LakeFile


@dataclass(slots=True)
class Built:
    """Partitions that a run rebuilt: the positions of the first and the last, and the days (ordinals)."""

    first: int
    last: int
    days: array[int] = field(default_factory=lambda: array("i"))


@dataclass(slots=True)
class Stream:
    """A stream in a part: the versions of its first and last event there, the position of the first; and a `mix` of
    positions and topics, the same in whatever order they are added.
    """

    first: int
    last: int
    position: int
    mix: int


@dataclass(slots=True)
class Part:
    """What a part is: findings, the roots over its tiles by the entries (`computed`), and as they are stored (`told`);
    the events that are few (`notable`), and of the many what rules ask for. `topics` and `versions` are sums of
    positions, by topic, and with versions: what the indexes must have, too.
    """

    task: Task
    findings: list[Finding] = field(default_factory=list)
    computed: bytes = b""
    told: bytes = b""
    first_at: str = ""
    last_at: str = ""
    streams: dict[str, Stream] = field(default_factory=dict)
    topics: Counter[str] = field(default_factory=Counter)
    versions: int = 0
    unknown: Counter[tuple[str, int]] = field(default_factory=Counter)
    notable: list[str] = field(default_factory=list)
    built: dict[tuple[str, str], Built] = field(default_factory=dict)
    files: list[Named] = field(default_factory=list)


def scanned(task: Task) -> Part:
    """A part of the ledger, judged: in whatever process."""
    store, judge = _opened(task.url, task.ledger)
    with all_stays():
        try:
            # In one look at the database: to open it for each page would cost as much as the page does.
            return store.ask(lambda ask: _judged(store, judge, task, partial(_page, ask)))
        except EnvironmentFault:
            return _judged(store, judge, task, partial(_readable, store))


def _judged(store: Store, judge: Judge, task: Task, rows_of: RowsOf) -> Part:
    """A part, page by page; it may be judged again, where the database was written to meanwhile."""
    part = Part(task)
    leaves = Leaves(task.first)
    for first in range(task.first, task.last + 1, PAGE):
        last = min(first + PAGE - 1, task.last)
        rows, unreadable = rows_of(first, last)
        page = judge.page(rows)
        part.findings += [*unreadable, *page.findings]
        part.unknown += page.unknown
        _add(part, page)
        if task.files:
            part.files += _files(page.columns)
        leaves.add(page, last)
    roots = roots_of(store, leaves)
    part.computed, part.told = roots.computed, roots.told
    part.findings += roots.findings
    return part


@lru_cache(4)
def _opened(url: str, ledger: str) -> tuple[Store, Judge]:
    return open_store(url), Judge(ledger)


def _page(ask: Ask, first: int, last: int) -> tuple[list[Row], list[Finding]]:
    return cast("list[Row]", ask(read("range"), first=first, last=last)), []


def _readable(store: Store, first: int, last: int) -> tuple[list[Row], list[Finding]]:
    """The rows that can be read, and which cannot: a page of a file may be damaged."""
    try:
        return cast("list[Row]", store.select(read("range"), first=first, last=last)), []
    except EnvironmentFault as fault:
        if first == last:
            return [], [Finding(finding.UNREADABLE, fault.message, first)]
    middle = (first + last) // 2
    (left, one), (right, other) = _readable(store, first, middle), _readable(store, middle + 1, last)
    return left + right, one + other


def _add(part: Part, page: Page) -> None:
    """What goes from part to part: streams, times, events for the rules."""
    columns = page.columns
    part.versions += sum(map(mul, columns.position, map(LOW.__and__, columns.version)))
    for begin, end in _runs(columns.stream):
        _add_run(part, columns, begin, end)
    rest, usual = sum(columns.position), mixed(REBUILT)
    for n in [n for n, topic in enumerate(columns.topic) if topic != REBUILT]:
        topic, position = columns.topic[n], columns.position[n]
        part.notable.append(columns.entry[n])
        part.topics[topic] += position
        part.streams[columns.stream[n]].mix += position * (mixed(topic) - usual)
        rest -= position
    if rest:
        part.topics[REBUILT] += rest
    _add_built(part, page)
    _add_times(part, columns)


def _add_built(part: Part, page: Page) -> None:
    run, dataset, day = page.built
    positions = page.columns.position
    for begin, end in _runs([*zip(run, dataset, strict=True)]):
        if not dataset[begin]:
            continue
        held = part.built.get((run[begin], dataset[begin]))
        if held is None:
            held = part.built[run[begin], dataset[begin]] = Built(positions[begin], positions[begin])
        held.last = positions[end - 1]
        held.days.extend(map(ordinal, day[begin:end]))


_FILE = re.compile(r'\{"bytes":([0-9]+),"path":("(?:[^"\\]|\\.)*"),"rows":([0-9]+),"sha256":"([0-9a-f]{64})"\}').findall
"""Quotes are escaped inside texts, so nothing else in an entry can look like it."""


def _files(columns: Columns) -> Iterator[Named]:
    """The files that were written: who came out the same, or was not built again, names those of before; what stands in
    the place of an erased one is named in full, that one is not."""
    for position, topic, entry in zip(columns.position, columns.topic, columns.entry, strict=True):
        if topic in (*NAMED, ERASED) and (topic != REBUILT or ',"outcome":"written",' in entry):
            for size, path, rows, sha256 in _FILE(entry):
                yield Named(position, LakeFile(orjson.loads(path), int(size), int(rows), sha256))


def _runs(names: Sequence[object]) -> Iterator[tuple[int, int]]:
    """From where to where the same name stands."""
    changes = [*compress(range(1, len(names)), map(ne, names, names[1:]))]
    begins = [0, *changes] if names else []
    return zip(begins, [*changes, len(names)], strict=False)


def _add_run(part: Part, columns: Columns, begin: int, end: int) -> None:
    """Events of one stream, one behind the other; mixed as if all were of the topic that most are of."""
    stream, versions = columns.stream[begin], columns.version[begin:end]
    held = part.streams.get(stream)
    if held is None:
        held = part.streams[stream] = Stream(versions[0], versions[0] - 1, columns.position[begin], 0)
    if versions != (*range(held.last + 1, held.last + 1 + len(versions)),):
        before = (held.last, *versions)
        for position, version, earlier in zip(columns.position[begin:end], versions, before, strict=False):
            if version != earlier + 1:
                part.findings.append(wrong_version(stream, version, earlier, position))
    held.last = versions[-1]
    held.mix += mixed(REBUILT) * sum(columns.position[begin:end])


def _add_times(part: Part, columns: Columns) -> None:
    ats, before = columns.at, (part.last_at, *columns.at)
    if any(map(gt, before, ats)):  # the last of `before` has none behind it
        for position, at, earlier in zip(columns.position, ats, before, strict=False):
            if at < earlier:
                part.findings.append(backwards(at, earlier, position))
    if ats:
        part.first_at = part.first_at or ats[0]
        part.last_at = ats[-1]


@lru_cache(1024)
def mixed(topic: str) -> int:
    """A number for a topic, for `Stream.mix`, as `by_stream_topic_index` in `schema/ledger/reads.sql` makes it."""
    letters = {place: ord(topic[-place]) if len(topic) >= place else 0 for place in (3, 4, 11)}
    return 7 * len(topic) + letters[3] + 31 * letters[4] + 101 * letters[11]


@lru_cache(65536)
def ordinal(day: str) -> int:
    """A day as a number; 0 for what is none: that is told by its contract."""
    try:
        return day_of(day)
    except (UsageError, ValueError):
        return 0


def wrong_version(stream: str, version: int, before: int, position: int) -> Finding:
    """What is said where the versions of a stream are not one behind the other."""
    return Finding(finding.BROKEN_INVARIANT, f"version {version} of {stream} stands after version {before}", position)


def backwards(at: str, before: str, position: int) -> Finding:
    """What is said where a time is before the one of the event in front."""
    return Finding(
        finding.BROKEN_INVARIANT, f"its time {at} is before {before}, the time of the event before", position
    )
