"""Metrics: what they count, and that Prometheus, its kin and node-exporter's textfile collector can read them."""

from __future__ import annotations

import stat
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as as_open_metrics
from prometheus_client.parser import text_string_to_metric_families as as_prometheus_text

from tests import worlds
from tests.kit import small
from tradex_ledger.audit.documents.feeds import FeedDocument
from tradex_ledger.audit.look import Look
from tradex_ledger.audit.metrics import Metric, metrics
from tradex_ledger.audit.openmetrics import CONTENT_TYPE, render
from tradex_ledger.cli.main import run
from tradex_ledger.config import FILE
from tradex_ledger.lake.markers import Marker

UNITS = {"seconds", "bytes"}
NOW = small.Ticking().now + timedelta(days=20)


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A week, a backfill that waits, a receiver that was told nothing, and a source that says strange things."""
    folder = worlds.copied(tmp_path_factory.mktemp("metrics"))
    with small.reopen(folder) as workspace:
        small.request(workspace, 2, 3)
    with (folder / FILE).open("a", encoding="utf-8") as file:
        file.write('\n[feeds.lineage]\nto = "file:lineage.jsonl"\n')
    return folder


@pytest.fixture(scope="module")
def found(ws: Path) -> list[Metric]:
    since = (NOW - timedelta(hours=2)).isoformat()
    mirror = FeedDocument('lake "house"\\', "ducklake\nor so", "", [], 3, 2, since=since, problem="it is lost")
    return metrics(Look.open(ws), NOW, [mirror])


@pytest.fixture(scope="module")
def values(found: list[Metric]) -> dict[tuple[str, tuple[str, ...]], float]:
    return {(one.name, tuple(text for _, text in to)): value for one in found for to, value in one.samples}


def test_they_are_read_as_they_were_meant(found: list[Metric]):
    text = render(found)
    assert text.endswith("# EOF\n")
    assert CONTENT_TYPE.startswith("application/openmetrics-text; version=1.0.0")
    families = {family.name: family for family in as_open_metrics(text)}
    assert families.keys() == {one.name for one in found}
    for one in found:
        family = families[one.name]
        assert (family.type, family.unit, family.documentation) == (one.kind, one.unit, one.help)
        end = "_total" if one.kind == "counter" else ""
        samples = {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in family.samples}
        assert samples == {(one.name + end, tuple(sorted(to))): value for to, value in one.samples}


def test_names_and_units_follow_the_rules(found: list[Metric]):
    assert len({one.name for one in found}) == len(found)
    for one in found:
        assert one.name.startswith("tradex_")
        assert not one.name.endswith(("_total", "_count", "_sum", "_bucket", "_info", "_created"))
        assert one.unit in UNITS | {""}
        assert one.name.endswith(one.unit)
        assert not (one.unit == "" and one.name.rpartition("_")[2] in UNITS)
        assert one.help.endswith(".")
        assert '"' not in one.help and "\\" not in one.help  # the older text format escapes these otherwise


def test_the_textfile_collector_can_read_them_too(found: list[Metric]):
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in as_prometheus_text(render(found))
        for sample in family.samples
    }
    assert len(samples) == sum(len(one.samples) for one in found)
    assert {one.kind for one in found} == {"gauge", "counter"}  # it knows no other of OpenMetrics' own types


def test_they_count_what_the_ledger_says(ws: Path, values: dict[tuple[str, tuple[str, ...]], float]):
    with small.reopen(ws) as workspace:
        end = workspace.ledger.position()
        (rows,) = workspace.query("select count(*) from gold_metrics").rows[0]
        (built,) = workspace.query("select sum(rows) from run_layers where layer = 'silver'").rows[0]
    assert values["tradex_ledger_events", ()] == end
    assert values["tradex_dataset_rows", ("gold_metrics", "gold")] == rows > 0
    assert values["tradex_layer_rows", ("silver",)] == built > 0
    assert values["tradex_layer_seconds", ("silver",)] > 0
    assert values["tradex_layer_bytes", ("gold",)] > 0
    assert values["tradex_runs", ("incremental", "SUCCESS")] == 1
    assert values["tradex_runs", ("backfill", "PLANNED")] == values["tradex_approvals_waiting", ()] == 1
    assert values["tradex_runs", ("backfill", "FAILED")] == 0
    assert 19 * 86_400 < values["tradex_approval_oldest_age_seconds", ()] < 21 * 86_400
    cursor = values["tradex_cursor_timestamp_seconds", ("x",)]
    assert cursor + values["tradex_cursor_age_seconds", ("x",)] == pytest.approx(NOW.timestamp())
    assert values["tradex_feed_behind_events", ("lineage", "openlineage")] == end
    assert values["tradex_mirror_behind_events", ('lake "house"\\', "ducklake\nor so")] == 2
    assert values["tradex_mirror_lag_seconds", ('lake "house"\\', "ducklake\nor so")] == 7200
    assert values["tradex_mirror_failing", ('lake "house"\\', "ducklake\nor so")] == 1
    assert 19 * 86_400 < values["tradex_feed_lag_seconds", ("lineage", "openlineage")] < 60 * 86_400
    assert values["tradex_feed_failing", ("lineage", "openlineage")] == 0
    assert values["tradex_unsealed_events", ()] + values["tradex_sealed_position", ("anywhere",)] == end
    assert values["tradex_checkpoint_age_seconds", ("anywhere",)] > 0
    assert (values["tradex_lake_behind_events", ()], values["tradex_ledger_behind_events", ()]) == (0, 0)


def test_what_is_behind_and_what_is_lost_is_seen(ws: Path, tmp_path: Path):
    folder = small.copied(ws.parent, tmp_path / "copy")

    def behind() -> tuple[float, float]:
        seen = {one.name: one.samples for one in metrics(Look.open(folder), NOW)}
        ((_, lake),), ((_, ledger),) = seen["tradex_lake_behind_events"], seen["tradex_ledger_behind_events"]
        return lake, ledger

    with small.reopen(folder) as workspace:
        lake, end = workspace.core.lake, workspace.ledger.position()
        assert behind() == (0, 0)
        lost = Marker(0, end + 7, "0" * 64, workspace.ledger.id)
        lake.lay(lost)
        assert behind() == (0, 7)
        for marker in lake.markers():
            lake.take_back(marker)
        newest = max(one.position for one in workspace.events() if one.topic == "run.published")
        assert behind() == (newest, 0)


def test_a_file_is_there_whole_for_others_to_read_or_as_it_was(
    ws: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    file = tmp_path / "tradex.prom"
    file.write_text("# before\n")
    assert run(["-C", str(ws), "metrics", "-o", str(file)]) == 0
    text = file.read_text("utf-8")
    assert text.startswith("# HELP tradex_release")
    assert text.endswith("# EOF\n")
    assert [path.name for path in tmp_path.iterdir()] == ["tradex.prom"]
    assert file.stat().st_mode & stat.S_IRUSR
    assert run(["-C", str(ws), "metrics", "-o", str(tmp_path / "no" / "such.prom")]) == 6
    capfd.readouterr()
    assert run(["-C", str(ws), "metrics"]) == 0
    said = capfd.readouterr().out
    assert [family.name for family in as_open_metrics(said)] == [family.name for family in as_open_metrics(text)]
    assert run(["-C", str(ws), "metrics", "--json"]) == 2
