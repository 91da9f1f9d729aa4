"""Mirrors of the lake for other readers, as documents."""

from __future__ import annotations

from typing import NamedTuple

from tradex_ledger.attempts import Failed


class MirrorDocument(NamedTuple):
    """A mirror: how far it has come (None: there is nothing yet), how many events after which readers see something
    else it does not know, `since` when (of what is to be kept up by now; None: nothing), how the last attempt `failed`,
    what is the matter with it, the command that helps, and the datasets it has no table of, each with why."""

    name: str
    kind: str
    place: str
    position: int | None
    behind: int
    since: str | None
    failed: Failed | None
    problem: str | None
    mend: str | None
    command: str
    left_out: dict[str, str]


class TriedDocument(NamedTuple):
    """A mirror that was behind and tried again: where it is now, or what was wrong, with what mends it."""

    name: str
    position: int | None
    wrong: str | None


class SyncedDocument(NamedTuple):
    """A mirror that was kept up: how far it has come, and how many positions it had not yet."""

    name: str
    kind: str
    place: str
    position: int
    steps: int
