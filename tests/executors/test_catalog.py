"""The catalog that is kept is the one that the ledger gives."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tests import small
from tradex_ledger.executors.catalog import Catalog, Catalogs, Version
from tradex_ledger.executors.context import logic_versions


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


@pytest.mark.parametrize("day", [date(1970, 1, 1), date(1975, 6, 1), date(2006, 3, 20)])
def test_a_day_before_the_platforms_first_opens_no_range(day: date) -> None:
    """An older reader took posts whose clock was wrong; what it made of them is still there."""
    version = Version(1, (), 0, 0, None)
    first = date(2006, 3, 21).toordinal()
    catalog = Catalog(1, {"posts": {day.toordinal(): version, first: version}})
    assert catalog.days() == [first]
