"""The reader of CSV files: it takes columns and types from the definition that it fills, so that one needs no Python.

The first line of a file names its columns (in any order; what the definition does not state is left out). Quotes may
hold commas, newlines and quotes (doubled). A value is written as in SQL: `12`, `12.50`, `true`, `2026-01-31`,
`2026-01-31 12:00:00` (UTC); an empty field is null. Only the key and the partition can reject a row: any other field
that cannot be read becomes null, and is counted (`odd`).
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tradex_ledger.domain.day import day_of, exact_day, to_epoch
from tradex_ledger.domain.words import ROW
from tradex_ledger.sources.moments import DAY_US, micros
from tradex_ledger.sources.source import Cell, Digest, NothingInside, Rejected, Row, Sink, Stated

if TYPE_CHECKING:
    import pyarrow as pa

_FIRST_DAY = day_of("1900-01-01")
_QUOTED_MAX = 60
_TRUE, _FALSE = ("true", "t", "yes", "1"), ("false", "f", "no", "0")
_RANGES = {"TINYINT": 7, "SMALLINT": 15, "INTEGER": 31, "BIGINT": 63}


def _whole(bits: int, text: str) -> int:
    number = int(text)
    if not -(2**bits) <= number < 2**bits:
        raise ValueError(text)
    return number


def _boolean(text: str) -> bool:
    word = text.lower()
    if word not in (*_TRUE, *_FALSE):
        raise ValueError(text)
    return word in _TRUE


def _day(text: str) -> int:
    return to_epoch(exact_day(text))


def _moment(text: str) -> int:
    found = datetime.fromisoformat(text)
    return micros(found.replace(tzinfo=UTC) if found.tzinfo is None else found)


_PARSERS: dict[str, Callable[[str], Cell]] = {
    "VARCHAR": str,
    "DOUBLE": float,
    "BOOLEAN": _boolean,
    "DATE": _day,
    "TIMESTAMP": _moment,
    **{kind: partial(_whole, bits) for kind, bits in _RANGES.items()},
}


def _decimal(kind: str) -> tuple[int, int] | None:
    """Digits in all, and behind the point, of `DECIMAL(12,2)`; None for another type."""
    if not kind.startswith("DECIMAL(") or not kind.endswith(")"):
        return None
    digits, _, scale = kind[len("DECIMAL(") : -1].partition(",")
    return int(digits), int(scale)


def _parse_decimal(digits: int, scale: int, text: str) -> Decimal:
    number = Decimal(text)
    rounded = round(number, scale)
    if not number.is_finite() or rounded != number or abs(number) >= Decimal(10) ** (digits - scale):
        raise ValueError(text)
    return rounded


def _parser(kind: str) -> Callable[[str], Cell] | None:
    """What makes a value of a field, for a type as DuckDB describes it; None for a type that no field can say."""
    found = _decimal(kind)
    return partial(_parse_decimal, *found) if found else _PARSERS.get(kind)


class _Line(NamedTuple):
    """A record: the line that it begins in (from 1), its bytes as they were delivered."""

    number: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class CsvRows:
    """Rows of CSV files with a header line. Of one key the first row stays: other values of it are told, not kept."""

    version: int = 1
    noun: str = ROW
    suffixes: tuple[str, ...] = (".csv", ".csv.gz", ".csv.bz2", ".csv.zst")
    first_day: int = _FIRST_DAY
    may_be_none: bool = False
    one: tuple[str, ...] = ()
    again: None = None

    def problem(self, stated: Stated) -> str | None:
        """Whether there is a type that a CSV file cannot say."""
        odd = [f"{name} ({kind})" for name, kind in stated.read if _parser(kind) is None]
        return f"states columns that a CSV file cannot fill: {', '.join(odd)}" if odd else None

    def counts(self, stated: Stated) -> tuple[str, ...]:
        """All that is not of the key."""
        return tuple(name for name, _ in stated.read if name not in (*stated.key, stated.partition))

    def schema(self, stated: Stated) -> pa.Schema:
        """The stated columns."""
        import pyarrow as pa

        kinds = {
            **{"VARCHAR": pa.string(), "DOUBLE": pa.float64(), "BOOLEAN": pa.bool_(), "DATE": pa.date32()},
            **{"TIMESTAMP": pa.timestamp("us"), "BIGINT": pa.int64(), "INTEGER": pa.int32()},
            **{"SMALLINT": pa.int16(), "TINYINT": pa.int8()},
        }
        return pa.schema(
            [(name, pa.decimal128(*found) if (found := _decimal(kind)) else kinds[kind]) for name, kind in stated.read]
        )

    def read(self, path: Path, stated: Stated, into: Sink, digest: Digest | None = None) -> None:
        """The rows of a file, one a record below its header."""
        from tradex_ledger.sources.records import read_file

        rows: _Rows | None = None
        for line in read_file(path, _records, digest):
            if not line.raw.strip():
                continue
            if rows is None:
                rows = _Rows(stated, _header(line.raw))
                if rows.problem:
                    break
                continue
            found = rows.row(line.raw)
            if isinstance(found, Row):
                into.keep(found, line.number, None)
            else:
                into.reject(found, line.raw, line.number)
        if rows is not None and rows.problem:
            raise NothingInside(rows.problem)


def _records(pieces: Iterator[bytes], name: str) -> Iterator[_Line]:  # noqa: ARG001 — one kind, whatever it is called
    """Lines, joined where a field in quotes goes on over several. Raises: `Corrupt`."""
    from tradex_ledger.sources.packed import Corrupt
    from tradex_ledger.sources.records import LINE_BYTES_MAX, lines_of

    begun: list[bytes] = []
    n_bytes = quotes = first = 0
    for number, line in enumerate(lines_of(pieces), start=1):
        first = first if begun else number
        begun.append(line)
        quotes += line.count(b'"')
        n_bytes += len(line)
        if quotes % 2 == 0:
            yield _Line(first, b"\n".join(begun).removesuffix(b"\r"))
            begun, n_bytes, quotes = [], 0, 0
        elif n_bytes > LINE_BYTES_MAX:
            raise Corrupt(f"a field in quotes, begun in line {first}, does not end within {LINE_BYTES_MAX >> 20} MiB")
    if begun:
        yield _Line(first, b"\n".join(begun))


def _fields(text: str) -> list[str]:
    return next(csv.reader([text], strict=True), [])


def _header(raw: bytes) -> list[str]:
    try:
        return [name.strip() for name in _fields(raw.decode("utf-8-sig"))]
    except (UnicodeDecodeError, csv.Error):
        return []


class _Rows:
    """What makes rows of the records of one file: for each stated column where its field is, and how it is read."""

    def __init__(self, stated: Stated, header: list[str]) -> None:
        self._n_fields = len(header)
        self._needed = {*stated.key, stated.partition}
        self._columns = [
            (name, header.index(name) if name in header else None, _parser(kind) or str) for name, kind in stated.read
        ]
        self._day_at = [name for name, *_ in self._columns].index(stated.partition)
        missing = sorted(self._needed - set(header))
        self.problem = f"its first line names no {', '.join(missing)}" if missing else None

    def row(self, raw: bytes) -> Row | Rejected:
        """What a record says."""
        text = raw.decode(errors="replace")
        try:
            fields = _fields(raw.decode())
        except UnicodeDecodeError as error:
            return Rejected(f"not UTF-8 at byte {error.start + 1}", text, None, None)
        except csv.Error as error:
            return Rejected(f"not CSV: {error}", text, None, None)
        if len(fields) != self._n_fields:
            return Rejected(f"{len(fields)} fields, not {self._n_fields} as in the first line", text, None, None)
        values: list[Cell] = []
        odd: list[str] = []
        unfit: list[str] = []
        for name, at, parse in self._columns:
            field = fields[at] if at is not None else ""
            try:
                value = parse(field) if field else None
            except (ValueError, ArithmeticError, OverflowError):
                value = None
                odd.append(f"a {name} that cannot be read")
            if value is None and name in self._needed:
                unfit.append(f"no {name}" if not field else f"{name} cannot be read: {_said(field)}")
            values.append(value)
        day = found if isinstance(found := values[self._day_at], int) else None
        if unfit or day is None:
            return Rejected("; ".join(unfit), text, None, day)
        return Row(tuple(values), day * DAY_US, day, len(raw), tuple(odd))


def _said(field: str) -> str:
    return repr(field if len(field) <= _QUOTED_MAX else f"{field[:_QUOTED_MAX]}…")
