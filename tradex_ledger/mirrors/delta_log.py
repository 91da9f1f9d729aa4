"""The text of a Delta commit: one JSON object a line (the Delta protocol), made of a step and nothing else.

There is no clock and no chance in it: made again, it has the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

import orjson

from tradex_ledger.domain.day import iso
from tradex_ledger.mirrors.column_words import delta_struct, has_ntz, typed
from tradex_ledger.mirrors.port import is_root
from tradex_ledger.mirrors.step import Change, Shown, Step

_NAME = re.compile(r"([0-9]{20})\.json")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LINK = "_lake"
KEPT = "interval 36500 days"
"""How long readers are to keep what they could clean up: a hundred years."""
_PROPERTIES = {"delta.logRetentionDuration": KEPT, "delta.deletedFileRetentionDuration": KEPT}


class End(NamedTuple):
    """Where a log ends: how many commits it has, and the position that the last one is of."""

    commits: int
    position: int


class Told(NamedTuple):
    """What a commit says of the ledger that it was made of."""

    ledger: str
    position: int
    root: str


def file_name(number: int) -> str:
    """The name of the file of a commit."""
    return f"{number:020d}.json"


def number_of(name: str) -> int | None:
    """The number of the commit whose file has that name; None: it is none."""
    found = _NAME.fullmatch(name)
    return int(found[1]) if found else None


def told(file: Path) -> Told | None:
    """What a commit says of the ledger; None where it is none of ours, or cannot be read as one."""
    try:
        said = orjson.loads(file.read_bytes().partition(b"\n")[0])["commitInfo"]
        root = str(said["tradexRoot"])
        return Told(str(said["tradexLedger"]), int(said["tradexPosition"]), root) if is_root(root) else None
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def commit(ledger: str, root: str, step: Step, change: Change, *, is_first: bool) -> bytes:
    """The content of a commit. Raises `NoSuchTypeError` for a column that Delta has no type for."""
    at = milliseconds(step.at)
    lines: list[dict[str, object]] = [
        {"commitInfo": _info(ledger, root, step, at, is_first=is_first)},
        {"txn": {"appId": f"tradex-ledger:{ledger}", "version": step.position, "lastUpdated": at}},
    ]
    if change.columns is not None:
        lines += _table(ledger, change, at, is_first=is_first)
    lines += [{"remove": _removed(one, at)} for one in change.removed]
    lines += [{"add": _added(one, change, at)} for one in change.added]
    return b"".join(orjson.dumps(line, option=orjson.OPT_SORT_KEYS) + b"\n" for line in lines)


def _info(ledger: str, root: str, step: Step, at: int, *, is_first: bool) -> dict[str, object]:
    return {
        "timestamp": at,
        "operation": "CREATE TABLE" if is_first else "WRITE",
        "operationParameters": {},
        "engineInfo": "tradex-ledger",
        "userName": step.by,
        "userMetadata": step.reason,
        "tradexLedger": ledger,
        "tradexPosition": step.position,
        "tradexRoot": root,
        "tradexEvent": step.topic,
        "tradexRun": step.run_id,
    }


def _table(ledger: str, change: Change, at: int, *, is_first: bool) -> Iterator[dict[str, object]]:
    """What a table is from here on. Only a time without a zone asks readers for more than all of them have; what was
    asked for once stays."""
    kinds = list(typed(change.columns or ()))
    struct = orjson.dumps(delta_struct(kinds)).decode()
    if has_ntz(kind for _, kind in kinds):
        features = ["timestampNtz"]
        yield {
            "protocol": {
                "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": features, "writerFeatures": features,
            }
        }  # fmt: skip
    elif is_first:
        yield {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}
    yield {
        "metaData": {
            "id": str(uuid5(NAMESPACE_URL, f"tradex-ledger:{ledger}:{change.dataset}")),
            "name": change.dataset,
            "description": f"version {change.logic_version}",
            "format": {"provider": "parquet", "options": {}},
            "schemaString": struct,
            "partitionColumns": [],
            "configuration": {**_PROPERTIES, "tradex.logicVersion": str(change.logic_version)},
            "createdTime": at,
        }
    }


def _removed(one: Shown, at: int) -> dict[str, object]:
    return {
        "path": _path(one),
        "deletionTimestamp": at,
        "dataChange": True,
        "extendedFileMetadata": True,
        "partitionValues": {},
        "size": one.file.bytes,
    }


def _added(one: Shown, change: Change, at: int) -> dict[str, object]:
    day = {change.partition_column: iso(one.day)}
    stats = {
        "numRecords": one.file.rows,
        "minValues": day,
        "maxValues": day,
        "nullCount": dict.fromkeys(day, 0),
    }
    return {
        "path": _path(one),
        "partitionValues": {},
        "size": one.file.bytes,
        "modificationTime": at,
        "dataChange": True,
        "stats": orjson.dumps(stats).decode(),
    }


def _path(one: Shown) -> str:
    return quote(f"{_LINK}/{one.file.path}", safe="/=")


def milliseconds(at: str) -> int:
    """A time as it is stored, in milliseconds since 1970."""
    return (datetime.fromisoformat(at) - _EPOCH) // timedelta(milliseconds=1)
