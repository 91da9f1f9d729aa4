"""Reading one post, where a test is about posts and not about lines."""

from __future__ import annotations

from tradex_ledger.sources.source import Rejected
from tradex_ledger.sources.x_posts.posts import Post, parse_line


def parse_post(line: bytes, delivered_us: int | None = None) -> Post | Rejected:
    """The one post of a line; a line of none or several is rejected."""
    found = parse_line(line, delivered_us)
    if len(found) == 1:
        return found[0]
    return Rejected(f"{len(found)} posts in a line that was to hold one", line.decode(errors="replace"), None, None)
