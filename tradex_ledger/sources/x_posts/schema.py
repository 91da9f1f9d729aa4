"""The columns of posts as they are read."""

from __future__ import annotations

import pyarrow as pa

POSTS_SCHEMA = pa.schema(
    [
        ("payload", pa.string()),
        ("post_id", pa.string()),
        ("author_id", pa.string()),
        ("created_at", pa.timestamp("us")),
        ("event_date", pa.date32()),
        ("text", pa.string()),
        ("lang", pa.string()),
        ("is_retweet", pa.bool_()),
        ("likes", pa.int64()),
        ("retweets", pa.int64()),
        ("revision", pa.string()),
        ("revised_at", pa.timestamp("us")),
        ("is_whole", pa.bool_()),
    ]
)
