"""The Python API: `Workspace.open(path)`, a room a noun of the shell, one method a command, values as results."""

from __future__ import annotations

from tradex_ledger.offered import offering

__getattr__ = offering(
    __name__,
    {
        "BUILT_IN": "tradex_ledger.datasets.built_in",
        "PIPELINE": "tradex_ledger.datasets.built_in",
        "Workspace": "tradex_ledger.workspace.opened",
        "WorkspaceExistsError": "tradex_ledger.workspace.opened",
    },
)
