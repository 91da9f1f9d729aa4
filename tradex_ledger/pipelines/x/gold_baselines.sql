-- /// dataset
-- layer = "gold"
-- partition = "date"
-- key = ["date", "ticker"]
-- component = "baseline_version"
-- reads = { gold_metrics = "-28d..-1d" }
-- ///
-- One row a (date, ticker) with a mention in the 28 days before. Days without a mention count as 0.
-- Sums are over integers; each double is computed once from them, so the same input gives the same bytes.
with sums as (
    select
        p.date,
        m.ticker,
        sum(m.mentions)::bigint as mentions_sum,
        sum(m.mentions * m.mentions)::bigint as squares_sum
    from partitions p
    join gold_metrics m on m.date between p.date - 28 and p.date - 1
    group by all
)
select
    date,
    ticker,
    mentions_sum,
    mentions_sum / 28 as mentions_mean,
    sqrt(greatest(squares_sum / 28 - (mentions_sum / 28) * (mentions_sum / 28), 0)) as mentions_std
from sums
