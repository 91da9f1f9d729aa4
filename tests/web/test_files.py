"""What is taken along: a report that is what the command line makes, and metrics that another program reads."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests import worlds
from tests.kit import small
from tests.kit.visits import HERE, Visit
from tradex_ledger.cli.main import run as cli
from tradex_ledger.web.at import at_of


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """A workspace with a backfill, and a signed head of all that there is."""
    folder = worlds.copied(tmp_path)
    with small.reopen(folder) as workspace:
        small.backfill(workspace, 4, 4)
    assert cli(["-C", str(folder), "ledger", "checkpoint"]) == 0
    return folder


def test_a_report_is_the_one_of_the_command_line_and_is_kept_not_opened(sealed: Path, tmp_path: Path):
    visit = Visit.to(sealed)
    (run,) = [one.id for one in visit.site.look.runs() if one.run.run_kind == "backfill"]
    page = visit.text(f"/runs/{run}")
    (link,) = map(unescape, re.findall(r'href="([^"]*report\.html[^"]*)"', page))
    found = visit.get(link)
    assert found.status_code == 200
    assert found.headers["content-disposition"] == f'attachment; filename="report-{run}.html"'
    assert cli(["-C", str(sealed), "audit", "report", run, "-o", str(tmp_path / "own.html")]) == 0
    assert found.content == (tmp_path / "own.html").read_bytes()
    visit.close()


def test_a_report_of_a_pinned_page_stays_as_it_is(sealed: Path):
    visit = Visit.to(sealed)
    (run,) = [one.id for one in visit.site.look.runs() if one.run.run_kind == "backfill"]
    newest = at_of(visit.site.store, None).position
    page = visit.text(f"/runs/{run}?at={newest}")
    (link,) = map(unescape, re.findall(r'href="([^"]*report\.html[^"]*)"', page))
    assert f"at={newest}." in link
    before = visit.get(link).content
    with small.reopen(sealed) as workspace:
        workspace.backfills.revert(run, reason="it was not what was asked for, INC-8")
    assert cli(["-C", str(sealed), "ledger", "checkpoint"]) == 0
    assert visit.get(link).content == before
    assert visit.get(f"/runs/{run}/report.html").content != before
    visit.close()


def test_where_nobody_has_signed_it_is_told(week: Visit):
    (run,) = [one.id for one in week.site.look.runs() if one.run.run_kind == "incremental"]
    newest = week.site.store.position()
    found = week.get(f"/runs/{run}/report.html?at={newest}")
    assert found.status_code in (403, 404)
    assert "tradex ledger checkpoint" in found.text
    assert "content-disposition" not in found.headers


def test_metrics_are_read_by_another_program(week: Visit):
    found = week.get("/metrics")
    assert found.headers["content-type"].startswith("application/openmetrics-text")
    families = {one.name: one for one in text_string_to_metric_families(found.text)}
    (events,) = families["tradex_ledger_events"].samples
    assert events.value == week.site.store.position()


def test_metrics_are_for_who_is_let_in(fresh: Visit):
    fresh.client.cookies.clear()
    assert fresh.client.get(f"{HERE}/metrics").status_code == 401


def test_pages_are_compressed_for_who_takes_it_and_streams_are_not(week: Visit):
    page = week.get("/", **{"accept-encoding": "gzip"})
    assert page.headers["content-encoding"] == "gzip"
    assert "accept-encoding" in page.headers["vary"].lower()
    assert "content-encoding" not in week.get("/", **{"accept-encoding": "identity"}).headers
    (waiting,) = [one.id for one in week.site.look.runs(status="PLANNED")]
    one, other = (week.form(f"/runs/{waiting}", "reject")["token"] for _ in range(2))
    assert one != other  # else the length of a page would tell what is in it
