-- How many partitions of each dataset took how long to be really built: the past that an estimate is made of.
-- Kept as sums of partitions, in order of dataset, duration_ms.
select dataset, duration_ms, count(*) as partitions
from events
where topic = 'run.partition_rebuilt' and outcome in ('written', 'identical') and duration_ms is not null
group by dataset, duration_ms
