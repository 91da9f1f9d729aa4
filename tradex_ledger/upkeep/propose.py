"""What should be reprocessed: late data, changed inputs, new logic, half-done runs, as requests ready to submit."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any

from tradex_ledger.datasets.graph import days_of
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.day import Day, day_of, iso, span
from tradex_ledger.domain.pipeline_state import stream_of
from tradex_ledger.domain.plan import LAYERS
from tradex_ledger.driving import two_days
from tradex_ledger.errors import RefusedError
from tradex_ledger.ledger.application import Ledger
from tradex_ledger.ledger.leases import Leases
from tradex_ledger.planning.overlap import active_backfills
from tradex_ledger.upkeep.late import Late, as_rows
from tradex_ledger.views import open_views, resolve, rows

Row = dict[str, Any]
Refusal = Callable[[Backfill], RefusedError | None]
REQUESTS = ("temporal", "logical")
NEW_LOGIC, LOST = "new logic version", "files lost"

_HALF_DONE = """
    status = 'PAUSED'
    or (status in (select status from lifecycle where is_drivable) and (attempts > 0 or run_kind = 'incremental'))
    order by position
"""

_OPEN_INCREMENTAL = "run_kind = 'incremental' and status in (select status from lifecycle where is_active)"


def never(_: Backfill) -> None:
    """Nothing stands in the way of any backfill."""


def propose(ledger: Ledger, late: Sequence[Late] = (), refusal: Refusal = never) -> list[Row]:
    """What to do, each item with `kind`, `reason` and `command`.

    `outdated`: a backfill that would be refused if it were driven (`refusal` says why). `resume`: a run that is half
    done and that nobody drives. `waiting`: a backfill that will mend something stale once it is approved or driven.
    `temporal` and `logical`: requests (dataset, first, last, partitions; `posts` for late data), upstream first: a
    dataset whose input is stale itself waits for that one. Consecutive days make one request; `first_cancel` are
    outdated backfills that stand in its way. `rejected`: lines at the source that are no rows and not on record
    (`command` is None while no run would set out without a question). `passed over`: what is at the source and is not
    read (`command` is None). `two contents`: what the same inputs gave.
    `two days`: rows that count on several days.
    """
    at_work = Leases(ledger.engine).living()
    with open_views(ledger.store, resolve(ledger.store, None)) as connection:
        stale = rows(connection, "stale_partitions")
        logic = {row["dataset"]: row for row in rows(connection, "logic_versions", "is_current")}
        half_done = rows(connection, "runs", _HALF_DONE)
        open_runs = rows(connection, "runs", _OPEN_INCREMENTAL)
        twice = rows(connection, "two_contents", "true order by dataset")
    at_work |= Leases(ledger.engine).living()  # once more: what was taken up in between is not abandoned
    active = active_backfills(ledger)
    refused = {b.id: error for b in active if b.id not in at_work and (error := refusal(b)) is not None}
    found = [
        _resume(row)
        for row in half_done
        if row["run_id"] not in refused
        and not at_work & {row["run_id"], stream_of(row["subject"]) if row["run_kind"] == "incremental" else ""}
    ]
    waiting: dict[str, Row] = {}
    for row in open_runs:  # what follows from its rows it will publish itself
        if any(one["changed_by_run"] == row["run_id"] for one in stale):
            waiting[row["run_id"]] = _waiting_incremental(row)
            stale = [one for one in stale if one["changed_by_run"] != row["run_id"]]
    wanted = _upstream_first(stale, logic, late)
    requests: list[Row] = []
    told_with: set[str] = set()
    for dataset, days in wanted.items():
        left = list(days)
        for backfill in (b for b in active if b.id not in refused):
            covers = _covered(backfill, dataset, logic)
            if any(day_of(row["partition"]) in covers for row in left):
                waiting.setdefault(backfill.id, _waiting(backfill, dataset))
                left = [row for row in left if day_of(row["partition"]) not in covers]
        for request in _requests(dataset, left, logic[dataset]["reason"]):
            standing = [b.id for b in active if b.id in refused and _touches(b, request)]
            requests.append({**request, "first_cancel": standing} if standing else request)
            told_with |= set(standing)
    found += [_outdated(run_id, error) for run_id, error in refused.items() if run_id not in told_with]
    told = {item["run"] for item in found}
    return [
        *found,
        *(item for run_id, item in waiting.items() if run_id not in told),
        *requests,
        *(item for one in late for item in _unread(one)),
        *_twice(twice),
        *(item for one in late for item in two_days.as_items(one.two_days)),
    ]


def _twice(found: list[Row]) -> list[Row]:
    return [{"kind": "two contents", "command": None, "reason": row["message"]} for row in found]


# -- runs


def _resume(row: Row) -> Row:
    """A run that broke off, or was stopped, with the command that takes it further."""
    run_id, status = row["run_id"], row["status"]
    command = f"tradex backfill {'resume' if status == 'PAUSED' else 'run'} {run_id}"
    where = f" in {row['layer']}" if row["layer"] else ""
    why = {
        "FAILED": f"failed: {row['last_error']}",
        "PAUSED": f"is paused{where}",
        "RUNNING": f"was interrupted{where}: no process drives it",
    }.get(status, f"was begun{where}: no process drives it")
    return {
        "kind": "resume",
        "run": run_id,
        "status": status,
        "command": "tradex run" if row["run_kind"] == "incremental" else command,
        "reason": f"{run_id} {why}",
    }


def _outdated(run_id: str, error: RefusedError) -> Row:
    """A backfill that nobody can drive, with what stands in its way."""
    return {
        "kind": "outdated",
        "run": run_id,
        "status": None,
        "command": f'tradex backfill cancel {run_id} --reason "…"',
        "reason": f"{error.message}; once it is cancelled, what it was to do is asked for anew",
    }


def _touches(backfill: Backfill, request: Row) -> bool:
    """Whether a backfill that cannot be driven any more shares a day with a request."""
    return backfill.request.first <= day_of(request["last"]) and day_of(request["first"]) <= backfill.request.last


def _unread(late: Late) -> list[Row]:
    """What a run would put on record as no rows, and what nobody reads."""
    found: list[Row] = []
    if late.rejected:
        files, lines = len(late.rejected_files), late.rejected
        which = ", ".join(late.rejected_files[:3]) + (" …" if files > 3 else "")
        found.append(
            {
                "kind": "rejected",
                "files": files,
                "lines": lines,
                "command": "tradex run" if late.sets_out else None,
                "reason": f"{files} late {'file' if files == 1 else 'files'} ({which}) with {lines} "
                f"{'line that is no row' if lines == 1 else 'lines that are no rows'}; "
                f"{'the next run puts' if late.sets_out else 'the next run, or a backfill of their day, puts'} them on "
                "record, with the reasons",
            }
        )
    for item in late.look.passed_over if late.look is not None else ():
        names = ", ".join(item["names"]) + (" …" if item["count"] > len(item["names"]) else "")
        reason = f"{item['count']} at the source passed over: {item['why']} ({names})"
        found.append({"kind": "passed over", "count": item["count"], "command": None, "reason": reason})
    return found


def _waiting(backfill: Backfill, dataset: str) -> Row:
    """A backfill that covers what is stale, with the command that takes it further."""
    run_id, status = backfill.id, backfill.status
    why, verb = {
        "PLANNED": ("waits for its approval", "approve"),
        "APPROVED": ("is approved and waits for a driver", "run"),
        "HELD": ("is held and waits for its release", "release"),
    }.get(status, ("is being driven", "show"))
    reason = ' --reason "…"' if verb == "release" else ""
    span = f"{iso(backfill.request.first)}..{iso(backfill.request.last)}"
    return {
        "kind": "waiting",
        "run": run_id,
        "status": status,
        "command": f"tradex backfill {verb} {run_id}{reason}",
        "reason": f"{run_id} {why}; it mends {dataset} (asked for: {backfill.request.dataset} {span})",
    }


def _waiting_incremental(row: Row) -> Row:
    run_id, held = row["run_id"], row["status"] == "HELD"
    return {
        "kind": "waiting",
        "run": run_id,
        "status": row["status"],
        "command": f'tradex backfill release {run_id} --reason "…"' if held else "tradex run",
        "reason": f"{run_id} {'is held and waits for its release' if held else 'is being driven'}; "
        "it mends what follows from the rows that it appended",
    }


def _covered(backfill: Backfill, dataset: str, logic: dict[str, Row]) -> set[Day]:
    """The days of a dataset that an active backfill will bring up to date.

    One that has read the source already brings no more rows; one planned for another version cannot run any more.
    """
    asked = backfill.request
    if logic[dataset]["layer"] == LAYERS[0]:
        if asked.dataset in (dataset, LAYERS[0]) and backfill.next_layer() == LAYERS[0]:
            return set(span(asked.first, asked.last))
        return set()
    definitions = backfill.plan.definitions if backfill.plan else {}
    outdated = any(
        name in logic and logic[name]["logic_version"] != planned.logic_version for name, planned in definitions.items()
    )
    return set() if outdated else days_of(backfill.windows, dataset)


# -- requests


def _upstream_first(stale: list[Row], logic: dict[str, Row], late: Sequence[Late]) -> dict[str, list[Row]]:
    """The days to ask for, by dataset. What follows from late rows is rebuilt with them, so it is not asked for."""
    found: dict[str, list[Row]] = {}
    for one in (one for one in late if one.rows):
        found[one.dataset] = as_rows(one)
        stale = [row for row in stale if day_of(row["partition"]) not in one.closure.get(row["dataset"], ())]
    datasets = {row["dataset"]: LAYERS.index(row["layer"]) for row in stale}
    for dataset in sorted(datasets, key=lambda name: (datasets[name], name)):
        if not any(read["dataset"] in datasets for read in logic[dataset]["reads"] or []):
            both = [*found.get(dataset, ()), *(row for row in stale if row["dataset"] == dataset)]
            by_day = {row["partition"]: row for row in both}  # of a day that is lost, rows are not late
            found[dataset] = [by_day[day] for day in sorted(by_day)]
    return found


def _requests(dataset: str, days: list[Row], version_reason: str) -> list[Row]:
    """One request for each run of consecutive days of one kind."""
    numbered = [(day_of(row["partition"]) - n, _kind(row), row) for n, row in enumerate(days)]
    runs = [[row for *_, row in run] for _, run in groupby(numbered, key=lambda item: item[:2])]
    return [_request(dataset, run, version_reason) for run in runs]


def _kind(row: Row) -> tuple[str, Callable[..., str]]:
    """Which kind of backfill mends a day, and how the reason for it is told."""
    if "posts" in row:
        return "temporal", _why_late if row["passed"] else _why_skipped
    if row["reason"] == LOST:
        return "temporal", _why_lost
    return ("logical", _why_new_logic) if row["reason"] == NEW_LOGIC else ("temporal", _why_stale)


def _request(dataset: str, days: list[Row], version_reason: str) -> Row:
    first, last = str(days[0]["partition"]), str(days[-1]["partition"])
    kind, why = _kind(days[0])
    reason = why(dataset=dataset, days=days, version_reason=version_reason)
    found: Row = {"kind": kind, "dataset": dataset, "first": first, "last": last, "partitions": len(days)}
    if "posts" in days[0]:
        found["posts"] = sum(row["posts"] for row in days)
    return {
        **found,
        "reason": reason,
        "command": f"tradex backfill request {kind} {dataset} --from {first} --to {last} "
        f"--no-override-state --reason {shlex.quote(reason)}",
    }


def _rows_of(days: list[Row]) -> str:
    count = sum(row["posts"] for row in days)
    first, last = (iso(day_of(day["partition"])) for day in (days[0], days[-1]))
    return f"{count} {'row' if count == 1 else 'rows'} of {first if first == last else f'{first}..{last}'} " + (
        "was" if count == 1 else "were"
    )


def _why_late(*, days: list[Row], **_: object) -> str:
    which = "the run that covered that day" if len(days) == 1 else "the runs that covered those days"
    return f"{_rows_of(days)} delivered after {which}"


def _why_skipped(*, days: list[Row], **_: object) -> str:
    return f"{_rows_of(days)} never fetched: no run has covered {'that day' if len(days) == 1 else 'those days'}"


def _why_new_logic(*, dataset: str, days: list[Row], version_reason: str) -> str:
    version = days[0]["logic_version"]
    return f"{dataset} has a new logic version, {version} ({version_reason}), and nothing of these days under it"


def _why_lost(*, dataset: str, days: list[Row], **_: object) -> str:
    positions = ", ".join(sorted({str(row["changed_position"]) for row in days}))
    return f"files of {dataset} were declared lost (position {positions}) and nothing has made up for them"


def _why_stale(*, dataset: str, days: list[Row], **_: object) -> str:
    causes = _few(f"{row['input_dataset']} changed by {row['changed_by_run']}" for row in days)
    if all(row["reason"] == "never built" for row in days):
        return f"{dataset} was never built there: {causes}"
    return f"{dataset} is stale: {causes}"


def _few(causes: Iterable[str]) -> str:
    known = sorted(set(causes))
    return "; ".join(known[:3]) + (" and more" if len(known) > 3 else "")
