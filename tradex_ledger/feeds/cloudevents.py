"""CloudEvents 1.0 in structured JSON mode: the event as it is on record, in an envelope that any receiver knows.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md; `sequence` is of its extensions.
"""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from tradex_ledger.feeds.port import Message
from tradex_ledger.ledger.ask import Told
from tradex_ledger.ledger.entry import parse
from tradex_ledger.ledger.select import Store

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
PREFIX = "tradex."
_DIGITS = 16
"""Of 2^53: positions sort as texts."""


def tell(store: Store, row: Told) -> Iterator[Message]:
    """The one message of an event. `data` is the entry that the ledger hashes, so its leaf can be worked out again."""
    entry = parse(row.entry)
    said = {
        "specversion": "1.0",
        "id": f"{store.ledger}-{row.position}",
        "source": f"urn:tradex-ledger:{store.ledger}",
        "type": f"{PREFIX}{row.topic}",
        "subject": row.stream,
        "time": row.at,
        "dataschema": f"urn:tradex-ledger:event:{row.topic}:v{entry.v}",
        "datacontenttype": "application/json",
        "sequence": f"{row.position:0{_DIGITS}d}",
        "data": orjson.Fragment(row.entry),
    }
    yield Message(row.position, 1, f"{store.ledger}-{row.position}", orjson.dumps(said))
