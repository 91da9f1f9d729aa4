"""How a plan is shown: before it is recorded, and after; and what it still needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from tradex_ledger.cli.show import Show, bytes_text

if TYPE_CHECKING:
    from tradex_ledger.domain.plan import Plan

UNTRUSTED = "why each dataset is in it, and whose approval it needs, say definitions and settings that are not trusted"
COLUMNS = ("dataset", "logic_version", "first", "last", "partitions", "windows", "why")


def planned_document(workspace: Any, backfill: Any, plans: list[Plan], number: int = 0) -> dict[str, Any]:
    """A backfill with its plan as one document: what `--dry-run` shows and `backfill show` has among the rest.

    `plans` are those of all parts of a request that was split: they are allowed as one. Its own has that `number`.
    """
    from tradex_ledger.domain.approval import approval_of

    wanted, edges, plan = backfill.request.to_event(), workspace.edges(backfill), plans[number].to_event()
    needed = approval_of(workspace.policy_to_look, backfill.request, plans, backfill.requested_by)
    state = workspace.state() if backfill.request.override_state else None
    return {
        "request": wanted,
        "plan": plan,
        "edges": edges,
        "by_dataset": by_dataset(plan["windows"], wanted, edges),
        "approval": asdict(needed),
        "state": state
        and {"pipeline": state.pipeline, "cursor_before": state.cursor, "cursor_after": wanted["cursor"]},
        "warnings": workspace.warnings(backfill),
    }


def run_document(workspace: Any, reader: Any, run_id: str) -> dict[str, Any]:
    """A run as `backfill show --json` prints it: a backfill with why each dataset is in it, and the approval it needs.

    The definitions of today say why; where the dataset that was asked for is no more, or they are another user's who
    is not trusted, nothing does.
    """
    from tradex_ledger.datasets.definition import UnknownDatasetError
    from tradex_ledger.domain.approval import approval_of
    from tradex_ledger.domain.backfill import Backfill
    from tradex_ledger.domain.plan import Window

    document: dict[str, Any] = reader.run(run_id)
    request, plan = document["request"], document["plan"]
    if request is None or plan is None:
        return document
    if not workspace.is_trusted:  # neither its definitions nor its settings are asked
        by_windows = by_dataset(document["windows"], request, [])
        return {**document, "edges": [], "by_dataset": by_windows, "approval": None, "warnings": [UNTRUSTED]}
    backfill = workspace.ledger.get(Backfill, run_id)
    try:
        edges = workspace.edges(backfill)
    except UnknownDatasetError:
        edges = []
    document["edges"] = edges
    document["by_dataset"] = by_dataset(document["windows"], request, edges)
    whole = replace(backfill.plan, windows=tuple(map(Window.from_event, document["windows"])))
    needed = approval_of(workspace.policy_to_look, backfill.request, [whole], document["requested_by"])
    document["warnings"] = workspace.warnings(backfill) if document["status"] == "PLANNED" else []
    document["warnings"] += workspace.policy_changes(run_id)
    # A rule decides at the request, or never.
    document["approval"] = {**asdict(needed), "rule": document["approved_rule"]}
    return document


def show_planned(show: Show, document: dict[str, Any]) -> None:
    """What would be rebuilt, why, what that is expected to cost, and who has to allow it."""
    from tradex_ledger.domain.approval import Approval, in_words

    if show.as_json:
        show.document(document)
        return
    wanted, plan = document["request"], document["plan"]
    show.facts(
        {
            "plan": plan["digest"],
            "as of position": plan["base"],
            "policy": plan["policy_digest"],
            "reason": wanted["reason"],
            **request_facts(wanted, document["state"]),
            "partitions": sum(w["partitions"] for w in plan["windows"]),
            **cost_facts(plan["estimate"]),
            "approval": in_words(Approval(**document["approval"])),
        }
    )
    show_datasets(show, document)


def request_facts(wanted: dict[str, Any], state: dict[str, Any] | None) -> dict[str, Any]:
    """What a request declares beside its kind, days and reason."""
    return {
        "fetch": f"created from {wanted['first']} to {wanted['last']}" if "bronze" in wanted["layers"] else None,
        "state": state_text(state),
        "priority": wanted["priority"],
        "review": wanted["review"],
        "allow overlap": ", ".join(wanted["allow_overlap"]),
    }


def cost_facts(estimate: dict[str, Any]) -> dict[str, Any]:
    """What a plan is expected to cost, with the range."""
    unknown = "unknown: nothing like it was built before"
    return {
        "rows": _range(estimate["rows"], str) or unknown,
        "bytes": _range(estimate["bytes"], bytes_text) or unknown,
        "seconds of work": _range(estimate["seconds"], str) or unknown,
        "source calls": _range(estimate["source_calls"], str) or "unknown",
    }


def state_text(state: dict[str, Any] | None) -> str:
    """Where the state goes: cursor now -> cursor after."""
    if state is None:
        return "stays where it is"
    before, after = state["cursor_before"] or "", state["cursor_after"]
    told = f"{state['pipeline']} moves: {before or 'the beginning'} -> {after}"
    return f"{told} (forward: no run will process what lies between)" if after > before else told


def show_datasets(show: Show, document: dict[str, Any]) -> None:
    """The partitions of a plan, a line a dataset, and why they are in it."""
    why = _why(document["edges"])
    show.line()
    show.table([{**row, "why": why.get(row["dataset"], "")} for row in document["by_dataset"]], COLUMNS)


def by_dataset(
    windows: list[dict[str, Any]], request: dict[str, Any], edges: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The windows of a plan added up a dataset. Bronze that was asked for is fetched, and has none."""
    planned = {w["dataset"] for w in windows}
    fetched = [e["dataset"] for e in edges if e["because"] == "asked for" and e["dataset"] not in planned]
    found: dict[str, dict[str, Any]] = {
        name: {
            "dataset": name,
            "layer": "bronze",
            "logic_version": None,
            "first": request["first"],
            "last": request["last"],
            "partitions": None,
            "windows": None,
        }
        for name in fetched
    }
    for w in windows:
        row = found.setdefault(w["dataset"], {**w, "partitions": 0, "windows": 0})
        row["first"], row["last"] = min(row["first"], w["first"]), max(row["last"], w["last"])
        row["partitions"] += w["partitions"]
        row["windows"] += 1
    return list(found.values())


def _why(edges: list[dict[str, Any]]) -> dict[str, str]:
    """Why each dataset is in a plan, in one line."""
    found: dict[str, list[str]] = {}
    for edge in edges:
        span = "" if edge["first"] is None else f" ({edge['first']:+}d..{edge['last']:+}d)"
        found.setdefault(edge["dataset"], []).append(f"{edge['because']}{span}")
    return {name: "; ".join(reasons) for name, reasons in found.items()}


def _range(estimate: dict[str, int] | None, text: Callable[[int], str]) -> str | None:
    """An estimate for people: about so many, with its range where it has one."""
    if estimate is None:
        return None
    likely = f"about {text(estimate['likely'])}"
    same = estimate["low"] == estimate["high"]
    return likely if same else f"{likely} ({text(estimate['low'])} to {text(estimate['high'])})"
