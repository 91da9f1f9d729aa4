"""Where posts come from."""

from __future__ import annotations

from tradex_ledger.sources.x_posts import VERSION

# What fills a Bronze dataset (its header's `source`) → the version of the code that reads what was delivered.
READERS = {"x_posts": VERSION, "x_posts__rejected": VERSION, "x_posts__undated": VERSION}


# The columns of Bronze that tell how a post was doing when it was delivered; they are no part of what it says.
COUNTS = ("likes", "retweets")


def reader_version(source: str | None) -> int | None:
    """The version of the reader behind a `source`; None for a dataset that no source fills."""
    return None if source is None else READERS.get(source, 1)
