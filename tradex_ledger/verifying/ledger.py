"""The ledger as a whole: its parts, judged by several processes, put together in order."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.ledger import merkle
from tradex_ledger.ledger.merkle import HASH_SIZE, TILE_WIDTH, hashes_of
from tradex_ledger.ledger.select import Store, read, sqlite_path
from tradex_ledger.pool.processes import ProcessPool
from tradex_ledger.verifying import finding
from tradex_ledger.verifying.earlier import Earlier
from tradex_ledger.verifying.finding import Finding
from tradex_ledger.verifying.questions import INDEXES, STRANGE, Question, answered, rows
from tradex_ledger.verifying.scan import EVENTS, Part, Task, backwards, scanned, wrong_version
from tradex_ledger.verifying.tiles import NOTHING, stored_tiles
from tradex_ledger.verifying.trunk import Trunk

Work: TypeAlias = Task | Question
Done: TypeAlias = Part | bytes | None
FEW = 2
"""So many parts are judged in this process: to start others would take as long."""


@dataclass(slots=True)
class Whole:
    """A ledger of `size` events, judged: the tree by its entries, and by its tiles as they are stored."""

    size: int
    earlier: Earlier
    """What is not hashed again."""
    computed: Trunk = field(default_factory=Trunk)
    told: Trunk = field(default_factory=Trunk)
    unknown: Counter[tuple[str, int]] = field(default_factory=Counter)
    streams: dict[str, list[int]] = field(default_factory=dict)
    """Of each stream the last version, and the mix of its positions and topics."""
    topics: Counter[str] = field(default_factory=Counter)
    """The sum of the positions of each topic."""
    versions: int = 0
    last_at: str = ""
    answers: dict[str, bytes | None] = field(default_factory=dict)
    """Of each question that was answered meanwhile, its rows as `questions.py` packs them."""


def begun_at(since: int) -> int:
    """How many events are taken as they lie there, of so many that somebody vouches for: whole parts."""
    return since // EVENTS * EVENTS


def size_of(store: Store) -> int:
    """The last position that can be meant: what somebody put far behind all others is told, and not walked up to."""
    ((count,),) = store.select(read("counted"))
    return int(store.select(read("last_position_upto"), upto=2 * count + EVENTS)[0][0])


def parts(store: Store, url: str, whole: Whole, workers: int | None, *, files: bool) -> Iterator[Part]:
    """The events of a ledger in parts, judged, in order; first those at positions that no event has."""
    _take(store, whole)
    firsts = range(whole.earlier.upto + 1, whole.size + 1, EVENTS)
    tasks = [Task(url, store.ledger, first, min(first + EVENTS - 1, whole.size), files) for first in firsts]
    strange = Question(url, STRANGE, whole.size + EVENTS)
    if len(tasks) <= FEW or workers == 1:
        yield _nowhere(store, strange, None)
        yield from map(scanned, tasks)
        return
    asks_indexes = sqlite_path(url) is not None and not whole.earlier.upto
    last = [Question(url, name, whole.size) for name in INDEXES] if asks_indexes else []
    for work, done in _in_order([strange, *tasks, *last], workers or os.cpu_count() or 1):
        if isinstance(done, Part):
            yield done
        elif work == strange:
            yield _nowhere(store, strange, done)
        elif isinstance(work, Question):
            whole.answers[work.name] = done


def _nowhere(store: Store, strange: Question, answer: bytes | None) -> Part:
    """What stands at positions that no event has."""
    part = Part(Task(strange.url, store.ledger, 1, 0))
    try:
        part.findings += [
            Finding(finding.INSERTED, "no event has such a position", position)
            for (position,) in rows(store, strange, answer)
        ]
    except EnvironmentFault as fault:
        part.findings.append(Finding(finding.UNREADABLE, f"what is beside the events: {fault.message}"))
    return part


def _take(store: Store, whole: Whole) -> None:
    """Take the tiles of what is not hashed again as they are stored."""
    full = whole.earlier.upto // TILE_WIDTH
    above = stored_tiles(store, 1, 0, full // TILE_WIDTH)
    roots = b"".join(above.get(number, NOTHING * TILE_WIDTH) for number in range(full // TILE_WIDTH))
    begin = len(roots) // HASH_SIZE
    rest = stored_tiles(store, 0, begin, full)
    roots += b"".join(merkle.root(hashes_of(rest[n])) if n in rest else NOTHING for n in range(begin, full))
    whole.computed.add(roots)
    whole.told.add(roots)


def _done(work: Work) -> Done:
    return scanned(work) if isinstance(work, Task) else answered(work)


def _in_order(works: list[Work], workers: int) -> Iterator[tuple[Work, Done]]:
    pool = ProcessPool(workers)
    ready: dict[Work, Done] = {}
    following = iter(works)
    wanted = next(following, None)
    try:
        for work, done in pool.run(_done, works):
            ready[work] = done
            while wanted is not None and wanted in ready:
                yield wanted, ready.pop(wanted)
                wanted = next(following, None)
    finally:
        pool.kill()


def put(part: Part, whole: Whole) -> Iterator[Finding]:
    """The next part, behind those before."""
    whole.computed.add(part.computed)
    whole.told.add(part.told)
    whole.unknown += part.unknown
    whole.topics += part.topics
    whole.versions += part.versions
    if part.first_at and part.first_at < whole.last_at:
        yield backwards(part.first_at, whole.last_at, part.task.first)
    whole.last_at = part.last_at or whole.last_at
    for name, stream in part.streams.items():
        held = whole.streams.get(name)
        if held is None:
            held = whole.streams[name] = [whole.earlier.version(name) if stream.first > 1 else 0, 0]
        if stream.first != held[0] + 1:
            yield wrong_version(name, stream.first, held[0], stream.position)
        held[0] = stream.last
        held[1] += stream.mix


def tiles_above(store: Store, whole: Whole) -> Iterator[Finding]:
    """The stored tiles above those over events, and those over events that there are not."""
    full = whole.size // TILE_WIDTH
    level = 0
    while full or level == 0:
        stored = store.select("select max(tile) from tiles where level = :level", level=level)[0][0]
        if stored is not None and stored >= full:
            yield Finding(finding.TILE_CHANGED, f"level {level} has a tile {stored}, and there are {full} full ones")
        if level:
            yield from _level(store, whole, level, full)
        full //= TILE_WIDTH
        level += 1
    beyond = store.select("select level, tile from tiles where level >= :level or level < 0 or tile < 0", level=level)
    for above, tile in beyond[:100]:
        yield Finding(finding.TILE_CHANGED, f"there is a tile {tile} of level {above}, and no such level")


def _level(store: Store, whole: Whole, level: int, full: int) -> Iterator[Finding]:
    stored = stored_tiles(store, level, 0, full)
    for number in range(full):
        computed, told = (trunk.tile(level, number) for trunk in (whole.computed, whole.told))
        tile = stored.get(number)
        if tile is None:
            yield Finding(finding.TILE_CHANGED, f"tile {number} of level {level} is missing")
        elif tile not in (computed, told):
            each = zip(hashes_of(tile), hashes_of(computed), strict=True)
            wrong = [n for n, (one, other) in enumerate(each) if one != other]
            width = TILE_WIDTH**level
            first = (number * TILE_WIDTH + wrong[0]) * width + 1
            last = (number * TILE_WIDTH + wrong[-1] + 1) * width
            detail = f"tile {number} of level {level} is not over the events there: it, or they, were changed"
            yield Finding(finding.TILE_CHANGED, detail, first, last)
