-- What each layer took, in the attempt that completed it; of that, what its partitions took.
-- Kept by run, in order of position.
with marks as (
    select
        run_id, layer, topic, position, duration_ms,
        max(position) filter (topic = 'run.layer_started')
            over (partition by run_id, layer order by position) as began
    from events
    where topic in ('run.layer_started', 'run.layer_completed')
)
select
    m.run_id,
    m.layer,
    m.began as started_position,
    m.duration_ms,
    coalesce(sum(e.duration_ms), 0)::bigint as partitions_ms,
    m.position
from marks m
left join events e
    on e.topic = 'run.partition_rebuilt' and e.run_id = m.run_id and e.layer = m.layer
    and e.position between m.began and m.position
where m.topic = 'run.layer_completed'
group by all
