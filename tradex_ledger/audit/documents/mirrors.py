"""Mirrors of the lake for other readers, as documents."""

from __future__ import annotations

from typing import NamedTuple


class MirrorDocument(NamedTuple):
    """A mirror: how far it has come (None: there is nothing yet), how many events after which readers see something
    else it does not know, what is the matter with it, and the datasets it has no table of, each with why."""

    name: str
    kind: str
    place: str
    position: int | None
    behind: int
    problem: str | None
    mend: str | None
    left_out: dict[str, str]


class SyncedDocument(NamedTuple):
    """A mirror that was kept up: how far it has come, and how many positions it had not yet."""

    name: str
    kind: str
    place: str
    position: int
    steps: int
