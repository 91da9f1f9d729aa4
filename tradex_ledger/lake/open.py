"""Which storage a lake lives in: told by what the settings call it. The one place that knows them all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from tradex_ledger.clock import utc_now
from tradex_ledger.extras import load
from tradex_ledger.lake.local import LocalLake
from tradex_ledger.lake.port import Lake, Seen
from tradex_ledger.paths import UrlAsPathError


def _s3(url: str, reading: bool, seen: Seen) -> Lake:
    """Imported where it is used, as each extra is."""
    opened: Lake = load("tradex_ledger.lake.s3", "a lake in S3", "s3").S3Lake(url, reading, seen)
    return opened


STORAGES: dict[str, Callable[[str, bool, Seen], Lake]] = {"s3": _s3}
"""By the scheme of a URL, what opens the lake there: (URL, whether it is for reading only, what was seen of it)."""


def open_lake(place: str, *, reading: bool = False, clock: Callable[[], datetime] = utc_now) -> Lake:
    """The lake at an absolute path, or at a URL. Nothing is looked at yet.

    Raises: `UrlAsPathError` for a scheme that nobody serves: it would make a folder of that name; `MissingExtraError`.
    """
    scheme, is_url, _ = place.partition("://")
    if not is_url:
        return LocalLake(Path(place), reading, Seen(clock))
    if scheme not in STORAGES:
        raise UrlAsPathError("the lake")
    return STORAGES[scheme](place, reading, Seen(clock))
