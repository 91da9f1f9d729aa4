"""A workspace whose pipeline has retractions, as examples/retractions defines it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests import worlds
from tests.kit import small
from tests.kit.tree import ROOT
from tradex_ledger.workspace import BUILT_IN, Workspace

EXAMPLE = ROOT / "examples" / "retractions" / "pipeline"


def lay_out(root: Path) -> None:
    """Its definitions, and what is delivered beside it: posts, and no notice yet."""
    left_out = ("demo", "__pycache__", *(f"{name}.sql" for name in worlds.GOLD_OF_GOLD))  # no notice asks for it
    shutil.copytree(BUILT_IN, root / "ws" / "pipeline", ignore=shutil.ignore_patterns(*left_out))
    shutil.copytree(EXAMPLE, root / "ws" / "pipeline", dirs_exist_ok=True)
    small.deliver(root / "posts")
    (root / "retractions").mkdir()


def sources(root: Path) -> list[str]:
    """Where its sources deliver to."""
    folders = (("x_posts", "posts"), ("x_retractions", "retractions"))
    return [f"{name}=files:{root / folder}" for name, folder in folders]


def _create(root: Path) -> None:
    """A new one, run over its week."""
    lay_out(root)
    begun = small.Ticking(datetime(2024, 1, 31, tzinfo=UTC))
    Workspace.create(root / "ws", source=sources(root), pipeline="pipeline", actor="ana", clock=begun).close()
    settings = root / "ws" / "tradex.toml"
    settings.write_text(settings.read_text("utf-8").replace("# workers = 2", "workers = 1 #"), "utf-8")
    with Workspace.open(root / "ws", actor="ana", clock=small.Ticking(worlds.RAN)) as made:
        made.incremental.run(last=small.day(7))


@contextmanager
def created(root: Path) -> Iterator[Workspace]:
    """One's own, in which the week was run."""
    ws = small.copied(worlds.made("retracting", _create), root)
    with Workspace.open(ws, actor="ana", clock=small.Ticking(datetime(2024, 2, 1, tzinfo=UTC))) as made:
        yield made


def tomorrow(workspace: Workspace) -> None:
    """A notice of today is taken by tomorrow's run."""
    clock = workspace.core.clock
    assert isinstance(clock, small.Ticking)
    clock.now += timedelta(days=1)
