-- /// dataset
-- layer = "bronze"
-- partition = "event_date"
-- key = ["post_id", "revision", "quarantine", "is_released"]
-- source = "x_retractions"
-- ///
-- One row a notice that a post is to be shown no more, in the day of the post, as it was delivered. Append-only, as all
-- of Bronze: what was retracted stays on record, and Silver leaves it out. Times are UTC.
-- `quarantine` is empty for a retraction, which is for good. A quarantine holds a post back, or (with a `revision`) one
-- delivery of it, until there is a notice of the same that it `is_released`.
select
    null::varchar as payload,
    null::varchar as post_id,
    null::varchar as revision,
    null::varchar as quarantine,
    null::boolean as is_released,
    null::date as event_date,
    null::varchar as reason,
    null::timestamp as retracted_at,
    null::varchar as source,
    null::varchar as run_id,
    null::timestamp as ingested_at
