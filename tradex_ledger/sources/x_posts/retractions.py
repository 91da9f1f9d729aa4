"""Notices that a post is to be shown no more: of compliance jobs, and of streams (v1.1 and v2). One row a notice.

A notice lies in the day of its post, so that whatever reads the posts of a day reads what was retracted of them, and
no other day. A run takes it when it is told, whatever day that is.

A dataset that states the columns of `HELD` has notices of quarantines, too, which this program writes: that a post (or
one delivery of it) is held back, or released. One that does not is as before, and such a line is none of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tradex_ledger.outside import Json, JsonObject
from tradex_ledger.sources.moments import DAY_US
from tradex_ledger.sources.source import Digest, Rejected, Row, Sink, Stated
from tradex_ledger.sources.x_posts.names import Unfit
from tradex_ledger.sources.x_posts.reader import FIRST_DAY
from tradex_ledger.sources.x_posts.time import may_be, milliseconds_us, snowflake_us, time_us

if TYPE_CHECKING:
    import pyarrow as pa

VERSION = 1
_COLUMNS = ("payload", "post_id", "event_date", "reason", "retracted_at")
HELD = ("revision", "quarantine", "is_released")
"""Of a notice about one delivery its revision (else empty), of a quarantine its id (else empty), and which it is of the
two: with the post, what tells one notice from another."""
HOLD, RELEASE = "quarantine", "release"
_NOTICES = ("delete", "post_delete", "tweet_delete")
_ID_DIGITS_MAX = 20


@dataclass(frozen=True, slots=True)
class XRetractions:
    """Retractions of posts. The first notice of a post counts."""

    version: int = VERSION
    noun: str = "retraction"
    suffixes: tuple[str, ...] = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
    first_day: int = FIRST_DAY
    may_be_none: bool = True
    one: tuple[str, ...] = ("post_id",)
    again: None = None

    def problem(self, stated: Stated) -> str | None:
        """Whether there are columns of which a notice has nothing."""
        names = [name for name, _ in stated.read]
        odd = [name for name in names if name not in (*_COLUMNS, *HELD)]
        if odd:
            return f"states columns that no retraction has: {', '.join(odd)}"
        if not set(HELD).isdisjoint(names) and stated.key != ("post_id", *HELD):
            return f"states columns of quarantines, and its key is not post_id, {', '.join(HELD)}"
        return None if stated.partition == "event_date" else "must have the partition event_date, the day of the post"

    def counts(self, stated: Stated) -> tuple[str, ...]:  # noqa: ARG002
        """Nothing of a notice changes from one delivery to the next."""
        return ()

    def schema(self, stated: Stated) -> pa.Schema:  # noqa: ARG002 — all that a notice has, whatever is stated of it
        import pyarrow as pa

        times, texts = ("retracted_at",), ("payload", "post_id", "reason", "revision", "quarantine")
        kinds = {**dict.fromkeys(texts, pa.string()), **dict.fromkeys(times, pa.timestamp("us"))}
        kinds["is_released"] = pa.bool_()
        return pa.schema([(name, kinds.get(name, pa.date32())) for name in (*_COLUMNS, *HELD)])

    def read(self, path: Path, stated: Stated, into: Sink, digest: Digest | None = None) -> None:
        """The notices of a file, one a line."""
        from tradex_ledger.sources.x_posts.records import read_records

        holds = holds_back(stated)
        for record in read_records(path, digest):
            if record.raw and not record.raw.isspace():
                found = notice_of(record.raw, into.delivered_us, holds=holds)
                if isinstance(found, Row):
                    into.keep(found, record.line, record.item)
                else:
                    into.reject(found, record.raw, record.line)


class _Notice(NamedTuple):
    """The post, why, when it was told and when the post was made (UTC microseconds), and what `HELD` says."""

    post_id: str
    reason: str
    told: int | None
    made: int | None
    held: tuple[str, str, bool] = ("", "", False)


def holds_back(stated: Stated) -> bool:
    """Whether a dataset has notices of quarantines."""
    return set(HELD) <= {name for name, _ in stated.read}


def notice_of(line: bytes, delivered_us: int, *, holds: bool = False) -> Row | Rejected:
    """What one line says; `holds`: it may be of a quarantine. Never raises."""
    from tradex_ledger.sources.x_posts.documents import as_text_of, loads

    payload, flaw = as_text_of(line, [])
    try:
        if flaw is not None:
            raise Unfit(flaw)
        notice = _parts(loads(line, []), holds=holds)
        if notice.told is None or not may_be(notice.told, delivered_us):
            raise Unfit("no time at which it was told that may be true")
        born = snowflake_us(notice.post_id) if notice.made is None else notice.made
        if born is None or not may_be(born, notice.told):
            raise Unfit("the day of its post is not known")
    except Unfit as unfit:
        return Rejected(str(unfit), payload, None, None)
    day = born // DAY_US
    values = (payload, notice.post_id, day, notice.reason, notice.told, *notice.held)
    return Row(values, notice.told, day, len(payload))


def _parts(document: Json, *, holds: bool) -> _Notice:
    """What a notice says. Raises: `Unfit`."""
    if not isinstance(document, dict):
        raise Unfit("no object")
    kind = next((name for name in _NOTICES if isinstance(document.get(name), dict)), None)
    if kind is not None:
        outer = _object(document.get(kind))
        inner = next((_object(outer.get(name)) for name in ("status", "tweet", "post") if name in outer), outer)
        told = milliseconds_us(outer.get("timestamp_ms")) or time_us(outer.get("event_at"))
        return _Notice(_id(inner.get("id_str") or inner.get("id")), "deleted", told, None)
    action = document.get("action")
    if action != "delete" and not (holds and action in (HOLD, RELEASE)):
        raise Unfit("an action that is not known" if "action" in document else "no notice of a deletion")
    reason = document.get("reason")
    return _Notice(
        _id(document.get("id")),
        reason if isinstance(reason, str) else "deleted",
        time_us(document.get("redacted_at")),
        time_us(document.get("created_at")),
        ("", "", False) if action == "delete" else _held(document, is_released=action == RELEASE),
    )


def _held(document: JsonObject, *, is_released: bool) -> tuple[str, str, bool]:
    """What a notice of a quarantine says beside. Raises: `Unfit`."""
    revision, quarantine = document.get("revision", ""), document.get("quarantine")
    if not isinstance(revision, str) or not isinstance(quarantine, str) or not quarantine:
        raise Unfit("a quarantine without its id, or without a revision that is a text")
    return revision, quarantine, is_released


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _id(value: Json) -> str:
    text = str(value) if type(value) is int else value
    if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= _ID_DIGITS_MAX:
        return text
    raise Unfit("no id of a post")
