-- How many events there are of each topic.
-- Of every event.
-- Kept as sums of events, in order of topic.
select topic, count(*) as events from events group by topic
