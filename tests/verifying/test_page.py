"""Rows of the ledger, judged at once: of whatever versions, and whatever else stands in them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, cast

import orjson
import pytest

from tests import worlds
from tests.kit import tampering
from tradex_ledger.ledger.entry import canonical
from tradex_ledger.ledger.merkle import leaf_hash
from tradex_ledger.ledger.rows import Row
from tradex_ledger.verifying.page import REBUILT, Judge

LEDGER, AT, STREAM = "0123456789abcdef", "2024-01-31T00:00:00.000000Z", "bf-0123456789abc"


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return worlds.copy("tampered", partial(tampering.make, create=worlds.create), tmp_path_factory.mktemp("page"))


def rebuilt_in(ws: Path) -> dict[str, Any]:
    with closing(sqlite3.connect(ws / "ledger.db")) as connection:
        (entry,) = connection.execute("select entry from events where topic = ? limit 1", [REBUILT]).fetchone()
    return dict(orjson.loads(entry))


def row_of(position: int, said: dict[str, Any]) -> Row:
    envelope = {"ledger": LEDGER, "position": position, "at": AT, "stream": STREAM, "version": position}
    entry = canonical({**said, **envelope})
    return position, STREAM, position, said["topic"], AT, leaf_hash(entry), entry.decode()


def test_events_of_several_versions_are_told_of_in_whatever_order_they_come(newer: Path):
    versions = rebuilt_in(worlds.long()), rebuilt_in(newer)
    assert versions[0]["v"] != versions[1]["v"]
    rows = [row_of(n + 1, versions[which]) for n, which in enumerate((0, 1, 1, 0, 0, 1))]
    found = Judge(LEDGER).page(rows)
    assert (found.findings, found.unknown) == ([], {})
    assert set(found.built.run) == {STREAM}
    assert all(found.built.dataset) and all(found.built.day)
    assert found.hashes == [row[5] for row in rows]


def test_of_a_row_that_is_none_the_others_are_judged_all_the_same(newer: Path):
    said = rebuilt_in(newer)
    first, other, last = (row_of(n, said) for n in (1, 2, 3))
    other = cast("Row", (*other[:5], "no bytes", other[6]))
    found = Judge(LEDGER).page([first, other, last])
    assert [(one.kind, one.position) for one in found.findings] == [("altered", 2)]
    assert found.columns.position == (1, 3)
    assert len(found.hashes) == 3 and len(found.built.day) == 2


@pytest.mark.parametrize("at", [1, 2, 3])
def test_builds_that_are_looked_at_as_lines_are_judged_each_for_itself(newer: Path, at: int):
    rows = [row_of(n, rebuilt_in(newer)) for n in range(1, 5)]
    two_in_one = (*rows[at][:5], rows[at][5], f"{rows[at][6]}\n{row_of(at + 2, rebuilt_in(newer))[6]}")
    none = (*rows[0][:5], rows[0][5], rows[0][6].replace('"by":', '"by" :'))
    found = Judge(LEDGER).page([none, *rows[1:at], two_in_one, *rows[at + 1 :]])
    assert [(one.kind, one.position) for one in found.findings] == [("altered", 1), ("altered", at + 1)]
    assert [*found.built.day].count("") == 2
