"""The projections once more, as a plain fold over the entries: slow, short, and sharing nothing with the SQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from tradex_ledger.ledger.entry import Entry

STATUS = {
    "backfill.requested": "REQUESTED",
    "backfill.planned": "PLANNED",
    "backfill.approved": "APPROVED",
    "backfill.rejected": "REJECTED",
    "backfill.cancelled": "CANCELLED",
    "backfill.expired": "EXPIRED",
    "backfill.paused": "PAUSED",
    "backfill.resumed": "APPROVED",
    "backfill.reverted": "REVERTED",
    "backfill.failed": "FAILED",
    "backfill.completed": "SUCCESS",
    "incremental_run.started": "APPROVED",
    "incremental_run.failed": "FAILED",
    "incremental_run.cancelled": "CANCELLED",
    "incremental_run.succeeded": "SUCCESS",
    "run.layer_started": "RUNNING",
    "run.held": "HELD",
    "run.released": "APPROVED",
}

Key = tuple[str, int | None, date]


def moment(at: str) -> datetime:
    """A stored time as DuckDB gives it back: UTC, without a zone."""
    return datetime.fromisoformat(at).replace(tzinfo=None)


def _day_in(said: str | None, before: int) -> date | None:
    """A day as it is, or, of a time, that of so many microseconds before."""
    if said is None or len(said) == len("YYYY-MM-DD"):
        return date.fromisoformat(said) if said else None
    return (moment(said) - timedelta(microseconds=before)).date()


def fold_partitions(entries: Iterable[Entry]) -> dict[Key, dict[str, Any]]:
    """The current version of each partition: (dataset, logic version where it has a component, day) → facts.

    A run that was reverted counts as if it had never published.
    """
    entries = list(entries)
    reverted = {entry.stream for entry in entries if entry.topic == "backfill.reverted"}
    components: dict[str, str | None] = {}
    candidates: dict[str, dict[tuple[str, str], Entry]] = {}
    current: dict[Key, dict[str, Any]] = {}
    for entry in entries:
        data = entry.data
        if entry.topic == "dataset.registered":
            components[data["name"]] = data["component"]
        elif entry.topic == "run.partition_rebuilt":
            candidates.setdefault(entry.stream, {})[data["dataset"], data["partition"]] = entry
        elif entry.topic == "run.published" and entry.stream not in reverted:
            for (name, day), built in candidates.get(entry.stream, {}).items():
                version = built.data["logic_version"] if components[name] else None
                current[name, version, date.fromisoformat(day)] = _built(built, entry)
        elif entry.topic == "run.batch_appended":
            key = (data["dataset"], None, date.fromisoformat(data["partition"]))
            current[key] = _appended(current.get(key), entry)
    for entry in entries:
        for file in entry.data["files"] if entry.topic == "dataset.files_erased" else ():
            _erase(current.values(), file)
    lost = {file["path"] for entry in entries if entry.topic == "dataset.files_lost" for file in entry.data["files"]}
    for facts in current.values() if lost else ():
        if facts["layer"] == "bronze" and any(file["path"] in lost for file in facts["files"]):
            gone = [file for file in facts["files"] if file["path"] in lost]
            facts["files"] = [file for file in facts["files"] if file["path"] not in lost]
            for count in ("rows", "bytes"):
                facts[count] -= sum(file[count] for file in gone)
    return current


def _erase(partitions: Iterable[dict[str, Any]], file: dict[str, Any]) -> None:
    """Have what is left of a file stand in its place."""
    left = [file["into"]] if file["into"] else []
    for facts in partitions:
        if file["path"] in [one["path"] for one in facts["files"]]:
            facts["files"] = [new for one in facts["files"] for new in (left if one["path"] == file["path"] else [one])]
            for count in ("rows", "bytes"):
                facts[count] = sum(one[count] for one in facts["files"])


def _built(entry: Entry, published: Entry) -> dict[str, Any]:
    names = ("layer", "logic_version", "outcome", "rows", "bytes", "files", "inputs")
    facts = {name: entry.data[name] for name in names}
    return {
        **facts,
        "run_id": entry.stream,
        "position": entry.position,
        "published_position": published.position,
        "published_at": moment(published.at),
    }


def _appended(before: dict[str, Any] | None, entry: Entry) -> dict[str, Any]:
    old = before or {"rows": 0, "bytes": 0, "files": []}
    return {
        "layer": "bronze",
        "logic_version": None,
        "outcome": "appended",
        "rows": old["rows"] + entry.data["rows"],
        "bytes": old["bytes"] + entry.data["bytes"],
        "files": [*old["files"], *entry.data["files"]],
        "inputs": None,
        "run_id": entry.stream,
        "position": entry.position,
        "published_position": entry.position,
        "published_at": moment(entry.at),
    }


def fold_pipeline_states(entries: Iterable[Entry]) -> dict[str, dict[str, Any]]:
    """Where each pipeline's cursor stands."""
    states: dict[str, dict[str, Any]] = {}
    for entry in entries:
        if entry.stream.startswith("pipeline-"):
            states[entry.stream.removeprefix("pipeline-")] = {
                "cursor": entry.data["cursor"],
                "last_move": entry.topic.partition(".")[2],
                "caused_by": entry.data.get("run"),
                "by": entry.by,
                "moved_at": moment(entry.at),
                "position": entry.position,
            }
    return states


def fold_runs(entries: Iterable[Entry]) -> dict[str, dict[str, Any]]:
    """Each run with its status and what it has done so far."""
    by_run: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.stream.startswith(("bf-", "run-")):
            by_run.setdefault(entry.stream, []).append(entry)
    return {run: _run(events) for run, events in by_run.items()}


def _run(events: list[Entry]) -> dict[str, Any]:
    born, data = events[0], events[0].data
    last_of = {entry.topic: entry for entry in events}
    built = {(e.data["dataset"], e.data["partition"]): e.data for e in events if e.topic == "run.partition_rebuilt"}
    windows = [
        window
        for entry in events
        if entry.topic in ("backfill.planned", "run.plan_extended")
        for window in entry.data["windows"]
    ]
    outcomes = Counter(facts["outcome"] for facts in built.values())
    starts = [entry for entry in events if entry.topic == "run.layer_started"]
    approved, published = last_of.get("backfill.approved"), last_of.get("run.published")
    failed = last_of.get("run.layer_failed")
    return {
        "status": [STATUS[entry.topic] for entry in events if entry.topic in STATUS][-1],
        "kind": data.get("kind", "incremental"),
        "subject": data.get("dataset") or data.get("pipeline"),
        "range_from": data.get("first") or data.get("cursor_from"),
        "range_to": data.get("last") or data.get("cursor_to"),
        "first_day": _day_in(data.get("first") or data.get("cursor_from"), 0),
        "last_day": _day_in(data.get("last") or data.get("cursor_to"), 1),
        "reason": data.get("reason"),
        "override_state": data.get("override_state"),
        "requested_by": born.by,
        "requested_at": moment(born.at),
        "approved_by": approved.by if approved else None,
        "approved_rule": approved.data["rule"] if approved else None,
        "approved_at": moment(approved.at) if approved else None,
        "started_at": moment(starts[0].at) if starts else None,
        "layer": starts[-1].data["layer"] if starts else None,
        "attempts": max((entry.data["attempt"] for entry in starts), default=0),
        "planned_partitions": sum(window["partitions"] for window in windows),
        "datasets": sorted({window["dataset"] for window in windows}),
        "built_partitions": len(built),
        **{name: outcomes[name] for name in ("written", "identical", "reused")},
        "rows": sum(facts["rows"] for facts in built.values()),
        "bytes": sum(facts["bytes"] for facts in built.values()),
        "appended_rows": sum(e.data["rows"] for e in events if e.topic == "run.batch_appended"),
        "errors_by_stage": dict(Counter(e.data["layer"] for e in events if e.topic == "run.layer_failed")),
        "last_error": failed.data["message"] if failed else None,
        "published_position": published.position if published else None,
        "position": born.position,
    }
