"""Our own tokens: spelling does not count, every token does, and no text is too odd."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tests.kit.made import definition
from tradex_ledger.datasets.fingerprint import difference, fingerprint
from tradex_ledger.datasets.tokens import tokens

WORDS = ["select", "FROM", "a1", "_x", "größe", "Case", "end"]
QUOTED = ['"a b"', '"x""y"', '"-- no"', '"/*"']
STRINGS = [
    "'it''s'",
    "'-- no remark'",
    "'/* neither */'",
    "E'a\\'b'",
    "e'\\\\'",
    "$$it's$$",
    "$q$ $$ $q$",
    "x'41'",
    "'ü\n'",
]
NUMBERS = ["0", "1_000", "1.5", ".5", "1e-5", "2E+10", "0x1F"]
OTHERS = ["(", ")", "[", "]", ",", ".", ";", "{", "}"]
OPERATORS = ["<=", "::", "->>", "||", "=", "*", "!~~", "+", ":=", "?"]
TOKENS = [*WORDS, *QUOTED, *STRINGS, *NUMBERS, *OTHERS, *OPERATORS]
PARTED = [" ", "\n", "\t", "\r\n", "  ", " /* a remark, it's one */ ", ' -- another "one\n', "\n--\n", " /**/ "]

some_tokens = st.lists(st.sampled_from(TOKENS), min_size=1, max_size=12).filter(
    # Two strings side by side are one or two, by what stands between: such a text is taken as it is.
    lambda found: not any(a in STRINGS and b in STRINGS for a, b in itertools.pairwise(found))
)
gaps = st.lists(st.sampled_from(PARTED), min_size=13, max_size=13)


def spelt(found: list[str], between: list[str]) -> str:
    return "".join(gap + token for gap, token in zip(between, found, strict=False)) + between[-1]


@given(some_tokens, gaps)
def test_what_stands_between_tokens_does_not_count(found: list[str], between: list[str]):
    assert tokens(spelt(found, between)) == tuple(found)


@given(some_tokens, gaps, st.integers(0, 11), st.sampled_from(TOKENS))
def test_every_token_counts(found: list[str], between: list[str], place: int, other: str):
    place %= len(found)
    changed = [*found[:place], other, *found[place + 1 :]]
    assume(changed != found)
    assert tokens(spelt(changed, between)) != tokens(spelt(found, between))
    assert tokens(spelt(found[:place] + found[place + 1 :], between)) != tokens(spelt(found, between))


@given(st.text() | st.text("'\"$-/*e\\ \n\ra1;"))
def test_no_text_is_too_odd(text: str):
    found = tokens(text)
    assert all(found)
    assert "".join(found) in text if len(found) == 1 else True


@example("1E", "")
@given(st.text("'\"$-/*eE\\ \n\ra1;:.", max_size=14), st.text("'\"$-/*eE\\ \n\ra1;:.", max_size=14))
def test_texts_of_the_same_tokens_mean_the_same_to_an_engine(one: str, other: str):
    for text in (one, f"{one} {other}", f"{one}/**/{other}"):
        if tokens(f"select {text}") == tokens(f"select {one}\n{other}"):
            # A statement becomes a part of another, so that an engine never meets its end as the end of a text: there
            # DuckDB reads `1E` otherwise than before anything else.
            assert form(f"select {text}\n") == form(f"select {one}\n{other}\n")


def form(sql: str) -> object:
    from tradex_ledger.datasets.statement import connect, parsed_form

    with connect() as connection:
        try:
            return parsed_form(connection, sql)
        except ValueError:
            return None


@pytest.mark.parametrize(
    "text",
    [
        "select 1 /* a /* b */ c */",
        "select 1 /* nobody ends it",
        "select 'nobody ends it",
        'select "nobody ends it',
        "select $$ nobody ends it",
        "select E'nobody ends it\\'",
        "select 'a' 'b'",
        "select 'a'\n'b'",
        "select 1 -- here?\r+ 1",
        "select a$$b$$",
        "select a\u00a0from t",
        "select 1\u2003",
        "select \0",
    ],
)
def test_a_text_that_leaves_doubt_is_taken_as_it_is(text: str):
    assert tokens(text) == (text,)


def test_an_operator_and_a_number_are_what_they_are_and_no_more():
    assert tokens("a<=-1e-5") == ("a", "<=-", "1e-5")
    assert tokens("a <= -1e-5") == ("a", "<=", "-", "1e-5")
    # Other tokens, the same meaning: that is for the engine to say.
    one, other = (
        definition(f"select day, case when 1{space}<=-1e-5 then 1 end as id from base") for space in ("", " ")
    )
    assert fingerprint(one) == fingerprint(other)
    spaced = definition("select day, case when 1 <= -1e-5 then 1 end as id from base")
    assert fingerprint(spaced) != fingerprint(one)
    assert difference(spaced, one.text, ()) is None
