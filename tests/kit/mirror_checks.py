"""Both mirrors of a workspace, read by engines that are not ours, at every position at which readers got something
else, and held against what `tradex query --as-of` says."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.kit import foreign_engine, mirrored
from tests.kit.foreign_engine import Found
from tradex_ledger.mirrors import delta_log
from tradex_ledger.mirrors.delta import LINK
from tradex_ledger.mirrors.readers import steps
from tradex_ledger.mirrors.step import Step
from tradex_ledger.workspace import Workspace


@dataclass
class Said:
    """What we say of datasets as of positions; asked once."""

    workspace: Workspace
    known: dict[tuple[str, int], Found] = field(default_factory=dict)

    def of(self, dataset: str, position: int) -> Found:
        if (dataset, position) not in self.known:
            self.known[dataset, position] = foreign_engine.ours(self.workspace, dataset, position)
        return self.known[dataset, position]


def asked(taken: list[Step], thin: int) -> list[tuple[str, int]]:
    """Each dataset at each position where it became other, and at the last; every so many positions, all of them."""
    found: dict[tuple[str, int], None] = {}
    there: dict[str, None] = {}
    for number, step in enumerate(taken):
        changed = {change.dataset: None for change in step.changes}
        there |= changed
        is_whole = number == len(taken) - 1 or (thin and number % thin == 0)
        found |= dict.fromkeys((name, step.position) for name in (there if is_whole else changed))
    return list(found)


def differing(workspace: Workspace, *, thin: int = 0, without: tuple[str, ...] = ()) -> tuple[int, list[Any]]:
    """How much was compared, and what is not the same; columns may stand in another order in none of them."""
    ws = workspace.config.folder
    said, catalog = Said(workspace), mirrored.catalog_file(ws)
    taken = steps(workspace.ledger, 0, workspace.ledger.position())
    pairs = [pair for pair in asked(taken, thin) if pair[0] not in without]
    asks = [{"of": "ducklake", "table": name, "version": position} for name, position in pairs]
    found = foreign_engine.ask(f"sqlite:{catalog}", asks)
    bad: list[Any] = [
        (ask, ours, theirs)
        for ask, (name, position), theirs in zip(asks, pairs, found, strict=True)
        if (ours := said.of(name, position)) != theirs
    ]
    wanted = []
    for name in sorted({name for name, _ in pairs}):
        table = mirrored.delta_folder(ws) / name
        files = mirrored.commits(ws, name)
        for version, file in enumerate(files):
            told = delta_log.told(file)
            assert told is not None
            ours = said.of(name, told.position)
            wanted.append(({"of": "delta", "table": table.as_uri(), "version": version}, ours))
            is_third = version % 3 == 0 or version == len(files) - 1
            for reader in (foreign_engine.delta_rs, *([foreign_engine.polars] if is_third else [])):
                theirs = reader(table, version)
                bad += [(reader.__name__, name, version, ours, theirs)] if theirs != ours else []
    found = foreign_engine.ask(None, [one for one, _ in wanted])
    bad += [(one, ours, theirs) for (one, ours), theirs in zip(wanted, found, strict=True) if ours != theirs]
    return len(pairs) + 3 * len(wanted), bad


def dataset_files(folder: Path) -> list[Path]:
    """The data files that lie in a folder; none is to lie in that of a mirror."""
    return [path for path in folder.rglob("*.parquet") if LINK not in path.parts]
