"""The small platform of the demo answers as the platform's own specification says, and our questions are as it says.

The specification (MIT, beside the checkout, or where TRADEX_TEST_DATA says) is no part of the repository.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.kit import x_platform
from tests.kit.tree import ROOT
from tests.kit.x_platform import QUERY, TOKEN, held
from tradex_ledger.domain.day import day_of
from tradex_ledger.pipelines.x.demo.platform import Platform
from tradex_ledger.sources.called import Asking, Span
from tradex_ledger.sources.x_api import answers, client

SEARCH, COUNTS, USAGE = "/2/tweets/search/all", "/2/tweets/counts/all", "/2/usage/tweets"
SPAN = Span(day_of("2024-03-01"), day_of("2024-05-15"))
WRONG: list[dict[str, str]] = [{"max_results": "5"}, {"tweet.fields": "id"}, {"query": ""}]


def _silent(what: str, done: int, total: int) -> None:
    """Nobody listens."""


@pytest.fixture(scope="module")
def specification() -> dict[str, Any]:
    named = os.environ.get("TRADEX_TEST_DATA")
    file = (Path(named).parent if named else ROOT.parent / "shared" / "data") / "x_api" / "openapi.json"
    if not file.exists():
        pytest.skip(f"no specification of the X API at {file}")
    found: dict[str, Any] = json.loads(file.read_bytes())
    return found


@pytest.fixture
def heard(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, str], int, Any]]:
    """Each question and its answer."""
    found: list[tuple[str, dict[str, str], int, Any]] = []
    for path, name in ((SEARCH, "search"), (COUNTS, "count"), (USAGE, "usage")):
        method = getattr(Platform, name)

        def listening(self: Platform, asked: dict[str, str], path: str = path, method: Any = method) -> Any:
            status, document = method(self, asked)
            found.append((path, asked, status, document))
            return status, document

        monkeypatch.setattr(Platform, name, listening)
    return found


@pytest.fixture
def platform() -> Iterator[Platform]:
    with x_platform.platform(60) as made:
        yield made


@pytest.fixture
def asking(platform: Platform) -> Iterator[Asking]:
    with client.opened(QUERY, TOKEN, os.environ["TRADEX_X_API"]) as made:
        yield made


def problems(specification: dict[str, Any], schema: dict[str, Any], value: Any) -> list[str]:
    """What of a value is not as a schema of the specification says."""
    whole = {**schema, "components": specification["components"]}
    return [f"{error.json_path}: {error.message}"[:300] for error in Draft202012Validator(whole).iter_errors(value)]


def answer_of(specification: dict[str, Any], path: str, status: int) -> dict[str, Any]:
    responses = specification["paths"][path]["get"]["responses"]
    content: dict[str, Any] = responses.get(str(status), responses["default"])["content"]
    kinds = [kind["schema"] for kind in content.values()]
    return {"anyOf": kinds} if len(kinds) > 1 else kinds[0]


def parameters_of(specification: dict[str, Any], path: str) -> dict[str, dict[str, Any]]:
    found = specification["paths"][path]["get"]["parameters"]
    shared = specification["components"]["parameters"]
    whole = [shared[one["$ref"].rpartition("/")[2]] if "$ref" in one else one for one in found]
    return {one["name"]: one["schema"] for one in whole}


def test_questions_and_answers_are_as_the_platform_says(
    specification: dict[str, Any], platform: Platform, heard: list[tuple[str, dict[str, str], int, Any]], asking: Asking
):
    odd = held(70, note="a longer text", withheld_in=("DE",), reposted=held(1).id)
    gone = held(71)
    platform.hold([odd, gone])
    platform.edit(held(3).id, "edited", x_platform.id_at(held(3).created_at, 500))
    platform.unavailable.add(gone.id)
    first = asking.page(SPAN, None, 50, _silent)
    asking.page(SPAN, first.next, 50, _silent)
    asking.count(SPAN, _silent)
    asking.used(7, _silent)
    assert [path for path, *_ in heard] == [SEARCH, SEARCH, COUNTS, COUNTS, COUNTS, USAGE]
    for path, asked, status, document in heard:
        assert status == 200
        assert problems(specification, answer_of(specification, path, status), document) == []
        known = parameters_of(specification, path)
        for name, value in asked.items():
            given: Any = int(value) if known[name].get("type") == "integer" else value
            given = value.split(",") if known[name].get("type") == "array" else given
            assert problems(specification, known[name], given) == [], name
    assert any("errors" in document for *_, document in heard)


@pytest.mark.parametrize("wrong", WRONG)
def test_refusals_are_as_the_platform_says(specification: dict[str, Any], platform: Platform, wrong: dict[str, str]):
    status, document = platform.search({"query": QUERY, **wrong})
    assert status == 400
    assert problems(specification, answer_of(specification, SEARCH, status), document) == []


def test_every_post_is_found_once_whatever_the_size_of_a_page(platform: Platform, asking: Asking):
    found, cursor = [], None
    while True:
        page = asking.page(SPAN, cursor, 17, _silent)
        found += [post["id"] for post in json.loads(page.body)["data"]]
        cursor = page.next
        if cursor is None:
            break
    assert sorted(found) == sorted(held(n).id for n in range(60))
    assert asking.count(SPAN, _silent).rows == 60
    assert [used.rows for used in asking.used(1, _silent)] == [60]


# -- answers that are none


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"data":[]}',
        b'{"data":{},"meta":{"result_count":0}}',
        b'{"data":["1"],"meta":{"result_count":1}}',
        b'{"data":[{"id":"1"}],"meta":{"result_count":2}}',
        b'{"data":[{"id":"1"}],"meta":{"result_count":0}}',
        b'{"data":[{"id":"1"}],"meta":{"result_count":true}}',
        b'{"meta":{"result_count":0,"next_token":7}}',
        b'{"meta":{"result_count":0,"next_token":""}}',
    ],
)
def test_a_page_of_another_shape_is_none(body: bytes):
    with pytest.raises(answers.StrangeAnswerError):
        answers.page_of(body)


def test_what_could_not_be_shown_may_be_counted_or_not():
    one, error = {"id": "1"}, {"title": "Not Found"}
    for count in (1, 2):
        page = {"data": [one], "errors": [error], "meta": {"result_count": count, "next_token": "n"}}
        assert answers.page_of(json.dumps(page).encode()) == (1, "n")


@pytest.mark.parametrize(
    "body", [b"{}", b'{"meta":{}}', b'{"meta":{"total_xeet_count":1}}', b'{"meta":{"total_post_count":"1"}}']
)
def test_a_count_of_another_shape_is_none(body: bytes):
    with pytest.raises(answers.StrangeAnswerError):
        answers.count_of(body)


@pytest.mark.parametrize(
    "body", [b"<html>", b"{}", b'{"errors":[]}', b'{"detail":7}', b'{"errors":[{"parameters":1}]}']
)
def test_what_a_refusal_says_is_one_short_line_whatever_it_is(body: bytes):
    assert 0 < len(answers.problem_of(body)) <= 200


def test_fields_that_go_unheard_are_asked_for_by_their_other_names(
    platform: Platform, asking: Asking, monkeypatch: pytest.MonkeyPatch
):
    """A platform may pass over a parameter that it does not know, and give posts without their times."""
    search = Platform.search

    def deaf(self: Platform, asked: dict[str, str]) -> Any:
        found: Any = search(self, {n: v for n, v in asked.items() if not n.endswith(".fields")})
        if "tweet.fields" not in asked:
            for post in found[1]["data"]:
                post.pop("created_at")
        return found

    monkeypatch.setattr(Platform, "search", deaf)
    page = asking.page(SPAN, None, 20, _silent)
    assert (page.rows, page.calls) == (20, 2)
    assert answers.has_times(page.body)
