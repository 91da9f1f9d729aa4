from tradex_ledger.domain.request import Request as Request
from tradex_ledger.errors import TradexError as TradexError
from tradex_ledger.workspace import Workspace as Workspace

OFFERED: dict[str, str]
__version__: str
