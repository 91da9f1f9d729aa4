"""Events as the stories of the domain tell them, with the values that do not matter filled in."""

from __future__ import annotations

from datetime import date
from typing import Any

from tests.kit.given import Fact
from tradex_ledger.domain import run_events as run
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.dataset import Dataset
from tradex_ledger.domain.day import day_of, start_of
from tradex_ledger.domain.facts import Facts
from tradex_ledger.domain.incremental import IncrementalRun
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.domain.partition import Begun, Candidate, PartitionVersion
from tradex_ledger.domain.pipeline_state import PipelineState
from tradex_ledger.domain.plan import Plan, Window, plan_digest
from tradex_ledger.domain.policy import Policy
from tradex_ledger.domain.remark import NO_REMARK
from tradex_ledger.domain.request import Request
from tradex_ledger.domain.signed import decision_facts
from tradex_ledger.domain.signing import NO_KNOWLEDGE

REASON = "X API outage 3-4 Jan, INC-4211"
FINGERPRINT, OTHER_FINGERPRINT = "a" * 64, "b" * 64
EXECUTOR = {"host": "vm", "pid": 7, "version": "1", "duckdb": "2", "pyarrow": "20"}
JAN_1, JAN_8 = start_of(day_of("2024-01-01")), start_of(day_of("2024-01-08"))

TODAY = date(2024, 1, 10)
ORDER: dict[str, Any] = {
    "kind": "temporal",
    "dataset": "bronze_x_posts",
    "first": date(2024, 1, 3),
    "last": date(2024, 1, 4),
    "override_state": False,
    "reason": f"  {REASON.replace(' ', '   ', 1)} ",
}


def request(**changes: Any) -> dict[str, Any]:
    """What a request says."""
    return {
        "kind": "temporal",
        "dataset": "bronze_x_posts",
        "first": "2024-01-03",
        "last": "2024-01-04",
        "layers": ["bronze", "silver", "gold"],
        "mode": "backfill",
        "override_state": False,
        "state_use": "ignore",
        "cursor": None,
        "reason": REASON,
        "ticket": None,
        "priority": "low",
        "review": False,
        "allow_overlap": [],
        "group": None,
        **changes,
    }


def submitted(
    run_id: str = "bf-1",
    *,
    today: date = date(2024, 1, 10),
    by: str = "ana",
    policy: Policy | None = None,
    **asked: Any,
) -> Backfill:
    """A request of everything downstream of Bronze, made on a day in January."""
    order, layers = Request(**asked), ["gold", "bronze", "silver"]
    return Backfill.submit(run_id, order, layers=layers, today=day_of(today), by=by, policy=policy or Policy())


def window(dataset: str = "silver_social_events", layer: str = "silver", **changes: Any) -> Window:
    """Two days of Silver, unless told otherwise."""
    found: Facts = {
        "dataset": dataset,
        "layer": layer,
        "logic_version": 1,
        "first": "2024-01-03",
        "last": "2024-01-04",
        "partitions": 2,
        **changes,
    }
    return Window.from_event(found)


def exactly(count: int) -> dict[str, int]:
    """An estimate that knows."""
    return {"low": count, "likely": count, "high": count}


def plan(*windows: Window, asked: dict[str, Any] | None = None, **changes: Any) -> Plan:
    """A plan with its digest; of two days of Silver and for a temporal request, unless told otherwise."""
    made: Facts = {
        "base": 20,
        "windows": [one.to_event() for one in windows or (window(),)],
        "definitions": {"silver_social_events": {"logic_version": 1, "fingerprint": FINGERPRINT}},
        "estimate": {"rows": exactly(10), "bytes": exactly(100), "seconds": exactly(1), "source_calls": None},
        "policy_digest": "c" * 64,
        "source": None,
        **changes,
    }
    return Plan.from_event({**made, "digest": plan_digest(asked or request(), made)})


DIGEST = plan().digest


def requested(**changes: Any) -> Fact:
    return Fact(Backfill.Requested, "ana", request(**changes))


def planned(*windows: Window, **changes: Any) -> Fact:
    return Fact(Backfill.Planned, "ana", plan(*windows, **changes).to_event())


def approved(
    digest: str = DIGEST, *, by: str = "ben", rule: str | None = None, policy: Policy | None = None, partitions: int = 2
) -> Fact:
    judged = {"partitions": partitions, "rows": 10, "source_calls": None} if rule else None
    facts = {"plan_digest": digest, "policy_digest": (policy or Policy()).digest, "rule": rule, "judged": judged}
    return Fact(Backfill.Approved, by, {**facts, **decision_facts(NO_KNOWLEDGE), **NO_REMARK.to_event()})


def rejected(policy: Policy | None = None) -> Fact:
    facts = {"plan_digest": DIGEST, "policy_digest": (policy or Policy()).digest, "reason": REASON}
    return Fact(Backfill.Rejected, "ben", {**facts, **decision_facts(NO_KNOWLEDGE)})


def cancelled() -> Fact:
    return Fact(Backfill.Cancelled, "ben", {"reason": REASON})


def expired(days: int = 30) -> Fact:
    return Fact(Backfill.Expired, "ben", {"days": days})


def paused() -> Fact:
    return Fact(Backfill.Paused, "ben", {"reason": REASON})


def resumed() -> Fact:
    return Fact(Backfill.Resumed, "ben", {})


def reverted(*datasets: str) -> Fact:
    return Fact(Backfill.Reverted, "ben", {"reason": REASON, "datasets": list(datasets)})


def held(candidates: str, why: str = "review was asked for", anomalies: int = 0) -> Fact:
    return Fact(run.Held, "driver", {"why": why, "candidates": candidates, "anomalies": anomalies})


def released(candidates: str) -> Fact:
    return Fact(run.Released, "ben", {"candidates": candidates, "reason": REASON})


def bf_failed() -> Fact:
    return Fact(Backfill.Failed, "driver", {"errors": {}, "reason": "the disk is full"})


def totals(**changes: int) -> dict[str, int]:
    names = ["partitions", "rows", "bytes", "appended_rows", "appended_bytes", "written", "identical", "reused"]
    return {**dict.fromkeys(names, 0), **changes}


def completed(**changes: int) -> Fact:
    return Fact(Backfill.Completed, "driver", {"totals": totals(**changes)})


def layer_started(layer: str = "bronze", attempt: int = 1) -> Fact:
    facts = {"layer": layer, "attempt": attempt, "executor": EXECUTOR, "extraction": None}
    return Fact(run.LayerStarted, "driver", facts)


def layer_completed(layer: str = "bronze", **changes: Any) -> Fact:
    facts = {"layer": layer, "partitions": 0, "rows": 0, "bytes": 0, "duration_ms": 5, "source": None}
    return Fact(run.LayerCompleted, "driver", {**facts, **changes})


def layer_failed(layer: str = "bronze", attempt: int = 1) -> Fact:
    facts = {"layer": layer, "attempt": attempt, "error": "disk-full", "message": "the disk is full"}
    return Fact(run.LayerFailed, "driver", {**facts, "dataset": None, "partition": None})


def file(rows: int = 3, size: int = 30) -> dict[str, Any]:
    return {"path": "some/file.parquet", "bytes": size, "rows": rows, "sha256": "d" * 64}


def batch(partition: str = "2024-01-03", rows: int = 3, **changes: Any) -> Fact:
    facts: dict[str, Any] = {"dataset": "bronze_x_posts", "layer": "bronze", "partition": partition}
    facts["files"] = [file(rows)]
    facts |= {
        "rows": rows,
        "bytes": 30,
        "dropped": 1,
        "logic_version": 1,
        "cursor": "2024-01-05T00:00:00.000000Z",
        **changes,
    }
    return Fact(run.BatchAppended, "driver", facts)


def candidate(partition: str, **changes: Any) -> Candidate:
    """One rebuilt partition, as a driver hands it over."""
    facts = candidate_facts(partition, **changes)
    files = tuple(map(LakeFile.of, facts["files"]))
    numbers = (facts["rows"], facts["bytes"])
    version = PartitionVersion(facts["logic_version"], files, *numbers, facts["inputs"], outcome=facts["outcome"])
    rest = (facts["previous_rows"], facts["base"], facts["duration_ms"])
    begun = Begun(facts["began_at"], facts["worker"]) if facts["worker"] else None
    return Candidate(day_of(partition), facts["layer"], version, *rest, begun)


def candidate_facts(partition: str, **changes: Any) -> Facts:
    """The same as its event has it."""
    facts = {"layer": "silver", "logic_version": 1, "partition": partition, "files": [file()], "rows": 3}
    facts |= {"bytes": 30, "previous_rows": None, "outcome": "written", "base": 20, "inputs": "e" * 64}
    return {**facts, "duration_ms": 4, "began_at": None, "worker": None, **changes}


def rebuilt(partition: str, dataset: str = "silver_social_events", **changes: Any) -> Fact:
    return Fact(run.PartitionRebuilt, "driver", {"dataset": dataset, **candidate_facts(partition, **changes)})


def extended(*windows: Window) -> Fact:
    return Fact(
        run.PlanExtended, "driver", {"base": 30, "windows": [one.to_event() for one in windows], "reason": "newer days"}
    )


def published(*datasets: dict[str, Any]) -> Fact:
    return Fact(run.Published, "driver", {"base": 40, "datasets": list(datasets)})


def driven_to_publication() -> tuple[Fact, ...]:
    """A backfill of which everything that was planned is built."""
    return (*(requested(), planned(), approved()), *built())


def built() -> tuple[Fact, ...]:
    """What comes between the approval and the publication."""
    return (
        *(layer_started(), layer_completed()),
        *(layer_started("silver"), rebuilt("2024-01-03"), rebuilt("2024-01-04", outcome="identical")),
        *(layer_completed("silver", partitions=2, rows=6, bytes=60), layer_started("gold"), layer_completed("gold")),
    )


SUMMARY = {
    **{"dataset": "silver_social_events", "logic_version": 1, "partitions": 2, "rows": 6, "bytes": 60},
    **{"written": 1, "identical": 1, "reused": 0},
}


def started(cursor_from: str | None = JAN_1, cursor_to: str = JAN_8, pipeline: str = "x") -> Fact:
    facts = {"pipeline": pipeline, "cursor_from": cursor_from, "cursor_to": cursor_to}
    return Fact(IncrementalRun.Started, "ana", facts)


FORCED = request(
    kind="forced", override_state=True, state_use="override", cursor=JAN_1, ticket="INC-4300", priority="high"
)
FORCED_DIGEST = plan(asked=FORCED).digest


def forced(up_to: str = "RUNNING", *, approver: str = "ben", **changes: Any) -> tuple[Fact, ...]:
    """A forced backfill that declares the state, up to a status; RUNNING is before its publication."""
    asked = {**FORCED, **changes}
    digest = plan(asked=asked).digest
    waits = (Fact(Backfill.Requested, "ana", asked), planned(asked=asked))
    if up_to == "PLANNED":
        return waits
    ready = (*waits, approved(digest, by=approver))
    return ready if up_to == "APPROVED" else (*ready, *built())


def state_overridden(policy_digest: str, before: str | None = JAN_8) -> Fact:
    facts = {"pipeline": "x", "cursor_before": before, "cursor": JAN_1, "requested_by": "ana", "approved_by": "ben"}
    facts |= {"ticket": "INC-4300", "plan_digest": FORCED_DIGEST, "policy_digest": policy_digest, "host": "vm"}
    return Fact(Backfill.StateOverridden, "driver", facts)


def succeeded() -> Fact:
    return Fact(IncrementalRun.Succeeded, "driver", {"totals": totals()})


def run_failed() -> Fact:
    return Fact(IncrementalRun.Failed, "driver", {"errors": {}, "reason": "the disk is full"})


def empty_run_published(**cursors: Any) -> tuple[Fact, ...]:
    """An incremental run that found nothing, up to its publication."""
    layers = ("bronze", "silver", "gold")
    steps = [fact for la in layers for fact in (layer_started(la), layer_completed(la))]
    return (started(**cursors), *steps, published())


def opened(cursor: str | None = JAN_1) -> Fact:
    return Fact(PipelineState.Opened, "ana", {"pipeline": "x", "cursor": cursor})


def registered(component: str | None = None) -> Fact:
    facts = {"name": "silver_x", "pipeline": "x", "layer": "silver", "partition_column": "event_date"}
    return Fact(Dataset.Registered, "ana", {**facts, "component": component})


def logic(fingerprint: str = FINGERPRINT, definition: str = "select 1") -> dict[str, Any]:
    """The facts of a definition."""
    return {
        "fingerprint": fingerprint,
        "definition": definition,
        "references": [{"name": "lexicon", "text": "word,weight\n"}],
        "key": ["id"],
        "columns": [{"name": "id", "type": "BIGINT"}],
        "reads": [{"dataset": "bronze_x_posts", "first": 0, "last": 0}],
        "engine": "duckdb 2.0.0",
        "scheme": "tokens-1",
        "reader": None,
    }


def versioned(version: int = 1, **changes: Any) -> Fact:
    facts = {"logic_version": version, "component": None, "reason": "first version", "indirect": None}
    return Fact(Dataset.LogicVersioned, "ana", {**facts, **logic(), **changes})


def submit(**changes: Any) -> Backfill:
    """A backfill that was requested, as `ORDER` says, and not saved yet."""
    return submitted(**{**ORDER, **changes})
