"""The names of v2 that a post's meaning hangs on, in both vocabularies. Pure.

The platform renamed them once, and a reader that knew only the old ones read the new ones half: no edit was one any
more, no retweet either, and a long text ended where the short one does. A name of the same kind that is not known here
is no such loss in silence: the post is rejected, and read again from what was kept once a reader knows the name.
"""

from __future__ import annotations

from tradex_ledger.outside import Json, JsonObject

REFERENCES = ("referenced_tweets", "referenced_posts")
NOTES = ("note_tweet", "note_post")
INCLUDED = ("tweets", "posts")
REPOSTS = frozenset({"retweeted", "reposted"})
REPOSTED = ("retweet_count", "repost_count")

_KINDS = ("edit_history", "referenced_", "note_")
_KNOWN = frozenset(
    {*REFERENCES, *NOTES, "note_request_suggestions"}
    | {"edit_history", "edit_history_tweet_ids", "edit_history_post_ids"}
)
_TYPES = REPOSTS | {"quoted", "replied_to"}
_COUNTS = frozenset({*REPOSTED, "reply_count", "like_count", "quote_count", "bookmark_count", "impression_count"})


class Unfit(Exception):
    """The sentence that says why a line is no usable post."""


def check_vocabulary(fields: JsonObject) -> None:
    """Raise `Unfit` where a post of v2 says something that counts by a name that is not known."""
    for name in fields:
        if name.startswith(_KINDS) and name not in _KNOWN:
            raise Unfit(f"a field of a vocabulary that is not known: {name[:60]!r}")
    for name in REFERENCES:
        _check_types(fields.get(name))
    metrics = fields.get("public_metrics")
    if isinstance(metrics, dict) and not any(name in metrics for name in REPOSTED):
        odd = sorted(name for name in metrics if name.endswith("_count") and name not in _COUNTS)
        if odd:
            raise Unfit(f"counts of a vocabulary that is not known: {odd[0][:60]!r}")


def _check_types(references: Json) -> None:
    for one in references if isinstance(references, list) else ():
        kind = one.get("type") if isinstance(one, dict) else None
        if isinstance(kind, str) and kind not in _TYPES:
            raise Unfit(f"a reference of a kind that is not known: {kind[:60]!r}")
