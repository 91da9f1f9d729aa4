"""The page as somebody meets it who means harm: each of these was tried by hand first."""

from __future__ import annotations

import json
import re
import socket
from html import unescape
from pathlib import Path
from urllib.parse import quote

import pytest

from tests import worlds
from tests.kit import small
from tests.kit.lake_folder import root_of
from tests.kit.visits import HERE, HOST, KEY, Visit
from tradex_ledger.audit.look import Look
from tradex_ledger.web import serve as serving
from tradex_ledger.web.serve import ListenError, Served, serve
from tradex_ledger.web.site import Many

HOSTILE = "</textarea></script><script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
GARBAGE = (
    *("'", '"', "\0", "%00", "9" * 30, "9" * 5000, "-1", "0", "NaN", "../../etc/passwd", "a" * 3000, "²"),
    *("٣", "\U0001f98a", "0001-01-01", "9999-12-31", "0000-00-00", "2024-W01-1", "' or 1=1 --", "\r\nSet-Cookie: x"),
    *("9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "-99999999d", "18446744073709551616", "{{7*7}}", "^", ".89c1"),
)  # fmt: skip
AWAY = ("//evil.example/", "/\\evil.example/", "///evil.example", "/\\/evil.example")


def addresses(page: str) -> list[str]:
    return [unescape(one) for one in re.findall(r'(?:href|action|src)="([^"]*)"', page)]


def test_what_is_not_there_tells_a_stranger_nothing(week: Visit):
    """A file of the site is for everybody; the page that says that there is none is not."""
    stranger = Visit.to(week.folder, signed_in=False)
    for path in ("/static/none.js", "/static/", "/static/../app.py", "/static/%2e%2e/app.py", "/static/%00", "/none"):
        found = stranger.get(path)
        assert found.status_code in (401, 404), path
        assert "moment" not in found.text, path
        assert "maria" not in found.text, path
        assert "bf-" not in found.text, path
    assert stranger.get("/static/tradex.css").status_code == 200
    stranger.close()


def test_another_host_is_not_told_which_ones_there_are(week: Visit):
    assert HOST not in week.get("/", host="evil.example").text


@pytest.mark.parametrize("away", AWAY)
def test_no_address_leads_away(week: Visit, away: str):
    """Also not that of a page that is not there: its own address is in its links."""
    page = week.client.get(f"{HERE}{quote(away)}x").text
    assert "no-page" in page
    slider = week.client.get("/moments", params={"path": away, "at": "9"}).text
    for one in addresses(page) + addresses(slider):
        assert one.startswith(("/", "#")), one
        assert not one.startswith(("//", "/\\")), one
    stranger = Visit.to(week.folder, signed_in=False)
    kept = stranger.client.get(f"{HERE}{quote(away)}?key={KEY}").headers["location"]
    assert not kept.startswith(("//", "/\\"))
    assert not any(one.startswith(("//", "/\\")) for one in addresses(stranger.get("/none").text))
    stranger.close()


def test_the_key_is_in_no_page_that_refuses(week: Visit):
    stranger = Visit.to(week.folder, signed_in=False)
    assert "guessed" not in stranger.get("/runs?key=guessed").text
    assert 'href="/runs?status=HELD"' in stranger.get("/runs?status=HELD").text  # who comes from elsewhere goes on
    stranger.close()


@pytest.mark.parametrize("said", GARBAGE, ids=[repr(one[:16]) for one in GARBAGE])
def test_garbage_in_an_address_is_answered(week: Visit, said: str):
    """By what is wrong with it, or by nothing that is like it; an error of the program would end this test."""
    asked = {
        "/": ("at", "until"),
        "/runs": ("status", "kind", "by", "before"),
        "/datasets/gold_signals": ("left", "until"),
        "/datasets/gold_signals/2024-01-05": ("version",),
        "/tables/runs": ("rows", "before"),
        "/tables/partitions.csv": ("partition",),
        "/log": ("by", "topic", "before"),
    }
    for path, names in asked.items():
        found = week.client.get(path, params=dict.fromkeys(names, said) | {"right": "2"})
        assert found.status_code in (200, 400, 404), (path, found.status_code)
        assert str(week.folder) not in found.text, path
    for path in ("/runs/", "/datasets/", "/datasets/gold_signals/", "/tables/", "/log/", "/static/", "/"):
        found = week.get(path + quote(said, safe=""))
        assert found.status_code in (200, 400, 404), (path, found.status_code)  # some of it is a day
        assert str(week.folder) not in found.text, path
    week.site.live.stopping.set()
    assert week.client.get("/live", params={"after": said}).status_code == 200
    week.site.live.stopping.clear()


def test_one_persons_page_is_not_anothers(week: Visit):
    """Answers are kept, by position; names, forms and what one may do are not among them."""
    many = Visit.to(week.folder, who=Many("X-Forwarded-User", None))
    (run,) = many.site.look.runs(status="PLANNED")
    paths = ("/", f"/runs/{run.id}", "/datasets", "/log", "/tables/runs", "/runs")
    alone = {path: many.text(path) for path in paths}
    chen = {path: many.get(path, **{"X-Forwarded-User": "chen"}).text for path in paths}
    ana = {path: many.get(path, **{"X-Forwarded-User": "ana"}).text for path in paths}
    for path in paths:
        assert ">chen<" in chen[path]
        assert "chen" not in ana[path] + alone[path] + many.text(path), path
    tokens = [set(re.findall(r'name="token" value="(\w+)"', page[paths[1]])) for page in (alone, chen, ana)]
    assert not tokens[0]
    assert not tokens[1] & tokens[2]
    assert many.get("/").headers["cache-control"] == "no-store"
    many.close()


@pytest.mark.parametrize("name", ["chen, maria", ",chen", "chen\tmaria", "chen\u202eairam", "\u0441hen"])
def test_a_name_that_is_none_is_nobodys(week: Visit, name: str):
    many = Visit.to(week.folder, who=Many("X-Forwarded-User", None))
    found = many.client.get("/", headers=[(b"x-forwarded-user", name.encode())])
    assert found.status_code in (400, 403)  # two names joined on the way are nobody's: four eyes could be two
    assert 'class="name"' not in found.text
    many.close()


def test_who_is_alone_is_named_by_no_header(week: Visit):
    for header in (
        "X-Forwarded-User",
        "Remote-User",
        "Forwarded",
        "X-Forwarded-Host",
        "X-Original-URL",
        "X-HTTP-Method-Override",
    ):
        page = week.get("/", **{header: "chen"}).text
        assert ">maria<" in page
        assert "chen" not in page


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "DELETE", "PATCH", "POST"])
def test_other_ways_of_asking_are_refused(week: Visit, method: str):
    before = week.site.store.position()
    for path in ("/", "/runs", "/log/1", "/static/tradex.js", "/theme?to=dark"):
        found = week.client.request(method, path)
        assert found.status_code in (403, 405), path
        assert "access-control-allow-origin" not in found.headers
    assert week.site.store.position() == before


def test_the_head_of_a_page_is_that_of_the_page(week: Visit):
    for path in ("/", "/runs", "/tables/runs.csv"):
        found = week.client.head(path)
        assert (found.status_code, found.content) == (200, b"")
    (run,) = week.site.look.runs(status="PLANNED")
    assert week.client.head(f"/runs/{run.id}/reject").status_code == 405


def test_hostile_posts_definitions_and_policies_are_text(tmp_path: Path):
    folder = worlds.copied(tmp_path, pipeline=True, until=None)
    post = {
        "id": "1741941000000000001",
        "text": f"{HOSTILE} $TSLA",
        "author_id": "9",
        "created_at": "2024-01-03T10:00:00.000Z",
    }
    (tmp_path / "posts" / "2024-01-03-hostile.jsonl").write_text(json.dumps(post) + "\n", encoding="utf-8")
    with small.reopen(folder) as workspace:
        workspace.incremental.run(last=small.day(7))
        small.edit(workspace, "gold_signals", "z >= 3", f"/* {HOSTILE} */ z >= 4")
        workspace.datasets.bump("gold_signals", reason=f"spikes begin at four {HOSTILE}")
        run_id = small.request(workspace, 3, 3, reason=f"posts of {HOSTILE} came late")
    visit = Visit.to(folder)
    newest = visit.site.store.position()
    shown = {path: visit.text(path) for path in (
        "/", f"/runs/{run_id}", "/datasets/gold_signals", "/datasets/bronze_x_posts/2024-01-03", "/log",
        "/datasets/gold_signals/2024-01-03", "/tables/definitions", f"/log/{newest}", f"/log/{newest - 2}",
        "/datasets/silver_social_events/2024-01-03", "/datasets/gold_signals?left=1&right=2")}  # fmt: skip
    for path, page in shown.items():
        assert "<script>alert" not in page, path
        assert "<img" not in page, path
        assert page.count("<script") == 1, path
    assert HOSTILE in unescape(shown["/datasets/bronze_x_posts/2024-01-03"])
    assert HOSTILE in unescape(shown["/datasets/gold_signals"])
    visit.close()


def test_a_page_over_files_that_are_gone_tells_of_no_folder(tmp_path: Path):
    folder = worlds.copied(tmp_path)
    with small.reopen(folder) as workspace:
        run_id = small.backfill(workspace, 4, 5).id
        for file in root_of(workspace).glob("gold_signals/**/*.parquet"):
            file.unlink()
    visit = Visit.to(folder)
    day = visit.text("/datasets/gold_signals/2024-01-05")
    assert "gold_signals" in day
    for page in (day, visit.text(f"/runs/{run_id}?rows=yes"), visit.get("/datasets/gold_signals?left=1&right=1").text):
        assert str(tmp_path) not in page
        assert "Traceback" not in page
    visit.close()


def test_the_socket_of_a_server_that_died_is_in_nobodys_way(tmp_path: Path):
    """One that somebody listens at is not taken from them."""
    look, place = Look.open(worlds.copied(tmp_path)), tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(place))
    with serving._listening(Served(socket=place, user_header="X-User")) as living:
        assert living.getsockname() == str(place)
        with pytest.raises(ListenError, match="in use"):
            serve(look, "maria", Served(socket=place, user_header="X-User"), print)
    (tmp_path / "file").write_text("somebody's")
    with pytest.raises(ListenError):
        serve(look, "maria", Served(socket=tmp_path / "file", user_header="X-User"), print)
    assert (tmp_path / "file").read_text() == "somebody's"
