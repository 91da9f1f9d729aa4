-- /// dataset
-- layer = "bronze"
-- partition = "read_on"
-- key = ["file", "line", "raw_sha256"]
-- source = "sensor_lines__undated"
-- ///
-- Lines that are none of a sensor and that no day belongs to, by the day on which they were read.
select
    null::date as read_on,
    null::varchar as file,
    null::bigint as line,
    null::varchar as reason,
    null::varchar as raw,
    null::varchar as raw_sha256,
    null::varchar as run_id,
    null::timestamp as ingested_at
