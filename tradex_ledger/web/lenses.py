"""What is open of some positions: a page asks what another one has had worked out as of the same."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock, RLock
from typing import TypeVar

import duckdb

from tradex_ledger.audit.reader import Reader
from tradex_ledger.ledger.select import Store
from tradex_ledger.views import AsOf

T = TypeVar("T")
MOST = 3
"""Positions that are open at once: each holds some megabytes."""


class _Lens:
    """A position, asked by one at a time: DuckDB's connections are for one. `users` ask it, or wait for their turn."""

    def __init__(self) -> None:
        self.lock = RLock()
        self.reader: Reader | None = None
        self.users = 0

    def close(self) -> None:
        """Let its reader go; here, and not wherever garbage is collected."""
        reader, self.reader = self.reader, None
        if reader is not None:
            with suppress(duckdb.Error):  # what it reads was taken away
                reader.close()


class Lenses:
    """Readers by position, those that were asked last. One that is let go closes once nobody asks it any more."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._open: OrderedDict[tuple[int, type[AsOf]], _Lens] = OrderedDict()
        self._over: list[_Lens] = []
        self._lock = Lock()

    def read(self, store: Store, as_of: AsOf, ask: Callable[[Reader], T]) -> T:
        """What a reader says as of a position. Raises what asking it raises."""
        with self._lens(as_of) as lens, lens.lock:
            if lens.reader is not None:
                try:
                    return ask(lens.reader)
                except duckdb.Error:  # files of the caches, which it reads, were taken away meanwhile
                    lens.close()
            lens.reader = reader = Reader(store, as_of)
            try:
                return ask(reader)
            except duckdb.Error:
                lens.close()
                raise

    @contextmanager
    def _lens(self, as_of: AsOf) -> Iterator[_Lens]:
        key = (as_of.position, type(as_of))
        with self._lock:
            lens = self._open.setdefault(key, _Lens())
            lens.users += 1
            self._open.move_to_end(key)
            while len(self._open) > self._most:
                self._over.append(self._open.popitem(last=False)[1])
        try:
            self._close_unused()
            yield lens
        finally:
            with self._lock:
                lens.users -= 1
            self._close_unused()

    def _close_unused(self) -> None:
        with self._lock:
            unused = [lens for lens in self._over if not lens.users]
            self._over = [lens for lens in self._over if lens.users]
        for lens in unused:
            lens.close()
