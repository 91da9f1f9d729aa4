-- /// dataset
-- layer = "gold"
-- partition = "trade_date"
-- key = ["trade_date", "sector"]
-- component = "turnover_version"
-- reads = { silver_classified_trades = "0d" }
-- ///
-- One row a (day, sector): how many trades, and what they come to.
select
    trade_date,
    sector,
    count(*)::bigint as trades,
    sum(price * quantity)::decimal(18, 2) as turnover
from silver_classified_trades
group by all
