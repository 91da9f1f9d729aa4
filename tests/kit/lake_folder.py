"""Where a workspace's lake lies: tests look into its folder, and break it; the package itself knows only the port."""

from __future__ import annotations

from pathlib import Path

from tradex_ledger.workspace import Workspace


def root_of(workspace: Workspace) -> Path:
    """The folder of its lake."""
    return Path(workspace.core.lake.name)


def in_lake(workspace: Workspace, path: str) -> Path:
    """Where a file lies that an event names."""
    return root_of(workspace) / path
