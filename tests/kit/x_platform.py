"""A small platform with posts, and workspaces that call it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.kit import small
from tradex_ledger.config import FILE
from tradex_ledger.domain.quarantine import Quarantine, Which
from tradex_ledger.domain.request import Request
from tradex_ledger.pipelines.x.demo.platform import Held, Platform, served
from tradex_ledger.workspace import Workspace

TOKEN = "AAAA-a-token-that-nobody-may-see"
QUERY = "$AAPL lang:en"
FIRST = date(2024, 3, 1)
_BEGUN = datetime(2024, 3, 1, tzinfo=UTC)
_SNOWFLAKES = 1_288_834_974_657


def id_at(moment: datetime, number: int) -> str:
    """The id of a post of that moment."""
    return str(((int(moment.timestamp() * 1000) - _SNOWFLAKES) << 22) | number)


def held(number: int, *, minutes: int = 60, **more: Any) -> Held:
    """A post, one each hour from the first of March 2024 on."""
    at = _BEGUN + timedelta(minutes=minutes * number)
    facts: dict[str, Any] = {"text": f"post {number} on $AAPL", "author_id": "42", "likes": number, **more}
    return Held((id_at(at, number),), created_at=at, **facts)


@contextmanager
def platform(posts: int = 0, **more: Any) -> Iterator[Platform]:
    """A platform on this machine, which the environment names, with its token."""
    made = Platform(token=TOKEN, **more)
    made.hold(map(held, range(posts)))
    with served(made) as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRADEX_X_API", url)
        patch.setenv("X_BEARER_TOKEN", TOKEN)
        yield made


def create(folder: Path, **policy: Any) -> Workspace:
    """A workspace that calls the platform, in this very process; `policy` is put on record."""
    clock = small.Ticking(datetime(2024, 4, 30, tzinfo=UTC))
    Workspace.create(folder, source=f"x-api:{QUERY}", start=FIRST, actor="ana", clock=clock).close()
    settings = folder / FILE
    settings.write_text(settings.read_text(encoding="utf-8").replace("# workers = 2", "workers = 1 #"), "utf-8")
    if policy:
        set_policy(folder, **policy)
    return reopen(folder)


def reopen(folder: Path, day: int = 30) -> Workspace:
    """The workspace, on a day of April 2024."""
    return Workspace.open(folder, actor="ana", clock=small.Ticking(datetime(2024, 4, day, tzinfo=UTC)))


def set_policy(folder: Path, **policy: Any) -> None:
    """Put settings of the policy on record, once more if need be."""
    settings = folder / FILE
    said = [line for line in settings.read_text("utf-8").splitlines() if line.partition(" = ")[0] not in policy]
    settings.write_text("\n".join(said), "utf-8")
    small.propose_policy(folder, **policy)
    with reopen(folder) as workspace:
        workspace.policy.set(reason="asked for by the desk, INC-4301")


def outage(first: int, last: int) -> Request:
    """A backfill of some days of March 2024."""
    return Request(
        kind="temporal",
        dataset="bronze_x_posts",
        first=date(2024, 3, first),
        last=date(2024, 3, last),
        override_state=False,
        reason="the X API was down, INC-4211: its posts are fetched again",
    )


def quarantine(workspace: Workspace) -> None:
    """Two posts are held back, and one of them is released."""
    policy, file = workspace.core.policy, ("1.jsonl", "0" * 64)
    which = Which("bronze_x_posts", ["17", "18"], [], 2, 0)
    facts = {"pipeline": "x", "source": "x_retractions", "reason": "spam by a botnet, INC-7"}
    told = Quarantine.tell("quar-0000000000001", which, **facts, file=file, by="ana", policy=policy)
    workspace.ledger.append(told)
    told.release(which.rows, ["17"], keys=1, reason="it was no spam, INC-7", file=file, by="ana", policy=policy)
    workspace.ledger.append(told)
