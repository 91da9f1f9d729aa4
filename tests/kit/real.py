"""The real posts: January and February 2014, a file a day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path

UNTIL = date(2014, 3, 1)
"""The day after the last one."""


def deliver(real_posts: Path, source: Path, names: Iterable[str]) -> None:
    """Lay files of real posts, by name, into a source."""
    for name in names:
        (source / name).symlink_to(real_posts / name)
