"""What is on record of a run, and of what it stands on, gathered from the events themselves.

The run's own events; those that name it (what it published, how it moved the state, how it looked at its source); the
texts of the definitions and policies that any of these name; the keys that sign heads and approvals. What is named and
is not on record is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tradex_ledger.domain.facts import Facts
from tradex_ledger.domain.policy_record import STREAM as POLICY
from tradex_ledger.ledger.ask import END, Told, events_of, of_stream
from tradex_ledger.ledger.entry import Entry
from tradex_ledger.ledger.named import NoSuchStreamError
from tradex_ledger.ledger.rows import entry_of
from tradex_ledger.ledger.select import Store

_NAMING = (
    "dataset.published",
    "dataset.reverted",
    "pipeline_state.advanced",
    "pipeline_state.overridden",
    "source.looked",
)
_SAVE = 10_000
"""Events of a run and those that name it are saved together: none stands further behind its last one."""
_KEYS = ("seal.key_announced", "approver_keys.added", "approver_keys.revoked")
_LOGIC = "dataset.logic_versioned"
_POLICIES = ("policy.recorded", "policy.set")


@dataclass(frozen=True, slots=True)
class Gathered:
    """The events that are evidence of a run, by position, and what is named by one and is not on record."""

    run: str
    events: list[Told]
    lacking: list[str]


def gathered(store: Store, run: str, *, upto: int = END, as_of: int = END) -> Gathered:
    """What is on record of a run as of a position (`as_of`), by the keys up to one.

    Raises: `NoSuchStreamError` where it had not begun; `BrokenLedgerError` for an unsound event.
    """
    own = [event for event in of_stream(store, run) if event.position <= as_of]
    if not own:
        raise NoSuchStreamError(f"{run} as of position {as_of}")
    first, last = own[-1].position, own[0].position
    naming = events_of(store, _NAMING, after=first, upto=min(last + _SAVE, as_of), saying=f'"run":"{run}"')
    of_run = [*own, *naming]
    named = [fact for event in of_run for fact in _walked(_facts(store, event), event.stream)]
    logics, policies = {n for n in named if isinstance(n, Logic)}, {n for n in named if isinstance(n, str)}
    definitions, no_logic = _definitions(store, logics)
    texts, no_policy = _policies(store, policies)
    found = [*of_run, *definitions, *texts, *events_of(store, _KEYS, upto=upto)]
    return Gathered(run, sorted(set(found)), [*no_logic, *no_policy])


@dataclass(frozen=True, slots=True, order=True)
class Logic:
    """A logic version of a dataset."""

    dataset: str
    version: int


def lacking(run: str, entries: Sequence[Entry]) -> list[str]:
    """What the events of a run name, and is not among some entries: what `gathered` says is not on record."""
    named = {
        fact
        for entry in entries
        if entry.stream == run or (entry.topic in _NAMING and entry.data.get("run") == run)
        for fact in _walked(entry.data, entry.stream)
    }
    logics = {
        Logic(entry.stream.removeprefix("dataset-"), version)
        for entry in entries
        if entry.topic == _LOGIC and isinstance(version := entry.data.get("logic_version"), int)
    }
    texts = {entry.data.get("digest") for entry in entries if entry.topic in _POLICIES}
    return [
        *map(_no_logic, sorted(one for one in named if isinstance(one, Logic) and one not in logics)),
        *map(_no_policy, sorted(one for one in named if isinstance(one, str) and one not in texts)),
    ]


def _no_logic(logic: Logic) -> str:
    return f"the definition of {logic.dataset!a}, version {logic.version}"


def _no_policy(digest: str) -> str:
    return f"the text of the policy {digest[:12]!a}"


def _facts(store: Store, event: Told) -> Facts:
    return entry_of(store.ledger, event).data


def _walked(facts: object, name: str) -> Iterator[Logic | str]:
    """The logic versions that facts name, and the digests of policies; `name` is what holds them."""
    if isinstance(facts, list):
        for value in facts:
            yield from _walked(value, name)
    if not isinstance(facts, dict):
        return
    version, digest = facts.get("logic_version"), facts.get("policy_digest")
    if isinstance(version, int):
        yield Logic(str(facts.get("dataset", name.removeprefix("dataset-"))), version)
    if isinstance(digest, str):
        yield digest
    for key, value in facts.items():
        yield from _walked(value, key)


def _definitions(store: Store, wanted: Iterable[Logic]) -> tuple[list[Told], list[str]]:
    found: list[Told] = []
    lacking: list[str] = []
    for logic in sorted(wanted):
        of_version = [
            event
            for event in of_stream(store, f"dataset-{logic.dataset}", [_LOGIC])
            if _facts(store, event).get("logic_version") == logic.version
        ]
        found += of_version
        if not of_version:
            lacking.append(_no_logic(logic))
    return found, lacking


def _policies(store: Store, wanted: set[str]) -> tuple[list[Told], list[str]]:
    by_digest = {
        str(facts.get("digest")): event
        for event in of_stream(store, POLICY, _POLICIES)
        if (facts := _facts(store, event)).get("digest") in wanted
    }
    return list(by_digest.values()), [_no_policy(digest) for digest in sorted(wanted - by_digest.keys())]
