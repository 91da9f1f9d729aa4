"""Some rows of the ledger, judged: at once where all is as it must be, row by row where it is not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import orjson

from tradex_ledger.ledger.entry import Entry, NotCanonicalError, canonical, parse
from tradex_ledger.ledger.merkle import leaf_hashes
from tradex_ledger.ledger.rows import Row
from tradex_ledger.verifying import finding
from tradex_ledger.verifying.contract import contracts, faults
from tradex_ledger.verifying.finding import Finding
from tradex_ledger.verifying.shape import KEYS, Match, Shape, shape_of

REBUILT = "run.partition_rebuilt"
_KEEP = ("dataset", "partition")
_TYPES = (int, str, int, str, str, bytes, str)
_NONE = (None, "", "", None, None, None)
"""What is told of an entry without a match: the groups of `shape.py`."""
_NAMES = ("position", "stream", "version", "topic", "at")


class Columns(NamedTuple):
    """Rows as columns: all of one kind each."""

    position: tuple[int, ...] = ()
    stream: tuple[str, ...] = ()
    version: tuple[int, ...] = ()
    topic: tuple[str, ...] = ()
    at: tuple[str, ...] = ()
    leaf: tuple[bytes, ...] = ()
    entry: tuple[str, ...] = ()


class Rebuilt(NamedTuple):
    """That a run rebuilt a dataset on a day."""

    position: int
    run: str
    dataset: str
    day: str


@dataclass(slots=True)
class Page:
    """Rows in the order of their positions, with the hash of each entry, and what is wrong with them.

    `columns` are those of the rows that have the right kinds of values; `unknown` counts events of newer releases.
    """

    rows: Sequence[Row]
    columns: Columns = field(default_factory=Columns)
    hashes: list[bytes] = field(default_factory=list)
    built: list[Rebuilt] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    unknown: Counter[tuple[str, int]] = field(default_factory=Counter)


class Judge:
    """Judges the rows of one ledger."""

    def __init__(self, ledger: str) -> None:
        self.ledger = ledger

    @cached_property
    def _shapes(self) -> Mapping[str, Match]:
        """By topic, what tells whether an entry is as it must be: the newest version first."""
        by_topic: dict[str, list[Shape]] = {}
        for (topic, v), schema in sorted(contracts().items(), key=lambda one: -one[0][1]):
            keep = _KEEP if topic == REBUILT else ()
            if shape := shape_of(schema, self.ledger, topic, v, keep):
                by_topic.setdefault(topic, []).append(shape)
        return {topic: _matcher(shapes) for topic, shapes in by_topic.items()}

    def page(self, rows: Sequence[Row]) -> Page:
        """The rows, judged: all at once by their shapes, those that have another or none one by one."""
        found = Page(rows)
        sound, odd = rows, []
        if not all(kinds == {wanted} for kinds, wanted in zip(_kinds(rows), _TYPES, strict=True)):
            sound = [row for row in rows if tuple(map(type, row)) == _TYPES]
            odd = [row for row in rows if tuple(map(type, row)) != _TYPES]
        found.hashes = leaf_hashes([row[-1].encode() for row in rows] if not odd else [_bytes(row[-1]) for row in rows])
        found.findings += [
            Finding(finding.ALTERED, "its columns are of other kinds than were stored", row[0]) for row in odd
        ]
        if sound:
            found.columns = Columns(*zip(*sound, strict=True))
            self._judge(found, sound)
        return found

    def _judge(self, found: Page, rows: Sequence[Row]) -> None:
        columns, shapes = found.columns, self._shapes
        matches = [
            shapes.get(topic, _nothing)(entry) for topic, entry in zip(columns.topic, columns.entry, strict=True)
        ]
        told = [match.groups() if match else _NONE for match in matches]
        ats, datasets, days, positions, streams, versions = zip(*told, strict=True)
        if (
            streams != columns.stream
            or ats != columns.at
            or positions != (*map(str, columns.position),)
            or versions != (*map(str, columns.version),)
        ):
            for row, said in zip(rows, told, strict=True):
                if (said[0], *said[3:]) != (row[4], str(row[0]), row[1], str(row[2])):
                    found.findings += self._row(row, found.unknown)
        found.built = [Rebuilt(*one) for one in zip(columns.position, streams, datasets, days, strict=True) if one[2]]

    def _row(self, row: Row, unknown: Counter[tuple[str, int]]) -> Iterator[Finding]:
        position = row[0]
        try:
            entry = parse(row[-1])
            if canonical(entry._asdict()) != row[-1].encode() or type(entry.data) is not dict:
                raise NotCanonicalError("is not in the form that entries are written in")
        except (NotCanonicalError, AttributeError) as error:
            yield Finding(finding.ALTERED, f"what is stored there is no entry: {error}", position)
            return
        yield from self._envelope(row, entry)
        if [*map(type, (entry.topic, entry.v))] != [str, int]:
            return  # the columns are others, then
        schema = contracts().get((entry.topic, entry.v))
        if schema is not None:
            for fault in faults(schema, entry.data):
                yield Finding(finding.NO_CONTRACT, f"{entry.topic} v{entry.v}: {fault}", position)
        elif entry.v != 0:  # 0: bytes that were given to the recorder as they are
            unknown[entry.topic, entry.v] += 1

    def _envelope(self, row: Row, entry: Entry) -> Iterator[Finding]:
        position, said = row[0], entry._asdict()
        if entry.ledger != self.ledger:
            yield Finding(finding.INSERTED, f"its entry is of the ledger {entry.ledger!r}", position)
        if entry.position != position:
            yield Finding(finding.REORDERED, f"its entry says position {entry.position!r}", position)
        for name, value in zip(_NAMES[1:], row[1:], strict=False):
            if said[name] != value:
                yield Finding(finding.ALTERED, f"its entry says {name} {said[name]!r}, the column {value!r}", position)


def _kinds(rows: Sequence[Row]) -> Iterator[set[type]]:
    for column in zip(*rows, strict=True) if rows else ((),) * len(_TYPES):
        yield {*map(type, column)}


def _bytes(text: object) -> bytes:
    return text.encode() if isinstance(text, str) else repr(text).encode()


def _matcher(shapes: Sequence[Shape]) -> Match:
    checked = [_checked(shape) for shape in shapes]
    if len(checked) == 1:
        return checked[0]

    def match(entry: str) -> re.Match[str] | None:
        for n, one in enumerate(checked):
            if (found := one(entry)) is not None:
                if n:  # a version is alone in its entries: what stands beside this one is most likely of the same
                    checked.insert(0, checked.pop(n))
                return found
        return None

    return match


def _checked(shape: Shape) -> Match:
    """What tells that an entry is all that its contract says; who it turns away is looked at more closely."""
    if shape.rest < KEYS:
        return shape.fullmatch
    fullmatch = shape.fullmatch

    def match(entry: str) -> re.Match[str] | None:
        found = fullmatch(entry)
        if found is None or shape.rest > KEYS:
            return None
        same = orjson.dumps(orjson.loads(entry), option=orjson.OPT_SORT_KEYS) == entry.encode()
        return found if same else None

    return match


def _nothing(entry: str) -> None:
    """No shape: of a topic that this release does not know."""
