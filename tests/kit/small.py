"""A small workspace over made-up posts: quick to run, and in this process."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.kit.lake_folder import root_of
from tradex_ledger.config import FILE, open_config
from tradex_ledger.domain.policy_errors import SamePolicyError
from tradex_ledger.domain.request import Request
from tradex_ledger.domain.run import Run
from tradex_ledger.driving.execution import Execution
from tradex_ledger.errors import TradexError
from tradex_ledger.ledger.select import open_store
from tradex_ledger.pipelines.x.demo.posts import write_month
from tradex_ledger.workspace import Workspace
from tradex_ledger.workspace.core import Core

ANY_LAKE = ("lake-identity", "ledger-behind", "ledger-forked", "lake-of-another", "lake-unmarked", "lake-nested",
            "epoch-waits", "ledger-moved")  # fmt: skip
"""Whatever may be wrong between ledger and lake, for `Workspace.open(tolerates=…)`."""

FIRST = date(2024, 1, 1)
REASON = "X API outage on 4 and 5 Jan, INC-4211"
LATE = '{"id":"1741941000000000001","text":"late $TSLA","author_id":"9","created_at":"2024-01-03T10:00:00.000Z"}\n'
"""A post of 3 January that comes in later."""
CURSOR = "2024-01-04T00:00:00.000000Z"
FORCED: dict[str, Any] = {
    "kind": "forced",
    "ticket": "INC-4300",
    "reason": "the cursor was moved past corrupt data, INC-4300",
}
OVERRIDE: dict[str, Any] = {**FORCED, "override_state": True, "cursor": CURSOR}
"""A forced backfill that sets the state back."""


def day(number: int) -> date:
    """A day of January 2024."""
    return date(2024, 1, number)


class Ticking:
    """A clock that goes on by a second whenever it is looked at."""

    def __init__(self, start: datetime = datetime(2024, 2, 1, tzinfo=UTC)) -> None:
        self.now = start

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def workers_tell(patch: pytest.MonkeyPatch, clock: Ticking, off: timedelta = timedelta(0)) -> None:
    """Workers have the clock of their workspace, or one that goes wrong by so much; else they have that of the machine,
    which a clock that ticks has nothing to do with."""
    real = Core.execution

    def execution(core: Core, *given: Any, **more: Any) -> Execution:
        return replace(real(core, *given, **more), task_clock=lambda: clock.now + off)

    patch.setattr(Core, "execution", execution)


def deliver(folder: Path, *, days: int = 7, posts_per_day: int = 6) -> None:
    """Files of posts, one a delivery day from the first of January on."""
    write_month(folder, 7, FIRST, days, posts_per_day)


def reopen(folder: Path, actor: str = "ana") -> Workspace:
    """The workspace in a folder, used by somebody."""
    return Workspace.open(folder, actor=actor, clock=Ticking())


def caches(folder: Path) -> Path:
    """Where the caches of the ledger of a workspace lie, if there are any."""
    found = open_store(open_config(folder).ledger_url, folder).caches.path()
    assert found is not None
    return found


def copied(root: Path, to: Path) -> Path:
    """A copy of the workspace `ws` in a folder with the source beside it, to which more can be delivered."""
    shutil.copytree(root, to, symlinks=True, dirs_exist_ok=True)
    settings = to / "ws" / FILE
    settings.write_text(settings.read_text(encoding="utf-8").replace(str(root), str(to)), encoding="utf-8")
    return to / "ws"


def create(
    folder: Path, source: str, *, pipeline: str | None = None, from_start: bool = False, **policy: Any
) -> Workspace:
    """A workspace that works in this very process; `policy` overrides what stands under [policy].

    It begins with the datasets that come with the package, and has its `pipeline` then; or `from_start`.
    """
    clock = Ticking(datetime(2024, 1, 31, tzinfo=UTC))
    first = pipeline if from_start else None
    Workspace.create(folder, source=source, pipeline=first, actor="ana", clock=clock).close()
    settings = folder / FILE
    text = settings.read_text(encoding="utf-8").replace("# workers = 2", "workers = 1 #")
    if pipeline:
        text = text.replace('# pipeline = "pipeline"', f'pipeline = "{pipeline}"')
    settings.write_text(text, encoding="utf-8")
    if policy:
        set_policy(folder, **policy)
    return reopen(folder)


def set_policy(folder: Path, **policy: Any) -> None:
    """Put settings under [policy] of a workspace's file, and on record."""
    propose_policy(folder, **policy)
    with reopen(folder) as workspace, suppress(SamePolicyError):
        workspace.policy.set(reason="asked for by the desk, INC-4301")


def propose_policy(folder: Path, **policy: Any) -> None:
    """Put settings under [policy] of a workspace's file, which has no effect by itself."""
    settings = folder / FILE
    before, heading, after = settings.read_text(encoding="utf-8").partition("[policy]")
    rest = after.partition("\n")[2]
    limits = "".join(f"{name} = {json.dumps(value)}\n" for name, value in policy.items())
    settings.write_text(f"{before}{heading}\n{limits}{rest}", encoding="utf-8")


def edit(workspace: Workspace, dataset: str, old: str, new: str) -> None:
    """Edit a definition of the workspace's own pipeline, as its author would."""
    file = workspace.config.folder / "pipeline" / f"{dataset}.sql"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def request(workspace: Workspace, first: int | date = 4, last: int | date = 5, **changes: Any) -> str:
    """Request a temporal backfill of some days of January; returns its id."""
    order: dict[str, Any] = {
        "kind": "temporal",
        "dataset": "bronze_x_posts",
        "first": first if isinstance(first, date) else day(first),
        "last": last if isinstance(last, date) else day(last),
        "override_state": False,
        "reason": REASON,
        **changes,
    }
    return workspace.backfills.request(Request(**order)).id


def backfill(workspace: Workspace, first: int | date = 4, last: int | date = 5, **changes: Any) -> Run:
    """Request, approve and drive a temporal backfill."""
    run_id = request(workspace, first, last, **changes)
    workspace.backfills.approve(run_id)
    return workspace.runs.drive(run_id)


@contextmanager
def broken(path: Path, content: bytes) -> Iterator[None]:
    """A file with other content for a while."""
    whole = path.read_bytes() if path.exists() else None
    path.write_bytes(content)
    try:
        yield
    finally:
        if whole is None:
            path.unlink()
        else:
            path.write_bytes(whole)


def tell_everything(workspace: Workspace, source: Path) -> None:
    """A story of ordinary days: failures, a rejection, a cancellation, a backfill (rules: `story_of_rules.py`)."""
    with broken(source / "2024-01-03.jsonl.gz", b"\x1f\x8b no gzip"):
        _fails(lambda: workspace.incremental.run(last=day(4)))
    workspace.incremental.run(last=day(4))
    rejected = request(workspace)
    workspace.backfills.reject(rejected, reason="the vendor will deliver again on Monday")
    cancelled = request(workspace)
    workspace.backfills.approve(cancelled)
    workspace.runs.cancel(cancelled, reason="the vendor delivered other days")
    late = '{"id":"1741941000000000001","text":"late $TSLA","author_id":"9","created_at":"2024-01-02T10:00:00.000Z"}\n'
    (source / "2024-01-09-late.jsonl").write_text(late, encoding="utf-8")
    run_id = request(workspace, 2, 3)
    workspace.backfills.approve(run_id)
    lake = sorted(root_of(workspace).glob("bronze_x_posts/event_date=2024-01-03/*.parquet"))[0]
    with broken(lake, lake.read_bytes()[:-1]):
        _fails(lambda: workspace.runs.drive(run_id))
    workspace.runs.drive(run_id)
    workspace.incremental.run(last=day(7))


def _fails(command: Any) -> None:
    try:
        command()
    except TradexError:
        return
    raise AssertionError("it was to fail")
