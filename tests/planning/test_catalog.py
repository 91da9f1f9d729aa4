"""The catalog that is kept is the one that the ledger gives."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tests.kit import small
from tradex_ledger.datasets.definition import parse_definition
from tradex_ledger.planning.base import logic_versions
from tradex_ledger.planning.catalog import Catalog, Catalogs, Version

SILVER = """-- /// dataset
-- layer = "silver"
-- partition = "day"
-- key = ["day"]
-- reads = { bronze = "0d" }
-- ///
select day from bronze
"""


def test_as_of_every_position_the_kept_catalog_is_the_one_that_is_read_anew(tmp_path: Path) -> None:
    small.deliver(tmp_path / "posts")
    with small.create(tmp_path / "ws", f"files:{tmp_path / 'posts'}") as workspace:
        small.tell_everything(workspace, tmp_path / "posts")
        engine, versions = workspace.ledger.engine, logic_versions(workspace.execution().locks())
        last = workspace.ledger.position()
        kept = Catalogs(engine)
        positions = [*range(1, last + 1, 2), last, last // 2, last]
        for position in positions:
            assert kept.at(position, versions) == Catalogs(engine).at(position, versions), position
        other = dict.fromkeys(versions, 2)
        assert kept.at(last, other) == Catalogs(engine).at(last, other) != kept.at(last, versions)


def test_what_is_laid_over_a_catalog_is_not_in_the_next(tmp_path: Path) -> None:
    small.deliver(tmp_path / "posts")
    with small.create(tmp_path / "ws", f"files:{tmp_path / 'posts'}") as workspace:
        workspace.run(small.day(3))
        versions, last = logic_versions(workspace.execution().locks()), workspace.ledger.position()
        catalogs = Catalogs(workspace.ledger.engine)
        laid_over = catalogs.at(last, versions)
        day, version = next(iter(laid_over.current["gold_metrics"].items()))
        laid_over.put("gold_metrics", day + 1000, version)
        assert catalogs.at(last, versions).get("gold_metrics", day + 1000) is None


def test_what_an_older_reader_left_on_days_around_is_read_and_digested_too() -> None:
    files = {day: {"path": f"{day}.parquet", "sha256": str(day), "rows": 1} for day in range(960, 1010)}
    current = {"bronze": {day: Version(1, (file,), 1, 1, None) for day, file in files.items()}}
    old: frozenset[str] = frozenset(str(file["path"]) for file in files.values())
    assert [day for day, _, _ in Catalog(1, current).readable("bronze", 1000, 1001)] == [1000, 1001]
    catalog = Catalog(1, current, old=old)
    assert [day for day, _, _ in catalog.readable("bronze", 1000, 1001)] == list(range(970, 1003))
    definition = parse_definition("silver", SILVER, {})
    digests = {catalog.input_digest(definition, 2, 1000)}
    for day in (969, 970, 999, 1000, 1001, 1002):
        other = {**current["bronze"], day: Version(1, ({**files[day], "sha256": "x"},), 1, 1, None)}
        digests.add(Catalog(1, {"bronze": other}, old=old).input_digest(definition, 2, 1000))
    assert len(digests) == 5  # those of 969 and 1002 are not looked at


@pytest.mark.parametrize("day", [date(1970, 1, 1), date(1975, 6, 1), date(2006, 3, 20)])
def test_a_day_before_the_platforms_first_opens_no_range(day: date) -> None:
    """An older reader took posts whose clock was wrong; what it made of them is still there."""
    version = Version(1, (), 0, 0, None)
    first = date(2006, 3, 21).toordinal()
    catalog = Catalog(1, {"posts": {day.toordinal(): version, first: version}})
    assert catalog.days() == [first]
