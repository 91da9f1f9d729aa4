"""The same month, fetched from a small platform on this machine: limits, faults, a crash, an edit, a budget, a bill.

What comes of it is held against the posts of the plain demo, and what it should cost against what the platform counted.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from shlex import quote

import orjson

from tradex_ledger import extras
from tradex_ledger.config import FILE
from tradex_ledger.domain.request import Request
from tradex_ledger.domain.spending import BudgetSpentError, Spent, dollars
from tradex_ledger.driving.execution import Progress, silent
from tradex_ledger.errors import TradexError
from tradex_ledger.paths import check_no_url, given
from tradex_ledger.pipelines.x.demo.platform import Held, Platform, served
from tradex_ledger.pipelines.x.demo.posts import generate
from tradex_ledger.pipelines.x.demo.story import DAYS, FIRST, OUTAGE, POSTS_A_DAY, REASON, SEED, DemoExistsError, Step
from tradex_ledger.sources.x_api.place import PRICES, XApiPlace
from tradex_ledger.sources.x_posts.posts import Post, parse_line
from tradex_ledger.workspace import Workspace

QUERY = "cashtags lang:en"
BUDGET = 300
_LAST = FIRST + timedelta(days=DAYS - 1)


class DriverLivesError(TradexError):
    """The driver that was to die in the middle of a page went on."""

    code = "demo-went-wrong"


@dataclass(frozen=True, slots=True)
class Told:
    """What a post says, apart from how it was doing."""

    post_id: str
    text: str
    created_at: datetime


def tell(folder: str, *, actor: str | None = None, progress: Progress = silent) -> Iterator[Step]:
    """Make a workspace in `folder` whose source is called, and play the story; yields each step once it is done."""
    check_no_url(folder, "the demo")
    root = given(folder, Path())
    if root.exists():
        raise DemoExistsError(folder)
    extras.load("tradex_ledger.sources.x_api.client", "the demo of the X API", "x")  # before there is half a demo
    posts = {post.history[0]: post for post in _held()}
    late = {key: post for key, post in posts.items() if OUTAGE[0] <= post.created_at.date() <= OUTAGE[1]}
    platform = Platform(calls_allowed=3, window_s=2.0)
    platform.hold(post for key, post in posts.items() if key not in late)
    with served(platform) as url, _environment(TRADEX_X_API=url, X_BEARER_TOKEN=platform.token):
        at = f"tradex -C {quote(folder)}"
        with Workspace.create(root, source=f"x-api:{QUERY}", start=FIRST, actor=actor) as workspace:
            yield Step(
                "A workspace whose source is called; the token is in the environment, and nowhere else",
                f"tradex init {quote(folder)} --source {quote(f'x-api:{QUERY}')} --start {FIRST}",
            )
            yield _limits(workspace, platform, at, progress)
            yield _crash(workspace, platform, at, progress)
            platform.hold(late.values())
            yield from _backfill(workspace, platform, at, progress)
            yield _equal(workspace, posts)
            yield _invoice(workspace, platform, at)


@contextmanager
def _environment(**named: str) -> Iterator[None]:
    """The environment of this process and of its children, for the length of the block."""
    before = {name: os.environ.get(name) for name in named}
    os.environ.update(named)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _held() -> Iterator[Held]:
    """The posts of the plain demo as the platform holds them: the newest version of each."""
    newest: dict[str, Post] = {}
    for delivery in generate(SEED, FIRST, DAYS, POSTS_A_DAY):
        for post in parse_line(delivery.line):
            if isinstance(post, Post) and post.revised_at >= (
                newest[post.post_id].revised_at if post.post_id in newest else 0
            ):
                newest[post.post_id] = post
    for post in newest.values():
        made = datetime.fromtimestamp(post.created_at / 1_000_000, UTC)
        text = post.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        yield Held((post.post_id,), text, made, post.author_id, post.lang, post.likes or 0, post.retweets or 0)


def _limits(workspace: Workspace, platform: Platform, at: str, progress: Progress) -> Step:
    platform.faults = [None, 503]
    platform.calls_allowed = 2
    run = workspace.incremental.run(last=OUTAGE[0] - timedelta(days=2), progress=progress)
    platform.calls_allowed = 300
    return Step(
        "An incremental run: the platform fails once (503), then its limit of calls is reached and waited for",
        f"{at} run --to {OUTAGE[0] - timedelta(days=2)}",
        [_row(run.id, run.status, run.spent)],
    )


def _crash(workspace: Workspace, platform: Platform, at: str, progress: Progress) -> Step:
    """A driver of its own is killed while a page is on its way; the next one goes on behind the last whole page."""
    before = platform.sent()
    command = "from tradex_ledger.cli.signals import start; start()"
    call = ["-C", str(workspace.config.folder), "--as", workspace.actor, "run", "--to", str(_LAST)]
    with subprocess.Popen(
        [sys.executable, "-c", command, *call],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as driver:
        platform.faults = [None, "half"]
        platform.on_half = driver.kill
        driver.wait()
    if platform.sent() == before:
        raise DriverLivesError("the driver that was to be killed never asked the platform", mend="tell its makers")
    run = workspace.incremental.run(last=_LAST, progress=progress)
    pages = workspace.query(
        f"select page, rows, calls, \"by\" from source_calls where run_id = '{run.id}' order by position"
    )
    return Step(
        "The driver is killed in the middle of its second page; the same command goes on with just that page",
        f"{at} run --to {_LAST}",
        [{"run": run.id, **dict(zip(pages.columns, row, strict=True))} for row in pages.rows],
    )


def _backfill(workspace: Workspace, platform: Platform, at: str, progress: Progress) -> Iterator[Step]:
    wanted = Request(
        kind="temporal",
        dataset="bronze_x_posts",
        first=OUTAGE[0] - timedelta(days=1),
        last=OUTAGE[1],
        override_state=False,
        reason=REASON,
    )
    edited, deleted = _two_of(platform, wanted.first or FIRST)
    platform.edit(edited.id, f"{edited.text} (edited)", str(int(edited.id) + (60_000 << 22)))
    platform.delete(deleted.id)
    made = workspace.backfills.request(wanted)
    workspace.backfills.approve(made.id)
    request = f"{at} backfill request temporal bronze_x_posts --from {wanted.first} --to {wanted.last} …"
    yield Step(
        "Posts of three days came late, one was edited, one deleted. A count for a cent says what a backfill costs",
        request,
        text=workspace.backfills.warnings(made),
    )
    _set_budget(workspace, BUDGET)
    try:
        workspace.runs.drive(made.id, progress=progress)
    except BudgetSpentError as stopped:
        yield Step(f"A budget of {BUDGET} posts ends it, cleanly", f"{at} backfill run {made.id}", text=[str(stopped)])
    _set_budget(workspace, 0)
    run = workspace.runs.drive(made.id, progress=progress)
    yield Step(
        "Without it, the same command goes on behind the last page",
        f"{at} backfill run {made.id}",
        [{**_row(run.id, run.status, run.spent), "new in Bronze": run.totals.get("rows", 0)}],
    )


def _two_of(platform: Platform, day: date | None) -> tuple[Held, Held]:
    """Two posts of a day."""
    first, second, *_ = (post for post in platform.posts.values() if post.created_at.date() == day)
    return first, second


def _set_budget(workspace: Workspace, rows: int) -> None:
    settings = workspace.config.folder / FILE
    lines = settings.read_text(encoding="utf-8").splitlines(keepends=True)
    said = [line for line in lines if "run_max_source_rows" not in line]
    number = said.index(next(line for line in said if line.startswith("[policy]"))) + 1
    said.insert(number, f"run_max_source_rows = {rows}\n")
    settings.write_text("".join(said), encoding="utf-8")
    workspace.policy.set(reason="what this month of posts may cost, INC-4211")


def _equal(workspace: Workspace, posts: dict[str, Held]) -> Step:
    found = workspace.query(
        "select post_id, text, created_at, row_number() over (partition by post_id order by revised_at) as version "
        "from bronze_x_posts"
    ).rows
    there = {Told(row[0], row[1], row[2]) for row in found if row[3] == 1}
    plain = {Told(key, _decoded(post.text), post.created_at.replace(tzinfo=None)) for key, post in posts.items()}
    edits = [row for row in found if row[3] > 1]
    return Step(
        "The plain demo's posts, by id, text and time; the edit stands beside them, and what was deleted is kept",
        rows=[
            {
                "posts here": len(there),
                "posts of the plain demo": len(plain),
                "equal": len(there & plain),
                "edits beside them": len(edits),
            }
        ],
    )


def _decoded(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _invoice(workspace: Workspace, platform: Platform, at: str) -> Step:
    """A post is billed once a day (UTC), however often it is delivered; a budget counts each delivery."""
    events = [entry for entry in workspace.events() if entry.topic == "run.page_fetched"]
    kept = XApiPlace(QUERY, workspace.config.folder).kept
    billed: set[tuple[str, str]] = set()
    rows = 0
    for entry in events:
        page = orjson.loads((kept / str(entry.data.get("file"))).read_bytes())
        billed |= {(entry.at[:10], post.get("id")) for post in page.get("data", [])}
        rows += int(entry.data.get("rows", 0))
    counted, counts = platform.billed(), platform.asked["/2/tweets/counts/all"]
    (on_record,) = workspace.query("select count(*) from source_calls where kind = 'count'").rows[0]
    return Step(
        "The invoice: what the ledger expects, and what the platform counted",
        f'{at} query "select kind, sum(rows), sum(calls), sum(micros) / 1e6 as dollars from source_calls group by 1"',
        [
            {
                "posts delivered, on record": rows,
                "expected on the invoice": _bill(len(billed), int(str(on_record))),
                "counted by the platform": _bill(counted, counts),
            }
        ],
    )


def _bill(posts: int, counts: int) -> str:
    return f"{posts} posts, {counts} counts: {dollars(posts * PRICES.row + counts * PRICES.count)}"


def _row(run: str, status: str, spent: Spent) -> dict[str, object]:
    return {"run": run, "status": status, "posts": spent.rows, "calls": spent.calls, "cost": dollars(spent.micros)}
