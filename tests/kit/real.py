"""The real posts: January and February 2014, a file a day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path

import duckdb

UNTIL = date(2014, 3, 1)
"""The day after the last one."""


def deliver(real_posts: Path, source: Path, names: Iterable[str]) -> None:
    """Lay files of real posts, by name, into a source."""
    for name in names:
        (source / name).symlink_to(real_posts / name)


def created_days(paths: list[Path]) -> list[date]:
    """The days (UTC) on which the posts in these files were created."""
    with duckdb.connect() as connection:
        found = connection.execute(
            "select distinct strptime(json ->> '$.created_at', '%a %b %d %H:%M:%S +0000 %Y')::date as day"
            " from read_json_objects($1, format = 'newline_delimited') order by day",
            [[str(path) for path in paths]],
        ).fetchall()
    return [row[0] for row in found]
