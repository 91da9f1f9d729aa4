-- /// dataset
-- layer = "bronze"
-- partition = "event_date"
-- key = ["file", "line", "raw_sha256"]
-- source = "x_posts__rejected"
-- ///
-- Lines that are no post, with the reason; nothing is dropped in silence. The day is the line's own where it can
-- be read and may be true, else the one in the file's name. (Before the second reader, lines without either had the
-- day 1970-01-01; now they are in bronze_x_posts__undated.)
select
    null::date as event_date,
    null::varchar as file,
    null::bigint as line,
    null::varchar as reason,
    null::varchar as raw,
    null::varchar as raw_sha256,
    null::varchar as run_id,
    null::timestamp as ingested_at
