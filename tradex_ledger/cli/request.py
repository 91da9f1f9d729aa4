"""`tradex backfill request`: the four kinds, and the plan that each leads to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, TypeVar

import click

from tradex_ledger.cli.common import DAY, Call, command
from tradex_ledger.cli.runs import next_step, report
from tradex_ledger.cli.show import bytes_text

PRIORITIES = ("low", "normal", "high", "urgent")
F = TypeVar("F", bound=Callable[..., Any])


@click.group("request")
def request() -> None:
    """Ask for a backfill. It is planned at once and waits for an approval."""


def request_options(function: F) -> F:
    """What every kind of request declares."""
    for option in (
        click.option("--dry-run", is_flag=True, help="Show the plan and its cost; record nothing."),
        click.option("--split", is_flag=True, help="Make several linked requests of it where the policy wants that."),
        click.option(
            "--allow-overlap", multiple=True, metavar="ID", help="An active backfill that may share partitions."
        ),
        click.option("--review", is_flag=True, help="Hold it before publication, for somebody to compare and release."),
        click.option(
            "--priority",
            type=click.Choice(PRIORITIES),
            default="low",
            show_default=True,
            help="Order among approved ones.",
        ),
        click.option("--ticket", help="The ticket it belongs to."),
        click.option("--reason", required=True, help="What happened and why it must be redone."),
        click.option(
            "--override-state/--no-override-state",
            default=None,
            help="Declare whether it may move the pipeline state. It has no default; only a forced backfill may.",
        ),
    ):
        function = option(function)
    return function


def range_options(*, required: bool) -> Callable[[F], F]:
    """The days that a request is about."""
    rest = "" if required else " All there are, unless given."

    def decorate(function: F) -> F:
        for option in (
            click.option("--to", "last", type=DAY, required=required, help=f"Last day (UTC), included.{rest}"),
            click.option("--from", "first", type=DAY, required=required, help=f"First day (UTC), included.{rest}"),
        ):
            function = option(function)
        return function

    return decorate


@command(
    request,
    "temporal",
    example="tradex backfill request temporal bronze_x_posts --from 2014-02-03 --to 2014-02-08 \\\n"
    '    --no-override-state --reason "X API outage 3-8 Feb, INC-4211" --dry-run',
)
@click.argument("dataset")
@range_options(required=True)
@request_options
def temporal(call: Call, **values: Any) -> None:
    """Reprocess a range of days of DATASET and everything downstream of them (late data, an API outage)."""
    _submit(call, "temporal", **values)


@command(
    request,
    "dataset",
    example="tradex backfill request dataset silver_social_events \\\n"
    '    --no-override-state --reason "cashtags with a dot were cut off, INC-4250"\n'
    'tradex backfill request dataset gold --no-override-state --reason "all of Gold, after INC-4250"',
)
@click.argument("dataset", metavar="DATASET|LAYER")
@range_options(required=False)
@request_options
def dataset(call: Call, **values: Any) -> None:
    """Reprocess all partitions of DATASET, or of a LAYER, and everything downstream (a parsing bug, a new rule)."""
    _submit(call, "dataset", **values)


@command(
    request,
    "logical",
    example='tradex dataset bump gold_signals --reason "spikes start at z = 4"\n'
    "tradex backfill request logical gold_signals --from 2014-01-01 --to 2014-01-31 \\\n"
    '    --no-override-state --reason "signals of January under the new scoring"',
)
@click.argument("dataset")
@range_options(required=False)
@request_options
def logical(call: Call, **values: Any) -> None:
    """Publish DATASET under its new logic version, beside the old one. Refused while no logic has changed."""
    _submit(call, "logical", **values)


@command(
    request,
    "forced",
    example="tradex backfill request forced bronze_x_posts --from 2014-02-03 --to 2014-02-08 \\\n"
    '    --override-state --cursor 2014-02-09 --ticket INC-4300 --reason "the cursor was moved past corrupt data"',
)
@click.argument("dataset")
@range_options(required=True)
@click.option("--cursor", type=DAY, help="With --override-state: the day (UTC) to whose beginning the state is set.")
@request_options
def forced(call: Call, cursor: date | None, **values: Any) -> None:
    """Recompute everything, and overwrite the pipeline state if that is declared. Exceptional.

    It needs a ticket and the approval of another person; nothing is reused; every step is on record.
    """
    moved = None if cursor is None else f"{cursor.isoformat()}T00:00:00.000000Z"
    _submit(call, "forced", cursor=moved, **values)


def _submit(call: Call, kind: str, *, override_state: bool | None, dry_run: bool, split: bool, **values: Any) -> None:
    if override_state is None:
        raise click.UsageError(
            "Missing option '--override-state' / '--no-override-state': a backfill declares whether it moves the state."
        )
    wanted = {"kind": kind, "override_state": override_state, **values}
    with call.open() as workspace:
        wanted["allow_overlap"] = [workspace.find_backfill(other) for other in wanted["allow_overlap"]]
        if dry_run:
            planned, plan = workspace.plan(**wanted)
            _show_plan(call, planned.request, dict(plan), workspace.edges(planned))
            return
        made = workspace.request_split(**wanted) if split else [workspace.request(**wanted)]
        if call.as_json:
            _report_all(call, workspace, [backfill.id for backfill in made])
            return
        for backfill in made:
            _show_plan(call, backfill.request, dict(backfill.plan or {}), workspace.edges(backfill))
            call.show.line()
            call.show.line(f"requested {backfill.id}")
            call.show.note(f"next: {next_step(backfill.id, backfill.status)}")


def _report_all(call: Call, workspace: Any, run_ids: list[str]) -> None:
    if len(run_ids) == 1:
        report(call, workspace, run_ids[0])
        return
    from tradex_ledger.audit.describe import Reader

    reader = Reader(workspace.ledger.engine)
    call.show.document([reader.run(run_id) for run_id in run_ids])


def _show_plan(call: Call, wanted: dict[str, Any], plan: dict[str, Any], edges: list[dict[str, Any]]) -> None:
    """What would be rebuilt, and what that is expected to cost."""
    show = call.show
    if show.as_json:
        show.document({"request": wanted, "plan": plan, "edges": edges})
        return
    estimate = plan["estimate"]
    show.facts(
        {
            "plan": plan["digest"],
            "as of position": plan["base"],
            "reason": wanted["reason"],
            "fetch": f"created from {wanted['first']} to {wanted['last']}" if "bronze" in wanted["layers"] else None,
            "partitions": sum(w["partitions"] for w in plan["windows"]),
            "rows": _range(estimate["rows"], str) or "unknown: nothing like it was built before",
            "bytes": _range(estimate["bytes"], bytes_text),
            "seconds of work": _range(estimate["seconds"], str),
        }
    )
    show.line()
    why = _why(edges)
    rows = [{**row, "why": why.get(row["dataset"], "")} for row in by_dataset(plan["windows"])]
    show.table(rows, ("dataset", "logic_version", "first", "last", "partitions", "windows", "why"))


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


def by_dataset(windows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for w in windows:
        row = found.setdefault(w["dataset"], {**w, "partitions": 0, "windows": 0})
        row["first"], row["last"] = min(row["first"], w["first"]), max(row["last"], w["last"])
        row["partitions"] += w["partitions"]
        row["windows"] += 1
    return list(found.values())
