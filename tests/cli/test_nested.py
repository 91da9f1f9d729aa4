"""Nested values on a terminal: folded between their parts, wide letters counted, and nothing of them lost."""

from __future__ import annotations

import io

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tradex_ledger.cli.drawn import beside, draw
from tradex_ledger.cli.nested import is_nested, nested_folds

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 60), 1 << 60)
    | st.text(st.sampled_from('ab ,:{}[]"\\東é'), max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ké東", max_size=9), inner, max_size=4),
    max_leaves=12,
)
POSTS = {"ticker": "AAPL", "mentions": [1, 2, 3], "who": {"name": "東京証券取引所", "verified_since": "2024-01-03"}}


@given(value=st.lists(VALUES) | st.dictionaries(st.text(max_size=5), VALUES), width=st.integers(16, 60))
def test_the_lines_are_the_text_and_none_is_wider_than_a_word_of_it(value: object, width: int) -> None:
    text = orjson.dumps(value).decode()
    assert is_nested(text)
    lines = nested_folds(text, width)
    assert "".join(lines) == text
    for line in lines:
        assert cell_len(line.rstrip()) <= width or " " not in line.strip()


def test_it_is_folded_between_its_parts() -> None:
    text = orjson.dumps(POSTS).decode()
    assert nested_folds(text, 34) == [
        '{"ticker":"AAPL","mentions":[1,2,',
        '3],"who":{"name":"東京証券取引所",',
        '"verified_since":"2024-01-03"}}',
    ]
    assert nested_folds(text, 24) == [
        '{"ticker":"AAPL",',
        '"mentions":[1,2,3],',
        '"who":{"name":',
        '"東京証券取引所",',
        '"verified_since":',
        '"2024-01-03"}}',
    ]
    why = '{"why":"a text of some words, and more"}'
    assert nested_folds(why, 16) == ['{"why":"a text ', "of some words, ", 'and more"}']
    assert nested_folds("[1]", 16) == ["[1]"]


@pytest.mark.parametrize("text", ["", "{", "{}x", "{not json}", "[", "plain", '"[]"'])
def test_what_is_no_object_and_no_list_is_left_as_it_is(text: str) -> None:
    assert not is_nested(text)


@pytest.mark.parametrize("columns", [("id", "posts"), ("id", "name", "posts", "more_of_it")])
@pytest.mark.parametrize("whole", [True, False])
def test_a_screen_of_forty_columns_breaks_no_key(
    monkeypatch: pytest.MonkeyPatch, columns: tuple[str, ...], whole: bool
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    out = io.StringIO()
    text = orjson.dumps(POSTS).decode()
    line = [text if name in ("posts", "more_of_it") else "bf-1m8f6b9v6smyz" for name in columns]
    draw(columns, [line], [line], "", whole, out)
    lines = out.getvalue().splitlines()
    assert max(map(cell_len, lines)) <= 40
    for word in ('"ticker":"AAPL",', '"mentions":', '"name":', '"東京証券取引所"', '"verified_since":', '"2024-01-03"'):
        assert sum(one.count(word) for one in lines) == len(columns) // 2, word


def test_a_fact_that_is_nested_is_folded_so() -> None:
    lines = list(beside({"posts": orjson.dumps(POSTS).decode()}, 40))
    assert max(map(cell_len, lines)) <= 40
    assert any('"verified_since":"2024-01-03"' in line for line in lines)
