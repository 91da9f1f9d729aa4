-- /// dataset
-- layer = "silver"
-- partition = "event_date"
-- key = ["post_id", "ticker"]
-- reads = { bronze_x_posts = "0d", bronze_x_retractions = "0d" }
-- references = ["lexicon.csv"]
-- ///
-- One row a (post, ticker): the latest version of each post, its cashtags, its text without links, and how positive it
-- is. The same text by the same author about the same ticker on one day counts once: the earliest.
-- Which version is the latest: the one revised last; of several deliveries of it, the one that is whole, then the longest.
-- A cashtag is what the platform takes for one (twitter-text), links left out: it stands at the beginning, or after
-- white space or a mark of direction, and the end, white space or punctuation follows. Two neighbours share the space
-- between them, which a pattern can take but once: so white space becomes two spaces, and a mark is followed by one.
with held as (
    select post_id, revision
    from bronze_x_retractions
    group by post_id, revision, quarantine
    having not bool_or(is_released)
),
latest as (
    select event_date, post_id, author_id, created_at, text, is_retweet, likes, retweets
    from bronze_x_posts
    where not exists (
        from held where held.post_id = bronze_x_posts.post_id and held.revision in ('', bronze_x_posts.revision)
    )
    qualify row_number() over (
        partition by event_date, post_id order by revised_at desc, is_whole desc nulls last, length(text) desc, text
    ) = 1
),
spaced as (
    select
        *,
        regexp_replace(
            regexp_replace(
                regexp_replace(
                    text,
                    'https?://[^\x{9}-\x{D}\x{20}\x{85}\x{A0}\x{1680}\x{180E}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}]+',
                    ' ', 'g'
                ),
                '[\x{9}-\x{D}\x{20}\x{85}\x{A0}\x{1680}\x{180E}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}]',
                '  ', 'g'
            ),
            '([\x{61C}\x{200E}\x{200F}\x{202A}-\x{202E}\x{2066}-\x{2069}])',
            '\1 ', 'g'
        ) as text_spaced
    from latest
),
tagged as (
    select
        event_date, post_id, author_id, created_at, is_retweet, likes, retweets,
        list_distinct(list_transform(
            regexp_extract_all(
                text_spaced,
                '(?:^| )\$([A-Za-z]{1,6}(?:[._][A-Za-z]{1,2})?)(?:$|[ !''#%&()*+,\\\-./:;<=>?@\[\]^_{|}~$"])',
                1
            ),
            lambda tag: upper(tag)
        )) as tickers,
        trim(regexp_replace(regexp_replace(lower(text), 'https?://\S+', '', 'g'), '\s+', ' ', 'g')) as text_normalized
    from spaced
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
    partition by event_date, coalesce(author_id, 'post ' || post_id), ticker, text_normalized
    order by created_at, post_id
) = 1
