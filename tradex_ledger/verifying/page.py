"""Some rows of the ledger, judged: at once where all is as it must be, row by row where it is not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import repeat
from operator import contains
from typing import NamedTuple, TypeAlias

import orjson

from tradex_ledger.ledger.entry import Entry, NotCanonicalError, canonical, parse
from tradex_ledger.ledger.merkle import leaf_hashes
from tradex_ledger.ledger.rows import Row
from tradex_ledger.verifying import finding
from tradex_ledger.verifying.contract import contracts, faults
from tradex_ledger.verifying.finding import Finding
from tradex_ledger.verifying.shape import KEYS, Lines, Match, Schema, Shape, shape_of

REBUILT = "run.partition_rebuilt"
_KEEP = ("dataset", "partition")
_TYPES = (int, str, int, str, str, bytes, str)
Told: TypeAlias = tuple[str | None, ...]
_NONE: Told = (None, "", "", None, None, None)
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
    """That runs rebuilt datasets on days, as columns beside those of the rows; where nothing was, the last two are
    empty.
    """

    run: tuple[str, ...] = ()
    dataset: tuple[str, ...] = ()
    day: tuple[str, ...] = ()


@dataclass(slots=True)
class Page:
    """Rows in the order of their positions, with the hash of each entry, and what is wrong with them.

    `columns` are those of the rows that have the right kinds of values; `unknown` counts events of newer releases.
    """

    rows: Sequence[Row]
    columns: Columns = field(default_factory=Columns)
    hashes: list[bytes] = field(default_factory=list)
    built: Rebuilt = field(default_factory=Rebuilt)
    findings: list[Finding] = field(default_factory=list)
    unknown: Counter[tuple[str, int]] = field(default_factory=Counter)


class _Matchers(dict[str, list[Match]]):
    """Of each topic that is asked for, what tells whether an entry is as it must be: of each version, the newest first.

    An expression takes long to be made: of the topics that a ledger does not have, none is.
    """

    def __init__(self, ledger: str) -> None:
        super().__init__()
        self._ledger = ledger
        self._schemas: dict[str, list[tuple[int, Schema]]] = {}
        for (topic, v), schema in sorted(contracts().items(), key=lambda one: -one[0][1]):
            self._schemas.setdefault(topic, []).append((v, schema))

    def __missing__(self, topic: str) -> list[Match]:
        if topic not in self._schemas:
            return [_nothing]
        shapes = [self.shape(topic, v, schema) for v, schema in self._schemas[topic]]
        self[topic] = [_checked(shape) for shape in shapes if shape] or [_nothing]
        return self[topic]

    def shape(self, topic: str, v: int, schema: Schema) -> Shape | None:
        """The shape of a topic's entries of a version."""
        return shape_of(schema, self._ledger, topic, v, _KEEP if topic == REBUILT else ())

    @cached_property
    def builds(self) -> list[Lines]:
        """What tells of lines that are builds, of which nine in ten events are, all at once: of each version."""
        shapes = [self.shape(REBUILT, v, schema) for v, schema in self._schemas[REBUILT]]
        return [shape.lines() for shape in shapes if shape and not shape.rest]


class Judge:
    """Judges the rows of one ledger."""

    def __init__(self, ledger: str) -> None:
        self.ledger = ledger

        self._matchers = _Matchers(ledger)

    def page(self, rows: Sequence[Row]) -> Page:
        """The rows, judged: all at once by their shapes, those that have another or none one by one."""
        found = Page(rows)
        if not rows:
            return found
        columns, sound = Columns(*zip(*rows, strict=True)), rows
        if all({*map(type, column)} == {wanted} for column, wanted in zip(columns, _TYPES, strict=True)):
            found.hashes = leaf_hashes([entry.encode() for entry in columns.entry])
        else:
            sound = [row for row in rows if tuple(map(type, row)) == _TYPES]
            found.findings += [
                Finding(finding.ALTERED, "its columns are of other kinds than were stored", row[0])
                for row in rows
                if tuple(map(type, row)) != _TYPES
            ]
            found.hashes = leaf_hashes([_bytes(row[-1]) for row in rows])
            columns = Columns(*zip(*sound, strict=True)) if sound else Columns()
        found.columns = columns
        if sound:
            self._judge(found, sound)
        return found

    def _judge(self, found: Page, rows: Sequence[Row]) -> None:
        columns = found.columns
        told = self._told(columns.topic, columns.entry)
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
        found.built = Rebuilt(streams, datasets, days)

    def _told(self, topics: Sequence[str], entries: Sequence[str]) -> list[Told]:
        """What is told of each entry; `_NONE` of one that is not as the contract of its topic says."""
        told = self._lines([entry for topic, entry in zip(topics, entries, strict=True) if topic == REBUILT])
        if told is None:
            return [self._match(topic, entry) for topic, entry in zip(topics, entries, strict=True)]
        if len(told) == len(topics):
            return told
        each = iter(told)
        return [
            next(each) if topic == REBUILT else self._match(topic, entry)
            for topic, entry in zip(topics, entries, strict=True)
        ]

    def _lines(self, builds: Sequence[str]) -> list[Told] | None:
        """What is told of builds that are all of one version; None where they are not, or one is not as it must be."""
        if any(map(contains, builds, repeat("\n"))):  # what has a line's end within it is no entry
            return None
        lines = "\n".join([*builds, ""])
        finders = self._matchers.builds
        for n, found_in in enumerate(finders):
            # As many lines as entries, and each line is one: none is missing.
            if len(told := found_in(lines)) == len(builds):
                finders.insert(0, finders.pop(n))
                return told
        return None

    def _match(self, topic: str, entry: str) -> Told:
        """What is told of one entry; the version that it is of is asked first of the next one."""
        matchers = self._matchers[topic]
        for n, matcher in enumerate(matchers):
            if (found := matcher(entry)) is not None:
                if n:
                    matchers.insert(0, matchers.pop(n))
                return found.groups()
        return _NONE

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


def _bytes(text: object) -> bytes:
    return text.encode() if isinstance(text, str) else repr(text).encode()


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
