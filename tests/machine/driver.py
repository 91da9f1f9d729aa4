"""What the state machine does to a workspace, and the plain model of what must come of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import delete

from tests.kit import small
from tests.kit.faults import Crash, Faults, FaultyLake, FaultyLedger, Step
from tests.kit.lake import projection
from tradex_ledger.config import FILE, load_config
from tradex_ledger.errors import EnvironmentFault, TradexError
from tradex_ledger.ledger.entry import Entry
from tradex_ledger.ledger.store import writing
from tradex_ledger.ledger.tables import holds
from tradex_ledger.workspace import BUILT_IN, Workspace

DAYS = 5
BEGUN = 4
REASON = "what the machine asked for, TRX-100"
ACTIVE = ("PLANNED", "APPROVED", "RUNNING", "FAILED", "PAUSED", "HELD")


@dataclass
class Known:
    """What the model knows of a backfill: who asked, its kind and status, and whether it was to be held."""

    kind: str
    by: str
    review: bool
    cursor: str | None
    status: str = "PLANNED"
    released: bool = False
    version: int = 1


@dataclass
class Model:
    """Statuses, cursor and logic versions, by plain rules."""

    cursor: str | None = None
    signals: int = 1
    runs: dict[str, Known] = field(default_factory=dict)

    def in_status(self, *statuses: str) -> list[str]:
        return [run_id for run_id, known in self.runs.items() if known.status in statuses]


def cursor_of(day: int) -> str:
    return f"{small.day(day)}T00:00:00.000000Z"


def make_template(root: Path) -> Path:
    """A workspace with a pipeline of its own that has run over its first days."""
    small.deliver(root / "posts", days=DAYS, posts_per_day=4)
    shutil.copytree(BUILT_IN, root / "ws" / "pipeline")
    with small.create(root / "ws", f"files:{root / 'posts'}", pipeline="pipeline") as made:
        made.incremental.run(last=small.day(BEGUN - 1))
    return root / "ws"


Breakdown = tuple[int, bool, Callable[[Step], BaseException]] | None
"""The durable step that fails, whether it took effect, and how: a dead process, or an error."""


class Lab:
    """One workspace, opened anew by whoever acts; its clock goes on from one to the next."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock, self.model = folder, small.Ticking(), Model(cursor_of(BEGUN))
        self.late = 0

    def open(self, actor: str = "ana") -> Workspace:
        return Workspace.open(self.folder, actor=actor, clock=self.clock)

    def crashing(self, faults: Faults) -> Workspace:
        """A workspace whose process dies at a durable step."""
        config = load_config(self.folder / FILE)
        # By the lab's clock, too: one event of another year, and every request is taken to have waited too long.
        ledger = FaultyLedger(config.ledger_url, faults, self.clock)
        lake = FaultyLake(Path(config.lake), faults=faults)
        return Workspace(config, actor="ana", clock=self.clock, ledger=ledger, lake=lake)

    def edit_signals(self) -> None:
        """New logic: another threshold for a spike than any version had."""
        definition = (BUILT_IN / "gold_signals.sql").read_text(encoding="utf-8")
        threshold = 3 + self.model.signals
        file = self.folder / "pipeline" / "gold_signals.sql"
        file.write_text(definition.replace("z >= 3", f"z >= {threshold}"), encoding="utf-8")

    def deliver_late(self) -> None:
        """A post of one of the days that nobody has seen yet."""
        self.late += 1
        day = self.late % DAYS + 1
        line = (
            f'{{"id":"174194200000000{self.late:04}","text":"late ${"TSLA" if self.late % 2 else "AAPL"}",'
            f'"author_id":"9","created_at":"2024-01-{day:02}T10:00:00.000Z"}}\n'
        )
        posts = Path(str(load_config(self.folder / FILE).source).removeprefix("files:"))
        (posts / f"2024-01-2{self.late % 10}-late-{self.late}.jsonl").write_text(line, encoding="utf-8")

    def drive(self, run_id: str, crash: Breakdown) -> str:
        """Drive, perhaps into a crash or a fault; returns the status that came of it, or BROKEN."""
        return self._act("maria", crash, lambda workspace: workspace.runs.drive(run_id).status)

    def run(self, until: int, crash: Breakdown) -> str:
        """Run incrementally, perhaps into a crash or a fault."""
        return self._act("ana", crash, lambda workspace: workspace.incremental.run(last=small.day(until - 1)).status)

    def _act(self, actor: str, crash: Breakdown, action: Callable[[Workspace], str]) -> str:
        workspace = self.crashing(Faults(*crash)) if crash else self.open(actor)
        try:
            return action(workspace)
        except Crash:
            return "BROKEN"
        except EnvironmentFault as error:
            assert "injected" in error.message, error
            return "BROKEN"
        finally:
            workspace.close()
            with self.open() as others, writing(others.ledger.engine) as connection:
                connection.execute(delete(holds))  # the dead let go of their leases

    def statuses(self) -> dict[str, str]:
        with self.open() as workspace:
            return {r["run_id"]: r["status"] for r in projection(workspace, "runs") if r["run_kind"] == "backfill"}


def built(entries: Sequence[Entry], topic: str, outcome: str | None = None) -> set[tuple[str, str]]:
    """The partitions (dataset, day) that these events wrote."""
    return {
        (entry.data["dataset"], entry.data["partition"])
        for entry in entries
        if entry.topic == topic and outcome in (None, entry.data.get("outcome"))
    }


def is_built_upon(run_id: str, entries: Sequence[Entry]) -> bool:
    """Whether a later publication that stands holds a partition of this run, or one that reads what it wrote."""
    reverted = {entry.stream for entry in entries if entry.topic == "backfill.reverted"}
    own = [entry for entry in entries if entry.stream == run_id]
    at = max((entry.position for entry in own if entry.topic == "run.published"), default=len(entries))
    mine, wrote = built(own, "run.partition_rebuilt"), built(own, "run.partition_rebuilt", "written")
    later = {e.stream for e in entries[at:] if e.topic == "run.published"} - reverted
    above = built([entry for entry in entries if entry.stream in later], "run.partition_rebuilt")
    return bool(above & (mine | readers(entries, wrote)))


def readers(entries: Sequence[Entry], partitions: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The partitions that read any of these, by the newest logic of each dataset."""
    reads = {
        e.stream.removeprefix("dataset-"): e.data["reads"] for e in entries if e.topic == "dataset.logic_versioned"
    }
    return {
        (dataset, (date.fromisoformat(day) - timedelta(days=distance)).isoformat())
        for dataset, inputs in reads.items()
        for edge in inputs
        for name, day in partitions
        if name == edge["dataset"]
        for distance in range(edge["first"], edge["last"] + 1)
    }


def closure(entries: Sequence[Entry], partitions: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """These partitions, and all that follow from them."""
    found = set(partitions)
    while further := readers(entries, found) - found:
        found |= further
    return found


def refused(command: Any) -> str | None:
    """The code with which a command was refused; None when it was done."""
    try:
        command()
    except TradexError as error:
        return error.code
    return None
