-- /// dataset
-- layer = "gold"
-- partition = "date"
-- key = ["date", "ticker"]
-- component = "signal_version"
-- reads = { gold_metrics = "0d", gold_baselines = "0d" }
-- ///
-- One row a (date, ticker) in the metrics: how far its mentions are from the baseline, and what that signals.
with scored as (
    select
        m.date,
        m.ticker,
        m.mentions,
        (m.mentions - coalesce(b.mentions_mean, 0)) / greatest(coalesce(b.mentions_std, 0), 1) as z,
        m.sentiment_sum / m.mentions as sentiment_mean
    from gold_metrics m
    left join gold_baselines b on b.date = m.date and b.ticker = m.ticker
)
select
    date,
    ticker,
    mentions,
    z,
    case
        when z >= 3 and mentions >= 5 then 'spike'
        when z >= 2 and mentions >= 3 then 'elevated'
        else 'normal'
    end as signal,
    sentiment_mean
from scored
