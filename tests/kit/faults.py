"""Adapters that fail at the n-th durable step, before or after it took effect, and a process that dies of it."""

from __future__ import annotations

import errno
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

from tradex_ledger.clock import utc_now
from tradex_ledger.config import FILE, load_config
from tradex_ledger.domain.base import Aggregate
from tradex_ledger.driving.execution import Progress, silent
from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.lake.local import LocalLake
from tradex_ledger.lake.markers import Marker
from tradex_ledger.lake.storage import StagedFile
from tradex_ledger.ledger.application import Ledger
from tradex_ledger.ledger.store import database, open_engine
from tradex_ledger.workspace import Workspace

R = TypeVar("R")


class Crash(BaseException):
    """The process is dead: nothing catches this, and nothing it does afterwards has an effect."""


class Step(NamedTuple):
    """A durable step: the method, and what it was about, such as a layer or the topics of a save."""

    method: str
    about: str


def sudden_death(step: Step) -> BaseException:
    """The process ends."""
    return Crash(str(step))


def fault(step: Step) -> BaseException:
    """The disk or the database says no, once; the process goes on."""
    if step.method == "append":
        return EnvironmentFault(f"injected: the database is away at {step.about}", transient=True)
    return OSError(errno.EIO, f"injected: no {step.method}", step.about)


@dataclass
class Faults:
    """Counts durable steps (from 1) and lets step `at` fail; without `at` it only counts."""

    at: int = 0
    persisted: bool = False
    error: Callable[[Step], BaseException] = sudden_death
    steps: list[Step] = field(default_factory=list)
    dead: bool = False

    def step(self, method: str, about: str, effect: Callable[[], R]) -> R:
        """Do a durable step, or fail before it, or after it."""
        if self.dead:
            raise Crash("dead already")
        step = Step(method, about)
        self.steps.append(step)
        fails = len(self.steps) == self.at
        result = None if fails and not self.persisted else effect()
        if fails:
            error = self.error(step)
            self.dead = isinstance(error, Crash)
            raise error
        return result  # type: ignore[return-value]  # what did not fail is the effect's own


class FaultyLedger(Ledger):
    """A ledger whose saves are durable steps."""

    def __init__(self, url: str, faults: Faults, clock: Callable[[], datetime] = utc_now) -> None:
        self.faults = faults
        engine = open_engine(url)
        super().__init__(database(engine), clock, lambda: engine)

    def append(self, *aggregates: Aggregate, unmoved: Iterable[Aggregate] = ()) -> int:
        pending = [event for aggregate in aggregates for event in aggregate.pending_events]
        named = [(event.TOPIC, getattr(event, "layer", None)) for event in pending]
        topics = dict.fromkeys(
            f"{topic}:{layer}" if layer else topic for topic, layer in named if topic != "dataset.published"
        )
        save = super().append
        return self.faults.step("append", " ".join(topics), lambda: save(*aggregates, unmoved=unmoved))


@dataclass(frozen=True)
class FaultyLake(LocalLake):
    """A lake whose staging, placing and syncing are durable steps. The dead clean nothing up."""

    faults: Faults = field(default_factory=Faults, kw_only=True)

    def new_staging(self, run_id: str, token: str) -> Path:
        return self.faults.step("new_staging", "", lambda: super(FaultyLake, self).new_staging(run_id, token))

    def give_name(self, staged: StagedFile, folder: str, run_id: str, taken: Collection[str]) -> str:
        return self.faults.step(
            "place", folder.partition("_")[0], lambda: super(FaultyLake, self).give_name(staged, folder, run_id, taken)
        )

    def sync_placed(self, paths: Iterable[str]) -> None:
        names = list(paths)
        about = names[0].partition("_")[0] if names else "nothing"
        self.faults.step("sync_placed", about, lambda: super(FaultyLake, self).sync_placed(names))

    def lay(self, marker: Marker) -> bool:
        return self.faults.step("lay", "", lambda: super(FaultyLake, self).lay(marker))

    def drop_staging(self, folder: Path) -> None:
        if not self.faults.dead:
            super().drop_staging(folder)


def open_faulty(folder: Path, faults: Faults) -> Workspace:
    """The workspace in a folder, with adapters that fail as told."""
    config = load_config(folder / FILE)
    return Workspace(
        config, ledger=FaultyLedger(config.ledger_url, faults), lake=FaultyLake(Path(config.lake), faults=faults)
    )


@dataclass
class Interruption:
    """A progress listener that does something once, the first time that it hears of a stage."""

    stage: str
    action: Callable[[], object]
    then: Progress = silent
    happened: bool = False

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage.startswith(self.stage) and not self.happened:
            self.happened = True
            self.action()
        self.then(stage, done, total)
