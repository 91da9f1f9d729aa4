"""When a volume is strange: against its own previous version, and against the series. Integers only, no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from tradex_ledger.domain.facts import Facts
from tradex_ledger.domain.policy import Policy

SERIES_MIN = 4


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A volume outside its bounds (rows): what was expected, what was observed, and how far it might have been off."""

    rule: str
    expected: int
    observed: int
    allowed: int

    def to_event(self) -> Facts:
        """As events carry it."""
        return asdict(self)


def median(values: Sequence[int]) -> int:
    """The middle of some whole numbers, rounded down between two."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) // 2


def judge(rows: int, previous_rows: int | None, series: Sequence[int], policy: Policy) -> list[Anomaly]:
    """What is strange about a partition of `rows`, rebuilt over `previous_rows`, among its series.

    `series` are the rows of comparable partitions (other days of the same weekday). Robust against outliers: median
    and median absolute deviation. Below `anomaly_min_rows` nothing is judged.
    """
    found = []
    if previous_rows is not None and previous_rows >= policy.anomaly_min_rows:
        found += _percent("own previous version: drop", rows, previous_rows, policy.anomaly_drop_percent, down=True)
        found += _percent("own previous version: rise", rows, previous_rows, policy.anomaly_rise_percent, down=False)
    if policy.anomaly_mads and len(series) >= SERIES_MIN:
        middle = median(series)
        if middle >= policy.anomaly_min_rows:
            # A series that hardly moves would call every change strange: a tenth of the middle is always allowed.
            spread = max(median([abs(value - middle) for value in series]), middle // 10, 1)
            allowed = policy.anomaly_mads * spread
            if abs(rows - middle) > allowed:
                found.append(Anomaly("series: median and MAD", middle, rows, allowed))
            elif policy.anomaly_drop_percent:
                found += _percent("series: drop below the median", rows, middle, policy.anomaly_drop_percent, down=True)
    return found


def _percent(rule: str, rows: int, expected: int, percent: int, *, down: bool) -> list[Anomaly]:
    allowed = expected * percent // 100
    off = expected - rows if down else rows - expected
    return [Anomaly(rule, expected, rows, allowed)] if percent and off >= allowed and off > 0 else []
