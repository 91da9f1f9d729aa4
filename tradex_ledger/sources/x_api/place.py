"""`x-api:QUERY`: the platform's full-archive search as a place. Here nothing is called, and nothing needs a library.

The token stands in the environment alone (`X_BEARER_TOKEN`), and is read by who calls; neither settings nor ledger nor
what is told of an error ever have it. `TRADEX_X_API` is another address than the platform's, such as a simulator's.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tradex_ledger import extras
from tradex_ledger.domain.spending import DOLLAR, Prices
from tradex_ledger.errors import UsageError
from tradex_ledger.sources.files import FilesPlace
from tradex_ledger.sources.source import Listing

if TYPE_CHECKING:
    from tradex_ledger.sources.x_api.client import XClient

SCHEME = "x-api"
PRICES = Prices(row=DOLLAR // 200, count=DOLLAR // 100)
"""What the platform takes in 2026: half a cent a post, a cent a count."""
PAGE_ROWS = (10, 500)
_LABEL = r"[A-Za-z0-9_-]{1,63}"
_SAFE = re.compile(
    rf"(https://({_LABEL}(\.{_LABEL})*\.?|\[[0-9A-Fa-f:.]+\])|http://(127\.0\.0\.1|localhost|\[::1\]))(:[0-9]{{1,5}})?(/|$)"
)
_TOKEN = re.compile(r"[!-~]+")
QUERY_MAX = 4096
"""Characters of a query; of 1,024 already, the platform may say no."""


class NoTokenError(UsageError):
    """The platform lets nobody in without a token."""

    code = "no-token"

    def __init__(self) -> None:
        super().__init__(
            "there is no token for the X API: X_BEARER_TOKEN is not set",
            mend="set it in the environment of this command (never in tradex.toml): export X_BEARER_TOKEN=…",
        )


class OddTokenError(UsageError):
    """What stands for a token is none: no header takes it."""

    code = "odd-token"

    def __init__(self) -> None:
        super().__init__(
            "X_BEARER_TOKEN is no token: there are blanks, line ends or characters beyond ASCII in it",
            mend="copy it anew from the platform, alone, in one line",
        )


class OpenAddressError(UsageError):
    """The token would go through the net for everybody to read."""

    code = "open-address"

    def __init__(self) -> None:
        super().__init__(
            "TRADEX_X_API is no address of https:, and none of this machine: the token would be read on its way",
            mend="write https://…, or http://127.0.0.1:PORT for a simulator; unset it for the platform itself",
        )


@dataclass(frozen=True, slots=True)
class XApiPlace:
    """Posts that a query finds. Pages are kept below the workspace, in a folder of the query's own."""

    query: str
    base: Path
    prices: Prices = PRICES

    def __post_init__(self) -> None:
        if not self.query.strip() or len(self.query) > QUERY_MAX or not self.query.isprintable():
            raise UsageError(
                f"x-api: needs a query in one line of at most {QUERY_MAX} characters",
                mend="write it as the search of the platform takes it, such as x-api:($AAPL OR $TSLA) lang:en",
            )

    @property
    def kept(self) -> Path:
        """Where its pages are."""
        return self.base / "fetched" / f"{SCHEME}-{hashlib.sha256(self.query.encode()).hexdigest()[:12]}"

    @property
    def page_rows(self) -> tuple[int, int]:
        """The fewest and the most posts of a page."""
        return PAGE_ROWS

    def describe(self) -> str:
        """The place as it is written in the workspace and in the ledger."""
        return f"{SCHEME}:{self.query}"

    def is_meant(self, described: str) -> bool:
        """Whether a description means this very query."""
        return described == self.describe()

    def look(self, suffixes: tuple[str, ...]) -> Listing:
        """The pages that were fetched so far."""
        return FilesPlace(self.kept).look(suffixes) if self.kept.exists() else Listing([], [])

    @contextmanager
    def asking(self) -> Iterator[XClient]:
        """Begin to ask. Raises: `MissingExtraError`, `NoTokenError`, `OddTokenError`, `OpenAddressError`."""
        client = extras.load("tradex_ledger.sources.x_api.client", "the X API", "x")
        token = os.environ.get("X_BEARER_TOKEN", "").strip()
        if not token:
            raise NoTokenError
        if not _TOKEN.fullmatch(token):
            raise OddTokenError
        url = os.environ.get("TRADEX_X_API") or None
        if url is not None and not _SAFE.match(url):
            raise OpenAddressError
        asking: XClient
        with client.opened(self.query, token, url) as asking:
            yield asking
