"""A plan as a document: what would be rebuilt, why, what that is expected to cost, and who has to allow it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tradex_ledger.audit.documents.form import HIDDEN, SPREAD
from tradex_ledger.domain.approval import Approval
from tradex_ledger.domain.day import iso
from tradex_ledger.domain.facts import Facts
from tradex_ledger.domain.layers import LAYERS
from tradex_ledger.domain.plan import ASKED, Edge, Estimate, Plan, Window
from tradex_ledger.domain.request import RecordedRequest


@dataclass(frozen=True, slots=True)
class Move:
    """Where a backfill that declares it puts the state: from where it stands (or stood), to the cursor asked for."""

    pipeline: str
    cursor_before: str | None
    cursor_after: str


@dataclass(frozen=True, slots=True)
class Share:
    """What a plan holds of one dataset, windows added up; Bronze that was asked for is fetched, and has none."""

    dataset: str
    layer: str
    logic_version: int | None
    first: str
    last: str
    partitions: int | None
    windows: int | None


@dataclass(frozen=True, slots=True)
class PlanDocument:
    """A request with its plan before it is recorded, or just then; `state` is None unless it moves the state."""

    request: RecordedRequest
    plan: Plan
    edges: list[Edge]
    by_dataset: list[Share]
    approval: Approval
    state: Move | None
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class PlanOnRecord:
    """A plan as its event has it, without its windows."""

    facts: Facts = field(metadata=SPREAD)
    base: int = field(metadata=HIDDEN)
    digest: str = field(metadata=HIDDEN)
    policy_digest: str = field(metadata=HIDDEN)
    estimate: Estimate = field(metadata=HIDDEN)
    state_read: str | None = field(metadata=HIDDEN)

    @staticmethod
    def of(planned: Facts) -> PlanOnRecord:
        """Of what `backfill.planned` says."""
        facts = {name: value for name, value in planned.items() if name != "windows"}
        named = {name: facts[name] for name in ("base", "digest", "policy_digest")}
        estimate = Estimate.from_event(facts["estimate"])
        return PlanOnRecord(facts=facts, estimate=estimate, state_read=facts.get("state_read"), **named)


def shares(windows: Iterable[Window], first: str, last: str, edges: Sequence[Edge]) -> list[Share]:
    """The windows of a plan for the days first..last added up a dataset, Bronze that was asked for before them."""
    planned = list(windows)
    built = {window.dataset for window in planned}
    found = {
        edge.dataset: Share(edge.dataset, LAYERS[0], None, first, last, None, None)
        for edge in edges
        if edge.because == ASKED and edge.dataset not in built
    }
    for w in planned:
        begin, end = iso(w.first), iso(w.last)
        share = found.get(w.dataset) or Share(w.dataset, w.layer, w.logic_version, begin, end, 0, 0)
        found[w.dataset] = replace(
            share,
            first=min(share.first, begin),
            last=max(share.last, end),
            partitions=(share.partitions or 0) + w.partitions,
            windows=(share.windows or 0) + 1,
        )
    return list(found.values())


def reasons(edges: Iterable[Edge]) -> Mapping[str, str]:
    """Why each dataset is in a plan, in one line."""
    found: dict[str, list[str]] = {}
    for edge in edges:
        span = "" if edge.first is None else f" ({edge.first:+}d..{edge.last:+}d)"
        found.setdefault(edge.dataset, []).append(f"{edge.because}{span}")
    return {name: "; ".join(texts) for name, texts in found.items()}
