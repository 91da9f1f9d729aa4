"""Moments as whole numbers: UTC microseconds, and days, since 1970. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

DAY_US = 86_400_000_000
"""What a number of days since 1970-01-01 lacks to an ordinal."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(moment: datetime) -> int:
    """A time with its zone as UTC microseconds since 1970."""
    return (moment - _EPOCH) // _EPOCH.resolution
