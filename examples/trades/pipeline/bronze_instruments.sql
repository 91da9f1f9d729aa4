-- /// dataset
-- layer = "bronze"
-- partition = "as_of"
-- key = ["as_of", "symbol"]
-- source = "instruments"
-- reader = "csv"
-- ///
-- One row an instrument and day: the list of that day. The day is part of the key, so the same symbol stands on each.
select
    null::date as as_of,
    null::varchar as symbol,
    null::varchar as sector,
    null::varchar as currency,
    null::varchar as source,
    null::varchar as run_id,
    null::timestamp as ingested_at
