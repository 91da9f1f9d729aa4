-- /// dataset
-- layer = "bronze"
-- partition = "event_date"
-- key = ["post_id"]
-- source = "x_retractions"
-- ///
-- One row a post that is to be shown no more, in the day of the post, as the notice was delivered. Append-only, as all of
-- Bronze: what was retracted stays on record, and Silver leaves it out. Times are UTC.
select
    null::varchar as payload,
    null::varchar as post_id,
    null::date as event_date,
    null::varchar as reason,
    null::timestamp as retracted_at,
    null::varchar as source,
    null::varchar as run_id,
    null::timestamp as ingested_at
