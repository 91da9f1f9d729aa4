"""Values as JSON has them, and as a table shows them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from math import isfinite, isnan
from typing import TypeAlias

import orjson

from tradex_ledger.errors import UsageError
from tradex_ledger.paths import readable

Plain: TypeAlias = "bool | int | float | str | orjson.Fragment | list[Plain] | dict[str, Plain] | None"
"""What JSON's writer takes."""

DEEPEST = 200
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def plain(value: object, depth: int = 0) -> Plain:
    """A value as JSON has it: days and times as ISO text (times in UTC), numbers exactly.

    What JSON cannot say is a text. Raises `UsageError` for what its writer cannot nest so deeply.
    """
    if depth > DEEPEST:
        raise UsageError(
            f"a value is nested more than {DEEPEST} levels deep", mend="take less of it: value[1], unnest()"
        )
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float | Decimal):
        return _number(value)
    if isinstance(value, datetime):
        return _utc(value).isoformat(timespec="microseconds") + "Z"
    if isinstance(value, Mapping):
        return {_key(k): plain(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, bytes | bytearray):
        return bytes(value).hex()
    return readable(value.isoformat() if isinstance(value, date | time) else str(value))


def _number(value: int | float | Decimal) -> float | str | orjson.Fragment:
    """A number for JSON's writer, which can say 64 bits of a whole one and what is a float; others as they are."""
    if isinstance(value, float):
        return value if isfinite(value) else "NaN" if isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Decimal) and value != value.to_integral_value():
        return orjson.Fragment(f"{value:f}")
    whole = int(value)
    return whole if -(1 << 63) <= whole < 1 << 64 else orjson.Fragment(str(whole))


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _key(key: object) -> str:
    return cell(key) if isinstance(key, int | Decimal) else str(plain(key))


def cell(value: object, *, exact: bool = False) -> str:
    """A value as a table shows it; times to the second, unless it has to be exact."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return f"{value:f}" if isinstance(value, Decimal) else str(value)
    said = plain(value)
    if said is None:
        return "-"
    if isinstance(said, bool):
        return "yes" if said else "no"
    if isinstance(said, list | dict):
        return orjson.dumps(said).decode() if said else "-"
    if isinstance(said, str) and _TIME.fullmatch(said):
        fraction = said[19:-1] if exact and not said.endswith(".000000Z") else ""
        return said[:19].replace("T", " ") + fraction + "Z"
    return str(said)
