"""A reader of sensor lines: `2026-03-01T10:00:00 s1 21.5` is a time (UTC), a sensor, what it measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa

from tradex_ledger.sources.moments import DAY_US, micros
from tradex_ledger.sources.records import lines_of, read_file
from tradex_ledger.sources.source import Digest, Rejected, Row, Sink, Stated

SCHEMA = pa.schema(
    [
        ("reading_id", pa.string()),
        ("day", pa.date32()),
        ("measured_at", pa.timestamp("us")),
        ("sensor", pa.string()),
        ("value", pa.float64()),
    ]
)


@dataclass(frozen=True, slots=True)
class SensorLines:
    """One row a line."""

    version: int = 1
    noun: str = "reading"
    suffixes: tuple[str, ...] = (".log", ".log.gz")
    first_day: int = date(2020, 1, 1).toordinal()
    may_be_none: bool = False
    one: tuple[str, ...] = ()
    again: None = None

    def problem(self, stated: Stated) -> str | None:
        odd = [name for name, _ in stated.read if name not in SCHEMA.names]
        return f"states columns that no sensor has: {', '.join(odd)}" if odd else None

    def counts(self, stated: Stated) -> tuple[str, ...]:
        return ()

    def schema(self, stated: Stated) -> pa.Schema:
        return SCHEMA

    def read(self, path: Path, stated: Stated, into: Sink, digest: Digest | None = None) -> None:
        for number, line in enumerate(read_file(path, _lines, digest), start=1):
            if not line.strip():
                continue
            found = row_of(line)
            if isinstance(found, Row):
                into.keep(found, number, None)
            else:
                into.reject(found, line, number)


def _lines(pieces: Iterator[bytes], name: str) -> Iterator[bytes]:
    return lines_of(pieces)


def row_of(line: bytes) -> Row | Rejected:
    """What a line says."""
    text = line.decode(errors="replace").strip()
    try:
        time, sensor, value = text.split(" ")
        moment, measured = micros(datetime.fromisoformat(time).replace(tzinfo=UTC)), float(value)
    except ValueError as error:
        return Rejected(f"no time, sensor and value: {error}", text, None, None)
    day = moment // DAY_US
    return Row((f"{sensor}@{time}", day, moment, sensor, measured), moment, day, len(line))
