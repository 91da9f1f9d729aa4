-- Each layer of each run: attempts, volume, duration and errors (N34).
-- Kept by run, in order of run_id, layer.
with layers as (
    select
        run_id,
        layer,
        max((data ->> '$.attempt')::integer) filter (topic = 'run.layer_started') as attempts,
        min("at") filter (topic = 'run.layer_started') as started_at,
        max("at") filter (topic = 'run.layer_completed') as completed_at,
        max((data ->> '$.partitions')::bigint) filter (topic = 'run.layer_completed') as partitions,
        max(rows) filter (topic = 'run.layer_completed') as rows,
        max(bytes) filter (topic = 'run.layer_completed') as bytes,
        max(duration_ms) filter (topic = 'run.layer_completed') as duration_ms,
        count(*) filter (topic = 'run.layer_failed') as errors,
        max_by(data ->> '$.message', position) filter (topic = 'run.layer_failed') as last_error,
        arg_max(topic, position) as last_topic,
        max_by(data -> '$.source', position) filter (topic = 'run.layer_completed') as source,
        max_by(data -> '$.extraction', position) filter (topic = 'run.layer_started') as extraction
    from events
    where topic in ('run.layer_started', 'run.layer_completed', 'run.layer_failed')
    group by run_id, layer
)
select
    run_id,
    layer,
    case last_topic
        when 'run.layer_completed' then 'COMPLETED'
        when 'run.layer_failed' then 'FAILED'
        else 'STARTED'
    end as status,
    coalesce(attempts, 0) as attempts,
    started_at,
    completed_at,
    partitions,
    rows,
    bytes,
    duration_ms,
    errors,
    last_error,
    extraction,
    source
from layers
