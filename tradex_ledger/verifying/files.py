"""The files of the lake against the events that name them: each is there, with those bytes, that size and digest.

What an event says was given up, lost, or erased because law asked for it, is counted, and nobody looks for it.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.lake.known import ERASED, GIVEN_UP, files_in
from tradex_ledger.lake.port import Lake
from tradex_ledger.lake.storage import LakeFileError, translate
from tradex_ledger.ledger import ask
from tradex_ledger.ledger.entry import NotCanonicalError
from tradex_ledger.ledger.select import Store
from tradex_ledger.verifying.finding import FILE_CHANGED, FILE_MISSING, Finding, Unjudged
from tradex_ledger.verifying.scan import Named

HASHERS = 4
"""Threads: to hash lets others go on."""
_UNDER_WAY = 256


@dataclass(slots=True)
class Files:
    """The files of a lake: how many were hashed, how many nobody expects there any more (and how many of those since
    rows of them were erased), and what could not be read."""

    lake: Lake
    gone: frozenset[str]
    erased_paths: frozenset[str] = frozenset()
    checked: int = 0
    given_up: int = 0
    erased: int = 0
    unjudged: list[Unjudged] = field(default_factory=list)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(min(HASHERS, os.cpu_count() or 1)))
    _waiting: deque[tuple[Named, Future[Finding | Unjudged | None]]] = field(default_factory=deque)

    def hear(self, named: Sequence[Named]) -> Iterator[Finding]:
        """Files that events name; what is wrong with those that were asked for before."""
        for one in named:
            if one.file.path in self.gone:
                self.given_up += 1
                self.erased += one.file.path in self.erased_paths
                continue
            self.checked += 1
            self._waiting.append((one, self._pool.submit(_checked, self.lake, one)))
            if len(self._waiting) > _UNDER_WAY:
                yield from self._next()

    def finish(self) -> Iterator[Finding]:
        """What is wrong with the rest."""
        while self._waiting:
            yield from self._next()

    def close(self) -> None:
        """Nobody waits any more."""
        self._pool.shutdown(cancel_futures=True)

    def _next(self) -> Iterator[Finding]:
        told = self._waiting.popleft()[1].result()
        if isinstance(told, Unjudged):
            self.unjudged.append(told)
        elif told is not None:
            yield told


def files_of(store: Store, lake: Lake) -> Files:
    """The files of a lake that belongs to a ledger; what was given up, its events say."""
    erased, gone = (_named(store, topics) for topics in ((ERASED,), GIVEN_UP))
    return Files(lake, gone, erased)


def _named(store: Store, topics: Sequence[str]) -> frozenset[str]:
    found: set[str] = set()
    for row in ask.events_of(store, topics):
        with suppress(NotCanonicalError, KeyError, TypeError):  # what is none of ours is told where it is judged
            found.update(file.path for file in files_in(row.data))
    return frozenset(found)


def _checked(lake: Lake, named: Named) -> Finding | Unjudged | None:
    path = named.file.path
    try:
        lake.fetch(named.file)
    except LakeFileError as error:
        kind = FILE_MISSING if error.is_missing else FILE_CHANGED
        return Finding(kind, error.message, named.position, file=path)
    except EnvironmentFault as error:
        return Unjudged(path, error.message)
    except OSError as error:
        return Unjudged(path, translate(error, f"reading the lake file {path}").message)
    return None
