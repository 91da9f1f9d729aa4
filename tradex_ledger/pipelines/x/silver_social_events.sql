-- /// dataset
-- layer = "silver"
-- partition = "event_date"
-- key = ["post_id", "ticker"]
-- reads = { bronze_x_posts = "0d" }
-- references = ["lexicon.csv"]
-- ///
-- One row a (post, ticker): the latest revision of each post, its cashtags, its text without links, and how
-- positive it is. The same text by the same author about the same ticker on one day counts once: the earliest.
with latest as (
    select event_date, post_id, author_id, created_at, text, is_retweet, likes, retweets
    from bronze_x_posts
    qualify row_number() over (partition by event_date, post_id order by revised_at desc, revision desc) = 1
),
tagged as (
    select
        event_date, post_id, author_id, created_at, is_retweet, likes, retweets,
        list_distinct(list_transform(
            regexp_extract_all(text, '(?:^|[^A-Za-z0-9_$])\$([A-Za-z]{1,6}(?:[.-][A-Za-z])?)\b', 1),
            lambda tag: upper(tag)
        )) as tickers,
        trim(regexp_replace(regexp_replace(lower(text), 'https?://\S+', '', 'g'), '\s+', ' ', 'g')) as text_normalized
    from latest
),
weights as (
    select map_from_entries(list((word, weight::integer) order by word)) as lexicon from lexicon
),
scored as (
    select
        tagged.*,
        coalesce(list_sum(list_transform(
            regexp_extract_all(text_normalized, '[a-z]+'), lambda word: coalesce(weights.lexicon[word], 0)
        )), 0)::integer as sentiment
    from tagged, weights
    where len(tickers) > 0
)
select event_date, post_id, ticker, author_id, created_at, text_normalized, sentiment, is_retweet, likes, retweets
from (select * exclude (tickers), unnest(tickers) as ticker from scored)
qualify row_number() over (
    partition by event_date, author_id, ticker, text_normalized order by created_at, post_id
) = 1
