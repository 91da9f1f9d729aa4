"""What Silver takes for a cashtag and what a reading of the rule, character by character, does: over hostile texts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from string import ascii_letters

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tradex_ledger
from tradex_ledger.datasets.statement import connect

SILVER = Path(tradex_ledger.__file__).parent / "pipelines" / "x" / "silver_social_events.sql"
SPACES = {*map(chr, [*range(9, 14), 0x20, 0x85, 0xA0, 0x1680, 0x180E, *range(0x2000, 0x200B)])} | set(
    "\u2028\u2029\u202f\u205f\u3000"
)
MARKS = {*map(chr, [0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])}
PUNCTUATION = set("!'#%&()*+,\\-./:;<=>?@[]^_{|}~$\"")
NEARLY = "\x00\x08\x0e\x1c\x1f\x84\x86\u200b\u200c\u2060\u2065\u206a\ufeff＄ſ\u212aé…\ud7ff\ue000\U0001f4c8"
PARTS = [*SPACES, *MARKS, *PUNCTUATION, *NEARLY, *"$$$$$aZzA._1", "http://", "https://", "HTTP://", "http:/", "$BRK.B"]


def without_links(text: str) -> str:
    kept, at = "", 0
    while at < len(text):
        head = next((head for head in ("http://", "https://") if text.startswith(head, at)), None)
        end = at + len(head or "")
        while head and end < len(text) and text[end] not in SPACES:
            end += 1
        if head and end > at + len(head):
            kept, at = kept + " ", end
        else:
            kept, at = kept + text[at], at + 1
    return kept


def cashtags(text: str) -> list[str]:
    """The longest tag at each `$` that may begin one: letters, perhaps a dot and letters, and what may follow."""
    text = without_links(text)
    found = set()
    for at, character in enumerate(text):
        if character != "$" or not (at == 0 or text[at - 1] in SPACES | MARKS):
            continue
        ends = {at + 1 + n for n in range(1, 7) if is_letters(text[at + 1 : at + 1 + n], n)}
        more = {end + 1 + n for end in ends for n in (1, 2) if text[end : end + 1] in {".", "_"} and is_letters(
            text[end + 1 : end + 1 + n], n
        )}  # fmt: skip
        good = [end for end in ends | more if end == len(text) or text[end] in SPACES | PUNCTUATION]
        if good:
            found.add(text[at + 1 : max(good)].upper())
    return sorted(found)


def is_letters(text: str, n: int) -> bool:
    return len(text) == n and set(text) <= set(ascii_letters)


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    text = SILVER.read_text(encoding="utf-8")
    steps = text[text.index("spaced as") : text.index("weights as")].rstrip().removesuffix(",")
    columns = "null as event_date, null as author_id, null as created_at, null as is_retweet, null as likes"
    with connect() as connection:
        connection.execute("create table texts (post_id integer, text varchar)")
        connection.execute(
            f"create view found as with latest as (select *, {columns}, null as retweets from texts), {steps} "
            "select list_sort(tickers) from tagged order by post_id"
        )
        yield connection


@given(st.lists(st.lists(st.sampled_from(PARTS), max_size=16).map("".join), min_size=1, max_size=60))
def test_silver_finds_what_the_rule_says(engine: duckdb.DuckDBPyConnection, texts: list[str]):
    engine.execute("delete from texts")
    engine.executemany("insert into texts values (?, ?)", list(enumerate(texts)))
    found = [row[0] for row in engine.execute("from found").fetchall()]
    assert dict(zip(texts, found, strict=True)) == {text: cashtags(text) for text in texts}
