"""tradex-ledger: reprocessing history without fear.

>>> from tradex_ledger import Request, Workspace
>>> Workspace.open("ws")                                                # doctest: +SKIP
<Workspace ws: pipeline x until 2014-03-01, 387 events, as ana>
"""

from __future__ import annotations

from tradex_ledger.offered import offering

__version__ = "0.1.0"

OFFERED = {
    "Request": "tradex_ledger.domain.request",
    "TradexError": "tradex_ledger.errors",
    "Workspace": "tradex_ledger.workspace",
}
__getattr__ = offering(__name__, OFFERED)
