"""The golden ledger: how one is recorded (once a format, then never again) and loaded.

    python -m tests.golden.record 1

tells a small story (1: ordinary days; 2: the operating rules) and writes what the ledger holds and what it answers.
Old files are not touched again: they are what a ledger of their time looked like.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

from eventsourcing.persistence import StoredEvent
from sqlalchemy import Engine

from tests.kit import small, story_of_rules
from tests.kit.check import read_record
from tests.kit.given import state, whole
from tests.kit.rows import rows
from tradex_ledger.domain.day import Day, iso
from tradex_ledger.domain.protection import Protection
from tradex_ledger.ledger.application import Ledger
from tradex_ledger.ledger.entry import canonical, parse, parse_time
from tradex_ledger.ledger.recorder import Recorder
from tradex_ledger.ledger.store import create_store, database, open_engine
from tradex_ledger.views import open_views, projected, resolve
from tradex_ledger.workspace import Workspace

HERE = Path(__file__).parent


def plain(value: Any) -> Any:
    """A value as JSON says it: one of the domain's as events carry it, a day as text."""
    if isinstance(value, Protection):
        return list(value.to_event().values())  # as it was when there was no such value
    if hasattr(value, "to_event"):
        return plain(value.to_event())
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, dict):
        return {iso(Day(k)) if isinstance(k, int) else str(k): plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list | tuple) else value


def answers(ledger: Ledger) -> dict[str, Any]:
    """The state of every aggregate, and the rows of every projection in the order of their texts."""
    with open_views(ledger.store, resolve(ledger.store, None)) as views:
        streams = [r[0] for r in views.execute("select distinct stream from events order by all").fetchall()]
        shown = {name: sorted(map(plain, rows(views, name)), key=json.dumps) for name in projected.names()}
    return {"aggregates": {s: plain(state(whole(ledger.engine, s))) for s in streams}, "projections": shown}


def load(lines: list[str], url: str) -> tuple[Engine, list[str]]:
    """A fresh store with those entries appended anew; returns it with the entries as it holds them."""
    engine = open_engine(url, create=True)
    entries = [parse(line.encode()) for line in lines]
    create_store(engine, ledger_id=entries[0].ledger, created_at=parse_time(entries[0].at))
    for entry in entries:
        body = canonical({"by": entry.by, "data": entry.data, "v": entry.v})
        recorder = Recorder(engine, lambda at=entry.at: parse_time(at))  # type: ignore[misc]  # mypy infers no lambda with a default
        recorder.insert_events([StoredEvent(entry.stream, entry.version, entry.topic, body)])
    store = database(engine)
    with open_views(store, resolve(store, None)) as views:
        found = views.execute("select entry from events order by position").fetchall()
    return engine, [row[0] for row in found]


def ordinary_days(folder: Path, source: Path) -> Workspace:
    """The story of the first format."""
    small.deliver(source, days=5, posts_per_day=3)
    workspace = small.create(folder, f"files:{source}")
    small.tell_everything(workspace, source)
    return workspace


STORIES: dict[str, Callable[[Path, Path], Workspace]] = {
    "1": ordinary_days,
    "2": story_of_rules.tell,
    "3": story_of_rules.tell,  # once more: looks at the source, texts and engines
}


def main(version: str) -> None:
    names = HERE / f"ledger_v{version}.jsonl", HERE / f"ledger_v{version}.answers.json"
    if any(name.exists() for name in names):
        raise SystemExit(f"there is a golden ledger {version} already; it stays as it is")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # so that the source has a name without a machine in it
        # Since the third, a source has a name without a machine in it when it lies in the workspace.
        source = Path("posts") if version in ("1", "2") else Path(folder, "ws", "posts")
        with STORIES[version](Path(folder, "ws"), source) as workspace:
            entries = [row[6] for row in read_record(workspace).rows]
            found = answers(workspace.ledger)
    names[0].write_text("".join(f"{entry}\n" for entry in entries), encoding="utf-8")
    names[1].write_text(json.dumps(found, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{len(entries)} entries")


if __name__ == "__main__":
    main(sys.argv[1])
