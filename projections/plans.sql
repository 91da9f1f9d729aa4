-- Each window of what a run is to build, and what came of it: how many of its days were built, in how many rows, and
-- when. What a run takes from a source is the window of number 0: the days that were asked for, or, of an incremental run,
-- those that there was something of. A window began when its worker says that it did, where that lies between the
-- first begin of its layer and the save (a worker's clock may go wrong); else at the end of its first save less the work
-- that went into that, and then `began_is_told` is false.
-- Kept by run, in order of position, number, dataset.
with planned as (
    select run_id, topic, position, unnest(ws) as w, generate_subscripts(ws, 1) as number
    from (
        select run_id, topic, position, from_json(data -> '$.windows', '["JSON"]') as ws
        from events
        where topic in ('backfill.planned', 'run.plan_extended')
    )
),
asked as (
    select
        run_id, data ->> '$.dataset' as dataset, (data ->> '$.first')::date as first, (data ->> '$.last')::date as last,
        position
    from events
    where topic = 'backfill.requested' and list_contains(from_json(data -> '$.layers', '["VARCHAR"]'), 'bronze')
),
-- Lines that are no rows are kept in datasets of their own.
batches as (
    select run_id, dataset, partition, logic_version, rows, bytes, position, "at"
    from events
    where topic = 'run.batch_appended' and not contains(dataset, '__')
),
taken as (
    select
        b.run_id, b.dataset,
        min(b.partition) as first, max(b.partition) as last, count(distinct b.partition) as partitions,
        min(b.position) as position
    from batches b
    where b.run_id not in (select run_id from asked)
    group by b.run_id, b.dataset
),
windows as (
    select
        run_id,
        w ->> '$.layer' as layer,
        w ->> '$.dataset' as dataset,
        (w ->> '$.logic_version')::bigint as logic_version,
        (w ->> '$.first')::date as first,
        (w ->> '$.last')::date as last,
        (w ->> '$.partitions')::bigint as partitions,
        topic = 'run.plan_extended' as extends,
        number,
        position
    from planned
    union all
    select run_id, 'bronze', dataset, null, first, last, last - first + 1, false, 0, position from asked
    union all
    select run_id, 'bronze', dataset, null, first, last, partitions, false, 0, position from taken
),
extracted as (
    select
        run_id,
        max("at") filter (topic = 'run.layer_started') as began_at,
        max("at") filter (topic = 'run.layer_completed') as ended_at,
        max(position) filter (topic = 'run.layer_completed') as ended_position,
        max(duration_ms) filter (topic = 'run.layer_completed') as work_ms
    from events
    where topic in ('run.layer_started', 'run.layer_completed') and layer = 'bronze'
    group by run_id
),
begun as (
    select run_id, layer, min("at") as "at" from events where topic = 'run.layer_started' group by run_id, layer
),
saves as (
    select run_id, dataset, "at", sum(duration_ms) as save_ms
    from events
    where topic = 'run.partition_rebuilt'
    group by run_id, dataset, "at"
),
made as (
    select
        e.run_id, e.dataset, e.partition, e.outcome, e.rows, e.bytes, e.duration_ms, e.position, e."at",
        a.last_position is null as counts,
        e.worker,
        case when e.began_at between b."at" and e."at" then e.began_at end as told_at
    from events e
    left join begun b on b.run_id = e.run_id and b.layer = e.layer
    left join built_again a
        on a.run_id = e.run_id and a.dataset = e.dataset and a.partition = e.partition and a.last_position > e.position
    where e.topic = 'run.partition_rebuilt'
    union all
    select
        run_id, dataset, partition, 'appended', sum(rows), sum(bytes), null, max(position), max("at"), true, null, null
    from batches
    group by run_id, dataset, partition
),
-- An event and a number say which window: of what is taken from a source there is one an event.
built as (
    select
        w.position, w.number,
        count(m.position) filter (m.counts) as built,
        count(m.position) filter (m.counts and m.outcome in ('written', 'appended')) as written,
        count(m.position) filter (m.counts and m.outcome = 'identical') as identical,
        count(m.position) filter (m.counts and m.outcome = 'reused') as reused,
        sum(m.rows) filter (m.counts) as rows,
        sum(m.bytes) filter (m.counts) as bytes,
        sum(m.duration_ms) as work_ms,
        min(m.told_at) as told_at,
        min_by(m."at", m.position) as first_at,
        list(m.worker) filter (m.worker is not null) as workers,
        max(m."at") as ended_at,
        max(m.position) as ended_position
    from windows w
    join made m on m.run_id = w.run_id and m.dataset = w.dataset and m.partition between w.first and w.last
    group by w.position, w.number
)
select
    w.run_id, w.layer, w.dataset, w.logic_version, w.first, w.last, w.partitions, w.extends, w.number, w.position,
    coalesce(b.built, 0) as built,
    coalesce(b.written, 0) as written,
    coalesce(b.identical, 0) as identical,
    coalesce(b.reused, 0) as reused,
    coalesce(b.rows, 0)::bigint as rows,
    coalesce(b.bytes, 0)::bigint as bytes,
    coalesce(if(w.layer = 'bronze', x.work_ms, b.work_ms), 0)::bigint as work_ms,
    if(w.layer = 'bronze', x.began_at, coalesce(b.told_at, b.first_at - to_milliseconds(s.save_ms::bigint))) as began_at,
    if(w.layer = 'bronze', x.began_at, b.told_at) is not null as began_is_told,
    coalesce(list_sort(list_distinct(b.workers)), []) as workers,
    if(w.layer = 'bronze', greatest(x.ended_at, b.ended_at), b.ended_at) as ended_at,
    if(w.layer = 'bronze', greatest(x.ended_position, b.ended_position), b.ended_position) as ended_position
from windows w
left join built b on b.position = w.position and b.number = w.number
left join saves s on s.run_id = w.run_id and s.dataset = w.dataset and s."at" = b.first_at
left join extracted x on x.run_id = w.run_id
