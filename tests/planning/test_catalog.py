"""The catalog that is kept is the one that the ledger gives."""

from __future__ import annotations

import json
from collections.abc import Mapping, MutableMapping
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

import pytest

from tests import worlds
from tests.kit import small
from tradex_ledger.datasets.definition import parse_definition
from tradex_ledger.domain.day import Day, day_of, iso, later, span
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.domain.partition import PartitionVersion, inputs_digest
from tradex_ledger.ledger.ask import events_of
from tradex_ledger.planning import versions
from tradex_ledger.planning.base import logic_versions
from tradex_ledger.planning.catalog import Catalog, Catalogs
from tradex_ledger.planning.versions import Versions
from tradex_ledger.resources import event_topics
from tradex_ledger.sources.x_posts.reader import XPosts
from tradex_ledger.views import AsOf, shared_views

SILVER = """-- /// dataset
-- layer = "silver"
-- partition = "day"
-- key = ["day"]
-- reads = { bronze = "0d" }
-- ///
select day from bronze
"""


@pytest.mark.parametrize("step", [16, pytest.param(1, marks=pytest.mark.soak)])
def test_as_of_every_position_the_kept_catalog_is_the_one_that_is_read_anew(tmp_path: Path, step: int) -> None:
    """In their order, and some behind those that came later; what an event of any topic may change is among them."""
    small.deliver(tmp_path / "posts")
    with small.create(tmp_path / "ws", f"files:{tmp_path / 'posts'}") as workspace:
        small.tell_everything(workspace, tmp_path / "posts")
        store, versions = workspace.ledger.store, logic_versions(workspace.core.scope().locks())
        last = workspace.ledger.position()
        kept = Catalogs(store)
        first = {event.topic: event.position for event in reversed(events_of(store, event_topics()))}
        around = {position for found in first.values() for position in (found - 1, found) if position}
        positions = [*sorted({*range(1, last + 1, step), *around}), last, last // 2, last]
        for position in positions:
            assert kept.at(position, versions) == Catalogs(store).at(position, versions), position
        with shared_views(store, AsOf(last, None)) as opened:  # what has moved since is not asked of it
            for position in positions[1::4]:
                over = Catalogs(store, (opened, last))
                assert over.at(position, versions) == Catalogs(store).at(position, versions), position
        other = dict.fromkeys(versions, 2)
        assert kept.at(last, other) == Catalogs(store).at(last, other) != kept.at(last, versions)


def test_what_is_laid_over_a_catalog_is_not_in_the_next(tmp_path: Path) -> None:
    with small.reopen(worlds.copied(tmp_path, until=3, thin=True)) as workspace:
        versions, last = logic_versions(workspace.core.scope().locks()), workspace.ledger.position()
        catalogs = Catalogs(workspace.ledger.store)
        laid_over = catalogs.at(last, versions)
        day, version = next(iter(laid_over.current["gold_metrics"].items()))
        laid_over.put("gold_metrics", later(day, 1000), version)
        assert catalogs.at(last, versions).get("gold_metrics", later(day, 1000)) is None


def test_one_of_before_is_not_read_again_where_nothing_has_moved_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks for a backfill is told why it is as of the position of its plan; the request itself came later."""
    loaded = []

    def load(catalogs: Catalogs, position: int, versions: Mapping[str, int]) -> Catalog:
        loaded.append(position)
        return Catalogs._load(catalogs, position, versions)

    with small.reopen(worlds.copied(tmp_path, until=3, thin=True)) as workspace:
        versions, before = logic_versions(workspace.core.scope().locks()), workspace.ledger.position()
        small.request(workspace, 1, 2)
        catalogs, last = Catalogs(workspace.ledger.store), workspace.ledger.position()
        monkeypatch.setattr(catalogs, "_load", partial(load, catalogs))
        found = [catalogs.at(position, versions) for position in (last, before, last)]
    assert [catalog.position for catalog in found] == [last, before, last]
    assert (loaded, before < last) == ([last], True)


def test_what_was_appended_to_bronze_is_laid_behind_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else is read again; but where another version of the reader left it."""
    loaded = []
    load = Catalogs._load

    def counted(catalogs: Catalogs, position: int, versions: Mapping[str, int]) -> Catalog:
        loaded.append(position)
        return load(catalogs, position, versions)

    monkeypatch.setattr(Catalogs, "_load", counted)
    with small.reopen(worlds.copied(tmp_path, until=3, thin=True)) as workspace:
        store, versions = workspace.ledger.store, logic_versions(workspace.core.scope().locks())
        batch = events_of(store, ["run.batch_appended"])[-1].position
        for asked, positions in ((versions, [batch - 1]), (dict.fromkeys(versions, 2), [batch - 1, batch])):
            loaded.clear()
            catalogs = Catalogs(store)
            before, found = catalogs.at(batch - 1, asked), catalogs.at(batch, asked)
            assert loaded == positions
            assert found == Catalogs(store).at(batch, asked) != before


def test_what_an_older_reader_left_on_days_around_is_read_and_digested_too() -> None:
    files = {day: LakeFile(f"{day}.parquet", 1, 1, str(day)) for day in span(960, 1009)}
    current: dict[str, MutableMapping[Day, PartitionVersion]] = {
        "bronze": {day: PartitionVersion(1, (file,), 1, 1, None) for day, file in files.items()}
    }
    old = {file.path: XPosts().again for file in files.values()}
    first, last = Day(1000), Day(1001)
    assert [day for day, _, _ in Catalog(1, current).readable("bronze", first, last)] == [1000, 1001]
    catalog = Catalog(1, current, old=old)
    assert [day for day, _, _ in catalog.readable("bronze", first, last)] == list(range(970, 1003))
    definition = parse_definition("silver", SILVER, {})
    digests = {catalog.input_digest(definition, 2, first)}
    for day in map(Day, (969, 970, 999, 1000, 1001, 1002)):
        other = {**current["bronze"], day: PartitionVersion(1, (replace(files[day], sha256="x"),), 1, 1, None)}
        digests.add(Catalog(1, {"bronze": other}, old=old).input_digest(definition, 2, first))
    assert len(digests) == 5  # those of 969 and 1002 are not looked at


def test_the_digests_of_many_days_are_those_of_each_written_out() -> None:
    """Days without a file count like days that are not there; the days asked for need not lie side by side."""
    reads = SILVER.replace('"0d"', '"-2d..0d"')
    definition = parse_definition("silver", reads, {})
    assert [(read.first, read.last) for read in definition.reads] == [(-2, 0)]
    rows = {
        day: versions.Row(None, None if day % 5 == 0 else json_of(day), 1, 1, None, "run-1")
        for day in span(990, 1040)
        if day % 7
    }
    there = Versions({day: stored(day, row) for day, row in rows.items()})
    catalog = Catalog(1, {"bronze": there})
    days = [Day(day) for day in (1030, 995, 1000, 1001, 1002, 2000)]
    read = {day: [d for d in span(day - 2, day) if d in rows and rows[d].files] for day in days}
    expected = {
        day: inputs_digest("silver", 3, iso(day), [f"bronze {iso(d)} {d:064}" for d in read[day]]) for day in days
    }
    assert catalog.input_digests(definition, 3, days) == expected
    assert {day: catalog.input_digest(definition, 3, day) for day in days} == expected
    assert catalog.input_digests(definition, 3, []) == {}


def stored(day: Day, row: versions.Row) -> versions.Stored:
    """A row with what stands in front of it."""
    return versions.Stored(("bronze", True, None, day, *row))


def json_of(day: Day) -> str:
    """A file of a day, as DuckDB has it."""
    return json.dumps([{"path": f"{day}.parquet", "bytes": 1, "rows": 1, "sha256": f"{day:064}"}])


def test_a_version_is_made_of_its_row_once_for_all_copies_of_a_catalog() -> None:
    day = Day(1001)
    there = Versions({day: stored(day, versions.Row(None, json_of(day), 1, 1, None, "run-1"))})
    catalog = Catalog(1, {"bronze": there})
    assert catalog.copy().get("bronze", day) is catalog.copy().get("bronze", day) is not None
    assert catalog.sizes("bronze") == {day: (1, 1)}


@pytest.mark.parametrize("day", [date(1970, 1, 1), date(1975, 6, 1), date(2006, 3, 20)])
def test_a_day_before_the_platforms_first_opens_no_range(day: date) -> None:
    """An older reader took posts whose clock was wrong; what it made of them is still there."""
    version = PartitionVersion(1, (), 0, 0, None)
    first = day_of("2006-03-21")
    catalog = Catalog(1, {"posts": {day_of(day): version, first: version}}, first_days={"posts": first})
    assert catalog.days() == [first]
