"""Who is let in, and what is refused at the door."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from httpx2 import Response

from tests.kit.visits import HERE, HOST, KEY, OWN, Visit
from tradex_ledger.web.guard import POLICY
from tradex_ledger.web.site import Many
from tradex_ledger.web.tokens import is_token, token

NOON = datetime(2024, 2, 1, 12, 30, tzinfo=UTC)


def test_without_the_key_nothing_is_shown(week: Visit):
    stranger = Visit.to(week.folder, signed_in=False)
    for path in ("/", "/runs", "/log/1", "/tables/runs.csv", "/live", "/theme?to=dark", "/nothing"):
        found = stranger.get(path)
        assert found.status_code == 401, path
        assert "not-let-in" in found.text
        assert "gold_signals" not in found.text
    assert stranger.get("/?key=another").status_code == 401
    stranger.close()


def test_the_key_becomes_a_cookie_that_no_script_and_no_other_site_sends(week: Visit):
    visitor = Visit.to(week.folder, signed_in=False)
    found = visitor.get(f"/?key={KEY}")
    cookie = found.headers["set-cookie"]
    assert found.status_code == 303
    assert found.headers["location"] == "/"
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert KEY not in cookie
    assert visitor.get("/").status_code == 200
    visitor.close()


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1", "127.0.0.1:8001", "", f"{HOST}.evil.example"]
)
def test_another_host_is_refused(week: Visit, host: str):
    found = week.get("/", host=host)
    assert found.status_code == 421
    assert "gold_signals" not in found.text


def test_every_answer_says_what_a_browser_may_do_with_it(week: Visit):
    for path in ("/", "/static/tradex.js", "/nothing", "/tables/runs.csv"):
        headers = week.get(path).headers
        assert headers["content-security-policy"] == POLICY
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
    assert "unsafe" not in POLICY
    assert week.get("/").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9"},
        {"origin": "https://" + HOST},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": "", "sec-fetch-site": ""},
    ],
)
def test_a_form_from_elsewhere_is_refused(week: Visit, headers: dict[str, str]):
    (run,) = week.site.look.runs(status="PLANNED")
    before = week.site.store.position()
    fields = week.form(f"/runs/{run.id}", "reject")
    found = week.send(run.id, "reject", {**fields, "reason": "nothing of it is needed any more"}, **headers)
    assert found.status_code == 403
    assert "forged-form" in found.text
    assert week.site.store.position() == before


@pytest.mark.parametrize("spoiled", ["", "0" * 64, "other run", "other person", "old"])
def test_a_form_without_its_token_is_refused(fresh: Visit, spoiled: str):
    (run,) = fresh.site.look.runs(status="PLANNED")
    now, secret = fresh.site.clock(), fresh.site.secret
    forged = {
        "other run": token(secret, "maria", "bf-0", now, "salt"),
        "other person": token(secret, "ana", run.id, now, "salt"),
        "old": token(secret, "maria", run.id, now - timedelta(hours=2), "salt"),
    }.get(spoiled, spoiled)
    before = fresh.site.store.position()
    fields = {**fresh.form(f"/runs/{run.id}", "reject"), "reason": "nothing of it is needed any more"}
    assert fresh.send(run.id, "reject", {**fields, "token": forged}).status_code == 403
    assert fresh.site.store.position() == before
    assert fresh.send(run.id, "reject", fields).status_code == 303  # and the right one is not


def test_a_token_lasts_for_its_hour_and_the_next():
    made = token(b"secret", "Maria", "bf-1", NOON, "salt")
    assert is_token(b"secret", made, "maria", "bf-1", NOON)
    assert is_token(b"secret", made, "maria", "bf-1", NOON + timedelta(hours=1))
    assert not is_token(b"secret", made, "maria", "bf-1", NOON + timedelta(hours=2))
    assert not is_token(b"another", made, "maria", "bf-1", NOON)


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "application/json", "text/plain", ""])
def test_what_is_no_form_is_refused(week: Visit, kind: str):
    (run,) = week.site.look.runs(status="PLANNED")
    found = week.client.post(f"/runs/{run.id}/reject", content=b"token=1", headers={**OWN, "content-type": kind})
    assert found.status_code == 403
    assert "forged-form" in found.text


def test_a_form_that_is_too_long_is_refused(week: Visit):
    (run,) = week.site.look.runs(status="PLANNED")
    found = week.send(run.id, "reject", {"token": "x", "reason": "y" * 70_000})
    assert found.status_code == 403


def test_behind_a_proxy_its_header_says_who_asks(week: Visit):
    many = Visit.to(week.folder, who=Many("X-Forwarded-User", "shared secret"))
    assert many.get("/", **{"X-Forwarded-User": "chen"}).status_code == 403  # not by the proxy
    assert many.get("/", **{"X-Forwarded-User": "chen", "x-tradex-secret": "guessed"}).status_code == 403

    def named(name: str) -> Response:
        headers = [(b"x-tradex-secret", b"shared secret"), (b"x-forwarded-user", name.encode())]
        return many.client.get("/", headers=headers)

    assert ">chen<" in named("chen").text
    assert ">joão<" in named("joão").text
    mixed = named("\u0430na")  # a Cyrillic letter among Latin ones
    assert mixed.status_code == 400
    assert "actor-name" in mixed.text
    many.close()


def test_a_header_that_names_two_persons_names_none(week: Visit):
    many = Visit.to(week.folder, who=Many("X-Forwarded-User", None))
    found = many.client.get("/", headers=[("X-Forwarded-User", "chen"), ("X-Forwarded-User", "maria")])
    assert found.status_code == 403
    many.close()


def test_who_has_no_name_reads_and_decides_nothing(week: Visit):
    many = Visit.to(week.folder, who=Many("X-Forwarded-User", None))
    (run,) = many.site.look.runs(status="PLANNED")
    page = many.text(f"/runs/{run.id}")
    assert "read-only" in page
    assert '<form method="post"' not in page
    fields = {
        "token": token(many.site.secret, "", run.id, many.site.clock(), "salt"),
        "reason": "nobody wants this one",
        "seen": "1",
    }
    found = many.send(run.id, "reject", fields)
    assert found.status_code == 403
    assert "nobody" in found.text
    many.close()


def test_who_is_told_where_to_go_back_to_goes_nowhere_else(week: Visit):
    for back in ("//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"):
        assert week.client.get("/theme", params={"to": "dark", "back": back}).headers["location"] == "/"
    found = week.client.get("/theme", params={"to": "dark", "back": "/runs?status=HELD"})
    assert found.headers["location"] == "/runs?status=HELD"
    week.client.cookies.delete("tradex-theme")


def test_the_address_of_this_site_is_its_own(week: Visit):
    assert week.get("/").status_code == 200
    assert HERE.endswith(HOST)
