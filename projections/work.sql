-- What is not over: each run that may still publish, how it stands, and whether a worker takes it up by itself.
with lives as (
    select
        e.run_id,
        any_value(e.run_kind) as run_kind,
        min(e.position) as position,
        max_by(l, e.position) as last_step,
        any_value(e.data ->> '$.priority') filter (e.topic = 'backfill.requested') as priority
    from events e
    join lifecycle l using (topic)
    group by e.run_id
)
select
    run_id,
    run_kind,
    last_step.status as status,
    coalesce(priority, 'normal') as priority,
    run_kind = 'backfill' and last_step.for_worker as for_worker,
    position
from lives
where last_step.is_active
