-- What each backfill was expected to cost, and what it did cost. Actual seconds are the sum over its partitions.
with planned as (
    select run_id, data -> '$.estimate' as estimate from events where topic = 'backfill.planned'
),
actual as (
    select
        run_id,
        sum(rows)::bigint as rows,
        sum(bytes)::bigint as bytes,
        sum(duration_ms)::bigint as work_ms
    from events
    where topic = 'run.partition_rebuilt'
    group by run_id
)
select
    r.run_id,
    r.kind,
    r.subject,
    r.status,
    (p.estimate ->> '$.rows.low')::bigint as rows_low,
    (p.estimate ->> '$.rows.likely')::bigint as rows_likely,
    (p.estimate ->> '$.rows.high')::bigint as rows_high,
    coalesce(a.rows, 0) as rows_actual,
    (p.estimate ->> '$.bytes.likely')::bigint as bytes_likely,
    coalesce(a.bytes, 0) as bytes_actual,
    (p.estimate ->> '$.seconds.low')::bigint as seconds_low,
    (p.estimate ->> '$.seconds.likely')::bigint as seconds_likely,
    (p.estimate ->> '$.seconds.high')::bigint as seconds_high,
    round(coalesce(a.work_ms, 0) / 1000, 1) as seconds_actual,
    r.duration_ms,
    r.position
from runs r
join planned p using (run_id)
left join actual a using (run_id)
