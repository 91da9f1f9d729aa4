"""What is open of some positions: a page asks what another one has had worked out as of the same."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
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
    """A position, asked by one at a time: DuckDB's connections are for one."""

    def __init__(self) -> None:
        self.lock = RLock()
        self.reader: Reader | None = None


class Lenses:
    """Readers by position, those that were asked last. One that is let go closes once nobody asks it any more."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._open: OrderedDict[tuple[int, type[AsOf]], _Lens] = OrderedDict()
        self._lock = Lock()

    def read(self, store: Store, as_of: AsOf, ask: Callable[[Reader], T]) -> T:
        """What a reader says as of a position. Raises what asking it raises."""
        lens = self._lens(as_of)
        with lens.lock:
            if lens.reader is not None:
                try:
                    return ask(lens.reader)
                except duckdb.Error:  # files of the caches, which it reads, were taken away meanwhile
                    lens.reader = None
            lens.reader = reader = Reader(store, as_of)
            try:
                return ask(reader)
            except duckdb.Error:
                lens.reader = None
                raise

    def _lens(self, as_of: AsOf) -> _Lens:
        key = (as_of.position, type(as_of))
        with self._lock:
            lens = self._open.setdefault(key, _Lens())
            self._open.move_to_end(key)
            while len(self._open) > self._most:
                self._open.popitem(last=False)
        return lens
