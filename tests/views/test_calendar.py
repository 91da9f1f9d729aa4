"""The calendar: each state of a day is told as of the positions at which it held, and what a few days cost follows from
those days."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests import worlds
from tests.golden import record
from tests.kit import small
from tests.kit.kept import make_small
from tests.kit.lake_folder import root_of
from tests.kit.small import Ticking, day, request
from tradex_ledger.audit.documents.calendar import AHEAD, Calendar
from tradex_ledger.audit.look import Look
from tradex_ledger.datasets.definition import UnknownDatasetError
from tradex_ledger.driving.execution import Progress
from tradex_ledger.errors import TradexError, UsageError
from tradex_ledger.ledger.select import Store, open_store
from tradex_ledger.relations.days import CALENDAR, FILLS, MOMENTS, PLANS, SIGNS, CalendarCell
from tradex_ledger.views import AsOf, add_calendar, open_view, open_views
from tradex_ledger.workspace import Workspace

BRONZE, SILVER, METRICS = "bronze_x_posts", "silver_social_events", "gold_metrics"
GOLDEN = Path(record.__file__).parent
NOW = datetime(2024, 2, 1, 12, tzinfo=UTC)
OLD_DAY = date(2023, 12, 20)
OLD = '{"id":"1737412524241846272","text":"$TSLA","author_id":"9","created_at":"2023-12-20T10:00:00.000Z"}\n'
FIRST = 1
"""The first position: what is there when nothing has happened yet."""


@dataclass
class Story:
    """A workspace, the positions at which something had just happened, and its runs by name."""

    folder: Path
    at: dict[str, int] = field(default_factory=dict)
    runs: dict[str, str] = field(default_factory=dict)

    def cells(self, when: str) -> dict[tuple[str, int | None, int], CalendarCell]:
        """By dataset, version and day of January."""
        found = Look.open(self.folder).calendar(as_of=str(self.at[when]), older=True)
        return {(one.dataset, one.version, one.day.day): one for one in found.cells if one.day >= day(1)}


class Dies(Exception):
    """The driver's machine goes out."""


def _dies_behind(last: str) -> Progress:
    def die(stage: str, done: int, total: int) -> None:
        if stage == last and done == total:
            raise Dies

    return die


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """What befalls the days of a week, one after another."""
    root = tmp_path_factory.mktemp("calendar")
    ws = worlds.copied(root, pipeline=True, thin=True, until=None)
    told = Story(ws)
    with Workspace.open(ws, actor="ana", clock=Ticking(NOW)) as workspace:
        _tell(told, workspace, root / "posts")
    return told


def _tell(told: Story, workspace: Workspace, source: Path) -> None:
    def mark(name: str) -> None:
        told.at[name] = workspace.ledger.position()

    with pytest.raises(Dies):
        workspace.incremental.run(last=day(7), progress=_dies_behind(f"append to {BRONZE}"))
    mark("died in Bronze")
    workspace.incremental.run(last=day(7))
    mark("run")
    (source / "2024-01-09-late.jsonl").write_text(small.LATE, encoding="utf-8")
    workspace.backfills.propose()
    mark("late")
    one = told.runs["one"] = request(workspace, 3, 4, review=True)
    mark("asked")
    workspace.backfills.approve(one)
    with small.broken(source / "2024-01-03.jsonl.gz", b"\x1f\x8b no gzip"), pytest.raises(TradexError):
        workspace.runs.drive(one)
    mark("failed")
    with pytest.raises(Dies):
        workspace.runs.drive(one, progress=_dies_behind(SILVER))
    mark("half done")
    workspace.runs.drive(one)
    mark("held")
    workspace.runs.release(one, reason="it is what was asked for, INC-7")
    workspace.runs.drive(one)
    mark("published")
    workspace.backfills.revert(one, reason="it was not what was asked for, INC-8")
    mark("reverted")
    workspace.datasets.protect(SILVER, day(1), day(2), reason="a legal hold, case 7")
    mark("protected")
    workspace.datasets.unprotect(SILVER, day(1), day(2), reason="the case is closed, case 7")
    small.edit(workspace, METRICS, "count(*)::bigint as mentions", "(count(*) + 0)::bigint as mentions")
    workspace.datasets.bump(METRICS, reason="mentions are counted anew, INC-9")
    mark("versioned")
    small.backfill(workspace, 4, 5, kind="logical", dataset=METRICS)
    mark("read")
    workspace.datasets.deprecate(METRICS, 2, reason="it was no good, INC-10")
    mark("deprecated")
    next(root_of(workspace).glob(f"{BRONZE}/event_date=2024-01-05/*.parquet")).unlink()
    plan = workspace.lake.declare_loss(BRONZE, reason="the disk of rack 4 died, INC-4400").loss_plan
    assert plan
    with Workspace.open(told.folder, actor="ben", clock=workspace.core.clock) as ben:
        ben.lake.confirm_loss(BRONZE, plan.digest)
    mark("lost")


def test_before_anything_is_built_what_is_there_upstream_is_missed_and_what_nobody_processed_is_told(story: Story):
    cells = story.cells("died in Bronze")
    assert {cells[BRONZE, None, n].fill for n in range(1, 8)} == {"published"}
    assert {cells[SILVER, None, n].fill for n in range(1, 8)} == {"missing"}
    assert cells[SILVER, None, 3].why == "never built, though bronze_x_posts of 2024-01-03 is there"
    assert {(cells[name, v, 8].fill, cells[name, v, 8].why) for name, v in _SERIES} == {
        ("not processed yet", "nothing is processed yet")
    }


_SERIES = ((BRONZE, None), (SILVER, None), (METRICS, 1))


def test_what_is_processed_is_published_and_the_days_that_are_over_by_then_are_not_processed_yet(story: Story):
    cells = story.cells("run")
    assert Counter(one.fill for one in cells.values()) == {"published": 21, "not processed yet": 3 * AHEAD}
    assert cells.keys() == {(name, v, n) for name, v in _SERIES for n in range(1, 8 + AHEAD)}
    ahead = Look.open(story.folder).calendar(as_of=str(story.at["run"]), first=day(30), last=date(2024, 2, 2))
    assert {one.day for one in ahead.cells} == {day(30), day(31)}  # today is not over
    assert ahead.fills == {"not processed yet": 6}
    assert {one.sign for one in cells.values()} == {None}
    one = cells[METRICS, 1, 3]
    assert one.rows
    assert (one.why, one.logic_version, one.standing) == (f"{one.rows} rows by {one.run_id}", 1, "read")


def test_what_is_late_at_the_source_is_so_until_it_is_fetched(story: Story):
    late = [key for key, one in story.cells("late").items() if one.sign == "late at the source"]
    assert late == [(BRONZE, None, 3)]
    assert story.cells("late")[BRONZE, None, 3].sign_why == "1 row at the source that Bronze lacks"
    assert story.cells("asked")[BRONZE, None, 3].sign == "late at the source"  # which is more than that it is planned
    assert story.cells("held")[BRONZE, None, 3].sign is None


def _signs(story: Story, when: str) -> dict[str, set[tuple[str, int]]]:
    found: dict[str, set[tuple[str, int]]] = {}
    for (dataset, _, n), one in story.cells(when).items():
        if one.sign:
            assert one.sign_why
            found.setdefault(one.sign, set()).add((dataset, n))
    return found


def test_what_a_run_is_to_build_is_planned_failed_or_being_built_then_a_candidate_then_published(story: Story):
    derived = {(name, n) for name in (SILVER, METRICS) for n in (3, 4)}
    late = {(BRONZE, 3)}
    assert _signs(story, "asked") == {"planned": derived | {(BRONZE, 4)}, "late at the source": late}
    assert _signs(story, "failed") == {"failed": {(BRONZE, 3), (BRONZE, 4)}, "planned": derived}
    assert _signs(story, "half done") == {
        "candidate": {(SILVER, 3), (SILVER, 4)},
        "planned": {(METRICS, 3), (METRICS, 4)},
    }
    assert _signs(story, "held") == {"candidate": derived}
    assert _signs(story, "published") == {}
    failed = story.cells("failed")[BRONZE, None, 3]
    assert str(failed.sign_why).startswith(f"{story.runs['one']} failed: 2024-01-03.jsonl.gz cannot be read")
    assert failed.sign_run_id == story.runs["one"]
    assert failed.fill == "published"  # readers have what they had


def test_an_input_that_a_run_changed_without_what_follows_makes_that_stale(story: Story):
    stale = {key[:1] + key[2:] for key, one in story.cells("half done").items() if one.fill == "stale"}
    assert stale == {(SILVER, 3)}
    why = story.cells("half done")[SILVER, None, 3].why
    assert f"since then bronze_x_posts of 2024-01-03 was changed by {story.runs['one']}" in why


def test_what_was_taken_back_is_told_where_readers_have_what_was_before(story: Story):
    signs = _signs(story, "reverted")
    assert signs == {"taken back": {(SILVER, 3), (METRICS, 3)}}  # of the fourth nothing came out otherwise
    one = story.cells("reverted")[SILVER, None, 3]
    assert one.run_id != story.runs["one"] == one.sign_run_id


def test_protected_days_are_so_until_that_is_lifted(story: Story):
    held = {key for key, one in story.cells("protected").items() if one.is_protected}
    assert held == {(SILVER, None, 1), (SILVER, None, 2)}
    assert story.cells("protected")[SILVER, None, 1].protected_why == "a legal hold, case 7"
    assert not any(one.is_protected for one in story.cells("versioned").values())


def test_a_version_has_a_row_of_its_own_and_hides_what_it_lacks_once_it_is_read(story: Story):
    before, after, gone = (story.cells(when) for when in ("versioned", "read", "deprecated"))
    assert {before[METRICS, 1, n].standing for n in range(1, 8)} == {"read"}
    assert {(before[METRICS, 2, n].standing, before[METRICS, 2, n].fill) for n in range(1, 8)} == {
        ("next", "nothing under this version yet")
    }
    assert {after[METRICS, 1, n].standing for n in range(1, 8)} == {"older"}
    assert {n: after[METRICS, 2, n].fill for n in range(1, 9)} == {
        **dict.fromkeys((1, 2, 3, 6, 7), "only in an older version"),
        **dict.fromkeys((4, 5), "published"),
        8: "not processed yet",
    }
    assert after[METRICS, 2, 1].why == "version 1 has it, and version 2 does not"
    assert (METRICS, 1, 8) not in after  # of an older one, the days that it has
    assert {n for n in range(1, 9) if gone[METRICS, 2, n].fill == "deprecated"} == {4, 5}


def test_a_day_of_which_files_are_lost_is_missing(story: Story):
    missing = {key for key, one in story.cells("lost").items() if one.fill == "missing"}
    assert missing == {(BRONZE, None, 5)}
    assert "declared lost at position" in story.cells("lost")[BRONZE, None, 5].why


def test_a_day_on_which_nothing_came_is_told_from_one_that_nobody_processed(tmp_path: Path):
    ws = worlds.copied(tmp_path, thin=True, until=None, days=5)
    with Workspace.open(ws, actor="ana", clock=Ticking(NOW)) as workspace:
        workspace.incremental.run(last=day(7))
        found = workspace.calendar()
    fills = {(one.dataset, one.day.day): one.fill for one in found.cells if one.day >= day(1)}
    assert {name for name, n in fills if n == 6 and fills[name, n] == "nothing came"} == {BRONZE, SILVER, METRICS}
    assert fills[SILVER, 5] == "published"
    assert fills[SILVER, 8] == "not processed yet"


def test_a_volume_out_of_bounds_is_told_of_what_readers_get(tmp_path: Path):
    ws = worlds.copied(tmp_path, thin=True, anomaly_min_rows=1, anomaly_rise_percent=1)
    (tmp_path / "posts" / "2024-01-09-late.jsonl").write_text(small.LATE, encoding="utf-8")
    with small.reopen(ws) as workspace:
        strange = small.backfill(workspace, 3, 3)
        (one, *_) = [one for one in workspace.calendar().cells if one.sign == "strange volume"]
    assert (one.day, one.run_id) == (day(3), strange.id)
    assert "were expected" in str(one.sign_why)


# -- bounds


def test_every_state_is_one_of_those_on_record_and_counted(story: Story):
    for when in story.at:
        found = Look.open(story.folder).calendar(as_of=str(story.at[when]))
        assert sum(found.fills.values()) == len(found.cells) == sum(len(row.cells) for row in found.rows)
        assert found.fills.keys() <= set(FILLS)
        assert found.signs.keys() <= set(SIGNS)
        assert sum(found.signs.values()) == sum(one.sign is not None for one in found.cells)


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A ledger with every kind of event."""

    def load(folder: Path) -> None:
        lines = (GOLDEN / "ledger_v3.jsonl").read_text(encoding="utf-8").splitlines()
        (folder / "ws").mkdir()
        engine, _ = record.load(lines, f"sqlite:///{folder / 'ws' / 'ledger.db'}")
        engine.dispose()

    folder = worlds.copy("golden-3", load, tmp_path_factory.mktemp("calendar-rules"))
    return open_store(f"sqlite:///{folder / 'ledger.db'}", folder)


def _opened(story: Story) -> Store:
    return Look.open(story.folder).store


def some(connection: Any, first: date, last: date) -> list[tuple[Any, ...]]:
    table = add_calendar(connection, first, last)
    found: list[tuple[Any, ...]] = connection.execute(f"from {table} order by all").fetchall()
    return found


@pytest.fixture(scope="module")
def all_days(story: Story, rules: Store) -> dict[str, dict[int, list[tuple[Any, ...]]]]:
    """The whole calendar of each, by position: as of now, and as of some before."""
    found: dict[str, dict[int, list[tuple[Any, ...]]]] = {"story": {}, "rules": {}}
    for of, store in ("story", _opened(story)), ("rules", rules):
        dice = random.Random(of)
        for upto in {FIRST, store.position(), *(dice.randrange(20, store.position()) for _ in range(3))}:
            with open_view(store, upto, None).connection as connection:
                days = {one.day for one in CALENDAR.read(connection)}
                found[of][upto] = connection.execute("select * from calendar order by all").fetchall()
                assert {row[4] for row in found[of][upto]} == days
        assert len(found[of][store.position()]) > len(found[of][FIRST])
    return found


@pytest.mark.parametrize("events", [None, 16, 64])
@pytest.mark.parametrize("of", ["story", "rules"])
def test_some_days_are_as_they_are_among_all_whatever_is_kept(
    of: str, events: int | None, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
):
    asked = request.getfixturevalue(of)
    store = asked if isinstance(asked, Store) else _opened(asked)
    for upto, among_all in request.getfixturevalue("all_days")[of].items():
        dice = random.Random(f"{events} {upto}")
        days = sorted({row[4] for row in among_all})
        first, last = sorted(dice.choices(days, k=2)) if days else (day(1), day(2))
        expected = [row for row in among_all if first <= row[4] <= last]
        if events is not None:
            make_small(monkeypatch, events)
        with open_views(store, AsOf(upto, None)) as connection:
            assert some(connection, first, last) == expected
            assert some(connection, first, first) == [row for row in expected if row[4] == first]
            newest = days[-1] if days else last
            assert some(connection, newest, newest) == [row for row in among_all if row[4] == newest]
        monkeypatch.undo()


def test_a_day_alone_is_stale_by_days_before_it_and_empty_by_those_around_it(tmp_path: Path):
    ws = worlds.copied(tmp_path, pipeline=True, thin=True, until=None)
    posts = tmp_path / "posts"
    with Workspace.open(ws, actor="ana", clock=Ticking(NOW)) as workspace:
        small.edit(workspace, METRICS, "reads = { ", f'reads = {{ {BRONZE} = "-2d..0d", ')
        workspace.datasets.bump(METRICS, reason="what was written before counts, too, INC-5")
        workspace.incremental.run(last=day(7))
        (posts / "2024-01-08-old.jsonl").write_text(OLD, encoding="utf-8")
        small.backfill(workspace, OLD_DAY, OLD_DAY)
        processed = workspace.ledger.position()
        (posts / "2024-01-09-late.jsonl").write_text(small.LATE, encoding="utf-8")
        late = request(workspace, 3, 3)
        workspace.backfills.approve(late)
        with pytest.raises(Dies):
            workspace.runs.drive(late, progress=_dies_behind(f"append to {BRONZE}"))
    store, between = Look.open(ws).store, OLD_DAY + timedelta(6)
    asked = [OLD_DAY, between, *map(day, range(1, 10))]
    assert _alone_as_among_all(store, processed, asked)[SILVER, between] == "nothing came"
    assert _alone_as_among_all(store, store.position(), asked)[METRICS, day(4)] == "stale"  # by the third


def _alone_as_among_all(store: Store, upto: int, asked: list[date]) -> dict[tuple[str, date], str]:
    """What readers get of each dataset and day among all days; each of those asked for alone is the same."""
    with open_view(store, upto, None).connection as connection:
        CALENDAR.read(connection)
        among_all = connection.execute("select * from calendar order by all").fetchall()
        told = connection.execute("select dataset, day, fill from calendar").fetchall()
    with open_views(store, AsOf(upto, None)) as connection:
        for one in asked:
            assert some(connection, one, one) == [row for row in among_all if row[4] == one], one
    return {(dataset, of): fill for dataset, of, fill in told}


def test_some_days_are_not_worked_out_of_all(story: Story):
    """What is held of other days is at most the first and the last one of a dataset."""
    store = _opened(story)
    with open_views(store, AsOf(story.at["versioned"], None)) as connection:
        schema = add_calendar(connection, day(5), day(5)).partition(".")[0]
        held = connection.execute(f"select distinct partition from {schema}.partitions where layer <> 'bronze'")
        assert {one for (one,) in held.fetchall()}.isdisjoint({day(2), day(3), day(6)})
        ((days,),) = connection.execute("select count(distinct partition) from partitions").fetchall()
        assert days > 6


# -- the document


def _calendar(story: Story, when: str = "run", **how: Any) -> Calendar:
    return Look.open(story.folder).calendar(*how.pop("names", ()), as_of=str(story.at[when]), **how)


def test_the_newest_days_are_told_and_no_more_than_asked_for(story: Story):
    found = _calendar(story, weeks=1)
    assert (found.first, found.last) == (day(14) - timedelta(days=day(14).weekday()), day(14))
    days = day(14).weekday() + 1
    assert [(row.dataset, len(row.cells)) for row in found.rows] == [(name, days) for name, _ in _SERIES]
    assert [row.dataset for row in _calendar(story, names=[METRICS]).rows] == [METRICS]
    one = _calendar(story, first=day(2), last=day(2))
    assert {cell.day for cell in one.cells} == {day(2)}


def test_many_days_that_nobody_processed_are_counted_and_not_drawn(tmp_path: Path):
    ws = worlds.copied(tmp_path, thin=True)  # posts of seven days, and the thirty-first of January
    found = Look.open(ws).calendar()
    assert found.last == day(7 + AHEAD)
    assert found.unprocessed == 30 - 7 - AHEAD


def test_a_wrong_question_is_told_with_the_way_out(story: Story):
    with pytest.raises(UnknownDatasetError):
        _calendar(story, names=["gold_metric"])
    with pytest.raises(UsageError, match="2024-01-05 is later than 2024-01-03"):
        _calendar(story, first=day(5), last=day(3))
    with pytest.raises(UsageError, match="days are too many"):
        _calendar(story, first=date(1990, 1, 1))


def test_of_a_new_workspace_there_is_no_day(tmp_path: Path):
    (tmp_path / "posts").mkdir()
    with small.create(tmp_path / "ws", f"files:{tmp_path / 'posts'}") as fresh:
        found = fresh.calendar()
    assert (found.first, found.last, found.rows, found.fills) == (None, None, [], {})


# -- moments and plans


@pytest.fixture
def connection(story: Story) -> Iterator[Any]:
    with open_views(_opened(story), AsOf(story.at["lost"], None)) as opened:
        yield opened


def test_the_moments_are_where_somebody_decided_or_readers_began_to_get_something_else(story: Story, connection: Any):
    found = [(one.moment, one.run_id) for one in MOMENTS.read(connection, "true order by position")]
    one = story.runs["one"]
    of_one = [moment for moment, run_id in found if run_id == one]
    assert of_one == [
        *("asked", "approved", "attempt failed", "failed", "held", "released", "published", "reverted"),
    ]
    others = [moment for moment, run_id in found if run_id is None]
    assert [moment for moment in others if moment != "policy"] == [
        *("begun", "protected", "unprotected", "versioned", "deprecated", "lost"),
    ]
    assert len(found) < story.at["lost"] / 3


def test_the_windows_of_a_run_say_what_came_of_them(story: Story, connection: Any):
    one = story.runs["one"]
    found = PLANS.of_run(connection, one, "number")
    assert [(w.dataset, w.first, w.last, w.partitions, w.built) for w in found] == [
        (BRONZE, day(3), day(4), 2, 1),
        (SILVER, day(3), day(4), 2, 2),
        (METRICS, day(3), day(4), 2, 2),
    ]
    for window in found:
        assert window.built == window.written + window.identical + window.reused
        assert window.began_at
        assert window.ended_at
        assert window.began_at <= window.ended_at
    assert found[0].rows == 1
    assert PLANS.read(connection, "run_id = ? order by number", one) == found
    (asked, *_) = PLANS.of_run(connection, one, "number desc")
    assert (asked.extends, asked.logic_version) == (False, 1)
