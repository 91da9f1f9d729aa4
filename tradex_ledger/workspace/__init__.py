"""The Python API: `Workspace.open(path)`, a room a noun of the shell, one method a command, values as results."""

from __future__ import annotations

_WHERE = {
    "BUILT_IN": "tradex_ledger.datasets.built_in",
    "PIPELINE": "tradex_ledger.datasets.built_in",
    "Workspace": "tradex_ledger.workspace.opened",
    "WorkspaceExistsError": "tradex_ledger.workspace.opened",
}


def __getattr__(name: str) -> object:
    """What the room offers (`__init__.pyi`) is loaded by who asks for it: who reads needs a part of it, or none."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_WHERE[name]), name)
