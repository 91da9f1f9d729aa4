"""The calendar and the life of a run on a terminal: each state has a shape of its own, on any width, with and without
colours, and each day is drawn once."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from tests import worlds
from tests.kit import small
from tradex_ledger.audit.documents.calendar import Calendar, Row
from tradex_ledger.audit.documents.timeline import Stretch, stretches
from tradex_ledger.cli.layouts import calendar as layout
from tradex_ledger.cli.layouts.timeline import Axis, long_text
from tradex_ledger.cli.main import run
from tradex_ledger.cli.show import Show
from tradex_ledger.relations.days import FILLS, SIGNS, CalendarCell
from tradex_ledger.views import AsOf

FIRST = date(2023, 12, 20)
WIDTHS = (20, 40, 60, 80, 130, 250)


def cell(day: date, dataset: str = "gold_signals", **how: object) -> CalendarCell:
    said = {"fill": "published", "sign": None, "is_protected": False, "why": "9 rows by bf-1", "run_id": "bf-1", **how}
    values = {**dict.fromkeys(CalendarCell._fields), "dataset": dataset, "layer": "gold", "day": day, **said}
    return CalendarCell(**values)  # type: ignore[arg-type]  # of names and values of its own fields


def calendar(*rows: Row) -> Calendar:
    cells = [one for row in rows for one in row.cells]
    return Calendar(
        as_of=AsOf(9, None),
        first=cells[0].day,
        last=cells[-1].day,
        rows=[*rows],
        fills={name: n for name in FILLS if (n := sum(one.fill == name for one in cells))},
        signs={name: n for name in SIGNS if (n := sum(one.sign == name for one in cells))},
        protected=sum(one.is_protected for one in cells),
        cells=cells,
    )


def drawn(found: Calendar, width: int, monkeypatch: pytest.MonkeyPatch, encoding: str = "utf-8") -> list[str]:
    monkeypatch.setenv("COLUMNS", str(width))
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    layout.screen(Show(as_json=False, out=out, err=io.StringIO()), found)
    out.seek(0)
    return out.read().splitlines()


def every_state() -> Calendar:
    """A day of each fill, and one of each sign, over two months."""
    states = [{"fill": fill} for fill in FILLS] + [{"sign": sign, "sign_why": "so"} for sign in SIGNS]
    days = [FIRST + timedelta(days=n) for n in range(50)]
    told = [cell(day, **states[n % len(states)]) for n, day in enumerate(days)]
    held = [cell(day, "silver_social_events", is_protected=n < 3) for n, day in enumerate(days)]
    return calendar(
        Row("silver_social_events", "silver", None, "read", held), Row("gold_signals", "gold", 2, "next", told)
    )


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("width", WIDTHS)
def test_each_day_is_drawn_once_by_a_shape_of_its_state_on_any_width(
    width: int, encoding: str, monkeypatch: pytest.MonkeyPatch
):
    found = every_state()
    lines = drawn(found, width, monkeypatch, encoding)
    if width >= 40:
        assert max(map(len, lines)) <= width
    rows = lines[: next(n for n, line in enumerate(lines) if line.startswith("readers get"))]
    picture = "\n".join(line for line in rows if not re.match(r" *([A-Z][a-z]{2}|\d)", line))
    for name in ("silver_social_events", "gold_signals v2 next"):
        assert name in picture
        picture = picture.replace(name, "")
    shape = 0 if encoding == "utf-8" else 1
    counts = {**found.fills, **found.signs, "protected": found.protected}
    assert counts.keys() == {*FILLS, *SIGNS, "protected"}
    marks = {**layout.FILLS, **layout.SIGNS, "protected": layout.PROTECTED}
    assert {name: picture.count(marks[name][shape]) for name in counts} == counts
    legend = " ".join(lines[len(rows) :])
    for name, count in counts.items():
        assert f"{marks[name][shape]} {name} {count}" in re.sub(r" +", " ", legend)


def test_no_two_states_have_one_shape():
    marks = [*layout.FILLS.values(), *layout.SIGNS.values(), layout.PROTECTED]
    assert layout.FILLS.keys() == set(FILLS)
    assert layout.SIGNS.keys() == set(SIGNS)
    for shapes in zip(*((mark.shape, mark.plain) for mark in marks), strict=True):
        assert len(set(shapes)) == len(marks)
        assert all(len(shape) == 1 for shape in shapes)
    assert all(mark.plain.isascii() for mark in marks)


def test_weeks_begin_with_their_monday_and_months_are_named(monkeypatch: pytest.MonkeyPatch):
    lines = drawn(every_state(), 80, monkeypatch)
    assert lines[0].split() == ["December", "2023", "January", "2024", "Feb"]
    assert lines[1].split() == ["18", "25", "1", "8", "15", "22", "29"]
    silver = next(line for line in lines if line.startswith("silver"))
    room = silver.index("■") - FIRST.weekday()
    assert lines[1].index("18") == room
    assert lines[0].index("January") == room + 16  # the first of January 2024 is a Monday
    again = next(n for n, line in enumerate(lines) if not line)
    assert lines[again + 1].split() == ["February", "2024"]


def test_what_is_not_there_is_no_state(monkeypatch: pytest.MonkeyPatch):
    """An older version has the days that it has."""
    row = Row("gold_signals", "gold", 1, "older", [cell(FIRST), cell(FIRST + timedelta(days=3))])
    (line,) = [line for line in drawn(calendar(row), 80, monkeypatch) if line.startswith("gold_signals v1 older")]
    assert line.endswith("■  ■")


# -- the commands


@dataclass(frozen=True)
class Said:
    """What a call printed."""

    out: str
    err: str


Told = Callable[..., Said]


@pytest.fixture
def called(ws: tuple[Path, str], capsys: pytest.CaptureFixture[str]) -> Told:
    def call(*words: str) -> Said:
        assert run(["-C", str(ws[0]), *words]) == 0
        return Said(*capsys.readouterr())

    return call


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    root = tmp_path_factory.mktemp("drawn")
    folder = worlds.copied(root, thin=True)
    (root / "posts" / "2024-01-09-late.jsonl").write_text(small.LATE, encoding="utf-8")
    with small.reopen(folder) as workspace:
        done = small.backfill(workspace, 3, 4)
        small.request(workspace, 5, 6)
    return folder, done.id


def test_the_calendar_is_told_as_a_picture_as_rows_and_as_a_document(called: Told):
    at = ("--from", "2024-01-01", "--to", "2024-01-08")
    picture = called("calendar", *at)
    assert "■■■■■■■ ⋯" in picture.out
    assert picture.out.count("◇◇") == 3
    assert "as of position" in picture.err
    rows = list(csv.DictReader(io.StringIO(called("calendar", *at, "--format", "csv").out)))
    document = json.loads(called("calendar", *at, "--json").out)
    assert len(rows) == 3 * 8 == sum(len(row["cells"]) for row in document["rows"])
    assert {one["fill"] for one in rows} == {"published", "not processed yet"} == set(document["fills"])
    assert document["signs"] == {"planned": 6}
    assert document["as_of"]["position"] > 0


def test_of_one_dataset_it_is_told_in_words_why_its_days_are_so(ws: tuple[Path, str], called: Told):
    _, run_id = ws
    said = called("calendar", "silver_social_events", "--from", "2024-01-01", "--to", "2024-01-08").out
    lines = dict(line.split("\t", 1) for line in said.splitlines() if "\t" in line)
    assert lines["2024-01-03..2024-01-04"].endswith(f"rows by {run_id}")
    assert "published, planned" in lines["2024-01-05..2024-01-06"]
    assert "is to build it" in lines["2024-01-05..2024-01-06"]


def test_the_life_of_a_run_is_told_with_what_it_waited_for(ws: tuple[Path, str], called: Told):
    _, run_id = ws
    said = called("backfill", "show", run_id, "--timeline")
    steps = [line.split()[0] for line in said.out.splitlines() if re.match(r"[a-z]+ .* \d\d:\d\d:\d\dZ", line)]
    assert steps == ["asked", "approved", "taken", "published"]
    assert re.search(r"silver_social_events .*█.* 2 days, ", said.out)
    document = json.loads(called("backfill", "show", run_id, "--timeline", "--json").out)
    assert [step["step"] for step in document["steps"]] == ["asked", "approved", "taken up", "published"]
    assert document["steps"][0]["after_ms"] is None
    assert document["waited_ms"] == sum(step["after_ms"] for step in document["steps"][1:3])
    assert document["windows"][0]["dataset"] == "bronze_x_posts"


def test_a_run_that_waits_has_no_bars(ws: tuple[Path, str], called: Told):
    folder, _ = ws
    with small.reopen(folder) as workspace:
        waits = next(run.id for run in workspace.audit.look.runs(status="PLANNED"))
    said = called("backfill", "show", waits, "--timeline")
    assert "windows have nothing built yet" in said.err
    assert "█" not in said.out


def test_what_a_run_that_has_ended_lacks_it_does_not_lack_yet(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = worlds.copied(tmp_path, thin=True)
    with small.reopen(folder) as workspace:
        done = small.backfill(workspace, 3, 4)
        given_up = small.request(workspace, 5, 6)
        workspace.runs.cancel(given_up, reason="asked for twice, INC-4211")
        built = workspace.audit.history(done.id).events
    topics = {event.topic: event.position for event in built}

    def said(run_id: str, *as_of: str) -> list[str]:
        assert run(["-C", str(folder), "backfill", "show", run_id, "--timeline", *as_of]) == 0
        return [line for line in capsys.readouterr().err.splitlines() if re.match(r"\d of \d windows", line)]

    assert said(done.id) == ["1 of 3 windows had nothing to append: bronze_x_posts"]
    assert said(done.id, "--as-of", str(topics["backfill.requested"] + 1)) == ["3 of 3 windows have nothing built yet"]
    first = min(event.position for event in built if event.topic == "run.layer_completed")
    assert said(done.id, "--as-of", str(first)) == [
        "1 of 3 windows had nothing to append: bronze_x_posts",
        "2 of 3 windows have nothing built yet",
    ]
    assert said(given_up) == ["3 of 3 windows built nothing"]


# -- time as columns


T0 = datetime(2024, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def test_long_gaps_are_cut_out_and_short_ones_are_not():
    assert stretches([(at(0), at(10)), (at(5), at(20)), (at(22), at(30))]) == [Stretch(at(0), at(30))]
    assert stretches([(at(3600), at(3610)), (at(0), at(10))]) == [Stretch(at(0), at(10)), Stretch(at(3600), at(3610))]
    assert stretches([(at(0), at(0.1)), (at(0.9), at(1))]) == [Stretch(at(0), at(1))]
    assert stretches([]) == []


def test_columns_grow_with_time_and_stand_apart_where_it_is_cut():
    axis = Axis([Stretch(at(0), at(30)), Stretch(at(3600), at(3610))], 43, 3)
    assert axis.width == 43
    assert axis.cuts == [30]
    assert [axis.at(at(n)) for n in (0, 15, 30, 3600, 3605, 3610)] == [0, 15, 30, 33, 38, 43]
    assert axis.scale().split() == ["00:00:00", "+1", "h", "0", "min"]
    assert Axis([Stretch(at(0), at(0))], 24, 3).at(at(0)) == 0


def test_a_duration_is_told_in_the_units_that_it_is_long_in():
    told = [long_text(ms) for ms in (0, 3_200, 250_000, 3_600_000 * 5 + 600_000, 86_400_000 * 8 + 3 * 3_600_000)]
    assert told == ["0.0 s", "3.2 s", "4 min 10 s", "5 h 10 min", "8 d 3 h"]
