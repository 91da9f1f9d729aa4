-- /// dataset
-- layer = "gold"
-- partition = "date"
-- key = ["date", "ticker"]
-- component = "feature_version"
-- reads = { silver_social_events = "0d" }
-- ///
-- One row a (date, ticker): how much was said, by how many, how widely, in what mood. Integers only. A retweet carries
-- the count of its original, which counts once, with the original.
select
    event_date as date,
    ticker,
    count(*)::bigint as mentions,
    count(distinct author_id)::bigint as authors,
    coalesce(sum(retweets) filter (not is_retweet), 0)::bigint as retweets,
    sum(sentiment)::bigint as sentiment_sum
from silver_social_events
group by all
