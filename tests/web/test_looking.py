"""A look at the source, as a deed on the page."""

from __future__ import annotations

from tests.kit import small
from tests.kit.visits import OWN, Visit


def look(visit: Visit, fields: dict[str, str]):
    return visit.client.post("/look", data=fields, headers=OWN)


def test_what_is_late_goes_on_record_as_of_who_looked_and_is_told(fresh: Visit):
    before = fresh.site.store.position()
    fields = fresh.form("/", "look")
    (fresh.folder.parent / "posts" / "2024-01-09-late.jsonl").write_text(small.LATE, encoding="utf-8")
    found = look(fresh, fields)
    assert found.status_code == 303, found.text
    assert fresh.site.store.position() > before
    page = fresh.text(found.headers["location"])
    assert "The source was looked at." in page
    assert "1 request would make up" in page
    (row,) = fresh.site.look.query('select "by", late_posts from source_looks order by position desc limit 1').rows
    assert row == ("maria", 1)
    assert "1 row that Bronze lacks" in page


def test_a_forged_form_and_the_past_look_at_nothing(fresh: Visit):
    before = fresh.site.store.position()
    (waiting,) = [one.id for one in fresh.site.look.runs(status="PLANNED")]
    assert look(fresh, fresh.form(f"/runs/{waiting}", "reject")).status_code == 403
    assert look(fresh, {}).status_code == 403
    assert 'action="/look"' not in fresh.text(f"/?at={before}")
    assert fresh.client.get("/look").status_code in (404, 405)
    assert fresh.site.store.position() == before


def test_one_look_at_a_time(fresh: Visit):
    fields = fresh.form("/", "look")
    with fresh.site.looking:
        found = look(fresh, fields)
    assert found.status_code == 409
    assert "looking" in found.text
