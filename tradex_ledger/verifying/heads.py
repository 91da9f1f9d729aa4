"""The ledger against the heads of it that were signed: what was rewritten so that all of it fits is seen here alone.

A head that is kept elsewhere says what the root over so many events was. Where it does not hold, the last one that does
says from which event on something is another; where it does, it tells who is right when entries and tiles differ.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import cast

from tradex_ledger.domain.seal import ANNOUNCED
from tradex_ledger.errors import BrokenLedgerError, EnvironmentFault
from tradex_ledger.ledger import ask, merkle
from tradex_ledger.ledger.merkle import TILE_WIDTH, leaf_hash
from tradex_ledger.ledger.rows import Row
from tradex_ledger.ledger.select import Store, read
from tradex_ledger.sealing.checkpoint import Checkpoint, opened_checkpoint, parsed
from tradex_ledger.sealing.files import read_file
from tradex_ledger.sealing.keys import keys_of
from tradex_ledger.sealing.lines import Lines, lines_of
from tradex_ledger.sealing.note import MOST_BYTES, VerifierKey, taken_apart, text_of
from tradex_ledger.sealing.note_errors import KeyTextError, NoteError, SignatureError, UnsignedError
from tradex_ledger.sealing.places import Place
from tradex_ledger.verifying.finding import (
    ALTERED,
    BAD_APPROVAL,
    BAD_SIGNATURE,
    SPLIT_VIEW,
    TILE_CHANGED,
    TRUNCATED,
    Finding,
    Unjudged,
)
from tradex_ledger.verifying.ledger import Whole
from tradex_ledger.verifying.tiles import IN_THE_TREE

_NOT_A_HEAD: tuple[type[Exception], ...] = (NoteError, SignatureError, UnsignedError, KeyTextError)


@dataclass(frozen=True, slots=True)
class Kept:
    """A head as somebody keeps it: where, and the note; without one, why it cannot be read."""

    where: str
    note: str | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """A head that the ledger signed, where it is kept, and which of the witnesses have cosigned it."""

    checkpoint: Checkpoint
    where: str
    by: frozenset[VerifierKey] = frozenset()


@dataclass(slots=True)
class Judged:
    """What the heads came to: the size of the newest that holds by the entries, and by the tiles as they are stored;
    how many were looked at, how many of them were given up with a lost line, and what could not be judged. `cosigned`
    is the size of the newest that holds by the entries, and that as many witnesses as must have cosigned.
    """

    holds: int | None = None
    cosigned: int | None = None
    by_tiles: int = 0
    checked: int = 0
    given_up: int = 0
    unjudged: list[Unjudged] = field(default_factory=list)


def kept_in(places: Iterable[Place], files: Iterable[Path]) -> Iterator[Kept]:
    """All heads in some places, and in some files."""
    for place in places:
        try:
            named = [*place.heads(), *place.cosigned()]
        except OSError as error:
            yield Kept(place.name, None, error.strerror or str(error))
            continue
        for one in named:
            yield _kept(f"{place.name} ({one.name})", place.folder / one.name)
    yield from (_kept(str(file), file) for file in files)


def _kept(where: str, path: Path) -> Kept:
    try:
        content = read_file(path, MOST_BYTES + 1)
        return Kept(where, text_of(content)) if content is not None else Kept(where, None, "there is no such file")
    except OSError as error:
        return Kept(where, None, error.strerror or str(error))
    except NoteError as error:
        return Kept(where, "", error.message)


class Heads:
    """Heads, held against a ledger that was judged."""

    def __init__(self, store: Store, whole: Whole, witnesses: Sequence[VerifierKey], quorum: int = 0) -> None:
        self.said = Judged()
        self._store = store
        self._whole = whole
        self._witnesses = witnesses
        self._quorum = quorum
        self._keys: dict[tuple[int, int], tuple[VerifierKey, ...]] = {}

    def judge(self, kept: Iterable[Kept]) -> Iterator[Finding]:
        """What is wrong with heads, and with the ledger by those that were signed; the smallest first."""
        try:
            lines = lines_of(self._store)
        except (BrokenLedgerError, EnvironmentFault) as error:
            self.said.unjudged.append(Unjudged("the heads of the ledger", error.message))
            return
        sound = []
        for one in kept:
            if one.note is None:
                self.said.unjudged.append(Unjudged(one.where, one.why))
                continue
            self.said.checked += 1
            try:
                if (head := self._opened(lines, one.note, one.where)) is not None:
                    sound.append(head)
            except _NOT_A_HEAD as error:
                yield self._not_signed(one, getattr(error, "message", str(error)))
            except (BrokenLedgerError, EnvironmentFault) as error:
                self.said.unjudged.append(Unjudged(one.where, error.message))
        yield from self._against(sorted(sound, key=lambda head: head.checkpoint.size))

    def _opened(self, lines: Lines, note: str, where: str) -> Head | None:
        """The head, when a key that counts for it has signed it; None of one that was given up."""
        checkpoint = parsed(taken_apart(note)[0])
        number = lines.number_of(checkpoint.origin)
        if number is None:
            raise NoteError(f"it is of {checkpoint.origin}, and this ledger is {lines.ledger}")
        found = opened_checkpoint(note, self._keys_of(lines, number, checkpoint.size), self._witnesses).opened
        if lines.is_given_up(number, checkpoint.size):
            self.said.given_up += 1
            return None
        return Head(checkpoint, where, frozenset(key for key in self._witnesses if found.by(key)))

    @cached_property
    def _announcements(self) -> list[int]:
        return [row.position for row in ask.events_of(self._store, (ANNOUNCED,))]

    def _keys_of(self, lines: Lines, number: int, size: int) -> tuple[VerifierKey, ...]:
        """The keys that count for a head: the same for all between two announcements."""
        key = number, bisect_right(self._announcements, lines.told_at(number, size))
        if key not in self._keys:
            self._keys[key] = keys_of(self._store, lines, number, size)
        return self._keys[key]

    def _not_signed(self, one: Kept, why: str) -> Finding:
        try:
            size = parsed(taken_apart(one.note or "")[0]).size
        except NoteError:
            return Finding(BAD_SIGNATURE, one.why or why, file=one.where)
        if size > self._whole.size:
            detail = f"the ledger ends at {self._whole.size}, and the head is of {size} events; {why}"
            return Finding(TRUNCATED, detail, self._whole.size + 1, size, one.where)
        return Finding(BAD_SIGNATURE, why, file=one.where)

    def _against(self, heads: Sequence[Head]) -> Iterator[Finding]:
        whole, said, wrong = self._whole, self.said, 0
        by: dict[int, frozenset[VerifierKey]] = {}  # each of them has signed the root that is there
        for head in heads:
            size, root = head.checkpoint.size, head.checkpoint.root
            if size > whole.size:
                detail = f"the ledger ends at {whole.size}, and the head is of {size} events: it was cut, or is older"
                yield Finding(TRUNCATED, detail, whole.size + 1, size, head.where)
                continue
            own, by_tiles = roots_at(self._store, whole, size)
            if root == own:
                said.holds = size
                by[size] = by.get(size, frozenset()) | head.by
                if 0 < self._quorum <= len(by[size]):
                    said.cosigned = size
            elif root == by_tiles:
                said.by_tiles = size
            else:
                wrong += 1
                if wrong == 1:
                    yield self._split(head, own)
        if wrong > 1:
            yield Finding(SPLIT_VIEW, f"{wrong - 1} heads of more events do not hold either")

    def _split(self, head: Head, own: bytes) -> Finding:
        after, size = max(self.said.holds or 0, self.said.by_tiles), head.checkpoint.size
        detail = (
            f"the root over {size} events is {own.hex()[:16]}…, the head says {head.checkpoint.root.hex()[:16]}…: "
            f"one or more of the events from {after + 1} on are not those that were signed"
        )
        return Finding(SPLIT_VIEW, detail, after + 1, size, head.where)

    def explained(self, finding: Finding) -> Finding:
        """A finding, as the heads tell it: what a head over the entries holds of, is no fault of an entry."""
        last = finding.last or finding.position or 0
        is_of_tile = finding.kind == ALTERED and finding.detail.startswith(IN_THE_TREE)
        return replace(finding, kind=TILE_CHANGED) if is_of_tile and last <= (self.said.holds or 0) else finding


def shown_to(store: Store, whole: Whole, shown: Mapping[str, int]) -> Iterator[Finding]:
    """The heads that approvers say they were shown, against the ledger: text, and the position of the approval."""
    for text, position in shown.items():
        try:
            head = parsed(text)
        except NoteError as error:
            yield Finding(BAD_APPROVAL, f"the head that was shown is none: {error.message}", position)
            continue
        if head.size >= position or head.root not in roots_at(store, whole, head.size):
            detail = f"the head of {head.size} events that was shown is not one of this ledger"
            yield Finding(BAD_APPROVAL, detail, position)


def roots_at(store: Store, whole: Whole, size: int) -> tuple[bytes, bytes]:
    """The root over the first events by their entries, and by the tiles and leaves as they are stored; empty where an
    event is missing that no tile stands for.
    """
    full = size // TILE_WIDTH
    try:
        rows = cast("list[Row]", store.select(read("range"), first=full * TILE_WIDTH + 1, last=size))
    except EnvironmentFault:
        return b"", b""  # told where it was read first
    if (
        full > whole.computed.tiles
        or len(rows) != size % TILE_WIDTH
        or not all(isinstance(row[-1], str) for row in rows)
    ):
        return b"", b""
    own = whole.computed.root(size, [leaf_hash(row[-1].encode()) for row in rows])
    tile = store.select(read("tile"), level=0, tile=full)  # it tells more than the leaves beside the events
    told = merkle.hashes_of(bytes(tile[0][0]))[: len(rows)] if tile else [bytes(row[5]) for row in rows]
    return own, whole.told.root(size, told)
