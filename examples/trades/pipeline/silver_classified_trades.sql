-- /// dataset
-- layer = "silver"
-- partition = "trade_date"
-- key = ["trade_id"]
-- reads = { bronze_trades = "0d", bronze_instruments = "0d" }
-- ///
-- One row a trade, with the sector and the currency that its symbol had on that day. What is on no list stays, unknown.
select
    t.trade_date,
    t.trade_id,
    t.symbol,
    coalesce(i.sector, 'unknown') as sector,
    i.currency,
    t.price,
    t.quantity
from bronze_trades t
left join bronze_instruments i on i.as_of = t.trade_date and i.symbol = t.symbol
