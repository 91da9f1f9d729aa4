"""A page is as of a position; a link to it stays what it was."""

from __future__ import annotations

import re

import pytest

from tests.kit.visits import Visit
from tradex_ledger.web.at import at_of

PAGES = ("/", "/runs", "/datasets", "/datasets/gold_signals", "/datasets/gold_signals/2024-01-05", "/log", "/log/9",
         "/tables", "/tables/runs", "/datasets/bronze_x_posts/2024-01-05")  # fmt: skip


def test_a_permalink_carries_position_and_head(week: Visit):
    at = at_of(week.site.store, None)
    page = week.text("/")
    assert f'href="/?at={at.token}"' in page
    assert re.fullmatch(r"\d+\.[0-9a-f]{8}", at.token)
    assert 'data-pinned="yes"' in week.text(f"/?at={at.token}")
    assert 'data-pinned="yes"' not in page


def test_a_link_of_another_record_says_so(week: Visit):
    at = at_of(week.site.store, "9")
    other = f"9.{'0' * 8 if at.head != '0' * 8 else '1' * 8}"
    for path in PAGES:
        found = week.get(f"{path}?at={other}")
        assert found.status_code == 409, path
        assert "other-head" in found.text
        assert at.head in found.text


def test_every_link_of_a_pinned_page_is_pinned(week: Visit):
    at = at_of(week.site.store, "40")
    for path in PAGES:
        page = week.text(f"{path}?at={at.token}")
        main = page[page.index("<main") :]
        links = [link for link in re.findall(r'href="([^"#]+)"', main) if not link.startswith("#")]
        away = [link for link in links if "at=" not in link]
        assert not away, (path, away[:3])


@pytest.mark.parametrize(
    ("said", "status"), [("9", 200), ("9.zz", 400), ("0", 404), ("99999", 404), ("no day", 400), ("'", 400)]
)
def test_what_is_no_position_is_told(week: Visit, said: str, status: int):
    found = week.client.get("/", params={"at": said})
    assert found.status_code == status
    assert "<html" in found.text


def test_a_day_a_time_and_a_run_are_positions_too(week: Visit):
    (run,) = week.site.look.runs(status="PLANNED")
    assert f'data-position="{run.run.last_position}"' in week.text(f"/?at={run.id}")
    assert f'data-position="{run.run.position - 1}"' in week.text(f"/?at={run.id}^")
    newest = week.site.store.position()
    assert f'data-position="{newest}"' in week.text("/?at=2030-01-01")


def test_in_the_past_nothing_can_be_decided(week: Visit):
    (run,) = week.site.look.runs(status="PLANNED")
    at = at_of(week.site.store, None).token
    assert '<form method="post"' in week.text(f"/runs/{run.id}")
    page = week.text(f"/runs/{run.id}?at={at}")
    assert '<form method="post"' not in page
    assert "You read the past" in page
    assert week.site.secret.decode() not in page


def test_a_run_that_was_not_asked_for_yet_is_not_there(week: Visit):
    (run,) = week.site.look.runs(status="PLANNED")
    found = week.get(f"/runs/{run.id}?at={run.run.position - 1}")
    assert found.status_code == 404
    assert "not asked for" in found.text
