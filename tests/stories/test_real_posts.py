"""Real posts in, and what an independent reading of the same files says must come out."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

import tradex_ledger
from tests.lake import BRONZE, DATASETS, DERIVED, OF_THE_RUN, assert_same_rows, events, partitions, read_dataset
from tradex_ledger.workspace import Workspace

LEXICON = Path(tradex_ledger.__file__).parent / "pipelines" / "x" / "lexicon.csv"

# From here on nothing of the pipeline is used but its lexicon, as data: the table of DESIGN §8, written once more.
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
            payload ->> '$.text' as text,
            payload ->> '$.lang' as lang,
            coalesce(json_type(payload, '$.retweeted_status') = 'OBJECT', false) as is_retweet,
            coalesce((payload ->> '$.favorite_count')::bigint, 0) as likes,
            coalesce((payload ->> '$.retweet_count')::bigint, 0) as retweets,
            sha256(text) as revision,
            created_at as revised_at,
            format('files:{}:{}', file, line) as source
        from lines
    """,
    # The first delivery of each revision.
    "bronze_x_posts": """
        select distinct on (post_id, revision) posts.*
        from posts
        order by post_id, revision, source[:-1 - strpos(reverse(source), ':')], split_part(source, ':', -1)::int
    """,
    # A cashtag begins where a piece between two dollar signs begins; what stands before it is the piece before.
    "pieces": """
        select
            b.event_date, b.post_id, n,
            string_split(b.text, '$')[n] as before,
            string_split(b.text, '$')[n + 1] as piece,
            regexp_extract(piece, '^[A-Za-z0-9_]*') as head,
            substr(piece, len(head) + 1, 2) as tail,
            substr(piece, len(head) + 3, 1) as after_tail
        from bronze_x_posts b, unnest(range(1, len(string_split(b.text, '$')))) as _(n)
    """,
    "tags": """
        select distinct
            post_id,
            upper(
                head || case
                    when regexp_full_match(tail, '[.-][A-Za-z]') and not regexp_full_match(after_tail, '[A-Za-z0-9_]')
                    then tail else ''
                end
            ) as ticker
        from pieces
        where
            regexp_full_match(head, '[A-Za-z]{1,6}')
            and case when before = '' then n = 1 else not regexp_full_match(right(before, 1), '[A-Za-z0-9_]') end
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
            sum(retweets)::bigint as retweets, sum(sentiment)::bigint as sentiment_sum
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
        "files": 57, "lines": 7438, "posts": 7438, "outside": 0, "rejected": 0, "appended": 6530, "duplicates": 908,
    }  # fmt: skip


def test_the_independent_reading_is_no_empty_one(independent):
    counts = {name: len(expected(independent, name)) for name in DATASETS}
    print(counts)
    assert counts == {
        "bronze_x_posts": 6530,
        "silver_social_events": 12512,
        "gold_metrics": 6388,
        "gold_baselines": 56545,
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
