-- How many events there are of each day (UTC): the last one is the day that an answer is of.
-- Of every event.
-- Kept as sums of events, in order of day.
select "at"::date as day, count(*) as events from events group by day
