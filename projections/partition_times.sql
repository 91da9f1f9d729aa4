-- What each partition took that was really built: the past that an estimate is made of.
select run_id, dataset, layer, partition, duration_ms, position
from events
where topic = 'run.partition_rebuilt' and outcome in ('written', 'identical') and duration_ms is not null
