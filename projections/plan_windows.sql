-- Each window of what a run is to build: of the plan that was approved, and of what came into it later.
select
    run_id,
    w ->> '$.layer' as layer,
    w ->> '$.dataset' as dataset,
    (w ->> '$.first')::date as first,
    (w ->> '$.last')::date as last,
    (w ->> '$.partitions')::bigint as partitions,
    topic = 'run.plan_extended' as extends,
    w as "window",
    number,
    position
from (
    select run_id, topic, position, unnest(ws) as w, generate_subscripts(ws, 1) as number
    from (
        select run_id, topic, position, from_json(data -> '$.windows', '["JSON"]') as ws
        from events
        where topic in ('backfill.planned', 'run.plan_extended')
    )
)
