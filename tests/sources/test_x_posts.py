"""Reading one delivered line: both API versions, every way to be broken, and never an exception."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradex_ledger.sources.files import FilesSource
from tradex_ledger.sources.x_posts import DAY_US, Post, Rejected, parse_post

V1: dict[str, Any] = {
    "created_at": "Tue Feb 11 21:45:52 +0000 2014",
    "id": 433355923012521984,
    "id_str": "433355923012521984",
    "text": "Watching $AAPL &amp; $TSLA",
    "user": {"id": 16838276, "id_str": "16838276"},
    "retweet_count": 2,
    "favorite_count": 5,
    "lang": "en",
}
V2: dict[str, Any] = {
    "id": "433355923012521984",
    "text": "Watching $AAPL &amp; $TSLA",
    "created_at": "2014-02-11T21:45:52.000Z",
    "author_id": "16838276",
    "lang": "en",
    "public_metrics": {"like_count": 5, "retweet_count": 2},
    "edit_history_tweet_ids": ["433355923012521984"],
}


def read(document: Any) -> Post | Rejected:
    return parse_post(orjson.dumps(document))


def post(document: Any) -> Post:
    found = read(document)
    assert isinstance(found, Post), found
    return found


def rejected(line: bytes) -> Rejected:
    found = parse_post(line)
    assert isinstance(found, Rejected), found
    return found


def us(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


def snowflake(text: str, sequence: int = 0) -> str:
    return str(((us(text) // 1000 - 1_288_834_974_657) << 22) | sequence)


def without(document: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in names}


def test_a_v1_post_is_read_field_by_field():
    line = orjson.dumps(V1)
    assert parse_post(line) == Post(
        payload=line.decode(),
        post_id="433355923012521984",
        author_id="16838276",
        created_at=us("2014-02-11T21:45:52"),
        event_date=us("2014-02-11T00:00:00") // DAY_US,
        text="Watching $AAPL &amp; $TSLA",
        lang="en",
        is_retweet=False,
        likes=5,
        retweets=2,
        revision=hashlib.sha256(b"Watching $AAPL &amp; $TSLA").hexdigest(),
        revised_at=us("2014-02-11T21:45:52"),
    )


def test_the_same_post_reads_the_same_in_v2_bare_or_wrapped_in_data():
    expected = post(V1)._replace(payload="")
    assert post(V2)._replace(payload="") == expected
    assert post({"data": V2, "includes": {}})._replace(payload="") == expected


def test_the_payload_is_the_line_as_received_without_its_newline():
    assert parse_post(b'{ "id":1 }\r\n') == Rejected("no author_id", '{ "id":1 }', None, None)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Tue Feb 11 23:45:52 -0500 2014", "2014-02-12T04:45:52"),
        ("Wed Feb 12 01:00:00 +0530 2014", "2014-02-11T19:30:00"),
        ("2014-02-12T01:00:00+05:30", "2014-02-11T19:30:00"),
        ("2014-02-11T21:45:52Z", "2014-02-11T21:45:52"),
        ("2016-02-29T00:00:00.000Z", "2016-02-29T00:00:00"),
    ],
)
def test_times_are_read_with_the_offset_they_carry(written: str, meant: str):
    found = post(V1 | {"created_at": written})
    assert (found.created_at, found.event_date) == (us(meant), us(meant) // DAY_US)


def test_fractions_of_a_second_are_kept_to_the_microsecond():
    assert post(V2 | {"created_at": "2014-02-11T21:45:52.1234567Z"}).created_at % 1_000_000 == 123_456


def test_the_longer_text_wins_where_the_platform_gives_two():
    assert post(V1 | {"full_text": "long $GE"}).text == "long $GE"
    assert post(V1 | {"truncated": True, "extended_tweet": {"full_text": "long $F"}}).text == "long $F"
    assert post(V2 | {"note_tweet": {"text": "long $T"}}).text == "long $T"


def test_retweets_are_known_in_both_versions():
    assert post(V1 | {"retweeted_status": {"id_str": "1"}}).is_retweet
    assert post(V2 | {"referenced_tweets": [{"type": "retweeted", "id": "1"}]}).is_retweet
    assert not post(V2 | {"referenced_tweets": [{"type": "quoted", "id": "1"}]}).is_retweet


def test_an_edit_belongs_to_the_first_version_and_its_day_even_after_midnight():
    first, second = snowflake("2024-03-01T23:59:30"), snowflake("2024-03-02T00:10:00")
    edit = V2 | {
        "id": second,
        "created_at": "2024-03-02T00:10:00.000Z",
        "edit_history_tweet_ids": [first, second],
    }
    found = post(edit)
    assert found.post_id == first
    assert found.created_at == us("2024-03-01T23:59:30")
    assert found.event_date == us("2024-03-01T00:00:00") // DAY_US
    assert found.revised_at == us("2024-03-02T00:10:00")


@pytest.mark.parametrize("first", ["17", snowflake("2020-01-01T00:00:00"), snowflake("2024-03-03T00:00:00")])
def test_a_first_id_that_cannot_be_the_time_of_this_post_leaves_the_own_time(first: str):
    edit = V2 | {"id": "99", "created_at": "2024-03-02T00:10:00Z", "edit_history_tweet_ids": [first, "99"]}
    assert post(edit)[1:5:2] == (first, us("2024-03-02T00:10:00"))


def test_counts_that_were_not_delivered_are_zero_and_a_missing_language_is_none():
    found = post(without(V2, "public_metrics", "lang"))
    assert (found.likes, found.retweets, found.lang) == (0, 0, None)


def test_a_number_is_good_enough_as_an_id():
    assert post(without(V1, "id_str") | {"user": {"id": 7}})[1:3] == ("433355923012521984", "7")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"id":"1","text":"$AAPL","author', "not JSON: unexpected end of data at character 33"),
        (b'{"id":"1","text":"\xff"}', "not UTF-8 at byte 19"),
        (b"[1]", "a JSON list, not an object"),
        (b"null", "null, not an object"),
        (b"{}", "no id"),
        (b'{"data":[]}', "a page of posts (data is a list): one post a line is expected"),
        (b'{"data":5}', "data is 5, not an object"),
        (b'{"id":{}}', "no id: a JSON object"),
        (b'{"id":true}', "no id: True"),
    ],
)
def test_a_line_that_is_no_post_says_why(line: bytes, reason: str):
    assert rejected(line)[0] == reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"text": None}, "no text"),
        ({"text": 5}, "text is 5, not a text"),
        ({"author_id": ""}, "no author_id"),
        ({"public_metrics": {"like_count": "5"}}, "counts are not integers: like_count is '5'"),
        ({"public_metrics": {"like_count": 1.5}}, "counts are not integers: like_count is 1.5"),
        ({"public_metrics": {"like_count": -1}}, "counts are not between 0 and 2^53: like_count is -1"),
        ({"public_metrics": {"retweet_count": 2**53 + 1}},
         "counts are not between 0 and 2^53: retweet_count is 9007199254740993"),
        ({"public_metrics": [1]}, "public_metrics is a JSON list, not an object"),
    ],
)  # fmt: skip
def test_a_broken_field_is_named_and_the_day_is_still_read(change: dict[str, Any], reason: str):
    found = rejected(orjson.dumps(V2 | change))
    assert (found.reason, found.created_at) == (reason, us("2014-02-11T21:45:52"))
    assert found.event_date == us("2014-02-11T00:00:00") // DAY_US


@pytest.mark.parametrize(
    "time",
    ["yesterday", "2014-02-30T00:00:00Z", "2014-02-11T24:00:00Z", "2014-02-11T21:45:52", "2014-02-11",
     "Tue Fev 11 21:45:52 +0000 2014", "Tue Feb 11 21:45:60 +0000 2014", "1969-12-31T23:59:59Z", "",
     "２014-02-11T21:45:52Z"],
)  # fmt: skip
def test_what_is_not_a_time_is_quoted(time: str):
    found = rejected(orjson.dumps(V2 | {"created_at": time}))
    assert found == Rejected(f"created_at is not a time: {time!r}", found.raw, None, None)
    assert rejected(orjson.dumps(V2 | {"created_at": None})).reason == "no created_at"


def test_bytes_that_are_no_text_are_replaced_in_what_is_kept():
    assert rejected(b"a\xffb").raw == "a�b"


@pytest.mark.parametrize("bomb", [b"[" * 100_000, b'{"a":' * 100_000, b'{"data":' * 900 + b"1" + b"}" * 900])
def test_a_nesting_bomb_is_only_a_rejected_line(bomb: bytes):
    rejected(bomb)


def test_a_deep_value_in_the_wrong_place_is_not_written_out():
    deep = b"[" * 900 + b"]" * 900
    assert rejected(b'{"id":"1","author_id":"2","created_at":' + deep + b"}").reason == (
        "created_at is not a time: a JSON list"
    )


@given(st.binary(max_size=300))
def test_no_bytes_ever_raise(line: bytes):
    assert isinstance(parse_post(line), Rejected)


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from([*V1, *V2, "full_text", "note_tweet", "retweeted_status", "referenced_tweets", "data"])


@given(st.sampled_from([V1, V2]), st.dictionaries(names, anything, max_size=4), st.sets(names, max_size=2))
def test_no_mutated_post_ever_raises(base: dict[str, Any], changes: dict[str, Any], gone: set[str]):
    line = orjson.dumps(without(base | changes, *gone))
    found = parse_post(line)
    assert (found.payload if isinstance(found, Post) else found.raw) == line.decode()


@given(st.sampled_from([V1, V2]), st.integers(0, 400), st.binary(max_size=4), st.integers(0, 4))
def test_no_damaged_line_ever_raises(base: dict[str, Any], at: int, put: bytes, cut: int):
    line = orjson.dumps(base)
    parse_post(line[:at] + put + line[at + cut :])


@given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 30)))
def test_every_time_after_1970_is_read_back(time: datetime):
    expected = round((time.replace(tzinfo=UTC, microsecond=0) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
    for text in (f"{time:%a %b %d %H:%M:%S +0000 }{time.year:04d}", f"{time:%Y-%m-%dT%H:%M:%S}Z"):
        assert post(V2 | {"created_at": text}).created_at == expected * 1_000_000


def test_all_real_posts_are_read_and_their_duplicates_share_id_and_revision(real_posts: Path):
    source = FilesSource(real_posts)
    found = [parse_post(line) for file in source.list_files() for _, line in source.read_lines(file.path)]
    posts = [item for item in found if isinstance(item, Post)]
    assert (len(found), len(posts)) == (7438, 7438)
    assert len({(item.post_id, item.revision) for item in posts}) == 6530
    assert len({(item.post_id, item.event_date) for item in posts}) == 6530
    assert sum(item.is_retweet for item in posts) == 1898
