"""tradex-ledger: reprocessing history without fear.

>>> from tradex_ledger import Request, Workspace
>>> Workspace.open("ws")                                                # doctest: +SKIP
<Workspace ws: pipeline x until 2014-03-01, 387 events, as ana>
"""

from __future__ import annotations

__version__ = "0.1.0"

_WHERE = {
    "Request": "tradex_ledger.domain.request",
    "TradexError": "tradex_ledger.errors",
    "Workspace": "tradex_ledger.workspace",
}


def __getattr__(name: str) -> object:
    """What the package offers (`__init__.pyi`) is loaded by who asks for it: `tradex --version` asks for nothing."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_WHERE[name]), name)
