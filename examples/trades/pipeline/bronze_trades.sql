-- /// dataset
-- layer = "bronze"
-- partition = "trade_date"
-- key = ["trade_id"]
-- source = "trades"
-- reader = "csv"
-- ///
-- One row a trade, as delivered. The reader takes the columns from here, and what a column is not a type of is null.
select
    null::varchar as trade_id,
    null::varchar as symbol,
    null::date as trade_date,
    null::timestamp as traded_at,
    null::decimal(12, 2) as price,
    null::bigint as quantity,
    null::varchar as source,
    null::varchar as run_id,
    null::timestamp as ingested_at
