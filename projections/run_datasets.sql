-- What each run built of each dataset: how many times, between which days, and where in the ledger that stands.
-- Kept by run, in order of first_position.
select
    run_id,
    dataset,
    count(*) as builds,
    min(partition) as first,
    max(partition) as last,
    min(position) as first_position,
    max(position) as last_position
from events
where topic = 'run.partition_rebuilt'
group by run_id, dataset
