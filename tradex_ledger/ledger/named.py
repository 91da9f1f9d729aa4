"""Which run is meant by the beginning of an id."""

from __future__ import annotations

from collections.abc import Iterable

from tradex_ledger.errors import NotFoundError, UsageError, meant
from tradex_ledger.ledger.select import Store, read

RUNS = ("bf-", "run-")
_BEGUN = ("backfill.requested", "incremental_run.started")


class AmbiguousIdError(NotFoundError):
    """A prefix that fits several runs names none of them."""

    code = "ambiguous-id"

    def __init__(self, prefix: str, found: list[str]) -> None:
        super().__init__(
            f"{prefix!r} fits {len(found)} runs: {', '.join(found[:5])}{' …' if len(found) > 5 else ''}",
            mend="give more characters of the id",
        )


SHORTEST_ID = 4
"""So many characters of an id, after its kind, have to be given to name it."""


class ShortIdError(UsageError):
    """Next to nothing of an id: the only run that there is happens to fit, and nobody has named it."""

    code = "short-id"

    def __init__(self, prefix: str) -> None:
        super().__init__(
            f"{prefix!r} is too short for an id of a run",
            mend=f"give at least {SHORTEST_ID} characters after bf- or run-, or all of it; see: tradex backfill list",
        )


class NoSuchStreamError(NotFoundError):
    """The ledger has no stream of that name."""

    def __init__(self, name: str, noun: str = "run", known: Iterable[str] = ()) -> None:
        super().__init__(
            f"there is no {noun} {name!r}", mend=f"{meant(name, known)}see what there is: tradex backfill list"
        )


def find_run(store: Store, prefix: str, *, kinds: tuple[str, ...] = RUNS) -> str:
    """The run whose id begins with the prefix (with or without `bf-`, `run-`), when there is just one.

    Of less than `SHORTEST_ID` characters after that it names none, unless it is an id whole.
    Raises: `ShortIdError`, `AmbiguousIdError`, `NoSuchStreamError`.
    """
    wanted = (prefix, *(kind + prefix for kind in kinds))
    whole = store.select(read("streams_begun_among"), streams=wanted, topics=_BEGUN)
    found = [stream for (stream,) in whole if stream.startswith(kinds)]
    given = next((prefix.removeprefix(kind) for kind in RUNS if prefix.startswith(kind)), prefix)
    if not found and len(given) < SHORTEST_ID:
        raise ShortIdError(prefix)
    if not found:
        streams = [stream for (stream,) in store.select(read("streams_begun"), topics=_BEGUN)]
        found = [stream for stream in streams if stream.startswith(kinds) and stream.startswith(wanted)]
    if len(found) > 1:
        raise AmbiguousIdError(prefix, found)
    if not found:
        raise NoSuchStreamError(prefix, known=streams)
    return str(found[0])
