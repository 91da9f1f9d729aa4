"""`tradex run`, `status` and `worker`, and how a run is shown."""

from __future__ import annotations

import sys
import time
from datetime import date
from functools import partial
from typing import Any

import click

from tradex_ledger.cli.common import DAY, Call, as_of_option, command
from tradex_ledger.cli.findings import definition_findings, show_findings, show_stale, stale
from tradex_ledger.cli.losses import losses
from tradex_ledger.cli.plans import request_facts, run_document
from tradex_ledger.cli.show import Show, bytes_text, seconds_text, short, took_text
from tradex_ledger.cli.source import look_facts, status_lines
from tradex_ledger.cli.state import cursors_ahead

RUN_COLUMNS = ("run", "kind", "status", "range", "progress", "rows", "took", "by", "why")
_top = click.Group()


def run_row(run: dict[str, Any]) -> dict[str, Any]:
    """A run as a line of a table."""
    progress = f"{run['built_partitions']}/{run['planned_partitions']}"
    return {
        "run": run["run_id"],
        "kind": run["kind"],
        "status": run["status"],
        "range": f"{_day(run['range_from'])}..{_day(run['range_to'])}",
        "progress": progress,
        "rows": run["rows"],
        "took": took_text(run).partition(":")[0],
        "by": run["requested_by"],
        "why": short(run["reason"], 40),
    }


def _day(text: str | None) -> str:
    return (text or "beginning")[:10]


def show_run(show: Show, document: dict[str, Any]) -> None:
    """A run with its layers, for people; the same as a document with `--json`."""
    if show.as_json:
        show.document(document)
        return
    request, plan = document["request"], document["plan"]
    show.facts(
        {
            "run": document["id"],
            "kind": document["kind"],
            "status": document["status"],
            "of": document["subject"],
            "range": f"{_day(document['range_from'])}..{_day(document['range_to'])}",
            "override_state": document["override_state"],
            **(request_facts(request, document["state"]) if request else {}),
            "one of the group": document["request_group"],
            "reason": document["reason"],
            "ticket": document["ticket"],
            "requested": f"{document['requested_by']} at {document['requested_at']:%Y-%m-%d %H:%M:%S}Z",
            "approved": document["approved_at"]
            and f"{_approver(document)} at {document['approved_at']:%Y-%m-%d %H:%M:%S}Z",
            "plan": plan and plan["digest"],
            "as of position": plan and plan["base"],
            "policy": plan and plan["policy_digest"],
            "took": document["ended_at"] and took_text(document),
            **look_facts(document),
            "partitions": f"{document['built_partitions']} of {document['planned_partitions']}: "
            f"{document['written']} written, {document['identical']} identical, {document['reused']} reused",
            "volume": f"{document['rows']} rows, {bytes_text(document['bytes'])}",
            "anomalies": document["anomalies"],
            "beyond its SLA": document["sla_exceeded"] or None,
            "errors": document["errors_by_stage"],
            "last error": document["last_error"],
        }
    )
    for text in losses(document):
        show.warning(text)
    if document["layers"]:
        show.line()
        layers = [
            {**layer, "took": seconds_text(layer["duration_ms"]), "error": short(layer["last_error"])}
            for layer in document["layers"]
        ]
        show.table(layers, ("layer", "status", "attempts", "partitions", "rows", "took", "errors", "error"))


def _approver(document: dict[str, Any]) -> str:
    """Who allowed a run: a person, or a rule of the policy."""
    rule = document["approved_rule"]
    return f"by rule ({rule})" if rule else str(document["approved_by"])


def report(call: Call, workspace: Any, run_id: str) -> None:
    """Read a run back from the ledger and show it."""
    from tradex_ledger.audit.describe import Reader

    reader = Reader(workspace.ledger.store)
    show_run(call.show, run_document(workspace, reader, run_id))


@command(_top, "run", example="tradex run\ntradex run --until 2014-03-01")
@click.option("--until", type=DAY, help="Process what was created before this day (UTC); today unless given.")
@click.option("--yes", is_flag=True, help="Without --until: go on to today, however old the newest row is.")
@click.option(
    "--clock-is-right",
    is_flag=True,
    help="Go on though the clock is far from the last event and the newest row; this is put on record.",
)
def run(call: Call, until: date | None, yes: bool, clock_is_right: bool) -> None:
    """Run the pipeline incrementally, from its cursor until a day (excluded).

    An incremental run that was interrupted is taken up and finished first. Only its success moves the state. A run that
    would pass many days without a row asks for --until or --yes first: it cannot be taken back. One under a clock that
    is far from the last event and the newest row asks first, too: it may be wrong.
    """
    from tradex_ledger.domain.incremental import NothingToRunError

    with call.open() as workspace:
        try:
            finished = _run(call, workspace, until, yes, clock_is_right)
        except NothingToRunError as error:
            if until is not None:
                raise
            # Twice on one day, by a timer or a retry: nothing is wrong.
            call.show.note(f"nothing to do: {error.message}")
            if call.as_json:
                call.show.document(None)
            return
        report(call, workspace, finished.id)


def _run(call: Call, workspace: Any, until: date | None, yes: bool, clock_is_right: bool) -> Any:
    """Run; on a terminal, a person is asked whether the clock is right."""
    from tradex_ledger.driving.clocks import ClockDoubtfulError

    try:
        with call.show.progress() as progress:
            done = workspace.run(until, far_ahead=yes, clock_is_right=clock_is_right, progress=progress)
    except ClockDoubtfulError as error:
        if call.as_json or not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
            raise
        call.show.note(error.message)
        if not click.confirm("Is the clock right?", default=False, err=True):
            raise
        return _run(call, workspace, until, yes, clock_is_right=True)
    for text in workspace.missed_days():
        call.show.warning(text)
    return done


@command(_top, "status", example="tradex status\ntradex status --as-of 2026-01-10")
@as_of_option
def status(call: Call, as_of: str | None) -> None:
    """Where things stand: the state, the runs that need somebody, the datasets, stale partitions."""
    from tradex_ledger.audit.describe import Reader

    store, config = call.look()
    reader = Reader(store, as_of)
    document: dict[str, Any] = {
        "as_of": reader.as_of.as_json(),
        "pipeline_state": reader.rows("pipeline_state"),
        "runs": reader.runs(limit=5),
        "waiting": reader.rows("runs", "status in (select status from lifecycle where is_active) order by position"),
        "datasets": reader.datasets(),
        "source": next(iter(reader.rows("source_looks", "true order by position desc limit 1")), None),
        "stale_partitions": stale(reader),
        "engines": reader.rows("engines", _UNSETTLED),
        "policy_waiting": reader.policy_waiting(),
    }
    document["cursors_ahead"] = [] if as_of else cursors_ahead(reader, document["pipeline_state"])
    document["definitions"] = [] if as_of else definition_findings(config, reader)
    document["two_contents"] = reader.rows("two_contents", "true order by dataset")
    show = call.show
    if show.as_json:
        document["stale_partitions"] = [
            {"dataset": d, "partitions": n, "never_built": never} for d, n, never, *_ in document["stale_partitions"]
        ]
        show.document(document)
        return
    for state in document["pipeline_state"]:
        show.line(f"pipeline {state['pipeline']}: processed until {_day(state['cursor'])}")
    for ahead in document["cursors_ahead"]:
        show.line(f"cursor in the future: {ahead['message']}")
        show.line(f"mend: {ahead['mend']}")
    for text in status_lines(document["source"]):
        show.line(text)
    show.line()
    show.table(document["datasets"], ("dataset", "layer", "logic_version", "partitions", "first", "last", "rows"))
    show.line()
    show.table([run_row(r) for r in document["runs"]], RUN_COLUMNS, title="newest runs")
    for waiting in document["waiting"]:
        step = next_step(waiting["run_id"], waiting["status"], waiting["run_kind"])
        show.note(f"{waiting['run_id']} is {waiting['status']}: {step}")
    show_findings(call, document)
    show_stale(call, document["stale_partitions"])
    for row in document["engines"]:
        show.note(f"{row['dataset']}: the verdict on {row['engine']} is {row['verdict']}; see: tradex engine list")
    show.note(f"as of position {reader.as_of.position}")


_UNSETTLED = "is_current and verdict in ('different', 'none eligible') order by position"


def next_step(run_id: str, status: str, run_kind: str = "backfill") -> str:
    """The command that takes a run further."""
    if run_kind == "incremental" and status != "HELD":
        return "tradex run"
    return {
        "PLANNED": f"tradex backfill approve {run_id}",
        "APPROVED": f"tradex backfill run {run_id}",
        "RUNNING": f"tradex backfill run {run_id} resumes it if its driver died",
        "FAILED": f"tradex backfill run {run_id} tries again",
        "PAUSED": f"tradex backfill resume {run_id}",
        "HELD": f"tradex audit diff --candidate {run_id}; then tradex backfill release {run_id} --reason …, or cancel",
    }.get(status, f"tradex backfill show {run_id}")


class _Seconds(click.FloatRange):
    """A number within a range; what is no number (`nan`) is in none, though no comparison says so."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = super().convert(value, param, ctx)
        if found != found:  # noqa: PLR0124 - only what is no number is not itself
            self.fail(f"{value} is not in the range {self._describe_range()}.", param, ctx)
        return found


@command(_top, "worker", example="tradex worker\ntradex worker --once")
@click.option("--once", is_flag=True, help="End when nothing is left to drive.")
@click.option(
    "--poll-seconds",
    type=_Seconds(0.1, 3600),
    default=2.0,
    show_default=True,
    help="Time between looks.",
)
def worker(call: Call, once: bool, poll_seconds: float) -> int:
    """Follow the ledger and drive what is approved, the most urgent first. Ctrl-C ends it; runs resume."""
    from tradex_ledger.audit.describe import Reader
    from tradex_ledger.errors import TradexError
    from tradex_ledger.upkeep.worker import WAITS, work

    show, failed = call.show, 0
    ended: dict[str, dict[str, Any]] = {}

    def wait() -> bool:
        time.sleep(poll_seconds)
        _housekeeping(show, workspace)
        return True

    with call.open() as workspace, show.progress() as progress:
        workspace.policy.check_may("work", workspace.actor)
        drive = partial(workspace.work, progress=progress)
        show.note("worker: waiting for approved backfills" if not once else "worker: driving what is approved")
        for run_id, result in work(workspace.ledger, drive, wait, once=once):
            if isinstance(result, WAITS):
                show.note(f"{run_id} waits: {result.message}")
                ended[run_id] = {"waits": result.message}
                continue
            ended[run_id] = {}
            if isinstance(result, TradexError):
                failed += 1
                Show(as_json=False).error(result)
            for text in workspace.policy_changes(run_id):
                show.warning(text)
            show.line(f"{run_id}: {_end_of(workspace, run_id, result)}")
        _housekeeping(show, workspace)
        if show.as_json:
            reader = Reader(workspace.ledger.store)
            show.document([run_document(workspace, reader, run_id) | more for run_id, more in ended.items()])
    return 1 if failed else 0


def _end_of(workspace: Any, run_id: str, result: Any) -> str:
    """How a drive ended. One that was refused is no failure of the run: none is on record, and it can go on."""
    from tradex_ledger.domain.backfill import Backfill
    from tradex_ledger.errors import RefusedError, TradexError

    if not isinstance(result, TradexError):
        return str(result.status)
    if workspace.ledger.get(Backfill, run_id).status == "FAILED":
        return "FAILED"
    return f"{'refused' if isinstance(result, RefusedError) else 'not driven'}: {result.message}"


def _housekeeping(show: Show, workspace: Any) -> None:
    """What a worker does between runs: close what expired, note what is late, send alerts; a receiver may be down."""
    from tradex_ledger.errors import TradexError

    try:
        workspace.sweep()
        workspace.deliver_alerts("work")
    except TradexError as error:  # a broken setting, a busy database: said, and tried again at the next look
        show.warning(error.message)
