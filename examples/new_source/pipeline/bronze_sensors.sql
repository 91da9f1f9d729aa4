-- /// dataset
-- layer = "bronze"
-- partition = "day"
-- key = ["reading_id"]
-- source = "sensor_lines"
-- ///
-- One row a line of a sensor.
select
    null::varchar as reading_id,
    null::date as day,
    null::timestamp as measured_at,
    null::varchar as sensor,
    null::double as value,
    null::varchar as source,
    null::varchar as run_id,
    null::timestamp as ingested_at
