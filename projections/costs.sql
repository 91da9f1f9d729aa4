-- What each backfill was expected to cost, and what it did cost. Actual seconds are work by the stopwatch: of each
-- layer in the attempt that completed it, and of each partition built outside of such an attempt (by one that failed,
-- or again at the publication). Time in which nobody worked on it (paused, failed, held, waiting) does not count.
-- Kept by run, in order of position.
with planned as (
    select run_id, data -> '$.estimate' as estimate from events where topic = 'backfill.planned'
),
marks as (
    select
        run_id, layer, topic, position, duration_ms, data,
        max(position) filter (topic = 'run.layer_started')
            over (partition by run_id, layer order by position) as began
    from events
    where topic in ('run.layer_started', 'run.layer_completed')
),
completed as (
    select * from marks where topic = 'run.layer_completed'
),
of_layers as (
    select run_id, sum(duration_ms)::bigint as work_ms, sum((data ->> '$.source.calls')::bigint)::bigint as calls
    from completed
    group by run_id
),
fetched as (
    select run_id, sum((data ->> '$.calls')::bigint)::bigint as calls
    from events
    where topic = 'run.page_fetched'
    group by run_id
),
built as (
    select
        e.run_id,
        sum(e.rows)::bigint as rows,
        sum(e.bytes)::bigint as bytes,
        sum(e.duration_ms) filter (c.position is null)::bigint as work_ms
    from events e
    left join completed c on c.run_id = e.run_id and c.layer = e.layer and e.position between c.began and c.position
    where e.topic = 'run.partition_rebuilt'
    group by e.run_id
)
select
    r.run_id,
    r.kind,
    r.subject,
    r.status,
    (p.estimate ->> '$.rows.low')::bigint as rows_low,
    (p.estimate ->> '$.rows.likely')::bigint as rows_likely,
    (p.estimate ->> '$.rows.high')::bigint as rows_high,
    coalesce(b.rows, 0) as rows_actual,
    (p.estimate ->> '$.bytes.likely')::bigint as bytes_likely,
    coalesce(b.bytes, 0) as bytes_actual,
    (p.estimate ->> '$.seconds.low')::bigint as seconds_low,
    (p.estimate ->> '$.seconds.likely')::bigint as seconds_likely,
    (p.estimate ->> '$.seconds.high')::bigint as seconds_high,
    round((coalesce(l.work_ms, 0) + coalesce(b.work_ms, 0)) / 1000, 1) as seconds_actual,
    r.duration_ms,
    r.position,
    (p.estimate ->> '$.source_calls.low')::bigint as source_calls_low,
    (p.estimate ->> '$.source_calls.likely')::bigint as source_calls_likely,
    (p.estimate ->> '$.source_calls.high')::bigint as source_calls_high,
    coalesce(f.calls, l.calls, 0) as source_calls_actual,
    (p.estimate ->> '$.bytes.low')::bigint as bytes_low,
    (p.estimate ->> '$.bytes.high')::bigint as bytes_high
from runs r
join planned p using (run_id)
left join of_layers l using (run_id)
left join built b using (run_id)
left join fetched f using (run_id)
