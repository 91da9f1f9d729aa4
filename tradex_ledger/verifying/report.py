"""All checks, one after the other, and what they came to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tradex_ledger import slow
from tradex_ledger.errors import BrokenLedgerError, EnvironmentFault
from tradex_ledger.lake.identity import problem
from tradex_ledger.lake.identity_errors import BehindError, ForkedError, OtherLedgerError, StrangersError
from tradex_ledger.lake.port import Lake
from tradex_ledger.ledger.select import Store, sqlite_path
from tradex_ledger.sealing.checkpoint import Checkpoint
from tradex_ledger.sealing.note import VerifierKey
from tradex_ledger.verifying import guards
from tradex_ledger.verifying.earlier import Earlier
from tradex_ledger.verifying.files import files_of
from tradex_ledger.verifying.finding import SPLIT_VIEW, TRUNCATED, UNREADABLE, Finding, Unjudged, capped, few, joined
from tradex_ledger.verifying.guards_postgresql import postgresql_guards
from tradex_ledger.verifying.heads import Heads, Kept, roots_at, shown_to
from tradex_ledger.verifying.indexes import sqlite_indexes
from tradex_ledger.verifying.ledger import Whole, begun_at, parts, put, size_of, tiles_above
from tradex_ledger.verifying.rules import Rules


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be verified: the ledger at a URL, its lake (None: not its files), by so many processes; `kept` are
    heads of it, which `quorum` of some `witnesses` must have cosigned. Events up to `since` are taken as they lie
    there; where that is a checkpoint, its root is held against them.
    """

    store: Store
    url: str
    lake: Lake | None
    kept: Sequence[Kept] = ()
    witnesses: Sequence[VerifierKey] = ()
    quorum: int = 0
    since: int = 0
    from_head: Checkpoint | None = None
    workers: int | None = None


@dataclass(slots=True)
class Verdict:
    """What was looked at, what is not right, and what could not be judged. `root` is over the entries that are there;
    `sealed` is the size of the newest head that holds, `cosigned` that of the newest of these that as many witnesses as
    must have cosigned.
    """

    ledger: str
    size: int
    since: int = 0
    root: bytes = b""
    sealed: int | None = None
    cosigned: int | None = None
    heads: int = 0
    files: int | None = None
    given_up: int = 0
    erased: int = 0
    findings: list[Finding] = field(default_factory=list)
    unjudged: list[Unjudged] = field(default_factory=list)


def verified(wanted: Wanted) -> Verdict:
    """A ledger and its lake, verified. Raises: `StoreFault` where nothing of the ledger can be read."""
    verdict = Verdict(wanted.store.ledger, size_of(wanted.store))
    whole = Whole(verdict.size, Earlier(wanted.store, begun_at(min(wanted.since, verdict.size))))
    verdict.since = whole.earlier.upto
    heads = Heads(wanted.store, whole, wanted.witnesses, wanted.quorum)
    found = list(capped(joined(_checks(wanted, whole, verdict))))
    found += heads.judge(wanted.kept)
    verdict.findings = [heads.explained(one) for one in found]
    verdict.root = roots_at(wanted.store, whole, whole.size)[0]
    verdict.sealed, verdict.cosigned, verdict.heads = heads.said.holds, heads.said.cosigned, heads.said.checked
    verdict.unjudged = few([*verdict.unjudged, *heads.said.unjudged])
    return verdict


def _checks(wanted: Wanted, whole: Whole, verdict: Verdict) -> Iterator[Finding]:
    store = wanted.store
    is_file = sqlite_path(wanted.url) is not None
    if is_file:
        yield from _read("the guards", guards.sqlite_guards(store))
        yield from _read("the snapshots", guards.sqlite_planted(store))
    else:
        yield from _read("the guards", postgresql_guards(store))
    yield from _read("the events", _events(wanted, whole, verdict))
    yield from _read("the tiles", tiles_above(store, whole))
    yield from _read("the events before", _since(wanted, whole))
    if is_file and not whole.earlier.upto:
        yield from _read("the indexes", sqlite_indexes(store, whole))
    for (topic, v), count in whole.unknown.items():
        why = "this release does not know them, nor what rules they follow: a newer one does"
        verdict.unjudged.append(Unjudged(f"{count} events {topic} v{v}", why))
    if wanted.lake is not None:
        yield from _markers(store, wanted.lake, verdict)


def _read(what: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    """The findings of a check; and that it could not go on, where the database is damaged."""
    slow.doing(f"hash and judge {what}")
    slow.detail(f"{what} are judged")
    try:
        yield from findings
    except EnvironmentFault as fault:
        yield Finding(UNREADABLE, f"{what}: {fault.message}")


def _events(wanted: Wanted, whole: Whole, verdict: Verdict) -> Iterator[Finding]:
    rules, files = Rules(whole.earlier), None
    if wanted.lake is not None:
        files = files_of(wanted.store, wanted.lake)
    try:
        for part in parts(wanted.store, wanted.url, whole, wanted.workers, files=files is not None):
            slow.doing(
                f"the events, {part.task.last:,} of {whole.size:,}" + (f", {files.checked:,} files" if files else "")
            )
            yield from part.findings
            yield from put(part, whole)
            yield from _known(rules.hear(part), whole)
            if files is not None:
                yield from files.hear(part.files)
        yield from _known(rules.finish(), whole)
        yield from shown_to(wanted.store, whole, rules.shown)
        if files is not None:
            yield from files.finish()
    finally:
        if files is not None:
            files.close()
            verdict.files, verdict.given_up, verdict.erased = files.checked, files.given_up, files.erased
            verdict.unjudged += files.unjudged


def _known(findings: Iterator[Finding], whole: Whole) -> Iterator[Finding]:
    """What rules find, as long as all events are known: beside others they may mean something else."""
    for one in findings:
        if not whole.unknown:
            yield one


def _markers(store: Store, lake: Lake, verdict: Verdict) -> Iterator[Finding]:
    """What the lake knows of its ledger: each publication left a marker there."""
    try:
        found = problem(store, lake, blind=False)
    except BrokenLedgerError:
        return  # the event that a marker is of is not sound: that was told
    except (EnvironmentFault, OSError) as error:
        verdict.unjudged.append(Unjudged(f"the markers in {lake.name}", str(error)))
        return
    if isinstance(found, BehindError):
        yield Finding(TRUNCATED, found.message, file=lake.name)
    elif isinstance(found, ForkedError | StrangersError | OtherLedgerError):
        yield Finding(SPLIT_VIEW, found.message, file=lake.name)


def _since(wanted: Wanted, whole: Whole) -> Iterator[Finding]:
    """The events that were not hashed again, by their tiles, against the checkpoint that vouches for them; and whether
    all are there that somebody vouches for."""
    head = wanted.from_head
    if head is None and wanted.since > whole.size:
        detail = f"the ledger ends at {whole.size}, and {wanted.since} events were vouched for: it was cut, or is older"
        yield Finding(TRUNCATED, detail, whole.size + 1, wanted.since)
    if head is not None and head.size <= whole.size and roots_at(wanted.store, whole, head.size)[0] != head.root:
        detail = f"the first {head.size} events, by their tiles, have another root than the checkpoint says"
        yield Finding(SPLIT_VIEW, detail, 1, head.size)
