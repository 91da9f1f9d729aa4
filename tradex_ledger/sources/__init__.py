"""Where posts come from."""

from __future__ import annotations

# Goes up whenever the same line would be read as other columns: it is part of Bronze's logic version.
VERSION = 2

# What fills a Bronze dataset (its header's `source`) → the version of the code that reads what was delivered.
READERS = {"x_posts": VERSION, "x_posts__rejected": VERSION, "x_posts__undated": VERSION}


# The columns of Bronze that tell how a post was doing when it was delivered; they are no part of what it says.
COUNTS = ("likes", "retweets")

LATER = "created_at later than the clock"
"""How posts are counted that are younger than their delivery: a clock is wrong, or they are not what they say."""


def reader_version(source: str | None) -> int | None:
    """The version of the reader behind a `source`; None for a dataset that no source fills."""
    return None if source is None else READERS.get(source, 1)
