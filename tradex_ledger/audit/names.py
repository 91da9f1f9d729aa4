"""What there is by name, for a shell that completes a word: read from the ledger's index, without an engine.

It is asked at each press of a key: it costs what it lists, writes nothing, and where it cannot tell it tells nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tradex_ledger import resources
from tradex_ledger.config import open_config
from tradex_ledger.domain.day import last_before
from tradex_ledger.errors import TradexError
from tradex_ledger.ledger.ask import Told, events_of, newest_first, of_stream
from tradex_ledger.ledger.select import Store, open_store, sqlite_path

MOST = 200
"""Runs that are offered, the newest."""
_BEGUN = ("backfill.requested", "incremental_run.started")
_REGISTERED, _VERSIONED = "dataset.registered", "dataset.logic_versioned"


def runs(folder: str | Path, beginning: str = "") -> Iterator[tuple[str, str]]:
    """The ids of the newest runs that begin so, and what each was asked for."""
    store = _store(folder)
    found = newest_first(store, _BEGUN) if store is not None else iter(())
    for count, told in enumerate(told for told in found if told.stream.startswith(beginning)):
        if count == MOST:
            return
        yield told.stream, _asked_for(told)


def datasets(folder: str | Path) -> Iterator[tuple[str, str]]:
    """The datasets on record, and their layers."""
    store = _store(folder)
    for told in events_of(store, [_REGISTERED]) if store is not None else ():
        yield told.stream.removeprefix("dataset-"), str(told.data.get("layer", ""))


def versions(folder: str | Path, dataset: str) -> Iterator[tuple[str, str]]:
    """The logic versions of a dataset, the newest first, and why each was made."""
    store = _store(folder)
    for told in of_stream(store, f"dataset-{dataset}", [_VERSIONED]) if store is not None else ():
        yield str(told.data["logic_version"]), str(told.data.get("reason", ""))


def projections() -> Iterator[tuple[str, str]]:
    """The projections that can be asked."""
    for name in resources.names("projections"):
        if name.endswith(".sql"):
            yield name.removesuffix(".sql"), ""


def topics() -> Iterator[tuple[str, str]]:
    """The topics of all kinds of events."""
    for topic in resources.event_topics():
        yield topic, ""


def _store(folder: str | Path) -> Store | None:
    """The ledger of a workspace, if it lies in a file: a database elsewhere may let wait who presses a key."""
    try:
        config = open_config(folder)
        return open_store(config.ledger_url) if sqlite_path(config.ledger_url) is not None else None
    except TradexError:
        return None


def _asked_for(told: Told) -> str:
    data = told.data
    if told.topic == "backfill.requested":
        return f"{data['kind']} backfill of {data['dataset']} {data['first']}..{data['last']}"
    return f"incremental run to {last_before(str(data['cursor_to']))}"
