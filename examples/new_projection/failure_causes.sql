-- What stops layers: each kind of error, how often, and in which run last.
-- Empty without run.layer_failed.
select
    data ->> '$.error' as error,
    layer,
    count(*) as failures,
    count(distinct run_id) as runs,
    max_by(run_id, position) as last_run,
    max_by(data ->> '$.message', position) as last_message,
    max("at") as last_at,
    max(position) as position
from events
where topic = 'run.layer_failed'
group by error, layer
