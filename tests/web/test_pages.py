"""What the pages say, and that nothing on them is anything but text."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from datetime import UTC, datetime
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pyarrow.parquet as pq

from tests import worlds
from tests.kit import small
from tests.kit.visits import Visit
from tradex_ledger.audit.draw import words
from tradex_ledger.views import projected

HOSTILE = "<script>alert(1)</script>\"><img src=x onerror=alert(2)> ' {{ 7*7 }} javascript:alert(3)"


def test_today_says_in_one_sentence_how_things_stand(week: Visit):
    page = week.text("/")
    assert re.search(r"<h1>1 run waits for a person, \d+ days? not processed yet</h1>", page)
    assert "Review →" in page
    assert 'role="gridcell"' in page


def test_all_pages_answer(week: Visit):
    runs = [run.id for run in week.site.look.runs()]
    days = "/datasets/gold_signals/2024-01-05"
    for path in ("/", "/runs", *(f"/runs/{run}" for run in runs), "/datasets", "/datasets/gold_signals", days,
                 f"{days}?version=1", "/datasets/gold_signals/2031-01-05", "/datasets/bronze_x_posts__rejected",
                 "/log", "/log?by=ana&topic=run.published", "/log/1", "/tables", "/runs?status=PLANNED&kind=temporal",
                 "/runs?by=ana", *(f"/tables/{name}" for name in projected.names()), "/?until=2024-01-03"):  # fmt: skip
        page = week.text(path)
        assert page.startswith("<!doctype html>")
        assert "style=" not in page, path  # the policy would drop it, in silence
        assert not re.search(r"<script(?! src=\"/static/tradex.js\" defer)", page), path
        assert not re.search(r"\son\w+=", page), path


def test_a_person_is_found_by_each_spelling_of_the_name(week: Visit):
    for path in ("/runs", "/log"):
        others, *same = (
            re.findall(r'href="(/(?:runs|log)/[^"?]+)', week.text(f"{path}?by={name}"))
            for name in ("nobody", "ana", "ANA", "%EF%BC%A1na", "a%E2%80%8Bna")
        )
        assert same[0] != others, path
        assert same == same[:1] * len(same), path


def test_what_is_not_there_is_told_with_what_to_do(week: Visit):
    for path in ("/nothing", "/runs/bf-zzzzzzzz", "/datasets/no_such", "/tables/no_such", "/tables/runs.xml",
                 "/log/99999", "/datasets/gold_signals/2024-99-99", "/datasets/gold_signals?left=x&right=1",
                 "/datasets/gold_signals/2024-01-05?version=77", "/log?topic=no.such"):  # fmt: skip
        found = week.get(path)
        assert found.status_code in (400, 404), path
        assert "<h1>" in found.text


class Elements(HTMLParser):
    """Which elements a page has, with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_hostile_text_is_text_everywhere(tmp_path: Path):
    folder = worlds.copied(tmp_path, days=3, until=4)
    with small.reopen(folder) as workspace:
        run_id = small.request(workspace, 2, 3, reason=f"reason {HOSTILE}", ticket=HOSTILE)
    with small.reopen(folder, actor=f"o{HOSTILE}"[:60]) as workspace:
        workspace.backfills.reject(run_id, reason=f"no: {HOSTILE}")
        workspace.datasets.protect("gold_signals", small.day(2), small.day(2), reason=f"held {HOSTILE}")
    visit = Visit.to(folder)
    newest = visit.site.store.position()
    for path in ("/", "/runs", f"/runs/{run_id}", "/log", f"/log/{newest}", f"/log/{newest - 1}", "/tables/runs",
                 "/datasets/gold_signals", "/tables/approvals", "/tables/protections", f"/?at={newest}",
                 "/datasets/gold_signals/2024-01-02"):  # fmt: skip
        page = visit.text(path)
        assert "<script>alert" not in page, path
        found = Elements()
        found.feed(page)
        assert not [one for one in found.seen if one[0] == "img"], path
        assert not [one for one in found.seen if any(name.startswith("on") for name in one[1])], path
        assert not [one for one in found.seen if (one[1].get("href") or "").strip().startswith("javascript")], path
        assert "{{ 7*7 }}" in unescape(page) or "7*7" not in page, path
    assert "<script>alert(1)</script>" in unescape(visit.text(f"/runs/{run_id}"))
    visit.close()


def test_a_table_comes_back_from_each_form(week: Visit):
    wanted = week.site.look.query("select run_id, status, rows from runs order by position desc").rows
    lines = list(csv.DictReader(io.StringIO(week.text("/tables/runs.csv"))))
    assert [(line["run_id"], line["status"], int(line["rows"])) for line in lines] == wanted
    told = json.loads(week.text("/tables/runs.json"))
    assert [(line["run_id"], line["status"], line["rows"]) for line in told] == wanted
    table = pq.read_table(io.BytesIO(week.get("/tables/runs.parquet").content))
    assert list(zip(*(table[name].to_pylist() for name in ("run_id", "status", "rows")), strict=True)) == wanted
    assert len(json.loads(week.text("/tables/runs.json?status=PLANNED"))) == 1
    assert json.loads(week.text("/tables/runs.json?status=' or 1=1 --")) == []


def test_no_cell_of_a_csv_is_a_formula(tmp_path: Path):
    folder = worlds.copied(tmp_path, days=3, until=4)
    with small.reopen(folder) as workspace:
        small.request(workspace, 2, 3, reason="=cmd|' /C calc'!A0", ticket="@SUM(1+1)")
    visit = Visit.to(folder)
    text = visit.text("/tables/runs.csv")
    assert "\"'=cmd|' /C calc'!A0\"" in text
    assert '"\'@SUM(1+1)"' in text
    visit.close()


def test_the_proof_of_an_event_leads_to_the_head_of_the_page(week: Visit):
    """Hashed here by RFC 9162, 2.1.3.2, without anything of the program."""
    size = week.site.store.position()
    for position in (1, 7, size - 1, size):
        page = week.text(f"/log/{position}")
        told = dict(re.findall(r'data-(index|size|leaf|root|path)="([^"]*)"', page))
        (entry,) = map(unescape, re.findall(r'<pre id="entry"[^>]*>(.*?)</pre>', page, re.DOTALL))
        fn, sn = int(told["index"]), int(told["size"]) - 1
        r = hashlib.sha256(b"\0" + entry.encode()).digest()
        assert r.hex() == told["leaf"]
        for one in map(bytes.fromhex, told["path"].split()):
            if fn & 1 or fn == sn:
                r = hashlib.sha256(b"\1" + one + r).digest()
                while not fn & 1 and fn:
                    fn, sn = fn >> 1, sn >> 1
            else:
                r = hashlib.sha256(b"\1" + r + one).digest()
            fn, sn = fn >> 1, sn >> 1
        assert sn == 0
        assert r.hex() == told["root"]
        assert f'data-at="{size}.{told["root"][:8]}"' in page


def test_a_run_shows_its_life_and_why_each_dataset_is_in_it(week: Visit):
    (run,) = week.site.look.runs(status="PLANNED")
    page = week.text(f"/runs/{run.id}")
    assert "waits for an approval" in page
    assert "reads the same day of bronze_x_posts" in page
    assert "reads the 28 days before of gold_metrics" in page
    assert page.index('id="decide"') < page.index("What it touches")  # on a phone, deciding comes first


def test_a_day_says_why_it_is_what_it_is(week: Visit):
    page = week.text("/datasets/gold_signals/2024-01-05")
    (run,) = [one for one in week.site.look.runs() if one.run.run_kind == "incremental"]
    assert f'<b>Readers get it</b> because <a href="/runs/{run.id}">' in page
    assert "It reads the same day of <code>gold_metrics</code>" in re.sub(r"</?b>", "", page)
    assert "The file" in page
    assert "readers get nothing" not in week.text("/datasets/gold_signals/2031-01-05")


def test_two_versions_are_compared_by_key_and_one_that_nobody_could_read_is_not(tmp_path: Path):
    folder = worlds.copied(tmp_path, pipeline=True)
    with small.reopen(folder) as workspace:
        small.edit(workspace, "gold_signals", "\n    mentions,", "\n    mentions + 1 as mentions,")
        workspace.datasets.bump("gold_signals", reason="one more mention for each, RES-88")
        held = small.request(workspace, 1, 7, kind="logical", dataset="gold_signals", review=True)
        workspace.backfills.approve(held)
        workspace.runs.drive(held)
    visit = Visit.to(folder)
    page = visit.text("/datasets/gold_signals?left=1&right=2")
    assert "Nothing of version 2 is published" in page
    assert f'href="/runs/{held}?rows=yes"' in page
    before = visit.text(f"/runs/{held}")  # what is held is compared before anybody reads it
    assert "What readers would see change" in before
    assert "columns with other values: <code>mentions</code>" in before
    with small.reopen(folder) as workspace:
        workspace.runs.release(held, reason="each has one more, as it should")
        workspace.runs.drive(held)
    page = visit.text("/datasets/gold_signals?left=2&right=1")
    assert "Rows that differ, from version 1 to version 2" in page
    (rows,) = visit.site.look.query("select count(*) from gold_signals").rows[0]
    assert f"{rows} rows changed, 0 gone, 0 new" in page
    assert page.count('<td class="short">2024-01-') == 20  # samples are bounded, counts are not
    visit.close()


def test_a_calendar_begins_with_the_first_day_on_record(week: Visit):
    assert "2023" not in week.text("/")[week.text("/").index('class="calendar"') :]


def test_a_new_workspace_says_what_it_has_and_what_comes_first(tmp_path: Path):
    visit = Visit.to(worlds.copied(tmp_path, until=None))
    page = visit.text("/")
    assert "<h1>Nothing ran yet</h1>" in page
    assert f"the ledger holds {visit.site.store.position()} events" in page
    assert "The first step: <code>tradex run</code>" in page
    for path in ("/runs", "/datasets", "/datasets/gold_signals", "/datasets/gold_signals/2024-01-01", "/tables/runs"):
        assert "<h1>" in visit.text(path)
    for path in ("/tables/runs.parquet", "/tables/calendar.csv", "/tables/runs.json"):
        assert visit.get(path).status_code == 200
    visit.close()


def test_words():
    assert [words.value(one) for one in (None, 0.7142857142857143, 1.0, 12, "a")] == ["–", "0.714286", "1", "12", "a"]
    assert words.value(datetime(2014, 3, 1, 7, 30, 1, tzinfo=UTC)) == "2014-03-01 07:30:01"
    assert words.days("2014-02-24", "2014-02-27") == "24–27 Feb 2014"
    assert words.days("2014-01-31", "2014-02-02") == "31 Jan – 2 Feb 2014"
    assert words.days("2013-12-31", "2014-01-02") == "31 Dec 2013 – 2 Jan 2014"
    assert words.moment(datetime(2014, 3, 1, 7, 30, 1, tzinfo=UTC), seconds=True) == "1 Mar 2014 07:30:01"
    assert words.size(246_900) == "246.9 KB"
    assert [words.duration(one) for one in (0.25, 60, 720, 7200, 90_000 * 10)] == [
        "0.2 s",
        "1 min",
        "12 min",
        "2 h",
        "10 days",
    ]
