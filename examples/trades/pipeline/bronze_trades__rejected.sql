-- /// dataset
-- layer = "bronze"
-- partition = "trade_date"
-- key = ["file", "line", "raw_sha256"]
-- source = "trades__rejected"
-- reader = "csv"
-- ///
-- Lines that are no trade, with the reason: of the day that the line says, else of the one in the file's name.
select
    null::date as trade_date,
    null::varchar as file,
    null::bigint as line,
    null::varchar as reason,
    null::varchar as raw,
    null::varchar as raw_sha256,
    null::varchar as run_id,
    null::timestamp as ingested_at
