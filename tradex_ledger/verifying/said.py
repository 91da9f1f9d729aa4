"""What events say, as far as the rules between them ask: the facts of each. Older versions lack the later ones.

Raises, whatever is made of facts: `KeyError` for one that the event does not say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tradex_ledger.domain.facts import Facts, facts_of


class Requested(NamedTuple):
    """What a backfill was asked to do."""

    kind: str
    override_state: bool
    cursor: str | None


class Planned(NamedTuple):
    """The plan of a run, as an approval names it; what extends a plan has no digest."""

    windows: list[Facts]
    digest: str = ""


class Window(NamedTuple):
    """Consecutive days of a dataset."""

    dataset: str
    first: str
    last: str


class Approved(NamedTuple):
    """What was allowed, by which rule (None: a person), under which policy, and on which knowledge."""

    plan_digest: str
    rule: str | None
    policy_digest: str | None = None
    judged: Facts | None = None


class Shown(NamedTuple):
    """What somebody who decided was shown, and the number that no other signed decision has."""

    seen: int | None = None
    checkpoint: str | None = None
    nonce: str | None = None


class Published(NamedTuple):
    """The datasets that a run published."""

    datasets: list[Facts]


class Shelf(NamedTuple):
    """A dataset of a publication, and how many of its partitions."""

    dataset: str
    partitions: int


class Built(NamedTuple):
    """A partition that was built, or appended to."""

    dataset: str
    partition: str


class ByRun(NamedTuple):
    """Which run it was by."""

    run: str


class Cursor(NamedTuple):
    """Where a state stands from here on, and stood before."""

    cursor: str | None
    cursor_before: str | None = None


class PolicyText(NamedTuple):
    """A policy on record."""

    text: str
    digest: str


def windows_of(facts: Facts) -> Iterator[Window]:
    """The windows of a plan."""
    return (facts_of(Window, one) for one in facts_of(Planned, facts).windows)


def shelves_of(facts: Facts) -> Iterator[Shelf]:
    """The datasets of a publication, in order."""
    return (facts_of(Shelf, one) for one in facts_of(Published, facts).datasets)
