-- /// dataset
-- layer = "silver"
-- partition = "day"
-- key = ["day", "sensor"]
-- reads = { bronze_sensors = "0d" }
-- ///
-- One row a (day, sensor): how often it was heard, and the most that it measured.
select day, sensor, count(*)::bigint as readings, max(value) as highest from bronze_sensors group by all
