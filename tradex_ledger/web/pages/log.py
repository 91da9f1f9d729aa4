"""The log, by day, and one event with its proof."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from itertools import groupby
from typing import NamedTuple

import orjson
from starlette.requests import Request
from starlette.responses import Response

from tradex_ledger.audit.log import Line, Log, UnknownTopicError, story
from tradex_ledger.domain.base import EVENTS
from tradex_ledger.domain.person import person
from tradex_ledger.ledger.ask import Told, at_positions, newest_first
from tradex_ledger.ledger.entry import Entry
from tradex_ledger.ledger.merkle import leaf_hash
from tradex_ledger.ledger.rows import entry_of
from tradex_ledger.ledger.tree import ask_tree
from tradex_ledger.views import NoSuchPositionError
from tradex_ledger.web.at import At
from tradex_ledger.web.frame import Frame, page
from tradex_ledger.web.site import Site
from tradex_ledger.web.within import number_of

PAGE = 200
LOOKED_AT = 20_000
"""So many events are looked through for those of one person, before somebody asks for older ones."""


class Found(NamedTuple):
    """Lines of a page of the log, by day; from which position on older ones are asked for."""

    days: list[tuple[date, list[Line]]]
    older: int | None


class Proof(NamedTuple):
    """That an event is at a `place` (from 0) of the tree over the first `size`: leaf, path and root in hex, and the
    entry that is hashed."""

    place: int
    size: int
    leaf: str
    path: list[str]
    root: str
    entry: str


class Shown(NamedTuple):
    """One event, whole."""

    entry: Entry
    data: str
    proof: Proof


def log(request: Request) -> Response:
    """Events up to the position, the newest day first."""
    frame = Frame.of(request)
    by, topic, before = (request.query_params.get(name) or None for name in ("by", "topic", "before"))
    if topic is not None and topic not in EVENTS:
        raise UnknownTopicError(topic)
    below = number_of(before)
    upto = min(frame.at.position, below - 1 if below else frame.at.position)
    found = frame.site.ask(frame.at, ("log", by, topic, upto), lambda: _page(frame.site, frame.at, by, topic, upto))
    return page(frame, "log.html", days=found.days, older=found.older, by=by, topic=topic, topics=sorted(EVENTS))


def _page(site: Site, at: At, by: str | None, topic: str | None, upto: int) -> Found:
    entries, looked, last = list[Entry](), 0, 0
    for told in newest_first(site.store, (topic,) if topic else (), before=upto + 1, page=PAGE + 1):
        entry, looked, last = entry_of(site.store.ledger, told), looked + 1, told.position
        if by is None or person(entry.by) == person(by):
            entries.append(entry)
        if len(entries) == PAGE or looked == LOOKED_AT:
            break
    is_more = last > 1 and (len(entries) == PAGE or looked == LOOKED_AT)
    return Found(by_day(story(Log(at.as_of, entries[::-1]))), last if is_more else None)


def by_day(lines: Iterable[Line]) -> list[tuple[date, list[Line]]]:
    """Lines by their day (UTC), the newest first; two of them may share a time, and order is by position alone."""
    newest = sorted(lines, key=lambda line: line.position, reverse=True)
    return [(day, list(some)) for day, some in groupby(newest, key=lambda line: datetime.fromisoformat(line.at).date())]


def event(request: Request) -> Response:
    """One event, and its proof under the head of the page's position."""
    frame = Frame.of(request)
    said = str(request.path_params.get("position"))
    position = number_of(said)
    if position is None or not 1 <= position <= frame.at.position:
        raise NoSuchPositionError(
            f"there is no event {said[:40]} as of position {frame.at.position}", mend="see the log: /log"
        )
    found = frame.site.ask(frame.at, ("event", position), lambda: _shown(frame.site, frame.at, position))
    return page(frame, "event.html", found=found, entry=found.entry, proof=found.proof)


def _shown(site: Site, at: At, position: int) -> Shown:
    (told,) = at_positions(site.store, [position])
    entry = entry_of(site.store.ledger, told)
    data = orjson.dumps(orjson.loads(told.entry), option=orjson.OPT_INDENT_2).decode()
    return Shown(entry, data, proof_of(site, told, at.position))


def proof_of(site: Site, told: Told, size: int) -> Proof:
    """That an event is in the tree over the first `size` events."""
    index = told.position - 1
    path, root = ask_tree(site.store, size, lambda tree: (tree.inclusion_proof(index), tree.root()))
    leaf = leaf_hash(told.entry.encode())
    return Proof(index, size, leaf.hex(), [one.hex() for one in path], root.hex(), told.entry)
