"""The first story, told on made-up posts: runs, an outage, its backfill, before and after, and nothing lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from shlex import quote

from tradex_ledger.audit.query import query
from tradex_ledger.domain.day import iso
from tradex_ledger.domain.partition import Totals
from tradex_ledger.domain.request import Request
from tradex_ledger.driving.execution import Progress, silent
from tradex_ledger.errors import RefusedError
from tradex_ledger.paths import check_no_url, given
from tradex_ledger.pipelines.x.demo.posts import deliver_days
from tradex_ledger.workspace import Workspace

SEED = 20260110
FIRST = date(2024, 3, 1)
DAYS = 31
POSTS_A_DAY = 150
OUTAGE = (date(2024, 3, 12), date(2024, 3, 14))
REASON = "The X API was down from 12 to 14 March, INC-4211; its posts were delivered afterwards"
APPROVER = "maria"
_DAYS_SQL = (
    "select date, sum(mentions)::bigint as mentions, count(*) filter (signal <> 'normal') as signals "
    "from gold_signals where date between '2024-03-10' and '2024-03-16' group by 1 order by 1"
)


@dataclass
class Step:
    """One step of the story: what is done, the command that does it, and what is to be seen."""

    title: str
    command: str = ""
    rows: list[dict[str, object]] = field(default_factory=list)
    text: list[str] = field(default_factory=list)


class DemoExistsError(RefusedError):
    """The folder for the demo is there already."""

    code = "demo-exists"

    def __init__(self, folder: str) -> None:
        super().__init__(f"{folder} exists already", mend="give another one (tradex demo --dir NAME), or remove it")


def tell(folder: str, *, actor: str | None = None, progress: Progress = silent) -> Iterator[Step]:
    """Make a workspace in `folder` and play the story in it; yields each step once it is done."""
    check_no_url(folder, "the demo")
    root = given(folder, Path())
    if root.exists():
        raise DemoExistsError(folder)
    posts = root / "posts"
    posts.mkdir(parents=True)
    at = f"tradex -C {quote(folder)}"
    with Workspace.create(root, source=f"files:{posts.resolve()}", actor=actor) as workspace:
        yield Step(
            "A workspace: an empty ledger, an empty lake, seven datasets on record",
            f"tradex init {quote(folder)} --source {quote(f'files:{posts}')}",
        )
        yield from _three_runs(workspace, posts, at, progress)
        position = workspace.ledger.position()
        before = _rows(workspace, _DAYS_SQL)
        yield Step("Three days are missing from the signals: the API was down", f'{at} query "{_DAYS_SQL}"', before)
        _deliver(posts, *OUTAGE)
        yield from _backfill(workspace, at, progress)
        yield Step("After: the days are there", f'{at} query "{_DAYS_SQL}"', _rows(workspace, _DAYS_SQL))
        yield Step(
            "As of before the backfill: what we believed then is still an answer",
            f'{at} query "{_DAYS_SQL}" --as-of {position}',
            _rows(workspace, _DAYS_SQL, str(position)),
        )
        yield Step(
            "The pipeline's state did not move: only an incremental run can move it",
            f"{at} state history",
            [move._asdict() for move in workspace.audit.look.state_moves()],
        )
        yield from _again(workspace, at, progress)
        yield _next(at)


def _deliver(posts: Path, first: date, last: date) -> None:
    deliver_days(posts, SEED, FIRST, DAYS, POSTS_A_DAY, (first, last))


def _three_runs(workspace: Workspace, posts: Path, at: str, progress: Progress) -> Iterator[Step]:
    rows = []
    before, after = OUTAGE[0] - timedelta(days=1), OUTAGE[1] + timedelta(days=1)
    deliveries = (
        [(FIRST, date(2024, 3, 10))],
        [(date(2024, 3, 11), before), (after, date(2024, 3, 20))],
        [(date(2024, 3, 21), FIRST + timedelta(days=DAYS + 3))],
    )
    for spans, end in zip(deliveries, (date(2024, 3, 10), date(2024, 3, 20), date(2024, 3, 31)), strict=True):
        for first, last in spans:
            _deliver(posts, first, last)
        run = workspace.incremental.run(last=end, progress=progress)
        rows.append(
            {
                "run": run.id,
                "to": end,
                "status": run.status,
                "new posts": run.totals.get("rows", 0),
                "partitions": sum(len(days) for days in run.candidates.values()),
            }
        )
    yield Step(
        "A month of incremental runs; on three days nothing was delivered",
        f"{at} run --to 2024-03-31",
        rows,
    )


def _backfill(workspace: Workspace, at: str, progress: Progress) -> Iterator[Step]:
    wanted = _request()
    _, plan = workspace.backfills.plan(wanted)
    span = f"--from {wanted.first} --to {wanted.last}"
    request = f'{at} backfill request temporal bronze_x_posts {span} --no-override-state --reason "{REASON}"'
    windows = [
        {"dataset": w.dataset, "first": iso(w.first), "last": iso(w.last), "partitions": w.partitions}
        for w in plan.windows
    ]
    yield Step(
        "The posts came in later. What would a backfill cost? A dry run records nothing",
        f"{request} --dry-run",
        windows,
    )
    made = workspace.backfills.request(wanted)
    with Workspace(workspace.config, actor=APPROVER, clock=workspace.core.clock) as approver:
        approver.backfills.approve(made.id)
    run = workspace.runs.drive(made.id, progress=progress)
    counts = run.closing_totals()
    yield Step(
        f"Requested by {made.requested_by}, approved by {APPROVER}, run: published all at once",
        f"{at} backfill run {made.id}",
        [{"run": run.id, "status": run.status, "new posts": counts.appended_rows, **_outcomes(counts)}],
    )


def _again(workspace: Workspace, at: str, progress: Progress) -> Iterator[Step]:
    made = workspace.backfills.request(_request())
    workspace.backfills.approve(made.id)
    counts = workspace.runs.drive(made.id, progress=progress).closing_totals()
    yield Step(
        "The same backfill again does no harm and next to no work: every partition is reused",
        f"{at} backfill run {made.id}",
        [{"run": made.id, "new posts": counts.appended_rows, **_outcomes(counts)}],
    )


def _request() -> Request:
    return Request(
        kind="temporal",
        dataset="bronze_x_posts",
        first=OUTAGE[0] - timedelta(days=3),
        last=OUTAGE[1],
        override_state=False,
        reason=REASON,
    )


def _outcomes(counts: Totals) -> dict[str, int]:
    return {name: getattr(counts, name) for name in ("partitions", "written", "identical", "reused")}


def _rows(workspace: Workspace, sql: str, as_of: str | None = None) -> list[dict[str, object]]:
    answer = query(workspace.ledger.store, workspace.core.lake, sql, as_of=as_of)
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def _next(at: str) -> Step:
    return Step(
        "What to try next",
        text=[
            f"{at} status",
            f"{at} audit log",
            f"{at} query \"select date, ticker, mentions, round(z, 1) as z from gold_signals where signal = 'spike'\"",
            f'{at} query "select file, line, reason from bronze_x_posts__rejected"',
            f"{at} dataset show gold_baselines --partitions",
            f"{at} backfill list",
        ],
    )
