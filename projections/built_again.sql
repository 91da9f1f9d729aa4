-- What a run built more than once: of such builds the last one counts.
-- Kept by run, in order of last_position.
select run_id, dataset, partition, count(*) as builds, max(position) as last_position
from events
where topic = 'run.partition_rebuilt'
group by run_id, dataset, partition
having count(*) > 1
