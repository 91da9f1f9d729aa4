-- /// dataset
-- layer = "bronze"
-- partition = "ingested_date"
-- key = ["file", "line", "raw_sha256"]
-- source = "x_posts__undated"
-- ///
-- Lines that are no post and that no day belongs to, with the reason, by the day (UTC) on which they were read. That
-- day says nothing of the line: it opens no range, and nothing is built upon it.
select
    null::date as ingested_date,
    null::varchar as file,
    null::bigint as line,
    null::varchar as reason,
    null::varchar as raw,
    null::varchar as raw_sha256,
    null::varchar as run_id,
    null::timestamp as ingested_at
