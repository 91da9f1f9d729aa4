"""What a report tells, taken from the events of a run: each fact as the events have it, none worked out elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from tradex_ledger import lifecycle
from tradex_ledger.audit.evidence import lacking
from tradex_ledger.audit.report_words import Fact, day, days, long, moment, named, text_of
from tradex_ledger.domain.facts import facts_of
from tradex_ledger.ledger.entry import parse_time

if TYPE_CHECKING:
    from tradex_ledger.audit.bundle import Subject
    from tradex_ledger.ledger.entry import Entry

_REBUILT, _APPENDED, _VERSIONED = "run.partition_rebuilt", "run.batch_appended", "dataset.logic_versioned"
_BEGINS = ("backfill.requested", "incremental_run.started")
_DECISIONS = {
    "backfill.approved": "approved",
    "backfill.rejected": "rejected",
    "backfill.expired": "expired",
    "run.released": "released",
    "backfill.reverted": "taken back",
}
_STEPS = {
    "backfill.requested": "asked for",
    "incremental_run.started": "begun",
    **_DECISIONS,
    "backfill.paused": "paused",
    "backfill.resumed": "resumed",
    "run.layer_failed": "an attempt failed",
    "backfill.failed": "failed",
    "incremental_run.failed": "failed",
    "run.held": "held",
    "run.published": "published",
    "backfill.completed": "completed",
    "incremental_run.succeeded": "completed",
    "backfill.cancelled": "cancelled",
    "incremental_run.cancelled": "cancelled",
}
_FIRST = ("reason", "ticket", "kind", "dataset", "first", "last", "layers", "override_state", "cursor")
"""What of a request is told first."""


class _Begun(NamedTuple):
    began_at: str | None = None
    worker: str | None = None


def leaf(entry: bytes) -> str:
    """The hash of an entry as a leaf (RFC 9162, 2.1.1), in hex."""
    return sha256(b"\x00" + entry).hexdigest()


def facts(subject: Subject, entries: Sequence[Entry]) -> Fact:
    """All that a report says of a run, by the names that its template has for it."""
    own = [entry for entry in entries if entry.stream == subject.run]
    first = own[0]
    data = first.data
    plan = next((entry for entry in own if entry.topic == "backfill.planned"), None)
    return {
        "run": subject.run,
        "ledger": subject.ledger,
        "title": text_of(data.get("reason")) or f"Incremental run until {day(data.get('cursor_to'))}",
        "status": _status(own),
        "kind": f"{data['kind']} backfill" if "kind" in data else "incremental run",
        "subject": text_of(data.get("dataset") or data.get("pipeline")),
        "range": _range(data),
        "asked": {"by": first.by, "at": moment(first.at)},
        "request": _request(first),
        "plan": _plan(plan) if plan else [],
        "windows": list(_windows(own)),
        "decided": [_decision(entry) for entry in own if entry.topic in _DECISIONS],
        "built": list(_built(own)),
        "costs": _costs(plan, own),
        "steps": list(_steps(own)),
        "events": list(_events(subject.run, entries)),
        "definitions": [_definition(entry) for entry in entries if entry.topic == _VERSIONED],
        "policies": [
            Fact(digest=entry.data.get("digest"), position=entry.position, text=entry.data["text"])
            for entry in entries
            if entry.topic in ("policy.recorded", "policy.set") and entry.data.get("text")
        ],
        "keys": [str(entry.data.get("key")) for entry in entries if entry.topic == "seal.key_announced"],
        "lacking": ", ".join(lacking(subject.run, entries)),
    }


def _range(data: Mapping[str, Any]) -> str:
    if "first" in data:
        return days(data.get("first"), data.get("last"))
    return f"created from {day(data.get('cursor_from'))} until {day(data.get('cursor_to'))} (excluded)"


def _status(own: Sequence[Entry]) -> str:
    known = {step.topic: step.status for step in lifecycle.steps()}
    return next((known[entry.topic] for entry in reversed(own) if entry.topic in known), "")


def _request(first: Entry) -> list[tuple[str, str]]:
    ordered = {name: first.data[name] for name in _FIRST if name in first.data} | first.data
    return [*named(ordered), ("position", str(first.position))]


def _plan(plan: Entry) -> list[tuple[str, str]]:
    return [*named(plan.data, "windows", "estimate"), ("position", str(plan.position))]


def _windows(own: Sequence[Entry]) -> Iterator[Fact]:
    for entry in own:
        if entry.topic not in ("backfill.planned", "run.plan_extended"):
            continue
        came = "with the plan" if entry.topic == "backfill.planned" else f"at position {entry.position}"
        for window in entry.data.get("windows", ()):
            yield Fact(
                dataset=text_of(window.get("dataset")),
                layer=text_of(window.get("layer")),
                version=text_of(window.get("logic_version")),
                days=days(window.get("first"), window.get("last")),
                partitions=text_of(window.get("partitions")),
                came=came,
            )


def _decision(entry: Entry) -> Fact:
    is_signed = bool(entry.data.get("signature"))
    signed = [("signed", "yes: the signature is among the evidence")] if is_signed else []
    return Fact(
        what=_DECISIONS[entry.topic],
        by=entry.by,
        at=moment(entry.at),
        position=entry.position,
        rule=entry.data.get("rule"),
        facts=[*named(entry.data), *signed],
    )


def _built(own: Sequence[Entry]) -> Iterator[Fact]:
    """By dataset what was built: of each partition the last that the run made of it; of Bronze all that it appended."""
    made: dict[tuple[str, str], Entry] = {}
    batches: dict[str, list[Entry]] = {}
    for entry in own:
        if entry.topic == _REBUILT:
            made[text_of(entry.data.get("dataset")), text_of(entry.data.get("partition"))] = entry
        elif entry.topic == _APPENDED:
            batches.setdefault(text_of(entry.data.get("dataset")), []).append(entry)
    for dataset, found in batches.items():
        yield _row(dataset, "bronze", "", found, f"{len(found)} appended", "")
    by_dataset: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in made.values():
        dataset, layer, version = (text_of(entry.data.get(name)) for name in ("dataset", "layer", "logic_version"))
        key = (dataset, layer, version)
        by_dataset.setdefault(key, []).append(entry)
    for (dataset, layer, version), found in by_dataset.items():
        outcomes = [text_of(entry.data.get("outcome")) for entry in found]
        told = ", ".join(f"{outcomes.count(name)} {name}" for name in dict.fromkeys(outcomes))
        before = sum(entry.data.get("previous_rows") or 0 for entry in found)
        yield _row(dataset, layer, version, found, told, str(before))


def _row(dataset: str, layer: str, version: str, found: Sequence[Entry], outcomes: str, before: str) -> Fact:
    there = sorted({text_of(entry.data.get("partition")) for entry in found})
    return Fact(
        dataset=dataset,
        layer=layer,
        version=version,
        days=days(there[0], there[-1]),
        count=len(there),
        outcomes=outcomes,
        rows=sum(entry.data.get("rows", 0) for entry in found),
        before=before,
        files=sum(len(entry.data.get("files") or ()) for entry in found),
    )


def _costs(plan: Entry | None, own: Sequence[Entry]) -> list[Fact]:
    """What the plan expected beside what the events say."""
    estimate = (plan.data.get("estimate") if plan else None) or {}
    built = [entry.data for entry in own if entry.topic == _REBUILT]
    work = sum(entry.data.get("duration_ms") or 0 for entry in own if entry.topic == "run.layer_completed")
    actual = {
        "rows": sum(data.get("rows", 0) for data in built),
        "bytes": sum(data.get("bytes", 0) for data in built),
        "seconds": f"{work // 1000}.{work % 1000 // 100}",
    }
    return [
        Fact(name=name, low=of["low"], likely=of["likely"], high=of["high"], actual=actual[name])
        for name in actual
        if isinstance(of := estimate.get(name), dict) and of.keys() >= {"low", "likely", "high"}
    ]


def _steps(own: Sequence[Entry]) -> Iterator[Fact]:
    """The steps of its life, each with how long that was after the one before."""
    before: datetime | None = None
    is_taken = False
    for entry in own:
        step = _STEPS.get(entry.topic)
        if entry.topic == "run.layer_started" and not is_taken:
            step, is_taken = "taken up", True
        if step is None:
            continue
        at = parse_time(entry.at)
        yield Fact(step=step, at=moment(entry.at), by=entry.by, after="" if before is None else long(at - before))
        before = at


def _events(run: str, entries: Sequence[Entry]) -> Iterator[Fact]:
    """The run's events and those that name it; what was built of one dataset in one save is one line."""
    for (topic, _, _), found in groupby(told_of(run, entries), key=_saved_with):
        some = list(found)
        first, last = some[0], some[-1]
        yield Fact(
            position=first.position if len(some) == 1 else f"{first.position}–{last.position}",
            at=moment(first.at),
            by=first.by,
            topic=topic,
            stream="" if first.stream == run else first.stream,
            said=_folded(some) if len(some) > 1 else "; ".join(f"{name} {text}" for name, text in named(first.data)),
        )


def told_of(run: str, entries: Sequence[Entry]) -> list[Entry]:
    """The run's events, and those that name it."""
    return [entry for entry in entries if entry.stream == run or _names(entry, run)]


def _names(entry: Entry, run: str) -> bool:
    return entry.data.get("run") == run and entry.topic != _VERSIONED


def _saved_with(entry: Entry) -> tuple[str, str, object]:
    """What is alike in events that are told in one line."""
    if entry.topic in (_REBUILT, _APPENDED):
        return entry.topic, entry.at, entry.data.get("dataset")
    return entry.topic, entry.at, entry.position


def _folded(some: Sequence[Entry]) -> str:
    data = [entry.data for entry in some]
    return f"{built(data)}{_begun(data)}"


def built(data: Sequence[Mapping[str, Any]]) -> str:
    """What was built of one dataset, or appended to it."""
    there = [text_of(one.get("partition")) for one in data]
    outcomes = [text_of(one.get("outcome", "appended")) for one in data]
    told = ", ".join(f"{outcomes.count(name)} {name}" for name in dict.fromkeys(outcomes))
    rows = sum(one.get("rows", 0) for one in data)
    return f"{data[0].get('dataset')} {days(min(there), max(there))}: {told}, {rows} rows"


def _begun(data: Sequence[Mapping[str, Any]]) -> str:
    """Since when who built that, where the events say so."""
    begun = sorted({(said.began_at, text_of(said.worker)) for one in data if (said := facts_of(_Begun, one)).began_at})
    workers = ", ".join(dict.fromkeys(worker for _, worker in begun))
    return f"; begun {moment(text_of(begun[0][0]))} by {workers}" if begun else ""


def _definition(entry: Entry) -> Fact:
    return Fact(
        dataset=entry.stream.removeprefix("dataset-"),
        version=entry.data.get("logic_version"),
        position=entry.position,
        by=entry.by,
        reason=text_of(entry.data.get("reason")),
        text=text_of(entry.data.get("definition")),
    )
