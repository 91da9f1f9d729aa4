"""Reading what is delivered: both API versions and vocabularies, every way to be broken, and never an exception."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kit.delivered import files_in
from tests.kit.posts import parse_post
from tradex_ledger.sources.moments import DAY_US
from tradex_ledger.sources.source import Rejected
from tradex_ledger.sources.x_posts.posts import Post, parse_line
from tradex_ledger.sources.x_posts.records import read_records

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
        text="Watching $AAPL & $TSLA",
        lang="en",
        is_retweet=False,
        likes=5,
        retweets=2,
        revision=hashlib.sha256(b'["433355923012521984","Watching $AAPL &amp; $TSLA"]').hexdigest(),
        revised_at=us("2014-02-11T21:45:52"),
        is_whole=True,
    )


def test_the_same_post_reads_the_same_in_v2_bare_or_wrapped_in_data():
    expected = post(V1)._replace(payload="")
    assert post(V2)._replace(payload="") == expected
    assert post({"data": V2, "includes": {}})._replace(payload="") == expected


def test_the_payload_is_the_line_as_received_without_its_newline():
    assert parse_post(b'{ "id":1 }\r\n') == Rejected("no created_at", '{ "id":1 }', None, None)


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


WHOLE = "the whole story of $GE and $F"
CUT = "RT @desk: the whole story of $G…"
ORIGINAL_V1 = {"id_str": "1", "text": "the whole story of $G…", "truncated": True}


@pytest.mark.parametrize(
    "document",
    [
        V1 | {"full_text": WHOLE, "text": CUT},
        V1 | {"truncated": True, "extended_tweet": {"full_text": WHOLE}},
        V1 | {"full_text": CUT, "extended_tweet": {"full_text": WHOLE}},
        V1 | {"text": CUT, "retweeted_status": {"id_str": "1", "text": WHOLE}},
        V1 | {"full_text": CUT, "retweeted_status": ORIGINAL_V1 | {"full_text": WHOLE}},
        V1 | {"text": CUT, "retweeted_status": ORIGINAL_V1 | {"extended_tweet": {"full_text": WHOLE}}},
        V2 | {"text": CUT, "note_tweet": {"text": WHOLE}},
        V2 | {"text": CUT, "note_post": {"text": WHOLE}},
        V2 | {"text": CUT, "referenced_tweets": [{"type": "retweeted", "id": "1", "text": WHOLE}]},
        {
            "data": V2 | {"text": CUT, "referenced_tweets": [{"type": "retweeted", "id": "1"}]},
            "includes": {"tweets": [{"id": "1", "text": WHOLE}]},
        },
        {
            "data": V2 | {"text": CUT, "referenced_posts": [{"type": "retweeted", "id": 1}]},
            "includes": {"posts": [{"id": "7", "text": "other"}, {"id": 1, "text": CUT, "note_post": {"text": WHOLE}}]},
        },
    ],
)
def test_the_whole_text_is_read_wherever_the_platform_puts_it(document: dict[str, Any]):
    found = post(document)
    assert (found.text, found.is_whole) == (WHOLE, True)


@pytest.mark.parametrize(
    "document",
    [
        V1 | {"text": "long", "truncated": True},
        V1 | {"text": CUT, "retweeted_status": ORIGINAL_V1},
        V2 | {"text": "the story goes on… https://t.co/abc"},
        V2 | {"text": CUT, "referenced_tweets": [{"type": "retweeted", "id": "1"}]},
    ],
)
def test_a_text_that_was_cut_off_is_known_for_one(document: dict[str, Any]):
    assert not post(document).is_whole


def test_an_original_that_cannot_be_read_leaves_the_text_of_the_retweet():
    assert post(V1 | {"text": "RT @a: x", "retweeted_status": {"id_str": "1"}}).text == "RT @a: x"
    assert post(V2 | {"note_tweet": {"text": 5}}).odd == ("a full text that is no text",)


@pytest.mark.parametrize(
    "document",
    [
        V1 | {"text": WHOLE, "full_text": ""},
        V1 | {"text": CUT, "full_text": WHOLE, "extended_tweet": {"full_text": ""}},
        V1 | {"text": CUT, "full_text": WHOLE, "extended_tweet": {"full_text": 5}},
        V2 | {"text": WHOLE, "note_tweet": {"text": ""}},
        V2 | {"text": CUT, "note_tweet": {}, "note_post": {"text": WHOLE}},
        V2
        | {"text": CUT, "referenced_tweets": [], "referenced_posts": [{"type": "retweeted", "id": "1", "text": WHOLE}]},
        {
            "data": V2 | {"text": CUT, "referenced_posts": [{"type": "retweeted", "id": "1", "text": WHOLE}]},
            "includes": {"tweets": [{"id": "1", "text": CUT}]},
        },
    ],
)
def test_a_place_that_says_nothing_does_not_hide_the_one_that_does(document: dict[str, Any]):
    found = post(document)
    assert (found.text, found.is_whole) == (WHOLE, True)


def test_a_full_text_is_whole_but_that_of_a_retweet_which_the_platform_cut_off():
    assert post(V1 | {"full_text": "my own ellipsis…"}).is_whole
    assert not post(V1 | {"full_text": CUT}).is_whole
    assert not post(V2 | {"text": "short", "note_tweet": {"text": CUT}}).is_whole


def test_a_text_of_many_links_is_read_at_once():
    assert post(V2 | {"text": "…" + "http://a" * 3000 + " x"}).is_whole
    assert not post(V2 | {"text": "… x…" * 3000 + "http://a" * 3000}).is_whole


@pytest.mark.parametrize(
    ("base", "change", "odd"),
    [
        (V1, {"retweeted_status": "433355923012521984"}, "an original that is no post"),
        (V2, {"referenced_tweets": "433355923012521984"}, "references that cannot be read"),
        (V2, {"referenced_posts": ["433355923012521984"]}, "references that cannot be read"),
    ],
)
def test_whether_it_is_a_retweet_is_not_guessed(base: dict[str, Any], change: dict[str, Any], odd: str):
    found = post(base | change)
    assert (found.is_retweet, found.odd) == (None, (odd,))


def test_a_retweet_of_itself_ends():
    loop = {"id": "1", "text": "x", "referenced_tweets": [{"type": "retweeted", "id": "1"}]}
    document = {"data": V2 | loop | {"id": "2"}, "includes": {"tweets": [loop]}}
    assert post(document).text == "x"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("a &amp; b &lt;c&gt;", "a & b <c>"),
        ("&amp;lt; stays what was written", "&lt; stays what was written"),
        ("&quot; &#36; &nbsp; &AMP;", "&quot; &#36; &nbsp; &AMP;"),
    ],
)
def test_the_three_entities_that_the_platform_writes_are_decoded_once_and_no_others(written: str, meant: str):
    assert post(V1 | {"text": written}).text == meant
    assert post(V2 | {"note_tweet": {"text": written}}).text == meant


def test_retweets_are_known_in_both_versions():
    assert post(V1 | {"retweeted_status": {"id_str": "1"}}).is_retweet
    for name, kind in (
        ("referenced_tweets", "retweeted"),
        ("referenced_posts", "retweeted"),
        ("referenced_posts", "reposted"),
    ):
        assert post(V2 | {name: [{"type": kind, "id": "1"}]}).is_retweet
    assert not post(V2 | {"referenced_tweets": [{"type": "quoted", "id": "1"}]}).is_retweet


def test_the_new_vocabulary_is_read_like_the_old_one():
    old = V2 | {
        "note_tweet": {"text": "long $T"},
        "referenced_tweets": [{"type": "quoted", "id": "1"}],
        "edit_history_tweet_ids": ["17", "433355923012521984"],
    }
    new = {name.replace("tweet", "post"): value for name, value in old.items()}
    new["public_metrics"] = {"like_count": 5, "repost_count": 2}
    assert set(new) & set(old) < set(V2)
    assert post(new)._replace(payload="") == post(old)._replace(payload="")


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


@pytest.mark.parametrize(
    "history",
    [
        {"edit_history_tweet_ids": ["{first}", "{second}"]},
        {"edit_history_tweet_ids": [0, "{second}"]},
        {"edit_history_post_ids": ["{first}", "{second}"]},
        {"edit_history": {"initial_tweet_id": "{first}", "edit_tweet_ids": ["{first}", "{second}"]}},
        {"edit_history": {"initial_post_id": 0, "edit_post_ids": ["{second}"]}},
        {"edit_history": {"edit_tweet_ids": [0, 1]}},
    ],
)
@pytest.mark.parametrize("base", [V1, V2])
def test_an_edit_is_known_for_one_wherever_its_history_stands_and_whatever_its_ids_are(
    base: dict[str, Any], history: dict[str, Any]
):
    first, second = snowflake("2024-03-01T10:00:00"), snowflake("2024-03-01T10:20:00")
    text = orjson.dumps(history).decode().replace("{first}", first).replace("{second}", second)
    told = orjson.loads(text.replace("[0", f"[{first}").replace(":0", f":{first}").replace(",1]", f",{second}]"))
    plain = without(base, "edit_history_tweet_ids", "id_str")
    found = post(plain | {"id": int(second), "created_at": "2024-03-01T10:20:00Z"} | told)
    assert (found.post_id, found.created_at) == (first, us("2024-03-01T10:00:00"))


FIRST, SECOND, THIRD = (snowflake(f"2024-03-01T10:{minute}:00") for minute in ("00", "20", "30"))


@pytest.mark.parametrize(
    "history",
    [
        {"edit_history_tweet_ids": [], "edit_history_post_ids": [FIRST, SECOND]},
        {"edit_history_tweet_ids": [SECOND, FIRST]},
        {"edit_history_tweet_ids": [FIRST, SECOND, THIRD]},
        {"edit_history_tweet_ids": [FIRST]},
        {"edit_history": [int(FIRST), int(SECOND)]},
        {
            "edit_history_tweet_ids": [SECOND],
            "edit_history": {"edit_tweet_ids": None, "edit_post_ids": [FIRST, SECOND]},
        },
        {"edit_info": {"edit": {"initialTweetId": FIRST, "editControlInitial": {"editTweetIds": [FIRST, SECOND]}}}},
        {"edit_control": {"initial_tweet_id": FIRST}},
    ],
)
@pytest.mark.parametrize("base", [V1, V2])
def test_a_history_is_read_in_every_spelling_and_order(base: dict[str, Any], history: dict[str, Any]):
    plain = without(base, "edit_history_tweet_ids", "id_str")
    found = post(plain | {"id": SECOND, "created_at": "2024-03-01T10:20:00Z"} | history)
    assert (found.post_id, found.revised_at, found.odd) == (FIRST, us("2024-03-01T10:20:00"), ())


@pytest.mark.parametrize("history", [f"{FIRST},{SECOND}", [1.7635e18], [" "], {"edit_tweet_ids": True}, 5, [0]])
def test_a_history_that_cannot_be_read_is_counted(history: object):
    found = post(V2 | {"edit_history_tweet_ids": None, "edit_history": history})
    assert (found.post_id, found.odd) == (V2["id"], ("an edit history that cannot be read",))


def test_ids_that_are_made_up_tell_the_order_of_versions_and_no_time():
    """Nearly all numbers of that length are the id of some moment: it counts only if it is that of the delivery."""
    ids = [str(430000000000000001 + n) for n in range(3)]  # as a time: 2014-02-02T15:29
    for day in ("2014-02-01", "2014-02-03", "2014-02-09"):
        found = [
            post(V2 | {"id": i, "created_at": f"{day}T10:00:00Z", "edit_history_tweet_ids": ids[: n + 1]})
            for n, i in enumerate(ids)
        ]
        assert {(one.post_id, one.created_at) for one in found} == {(ids[0], us(f"{day}T10:00:00"))}
        assert sorted(found, key=lambda one: one.revised_at) == found
        assert len({one.revised_at for one in found}) == 3


def test_an_edit_that_carries_the_time_of_the_first_version_is_known_to_be_later():
    first, second = snowflake("2024-03-01T10:00:00"), snowflake("2024-03-01T10:20:00")
    edit = V2 | {"id": second, "created_at": "2024-03-01T10:00:00Z", "edit_history_tweet_ids": [first, second]}
    assert post(edit).revised_at == us("2024-03-01T10:20:00")


def test_the_revision_follows_from_what_was_delivered_and_not_from_counts_or_the_way_it_is_read():
    plain = post(V2)
    assert post(V2 | {"public_metrics": {"like_count": 99}}).revision == plain.revision
    assert post(V2 | {"lang": "de", "author_id": "1"}).revision == plain.revision
    assert post(V2 | {"note_tweet": {"text": "whole"}}).revision != plain.revision
    assert post(V2 | {"text": "Watching $AAPL & $TSLA"}).revision != plain.revision  # decoded alike, delivered not
    there_and_back = [post(V2 | {"id": i, "edit_history_tweet_ids": ["1", i]}).revision for i in ("1", "2", "3")]
    assert len(set(there_and_back)) == 3


@pytest.mark.parametrize("first", ["17", snowflake("2020-01-01T00:00:00"), snowflake("2024-03-03T00:00:00")])
def test_a_first_id_that_cannot_be_the_time_of_this_post_leaves_the_own_time(first: str):
    edit = V2 | {"id": "99", "created_at": "2024-03-02T00:10:00Z", "edit_history_tweet_ids": [first, "99"]}
    assert post(edit)[1:5:2] == (first, us("2024-03-02T00:10:00"))


def test_counts_that_were_not_delivered_are_zero_and_a_missing_language_is_none():
    found = post(without(V2, "public_metrics", "lang"))
    assert (found.likes, found.retweets, found.lang) == (0, 0, None)


def test_counts_are_written_as_texts_in_an_archive():
    found = post(V1 | {"favorite_count": "12", "retweet_count": "0"})
    assert (found.likes, found.retweets, found.odd) == (12, 0, ())
    assert post(V1 | {"favorite_count": "9" * 17}).likes is None


def test_a_number_is_good_enough_as_an_id():
    assert post(without(V1, "id_str") | {"user": {"id": 7}})[1:3] == ("433355923012521984", "7")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"id":"1","text":"$AAPL","author', "not JSON: unexpected end of data at character 33"),
        (b'{"id":"1","text":"\xff', "not UTF-8 at byte 19"),
        ("{}".encode("utf-16"), "not UTF-8 at byte 1"),
        (b"[1]", "1, not an object"),
        (b"null", "null, not an object"),
        (b"{}", "no id"),
        (b'{"data":5}', "data is 5, not an object"),
        (b'{"id":{}}', "no id: a JSON object"),
        (b'{"id":true}', "no id: True"),
        (b'{"id":1.5}', "no id: 1.5"),
        (b'{"errors":[{"title":"Not Found"}]}', "an error and no post: 'Not Found'"),
        (b'{"errors":[]}', "an error and no post: 'unnamed'"),
        (b'{"title":"Unauthorized","status":401}', "an error and no post: 'Unauthorized'"),
        (b'{"error":{"message":"Too many","sent":"now"}}', "an error and no post: 'Too many'"),
        (b'{"error":"Not authorized."}', "an error and no post: 'Not authorized.'"),
    ],
)
def test_a_line_that_is_no_post_says_why(line: bytes, reason: str):
    assert rejected(line)[0] == reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"text": None}, "no text"),
        ({"text": 5}, "text is 5, not a text"),
    ],
)
def test_a_broken_field_is_named_and_the_day_is_still_read(change: dict[str, Any], reason: str):
    found = rejected(orjson.dumps(V2 | change))
    assert (found.reason, found.created_at) == (reason, us("2014-02-11T21:45:52"))
    assert found.event_date == us("2014-02-11T00:00:00") // DAY_US


COUNT, NOBODY, LANG = "a count that is no number", "no author", "a lang that is no text"


@pytest.mark.parametrize(
    ("change", "odd", "column", "value"),
    [
        ({"public_metrics": {"like_count": "100+"}}, COUNT, "likes", None),
        ({"public_metrics": {"like_count": 3.0}}, COUNT, "likes", None),
        ({"public_metrics": {"like_count": -1}}, COUNT, "likes", None),
        ({"public_metrics": {"like_count": True}}, COUNT, "likes", None),
        ({"public_metrics": {"retweet_count": 2**53 + 1}}, COUNT, "retweets", None),
        ({"public_metrics": {"repost_count": {}}}, COUNT, "retweets", None),
        ({"public_metrics": [1]}, COUNT, "likes", None),
        ({"author_id": ""}, NOBODY, "author_id", None),
        ({"author_id": ["7"]}, NOBODY, "author_id", None),
        ({"lang": 5}, LANG, "lang", None),
    ],
)
def test_one_odd_field_does_not_cost_the_post_and_is_counted(
    change: dict[str, Any], odd: str, column: str, value: object
):
    found = post(V2 | change)
    assert getattr(found, column) is value
    assert found.odd == (odd,)
    assert found.text == "Watching $AAPL & $TSLA"


@pytest.mark.parametrize(
    "change", [{"favorite_count": "100+"}, {"retweet_count": 3.0}, {"user": None}, {"user": {"id": []}}, {"lang": []}]
)
def test_one_odd_field_does_not_cost_a_v1_post(change: dict[str, Any]):
    assert len(post(V1 | change).odd) == 1


@pytest.mark.parametrize(
    ("element", "kept"),
    [
        ('{"id": 4.1E17, "n": 1e-7}', '{"id":4.1e+17,"n":1e-07}'),
        ('{"id": 18446744073709551615, "t": "é\\u2028/\\u0001"}', '{"id":18446744073709551615,"t":"é\u2028/\\u0001"}'),
        ('{"t": "\\ud83d"}', '{"t":"\\ud83d"}'),
    ],
)
def test_an_element_of_a_page_is_kept_in_a_spelling_that_no_library_changes(element: str, kept: str):
    (rejected, _) = parse_line(f'{{"data": [{element}, {{}}]}}'.encode())
    assert isinstance(rejected, Rejected)
    assert rejected.raw == kept


def test_half_a_surrogate_and_bytes_that_are_no_text_become_the_replacement_character():
    half = orjson.dumps(V1).replace(b'"user":{', b'"user":{"name":"\\ud83d",')
    found = parse_post(half)
    assert isinstance(found, Post)
    assert (found.odd, found.payload) == (("half a surrogate",), half.decode())
    cut = parse_post(orjson.dumps(V2).replace(b"Watching", b"\\uD83D up"))
    assert isinstance(cut, Post)
    assert cut.text == "� up $AAPL & $TSLA"
    whole = parse_post(orjson.dumps(V2).replace(b"Watching", b"\\ud83d\\udcc8 up"))
    assert isinstance(whole, Post)
    assert (whole.text, whole.odd) == ("📈 up $AAPL & $TSLA", ())
    bytes_ = parse_post(orjson.dumps(V1).replace(b'"user":{', b'"user":{"name":"\xff",'))
    assert isinstance(bytes_, Post)
    assert bytes_.odd == ("bytes that are not UTF-8",)


def test_bytes_that_are_no_text_in_what_was_said_reject_the_line():
    found = rejected(orjson.dumps(V2).replace(b"$AAPL", b"\xffAAPL"))
    assert found.reason.startswith("not UTF-8 at byte")
    assert found.event_date == us("2014-02-11T00:00:00") // DAY_US


@pytest.mark.parametrize(
    ("line", "control", "day"),
    [
        ({"delete": {"status": {"id": 1}, "timestamp_ms": "1391248800000"}}, "delete", "2014-02-01"),
        ({"limit": {"track": 5, "timestamp_ms": 1391248800000}}, "limit", "2014-02-01"),
        ({"scrub_geo": {"user_id": 1}}, "scrub_geo", None),
        ({"status_withheld": {"id": 1}, "timestamp_ms": "1391248800000"}, "status_withheld", "2014-02-01"),
        ({"user_withheld": {"id": 1}}, "user_withheld", None),
        ({"disconnect": {"code": 4}}, "disconnect", None),
        ({"warning": {"code": "FALLING_BEHIND"}}, "warning", None),
        ({"friends": [1, 2]}, "friends", None),
        ({"event": "favorite", "created_at": "Sat Feb 01 10:00:00 +0000 2014"}, "event", "2014-02-01"),
        ({"errors": [{"title": "operational-disconnect", "detail": "it ends"}]}, "disconnect", None),
        ({"errors": [{"title": "x", "disconnect_type": "UpstreamOperationalDisconnect"}]}, "disconnect", None),
        ({"data": {"delete": {"tweet": {"id": "1"}, "event_at": "2014-02-01T10:00:00Z"}}}, "delete", "2014-02-01"),
        ({"delete": {"timestamp_ms": "-1"}}, "delete", None),
        ({"delete": {"timestamp_ms": "0"}}, "delete", None),
    ],
)
def test_messages_of_a_stream_are_a_class_of_their_own(line: dict[str, Any], control: str, day: str | None):
    found = rejected(orjson.dumps(line))
    assert (found.reason, found.kind) == (f"control message: {control}", "control")
    assert found.event_date == (None if day is None else us(f"{day}T00:00:00") // DAY_US)


def test_a_post_with_a_field_of_such_a_name_is_a_post():
    assert post(V2 | {"withheld": {"country_codes": ["DE"]}, "warning": "x"}).post_id == V2["id"]


@pytest.mark.parametrize("base", [V1, V2])
def test_a_day_that_cannot_be_is_nobodys_day(base: dict[str, Any]):
    early = rejected(orjson.dumps(base | {"created_at": "1970-01-01T00:00:00Z"}))
    assert early == Rejected(
        "created_at 1970-01-01T00:00:00Z lies before the platform's first post (2006-03-21)", early.raw, None, None
    )
    delivered = us("2014-03-01T00:00:00")
    late = parse_post(orjson.dumps(base | {"created_at": "2014-03-02T00:00:00Z"}), delivered)
    assert isinstance(late, Rejected)
    assert (late.reason, late.kind) == ("created_at 2014-03-02T00:00:00Z lies after its delivery", "early")
    assert late.event_date is None
    unread = parse_post(orjson.dumps(base | {"created_at": "2031-03-02T00:00:00Z", "id": [], "id_str": []}), delivered)
    assert isinstance(unread, Rejected)
    assert unread.event_date is None
    assert isinstance(parse_post(orjson.dumps(base | {"created_at": "2006-03-21T00:00:00Z"}), delivered), Post)
    assert isinstance(parse_post(orjson.dumps(base | {"created_at": "2014-03-01T00:30:00Z"}), delivered), Post)


# -- pages, lists, archives


def pair(document: Any) -> list[Post | Rejected]:
    found = parse_line(orjson.dumps(document))
    for one in found:
        if isinstance(one, Post):  # it stands in Bronze as a line that is read again as the same post
            assert parse_post(one.payload.encode()) == one
    return found


def test_a_page_is_its_posts_with_what_came_along():
    retweet = V2 | {"id": "2", "text": CUT, "referenced_tweets": [{"type": "retweeted", "id": "1"}]}
    page = {"data": [V2, retweet, 5], "includes": {"tweets": [{"id": "1", "text": WHOLE}]}, "meta": {"result_count": 3}}
    one, two, three = pair(page)
    assert isinstance(one, Post)
    assert isinstance(two, Post)
    assert (one._replace(payload=""), two.text) == (post(V2)._replace(payload=""), WHOLE)
    assert three == Rejected("5, not an object", "5", None, None)


@pytest.mark.parametrize("name", ["statuses", "results"])
def test_a_page_of_a_v1_search_is_its_posts(name: str):
    (one,) = pair({name: [V1], "search_metadata": {"count": 1}})
    assert isinstance(one, Post)
    assert one._replace(payload="") == post(V1)._replace(payload="")


def test_a_retweet_says_what_its_original_says_in_the_same_page():
    retweet = V2 | {"id": "2", "text": CUT, "referenced_tweets": [{"type": "retweeted", "id": "1"}]}
    one, two = pair({"data": [retweet, V2 | {"id": "1", "text": WHOLE}]})
    assert isinstance(one, Post)
    assert isinstance(two, Post)
    assert (one.text, two.text) == (WHOLE, WHOLE)


def test_lists_and_archives_are_their_elements():
    assert [p._replace(payload="") for p in pair([V1, V2]) if isinstance(p, Post)] == [
        p._replace(payload="") for p in (post(V1), post(V2))
    ]
    archived = without(V1, "user")
    (one,) = pair([{"tweet": archived}])
    assert isinstance(one, Post)
    assert (one.post_id, one.author_id, one.odd) == (V1["id_str"], None, ("no author",))


def test_a_list_of_lists_or_of_pages_is_their_elements():
    first, second, third = ({**without(V2, "edit_history_tweet_ids"), "id": str(number)} for number in (1, 2, 3))
    found = parse_line(orjson.dumps([[first, [second]], {"data": [third]}, 7]))
    assert [one.post_id if isinstance(one, Post) else one.reason for one in found] == [
        "1",
        "2",
        "3",
        "7, not an object",
    ]


@pytest.mark.parametrize("page", ['{{"data":[{}]}}', "[{}]"])
def test_a_post_in_a_page_that_is_nested_too_deeply_to_be_written_down_is_a_rejected_line(page: str):
    depth = 1000
    (found,) = parse_line(page.format('{"id":"1","x":' + "[" * depth + "]" * depth + "}").encode())
    assert isinstance(found, Rejected)


@pytest.mark.parametrize("nothing", [{"data": []}, {"meta": {"result_count": 0}}, {"statuses": []}, []])
def test_an_answer_that_there_is_nothing_is_nothing(nothing: object):
    assert parse_line(orjson.dumps(nothing)) == []


def test_errors_beside_the_posts_of_a_page_are_told():
    page = {"data": [V2], "errors": [{"title": "Not Found", "detail": "no such post"}, 7]}
    assert [r.reason for r in pair(page) if isinstance(r, Rejected)] == [
        "an error and no post: 'no such post'",
        "an error and no post: 'unnamed'",
    ]


@pytest.mark.parametrize(
    "time",
    ["yesterday", "2014-02-30T00:00:00Z", "2014-02-11T24:00:00Z", "2014-02-11T21:45:52", "2014-02-11",
     "Tue Fev 11 21:45:52 +0000 2014", "Tue Feb 11 21:45:60 +0000 2014", "1969-12-31T23:59:59Z", "",
     "２014-02-11T21:45:52Z", "2014-02-11T21:45:52+99:99", "Tue Feb 11 21:45:52 +1560 2014"],
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
    assert all(isinstance(found, Rejected) for found in parse_line(line))


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
NEW = [
    "note_post",
    "referenced_posts",
    "edit_history",
    "edit_history_post_ids",
    "includes",
    "tweet",
    "errors",
    "delete",
]
names = st.sampled_from(
    [*V1, *V2, "full_text", "note_tweet", "retweeted_status", "referenced_tweets", "data", "extended_tweet", *NEW]
)


@given(st.sampled_from([V1, V2]), st.dictionaries(names, anything, max_size=4), st.sets(names, max_size=2))
def test_no_mutated_post_ever_raises(base: dict[str, Any], changes: dict[str, Any], gone: set[str]):
    document = without(base | changes, *gone)
    line = orjson.dumps(document)
    found = parse_line(line)
    if len(found) == 1 and not isinstance(document.get("data"), list):
        assert (found[0].payload if isinstance(found[0], Post) else found[0].raw) == line.decode()


@given(st.sampled_from([V1, V2]), st.integers(0, 400), st.binary(max_size=4), st.integers(0, 4))
def test_no_damaged_line_ever_raises(base: dict[str, Any], at: int, put: bytes, cut: int):
    line = orjson.dumps(base)
    parse_post(line[:at] + put + line[at + cut :])


@given(st.datetimes(datetime(2006, 3, 21), datetime(9999, 12, 30)))
def test_every_time_since_the_first_post_is_read_back(time: datetime):
    expected = round((time.replace(tzinfo=UTC, microsecond=0) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
    for text in (f"{time:%a %b %d %H:%M:%S +0000 }{time.year:04d}", f"{time:%Y-%m-%dT%H:%M:%S}Z"):
        assert post(V2 | {"created_at": text}).created_at == expected * 1_000_000


def test_all_real_posts_are_read_and_their_duplicates_share_id_and_revision(real_posts: Path):
    found = [parse_post(record.raw) for file in files_in(real_posts) for record in read_records(file.path)]
    posts = [item for item in found if isinstance(item, Post)]
    assert (len(found), len(posts)) == (7438, 7438)
    assert len({(item.post_id, item.revision) for item in posts}) == 6530
    assert len({(item.post_id, item.event_date) for item in posts}) == 6530
    assert sum(item.is_retweet is True for item in posts) == 1898


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"edit_history_note_ids": ["1", "433355923012521984"]}, "edit_history_note_ids"),
        ({"referenced_notes": [{"type": "retweeted", "id": "1"}]}, "referenced_notes"),
        ({"referenced_posts": [{"type": "renoted", "id": "1"}]}, "renoted"),
        ({"note_note": {"text": "the whole of it"}}, "note_note"),
        ({"public_metrics": {"like_count": 5, "renote_count": 2}}, "renote_count"),
    ],
)
def test_a_third_vocabulary_is_rejected_and_never_read_half(more: dict[str, Any], told: str):
    found = parse_post(orjson.dumps({**V2, **more}))
    assert isinstance(found, Rejected)
    assert told in found.reason
    assert found.event_date is not None


def test_more_counts_beside_those_that_are_known_reject_no_post():
    metrics = {"like_count": 5, "repost_count": 2, "share_count": 1}
    assert isinstance(parse_post(orjson.dumps({**V2, "public_metrics": metrics})), Post)
