"""What there is by name, for a shell that completes a word: read from the ledger's index, without an engine.

It is asked at each press of a key: it costs what it lists, writes nothing, and where it cannot tell it tells nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple, TypeAlias

from tradex_ledger import resources
from tradex_ledger.config import open_config
from tradex_ledger.domain.day import last_before
from tradex_ledger.domain.facts import facts_of
from tradex_ledger.errors import TradexError
from tradex_ledger.extras import load
from tradex_ledger.ledger.ask import Told, events_of, newest_first, of_stream
from tradex_ledger.ledger.select import POSTGRESQL, Store, open_store, sqlite_path

Offered: TypeAlias = tuple[str, str]
"""A word, and what it stands for."""


class _Requested(NamedTuple):
    kind: str
    dataset: str
    first: str
    last: str


MOST = 200
"""Runs that are offered, the newest."""
WAIT_S = 1.0
"""How long a server may take to answer."""
_BEGUN = ("backfill.requested", "incremental_run.started")
_REGISTERED, _VERSIONED = "dataset.registered", "dataset.logic_versioned"


def runs(folder: str | Path, beginning: str = "") -> list[Offered]:
    """The ids of the newest runs that begin so, and what each was asked for."""

    def asked(store: Store) -> Iterator[Offered]:
        found = (told for told in newest_first(store, _BEGUN) if told.stream.startswith(beginning))
        return ((told.stream, _asked_for(told)) for told in islice(found, MOST))

    return _found(folder, asked)


def datasets(folder: str | Path) -> list[Offered]:
    """The datasets on record, and their layers."""
    return _found(
        folder,
        lambda store: (
            (told.stream.removeprefix("dataset-"), str(told.data.get("layer", "")))
            for told in events_of(store, [_REGISTERED])
        ),
    )


def versions(folder: str | Path, dataset: str) -> list[Offered]:
    """The logic versions of a dataset, the newest first, and why each was made."""
    return _found(
        folder,
        lambda store: (
            (str(told.data["logic_version"]), str(told.data.get("reason", "")))
            for told in of_stream(store, f"dataset-{dataset}", [_VERSIONED])
        ),
    )


def projections() -> Iterator[tuple[str, str]]:
    """The projections that can be asked."""
    for name in resources.names("projections"):
        if name.endswith(".sql"):
            yield name.removesuffix(".sql"), ""


def topics() -> Iterator[tuple[str, str]]:
    """The topics of all kinds of events."""
    for topic in resources.event_topics():
        yield topic, ""


def _found(folder: str | Path, asked: Callable[[Store], Iterable[Offered]]) -> list[Offered]:
    """What the ledger of a workspace says; nothing where there is none, or where it does not answer in time."""
    try:
        url = open_config(folder).ledger_url
        if sqlite_path(url) is not None:
            return list(asked(open_store(url)))
        return _in_time(url, asked) if url.startswith(POSTGRESQL) else []
    except TradexError:
        return []


def _in_time(url: str, asked: Callable[[Store], Iterable[Offered]]) -> list[Offered]:
    """The same of a server. Whoever presses a key waits a second and no longer, whatever takes the time: a name that is
    looked up, a server that is away, one that is busy. Drivers bound the first two by two seconds at the least."""
    module = load("tradex_ledger.ledger.postgresql_read", "a ledger in postgresql", "postgres")
    found: list[Offered] = []
    is_over = Event()

    def ask() -> None:
        with suppress(TradexError, OSError, LookupError):
            store = module.open_reader(url, None)
            found.extend(asked(store) if store is not None else ())
        is_over.set()

    Thread(target=ask, name="names", daemon=True).start()
    return found if is_over.wait(WAIT_S) else []


def _asked_for(told: Told) -> str:
    if told.topic == "backfill.requested":
        asked = facts_of(_Requested, told.data)
        return f"{asked.kind} backfill of {asked.dataset} {asked.first}..{asked.last}"
    return f"incremental run to {last_before(str(told.data['cursor_to']))}"
