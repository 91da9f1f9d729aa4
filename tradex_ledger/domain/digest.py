"""One digest for all that is approved, compared and recorded: of a value's canonical JSON. It loads nothing else."""

from __future__ import annotations

import hashlib

import orjson


def digest_of(value: object) -> str:
    """SHA-256 (hex) of the canonical JSON of a value (RFC 8785; the values here carry no floats)."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()
