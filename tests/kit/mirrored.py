"""Workspaces with mirrors, what they hold byte by byte, and a history in which much that readers see becomes other."""

from __future__ import annotations

import random
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.kit import small
from tradex_ledger.config import FILE, load_config
from tradex_ledger.domain.mirrors import DELTA, DUCKLAKE, MirrorSetting
from tradex_ledger.errors import TradexError
from tradex_ledger.mirrors.delta import LINK, LOG
from tradex_ledger.workspace import Workspace

NAMES = ("tables", "lakehouse")
"""The Delta mirror and the DuckLake, as the settings of these workspaces call them."""


def settings(folder: Path, at: str = "mirrors") -> str:
    """Both mirrors, as settings have them."""
    return (
        f'\n[mirrors.tables]\nkind = "delta"\nplace = "{at}/delta"\n'
        f'\n[mirrors.lakehouse]\nkind = "ducklake"\nplace = "{at}/lake.ducklake"\n'
    )


def name_mirrors(ws: Path, at: str = "mirrors") -> None:
    """Have both mirrors in the settings of a workspace."""
    with (ws / FILE).open("a", encoding="utf-8") as file:
        file.write(settings(ws, at))


def mirrors(ws: Path) -> dict[str, MirrorSetting]:
    """Its mirrors by kind."""
    return {one.kind: one for one in load_config(ws / FILE).mirrors if one.name in NAMES}


def delta_folder(ws: Path) -> Path:
    return Path(mirrors(ws)[DELTA].place)


def catalog_file(ws: Path) -> Path:
    return Path(mirrors(ws)[DUCKLAKE].place)


def logs(folder: Path) -> dict[str, bytes]:
    """Every file of a Delta mirror but the links, by its path."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if LINK not in path.relative_to(folder).parts and path.is_file():
            found[str(path.relative_to(folder))] = path.read_bytes()
    return found


def rows_of(file: Path) -> dict[str, list[Any]]:
    """Every row of a catalog in SQLite, by its table, in no order."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        names = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        return {name: sorted(connection.execute(f'select * from "{name}"').fetchall(), key=repr) for name in names}


def held(ws: Path) -> dict[str, dict[str, Any]]:
    """All that both mirrors hold."""
    return {DELTA: logs(delta_folder(ws)), DUCKLAKE: rows_of(catalog_file(ws))}


def commits(ws: Path, dataset: str) -> list[Path]:
    """The commits of a table, in order."""
    return sorted((delta_folder(ws) / dataset / LOG).glob("*.json"))


class History:
    """A history by chance, of which the seed is known: runs, late posts and their backfills, reverts, new logic."""

    def __init__(self, ws: Path, posts: Path, seed: int) -> None:
        self.ws, self.posts, self.chance = ws, posts, random.Random(seed)
        self.day, self.late, self.version, self.silver = 1, 0, 1, 1
        self.done: list[str] = []

    def tell(self, steps: int) -> list[str]:
        """So many steps; returns what they were."""
        deeds = [self.run, self.late_posts, self.revert, self.other_gold, self.other_silver, self.again, self.deprecate]
        self._try(self.run)
        for _ in range(steps):
            self._try(self.chance.choices(deeds, weights=[5, 4, 3, 3, 2, 2, 1])[0])
        return self.done

    def _try(self, deed: Any) -> None:
        with small.reopen(self.ws) as workspace:
            try:
                deed(workspace)
                self.done.append(deed.__name__)
            except TradexError as error:  # what the rules refuse is no step
                self.done.append(f"{deed.__name__}: {error.code}")

    def run(self, workspace: Workspace) -> None:
        self.day = min(self.day + self.chance.randint(1, 3), 8)
        workspace.incremental.run(last=small.day(self.day - 1))

    def late_posts(self, workspace: Workspace) -> None:
        self.late += 1
        day = self.chance.randint(1, max(self.day - 1, 1))
        post = (
            f'{{"id":"17419410000000{self.late:05}","text":"late $TSLA and $AAPL number {self.late}",'
            f'"author_id":"9","created_at":"2024-01-0{day}T10:00:{self.late % 60:02}.000Z"}}\n'
        )
        (self.posts / f"2024-01-09-late-{self.late}.jsonl").write_text(post, encoding="utf-8")
        small.backfill(workspace, day, day)

    def again(self, workspace: Workspace) -> None:
        """A day that comes out the same: readers see nothing of it."""
        small.backfill(workspace, 1, 1, kind="dataset", dataset="silver_social_events")

    def revert(self, workspace: Workspace) -> None:
        done = [run.id for run in workspace.audit.look.runs(kind="backfill", status="SUCCESS")]
        if done:
            workspace.backfills.revert(done[0], reason="the vendor took its delivery back, INC-4212")

    def other_gold(self, workspace: Workspace) -> None:
        """Another version stands beside: with one more column, and then with one less."""
        self.version += 1
        more = f"m.mentions + {self.version} as extra{self.version},"
        file = self.ws / "pipeline" / "gold_signals.sql"
        text = file.read_text(encoding="utf-8")
        file.write_text(_with_column(text, f"extra{self.version}", more), encoding="utf-8")
        workspace.datasets.bump("gold_signals", reason="another column is wanted, INC-4400")
        small.backfill(workspace, 1, max(self.day - 1, 1), kind="logical", dataset="gold_signals")

    def other_silver(self, workspace: Workspace) -> None:
        """Another version in the place of the one before, of some days only: files of several versions are current."""
        self.silver += 1
        file = self.ws / "pipeline" / "silver_social_events.sql"
        text = re.sub(
            r"likes, retweets[^\n]*\nfrom \(",
            f"likes, retweets, likes * {self.silver} as w{self.silver}\nfrom (",
            file.read_text(encoding="utf-8"),
        )
        file.write_text(text, encoding="utf-8")
        workspace.datasets.bump("silver_social_events", reason="likes are weighed, INC-4402")
        small.backfill(workspace, 1, 2, kind="logical", dataset="silver_social_events")

    def deprecate(self, workspace: Workspace) -> None:
        workspace.datasets.deprecate("gold_signals", self.version, reason="nobody should read it, INC-4401")


def _with_column(text: str, name: str, column: str) -> str:
    """The definition of signals with one more column, in the place of one that an earlier version had more."""
    lines = [line for line in text.splitlines() if "extra" not in line]
    at = lines.index("        m.ticker,")
    lines.insert(at + 1, f"        {column}")
    last = lines.index("from scored")
    lines.insert(last, f"    , {name}")
    return "\n".join(lines) + "\n"


def positions(ws: Path) -> Iterator[int]:
    """Those of the snapshots of its catalog."""
    yield from sorted(row[0] for row in rows_of(catalog_file(ws))["ducklake_snapshot"] if row[0])
