"""A tenant that is not X: `examples/trades`, of two sources and no Python, through all that a pipeline may see."""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.kit import small
from tests.kit.lake import events, projection
from tests.kit.lake_folder import root_of
from tests.kit.tree import ROOT
from tradex_ledger.audit.query import query
from tradex_ledger.cli.main import run as tradex
from tradex_ledger.config import FILE
from tradex_ledger.datasets.definition import DefinitionError
from tradex_ledger.domain.day import day_of
from tradex_ledger.domain.extraction import Extraction
from tradex_ledger.domain.incremental import NothingToRunError
from tradex_ledger.domain.request import Request
from tradex_ledger.domain.source import Counts, Found, Look
from tradex_ledger.driving.ahead import FarAheadError
from tradex_ledger.driving.extract import NothingReadableError
from tradex_ledger.errors import TradexError
from tradex_ledger.sources import LATER
from tradex_ledger.sources.places import NoPlaceError
from tradex_ledger.sources.registry import UnknownReaderError
from tradex_ledger.workspace import Workspace

EXAMPLE = ROOT / "examples" / "trades"
HEADER = "trade_id,symbol,trade_date,traded_at,price,quantity\n"
LATE = "t-303,ACME,2026-03-03,2026-03-03 11:00:00,11.00,50\n"
REASON = "late file of the broker, INC-7"


def day(number: int) -> date:
    return date(2026, 3, number)


def made(folder: Path, *, sources: tuple[str, ...] = ("trades", "instruments")) -> Path:
    """The example as its README lays it out; returns the workspace's folder."""
    shutil.copytree(EXAMPLE / "deliveries", folder / "in", dirs_exist_ok=True)
    shutil.copytree(EXAMPLE / "pipeline", folder / "ws" / "pipeline", dirs_exist_ok=True)
    places = [f"{name}=files:{folder / 'in' / name}" for name in sources]
    Workspace.create(folder / "ws", source=places, pipeline="pipeline", name="trades", actor="ana").close()
    settings = folder / "ws" / FILE
    text = settings.read_text(encoding="utf-8").replace("# workers = 2", "workers = 1 #")
    settings.write_text(text, encoding="utf-8")
    return folder / "ws"


def opened(folder: Path) -> Workspace:
    return Workspace.open(folder, actor="ana", clock=small.Ticking(datetime(2026, 4, 1, tzinfo=UTC)))


def rows(workspace: Workspace, sql: str, as_of: str | None = None) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in query(workspace.ledger.store, workspace.core.lake, sql, as_of=as_of).rows]


def backfill(
    workspace: Workspace, dataset: str, kind: str = "temporal", first: date | None = None, last: date | None = None
) -> str:
    run_id = workspace.backfills.request(
        Request(kind=kind, dataset=dataset, override_state=False, reason=REASON, first=first, last=last)
    ).id
    workspace.backfills.approve(run_id)
    assert workspace.runs.drive(run_id).status == "SUCCESS"
    return run_id


TURNOVER = "select sector, turnover from gold_sector_turnover where trade_date = '2026-03-03' order by all"


def test_a_pipeline_of_two_sources_is_run_backfilled_bumped_reverted_and_asked_about_its_past(tmp_path: Path):
    ws = made(tmp_path)
    with opened(ws) as workspace:
        assert workspace.incremental.run(last=day(5)).status == "SUCCESS"
        assert workspace.state.id == "pipeline-trades"
        assert [len(rows(workspace, f"from {name}")) for name in ("bronze_trades", "bronze_instruments")] == [10, 10]
        before = rows(workspace, TURNOVER)
        assert before == [("industry", Decimal("1050.00")), ("retail", Decimal("600.00"))]
        position = str(workspace.ledger.position())
        # A late trade, one that is known with another price, a value that is none, and a line that is no trade.
        (tmp_path / "in" / "trades" / "2026-03-03-late.csv").write_text(
            HEADER + LATE + "t-301,ACME,2026-03-04,2026-03-04 09:30:00,99.00,100\n"
            "t-304,NEWCO,2026-03-03,,1.00,x\n,ACME,2026-03-03,,1.00,1\n",
            encoding="utf-8",
        )
        proposed = [item for item in workspace.backfills.propose() if item.kind == "temporal"]
        assert [(item.dataset, item.first, item.posts) for item in proposed] == [
            ("bronze_trades", day_of("2026-03-03"), 2)
        ]
        run_id = backfill(workspace, "bronze_trades", first=day(3), last=day(3))
        (done,) = events(workspace, f"topic = 'run.layer_completed' and layer = 'bronze' and run_id = '{run_id}'")
        assert '"appended":2' in done["data"].replace(" ", "")
        filled = events(workspace, f"topic = 'run.batch_appended' and run_id = '{run_id}'")
        assert {event["dataset"] for event in filled} == {"bronze_trades", "bronze_trades__rejected"}
        assert rows(workspace, TURNOVER) == [
            ("industry", Decimal("1600.00")),
            ("retail", Decimal("600.00")),
            ("unknown", None),
        ]
        assert rows(workspace, "select reason from bronze_trades__rejected") == [("no trade_id",)]
        # The first row of a trade stays, with its day and its price.
        assert rows(workspace, "select trade_date, price from bronze_trades where trade_id = 't-301'") == [
            (day(3), Decimal("10.50"))
        ]
        assert rows(workspace, TURNOVER, position) == before
        bump_and_revert(workspace)


def test_alerts_of_each_source_are_told_once_and_call_its_rows_what_they_are(tmp_path: Path):
    ws = made(tmp_path)
    found = {
        "trades": Found(Counts(lines=7, beyond=5), 0, Counter({LATER: 2}), None, []),
        "instruments": Found(Counts(), 0, Counter(), None, []),
        "x_posts": Found(Counts(lines=1, beyond=1), 0, Counter(), None, []),
    }
    with opened(ws) as workspace:
        for number, name in enumerate(["trades", "instruments", "trades", "x_posts", "trades"]):
            asked = Extraction("incremental", None, None, f"{name}=files:/in/{name}")
            told = Look.record(f"look-{number}", asked, found[name], pipeline="trades", run=None, late=None, by="ana")
            workspace.ledger.append(told)
        assert [(alert["alert"], alert["message"]) for alert in projection(workspace, "alerts")] == [
            (
                "rows later than the clock",
                "2 rows at trades=files:/in/trades are later than the clock of the machine that read them, and are no "
                "rows until then: if that clock is behind, set it right, then: tradex backfill propose; "
                "5 lines at trades=files:/in/trades are no rows and too many to be kept",
            ),
            ("rejected lines not kept", "1 lines at x_posts=files:/in/x_posts are no posts and too many to be kept"),
        ]


def test_a_day_that_cannot_be_true_opens_no_range_and_stops_no_run(tmp_path: Path):
    ws = made(tmp_path)
    slip = "t-304,ACME,0202-03-03,,1.00,1\n"
    (tmp_path / "in" / "trades" / "2026-03-04-slip.csv").write_text(HEADER + slip, encoding="utf-8")
    with opened(ws) as workspace:
        assert workspace.incremental.run(last=day(5)).status == "SUCCESS"
        assert rows(workspace, "select trade_date from bronze_trades where trade_id = 't-304'") == [(date(202, 3, 3),)]
        assert rows(workspace, "select min(trade_date), max(trade_date) from silver_classified_trades") == [
            (day(1), day(5))
        ]


def test_days_of_long_before_x_are_told_when_they_are_stale(tmp_path: Path):
    ws = made(tmp_path)
    for file in (tmp_path / "in").rglob("*.csv"):
        file.write_text(file.read_text(encoding="utf-8").replace("2026-", "2001-"), encoding="utf-8")
    with opened(ws) as workspace:
        assert workspace.incremental.run(last=date(2001, 3, 5)).status == "SUCCESS"
        small.edit(workspace, "silver_classified_trades", "'unknown'", "'none'")
        workspace.datasets.bump("silver_classified_trades", reason="what is on no list has no sector")
        stale = [row for row in projection(workspace, "stale_partitions") if row["layer"] == "silver"]
        assert sorted(row["partition"] for row in stale) == [date(2001, 3, number) for number in range(1, 6)]


def bump_and_revert(workspace: Workspace) -> None:
    small.edit(workspace, "gold_sector_turnover", "sum(price * quantity)", "sum(price * quantity * 0.999)")
    assert workspace.datasets.bump("gold_sector_turnover", reason="net of the fee") == {"gold_sector_turnover": 2}
    logical = backfill(workspace, "gold_sector_turnover", "logical")
    assert rows(workspace, TURNOVER)[0] == ("industry", Decimal("1598.40"))
    assert rows(workspace, TURNOVER.replace("gold_sector_turnover", "gold_sector_turnover_v1"))[0][1] == 1600
    workspace.backfills.revert(logical, reason="the fee is 8 basis points")
    assert rows(workspace, TURNOVER)[0] == ("industry", Decimal("1600.00"))
    assert workspace.state.cursor == "2026-03-06T00:00:00.000000Z"


def test_a_run_goes_on_where_it_stood_and_reads_what_is_new(tmp_path: Path):
    with opened(made(tmp_path)) as workspace:
        workspace.incremental.run(last=day(2))
        assert workspace.incremental.run(last=day(5)).status == "SUCCESS"
        looks = events(workspace, "topic = 'source.looked'")
        assert len(looks) == 4  # one of each source a run
        assert len(rows(workspace, "from silver_classified_trades where sector = 'unknown'")) == 0
        assert len(rows(workspace, "from silver_classified_trades")) == 10


def test_what_is_lost_of_one_source_is_not_made_up_for_by_another(tmp_path: Path):
    """Nor is a day of long ago by an extraction of another: it is one like any other."""
    ws = made(tmp_path)
    for file in sorted((tmp_path / "in").rglob("*.csv")):
        text = file.read_text(encoding="utf-8").replace("2026-", "2001-")
        file.with_name(file.name.replace("2026-", "2001-")).write_text(text, encoding="utf-8")
        file.unlink()
    with opened(ws) as workspace:
        workspace.incremental.run(last=date(2001, 3, 5))
        next(iter(root_of(workspace).glob("bronze_instruments/as_of=2001-03-02/*"))).unlink()
        declared = workspace.lake.declare_loss("bronze_instruments", reason="the disk died, INC-8")
        assert declared.loss_plan is not None
        with Workspace.open(ws, actor="ben", clock=workspace.core.clock) as other:
            other.lake.confirm_loss("bronze_instruments", declared.loss_plan.digest)
        for dataset, n in (("bronze_trades", 2), ("bronze_instruments", 4)):
            backfill(workspace, dataset, first=date(2001, 3, n), last=date(2001, 3, n))
            assert [row["mended_position"] for row in projection(workspace, "lost_files")] == [None]
        mended = backfill(workspace, "bronze_instruments", first=date(2001, 3, 2), last=date(2001, 3, 2))
        assert [row["mended_position"] for row in projection(workspace, "lost_files")] != [None]
        assert len(rows(workspace, f"from bronze_instruments where run_id = '{mended}'")) == 2


def test_a_tenant_is_told_of_rows_and_of_each_of_its_sources(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    ws = made(tmp_path)
    for source, name in (("trades", "notes.txt"), ("instruments", "read.me")):
        (tmp_path / "in" / source / name).write_text("no table", encoding="utf-8")
    assert "days without a row" in (ws / FILE).read_text(encoding="utf-8")

    def said(*command: str) -> str:
        assert tradex(["-C", str(ws), *command]) == 0
        return " ".join(capsys.readouterr().out.split())

    with opened(ws) as workspace:
        run_id = workspace.incremental.run(last=day(5)).id
        with pytest.raises(NothingToRunError) as again:
            workspace.incremental.run(last=day(5))
        assert "request forced bronze --from" in again.value.mend
        late = tmp_path / "in" / "trades" / "late.csv"
        late.write_text(f"{HEADER}{LATE},ACME,2026-03-03,,1.00,1\n", encoding="utf-8")
        reasons = [item.reason for item in workspace.backfills.propose()]
    assert "1 row of 2026-03-03 was delivered after the run that covered that day" in reasons
    assert any("(late.csv) with 1 line that is no row" in reason for reason in reasons)
    why = "1 × its suffix is none that is read"
    shown = said("backfill", "show", run_id)
    assert "appended 20 rows" in shown
    for source, name in (("trades", "notes.txt"), ("instruments", "read.me")):
        found = "5 files, 10 lines: 10 rows of the range, 0 outside of it, 0 no rows"
        assert f"source {source} {found}; passed over: {why}: {name}" in shown
    status = said("status")
    assert "source instruments: looked at" in status
    assert "6 files, 12 lines, 1 no row; newest row: 2026-03-05 trades: passed over: " + why in status
    assert "trades: late: 1 row, 1 line that is no row; see: tradex backfill propose" in status
    assert "post" not in shown + status + " ".join(reasons)
    documents = [orjson.loads(said(*command, "--json")) for command in (("status",), ("backfill", "show", run_id))]
    assert [[look["passed_over"] for look in document["sources"]] for document in documents] == [[1, 1], [1, 1]]


def test_where_nothing_of_a_tenant_can_be_read_rows_are_missed(tmp_path: Path):
    ws = made(tmp_path)
    told = pytest.raises(FarAheadError, match=r"the newest row .* days without a row")
    with Workspace.open(ws, actor="ana", clock=small.Ticking(datetime(2026, 6, 1, tzinfo=UTC))) as workspace, told:
        workspace.incremental.run()
    shutil.rmtree(tmp_path / "in" / "instruments")
    (tmp_path / "in" / "instruments").mkdir()
    with opened(ws) as workspace, pytest.raises(NothingReadableError, match="no row could be read at instruments="):
        workspace.incremental.run(last=day(5))


def test_a_key_of_several_columns_is_known_by_all_of_them_on_any_day(tmp_path: Path):
    """Not by the first of them alone: that would put all rows of a venue on the day of its first."""
    ws = made(tmp_path)
    with opened(ws) as workspace:
        small.edit(workspace, "bronze_trades", 'key = ["trade_id"]', 'key = ["symbol", "trade_id"]')
        workspace.datasets.bump("bronze_trades", reason="ids are unique for each symbol only")
        workspace.incremental.run(last=day(5))
        late = tmp_path / "in" / "trades" / "late.csv"
        late.write_text(f"{HEADER}t-101,ACME,2026-03-04,,1,1\nt-101,NILE,2026-03-04,,1,1\n", encoding="utf-8")
        backfill(workspace, "bronze_trades", first=day(4), last=day(4))
        found = rows(workspace, "select trade_date, symbol from bronze_trades where trade_id = 't-101' order by all")
        assert found == [(day(1), "ACME"), (day(4), "NILE")]
        assert len(rows(workspace, "from bronze_trades")) == 11


def test_a_source_without_a_place_and_one_without_a_reader_are_refused_before_anything_is_recorded(tmp_path: Path):
    with pytest.raises(NoPlaceError) as error:
        made(tmp_path / "half", sources=("trades",))
    assert "[sources.instruments]" in error.value.mend
    ws = made(tmp_path)
    with opened(ws) as workspace:
        position = workspace.ledger.position()
        text = (ws / "pipeline" / "bronze_trades.sql").read_text(encoding="utf-8")
        for name, source in (("bronze_fx", "fx"), ("bronze_fx", "trades")):
            other = text.replace('source = "trades"', f'source = "{source}"').replace('-- reader = "csv"\n', "")
            (ws / "pipeline" / f"{name}.sql").write_text(other, encoding="utf-8")
            with pytest.raises((UnknownReaderError, DefinitionError)) as refused:
                workspace.incremental.run(last=day(5))
            assert refused.value.mend
        assert workspace.ledger.position() == position
        (ws / "pipeline" / "bronze_fx.sql").unlink()
        assert workspace.incremental.run(last=day(5)).status == "SUCCESS"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("null::timestamp as traded_at", "null::time as traded_at", "traded_at (TIME)"),
        ("    null::timestamp as ingested_at", "    null::varchar as ingested_at", "ingested_at"),
        ('key = ["trade_id"]', 'key = ["price", "trade_id"]', "price, is DECIMAL"),
    ],
)
def test_columns_that_no_file_can_fill_are_refused_with_their_name(tmp_path: Path, old: str, new: str, told: str):
    with opened(made(tmp_path)) as workspace:
        small.edit(workspace, "bronze_trades", old, new)
        with pytest.raises(TradexError) as error:
            workspace.datasets.bump("bronze_trades", reason="another column")
        assert told in error.value.message
