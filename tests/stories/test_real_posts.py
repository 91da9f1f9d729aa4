"""Real posts in, and what an independent reading of the same files says must come out."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

import tradex_ledger
from tests.kit.lake import BRONZE, DATASETS, DERIVED, OF_THE_RUN, assert_same_rows, events, partitions, read_dataset
from tradex_ledger.workspace import Workspace

LEXICON = Path(tradex_ledger.__file__).parent / "pipelines" / "x" / "lexicon.csv"

# From here on nothing of the pipeline is used but its lexicon, as data: its rules are written once more.
SPACES = "\\t-\\r \\x85\\xa0\u1680\u180e\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
MARKS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
LINK = re.compile(f"https?://[^{SPACES}]+")
CASHTAG = re.compile(
    rf"(?:(?<=[{SPACES}{MARKS}])|^)\$([a-z]{{1,6}}(?:[._][a-z]{{1,2}})?)"
    rf"(?=[{SPACES}!'#%&()*+,\\\-./:;<=>?@\[\]^_{{|}}~$\"]|\Z)",
    re.IGNORECASE,
)


def read_once_more(payload: str) -> tuple[str, str, bool, list[str]]:
    """Text, revision, wholeness and tags of one of these posts: v1.1, and none is cut off but around retweets."""
    post = json.loads(payload)
    delivered = [post["text"], *([post["retweeted_status"]["text"]] if "retweeted_status" in post else [])]
    said = json.dumps([post["id_str"], *dict.fromkeys(delivered)], ensure_ascii=False, separators=(",", ":"))
    text = delivered[-1]
    for entity, character in (("&gt;", ">"), ("&lt;", "<"), ("&amp;", "&")):
        text = text.replace(entity, character)
    whole = not LINK.sub("", text).rstrip().endswith("…")
    tags = sorted({tag.upper() for tag in CASHTAG.findall(LINK.sub(" ", text))})
    return text, hashlib.sha256(said.encode()).hexdigest(), whole, tags


INDEPENDENTLY = {
    # A line is taken as text, and given the number it has in its file.
    "lines": """
        select parse_filename(filename) as file, payload, row_number() over (partition by filename) as line
        from read_csv(
            getvariable('posts'), columns = {'payload': 'VARCHAR'}, header = false, delim = chr(1), quote = '',
            escape = '', filename = true, auto_detect = false
        )
    """,
    "posts": """
        select
            payload,
            payload ->> '$.id_str' as post_id,
            payload ->> '$.user.id_str' as author_id,
            strptime(payload ->> '$.created_at', '%a %b %d %H:%M:%S +0000 %Y') as created_at,
            created_at::date as event_date,
            text,
            payload ->> '$.lang' as lang,
            coalesce(json_type(payload, '$.retweeted_status') = 'OBJECT', false) as is_retweet,
            coalesce((payload ->> '$.favorite_count')::bigint, 0) as likes,
            coalesce((payload ->> '$.retweet_count')::bigint, 0) as retweets,
            revision,
            created_at as revised_at,
            is_whole,
            format('files:{}:{}', file, line) as source
        from lines join said using (payload)
    """,
    # The first delivery of each revision.
    "bronze_x_posts": """
        select distinct on (post_id, revision) posts.*
        from posts
        order by post_id, revision, source[:-1 - strpos(reverse(source), ':')], split_part(source, ':', -1)::int
    """,
    "tags": """
        select distinct post_id, unnest(tags) as ticker
        from bronze_x_posts join said using (payload)
    """,
    # Word by word: a link is cut where it begins, empty words vanish.
    "texts": """
        select
            post_id,
            array_to_string(
                [
                    cut for cut in [
                        regexp_replace(word, 'https?://.+', '', 's')
                        for word in string_split_regex(lower(text), '[ \\t\\n\\f\\r]+')
                    ] if cut <> ''
                ],
                ' '
            ) as text_normalized
        from bronze_x_posts
    """,
    "moods": """
        select post_id, sum(weight)::integer as sentiment
        from (select post_id, unnest(string_split_regex(text_normalized, '[^a-z]+')) as word from texts)
        join read_csv(getvariable('lexicon'), columns = {'word': 'VARCHAR', 'weight': 'INTEGER'}) using (word)
        group by post_id
    """,
    "silver_social_events": """
        with mentions as (
            select
                event_date, post_id, ticker, author_id, created_at, text_normalized,
                coalesce(sentiment, 0) as sentiment, is_retweet, likes, retweets
            from bronze_x_posts join tags using (post_id) join texts using (post_id) left join moods using (post_id)
        )
        select * from mentions m
        where not exists (
            from mentions e
            where
                (e.event_date, e.author_id, e.ticker, e.text_normalized)
                    = (m.event_date, m.author_id, m.ticker, m.text_normalized)
                and (e.created_at < m.created_at or e.created_at = m.created_at and e.post_id < m.post_id)
        )
    """,
    "gold_metrics": """
        select
            event_date as date, ticker, count(*) as mentions, len(list_distinct(list(author_id))) as authors,
            -- A retweet carries the count of its original.
            sum(if(is_retweet, 0, retweets))::bigint as retweets, sum(sentiment)::bigint as sentiment_sum
        from silver_social_events
        group by event_date, ticker
    """,
    # Every ticker on every day there is, most of them with no mention; then the 28 rows before each.
    "calendar": """
        select days.date, tickers.ticker, coalesce(mentions, 0) as mentions
        from (
            select unnest(generate_series(min(event_date), date '2014-02-28', interval 1 day))::date as date
            from bronze_x_posts
        ) as days
        cross join (select distinct ticker from gold_metrics) as tickers
        left join gold_metrics g on g.date = days.date and g.ticker = tickers.ticker
    """,
    "gold_baselines": """
        select
            date, ticker,
            (sum(mentions) over before)::bigint as mentions_sum,
            mentions_sum / 28 as mentions_mean,
            sqrt(greatest((sum(mentions ** 2) over before) / 28 - mentions_mean * mentions_mean, 0)) as mentions_std
        from calendar
        window before as (partition by ticker order by date rows between 28 preceding and 1 preceding)
        qualify mentions_sum > 0
    """,
    "gold_signals": """
        select
            m.date, m.ticker, m.mentions,
            (m.mentions - ifnull(mentions_mean, 0)) / greatest(ifnull(mentions_std, 0), 1) as z,
            if(z >= 3 and m.mentions >= 5, 'spike', if(z >= 2 and m.mentions >= 3, 'elevated', 'normal')) as signal,
            m.sentiment_sum / m.mentions as sentiment_mean
        from gold_metrics m left join gold_baselines b using (date, ticker)
    """,
}


@pytest.fixture(scope="module")
def independent(real_posts: Path):
    """The raw files and nothing else, read by SQL of this test."""
    with duckdb.connect() as connection:
        connection.execute("set threads = 1")  # lines are numbered in the order they are read
        connection.execute("set variable posts = ?", [f"{real_posts}/*.jsonl.gz"])
        connection.execute("set variable lexicon = ?", [str(LEXICON)])
        for name, sql in INDEPENDENTLY.items():
            connection.execute(f"create table {name} as {sql}")
            if name == "lines":
                payloads = [row[0] for row in connection.execute("select distinct payload from lines").fetchall()]
                read = zip(*map(read_once_more, payloads), strict=True)
                said = pa.table(dict(zip(("text", "revision", "is_whole", "tags"), map(list, read), strict=True)))
                connection.register("__said", said.append_column("payload", pa.array(payloads)))
                connection.execute("create table said as from __said")
        yield connection


def expected(connection: duckdb.DuckDBPyConnection, name: str):
    return connection.execute(f"select * from {name} order by all").fetchall()


@pytest.mark.norm("N23")
def test_of_7438_delivered_lines_each_post_and_revision_is_in_bronze_exactly_once(undisturbed: Workspace, independent):
    found = read_dataset(undisturbed, BRONZE)
    assert independent.execute("select count(*) from lines").fetchall() == [(7438,)]
    assert len(found) == 6530
    keys = [(row[1], row[10]) for row in found]
    assert len(set(keys)) == len(keys)
    assert set(keys) == set(independent.execute("select post_id, revision from posts").fetchall())


@pytest.mark.norm("N34")
def test_the_duplicates_dropped_are_counted_in_the_events(undisturbed: Workspace):
    batches = events(undisturbed, "topic = 'run.batch_appended'")
    assert sum(batch["rows"] for batch in batches) == 6530
    assert sum(json.loads(batch["data"])["dropped"] for batch in batches) == 7438 - 6530
    (completed,) = events(undisturbed, "topic = 'run.layer_completed' and layer = 'bronze'")
    assert json.loads(completed["data"])["source"] == {
        "files": 57, "lines": 7438, "posts": 7438, "outside": 0, "rejected": 0, "undated": 0, "controls": 0, "odd": {},
        "passed_over": 2, "appended": 6530, "rejected_appended": 0, "duplicates": 908, "recounted": 0, "recovered": 0,
        "beyond": 0, "moved": 0, "withheld": 0,
    }  # fmt: skip


def test_the_independent_reading_is_no_empty_one(independent):
    counts = {name: len(expected(independent, name)) for name in DATASETS}
    print(counts)
    assert counts == {
        "bronze_x_posts": 6530,
        "silver_social_events": 12410,
        "gold_metrics": 6388,
        "gold_baselines": 56472,
        "gold_signals": 6388,
    }


def test_bronze_equals_the_independent_reading_row_for_row(undisturbed: Workspace, independent):
    assert_same_rows(read_dataset(undisturbed, BRONZE, without=OF_THE_RUN), expected(independent, BRONZE))


@pytest.mark.norm("N23")
@pytest.mark.norm("N24")
@pytest.mark.parametrize("name", DERIVED)
def test_silver_and_gold_equal_the_independent_computation_row_for_row(undisturbed: Workspace, independent, name: str):
    """Doubles too: each is one operation after the other on the same integers, so no tolerance is asked for."""
    assert_same_rows(read_dataset(undisturbed, name), expected(independent, name))


def test_the_catalog_counts_the_rows_that_are_in_the_files(undisturbed: Workspace):
    for name in DATASETS:
        known = sum(p["rows"] for p in partitions(undisturbed) if p["dataset"] == name)
        assert known == len(read_dataset(undisturbed, name))


def test_the_cashtags_are_those_that_the_platform_found_itself(independent, real_posts: Path):
    """`entities.symbols` of each post that was delivered whole (a retweet: of its original); Silver has these."""
    own: dict[str, set[str]] = {}
    for post_id, ticker in independent.execute("select post_id, ticker from tags").fetchall():
        own.setdefault(post_id, set()).add(ticker)
    platform: dict[str, set[str]] = {}
    for path in sorted(real_posts.glob("*.jsonl.gz")):
        for line in gzip.decompress(path.read_bytes()).splitlines():
            post = json.loads(line)
            original = post.get("retweeted_status") or post
            if not original["truncated"]:
                platform[post["id_str"]] = {tag["text"].upper() for tag in original["entities"]["symbols"]}
    same = sum(own.get(post_id, set()) == tags for post_id, tags in platform.items())
    print(f"{same} of {len(platform)}: {same / len(platform):.5f}")
    assert len(platform) > 6000
    assert same / len(platform) >= 0.999
