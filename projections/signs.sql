-- What is going on with partitions that readers do not see (yet, or any more), and what is odd in those that they see: as
-- the runs say it. `sign`: failed, being built, candidate or planned, of a run that may still publish; taken back, of one
-- that was reverted; strange volume, of one that was not given up. What a run takes from the source is of no dataset
-- yet, where only the days are known that it asks for.
-- Kept by run, in order of position, dataset, partition, sign.
with lives as (
    select
        e.run_id,
        any_value(e.run_kind) as run_kind,
        max_by(l, e.position) as last_step,
        max(e.position) as last_position,
        max(e.position) filter (e.topic = 'backfill.reverted') as reverted
    from events e
    join lifecycle l using (topic)
    group by e.run_id
),
-- A publication is no step of a life: it comes with the end.
published as (
    select distinct run_id from events where topic = 'run.published'
),
attempts as (
    select
        run_id,
        max_by(layer, position) filter (topic = 'run.layer_started') as layer,
        max(position) filter (topic = 'run.layer_started') as started,
        max(position) filter (topic = 'run.layer_completed' and layer = 'bronze') as bronze_completed,
        max(position) filter (topic = 'run.layer_started' and layer = 'bronze') as bronze_started
    from events
    where topic in ('run.layer_started', 'run.layer_completed')
    group by run_id
),
failures as (
    select
        run_id, layer, dataset, partition, data ->> '$.message' as message, position
    from events
    where topic = 'run.layer_failed'
    qualify row_number() over (partition by run_id order by position desc) = 1
),
open as (
    select
        l.run_id, l.run_kind, l.last_step.status as status,
        a.layer as layer, a.started,
        coalesce(a.bronze_completed > a.bronze_started, false) as has_extracted,
        -- One whose driver died without a word failed in the layer that it was at.
        if(coalesce(f.position < a.started, true), struct_pack(layer := a.layer, dataset := null, partition := null,
            message := null), struct_pack(layer := f.layer, dataset := f.dataset, partition := f.partition,
            message := f.message)) as failure,
        l.last_position
    from lives l
    left join attempts a using (run_id)
    left join failures f using (run_id)
    where l.last_step.is_active and l.run_id not in (select run_id from published)
),
windows as (
    select run_id, position, unnest(from_json(data -> '$.windows', '["JSON"]')) as w
    from events
    where topic in ('backfill.planned', 'run.plan_extended')
),
-- What is taken from a source stands in no window. An incremental run knows which days it builds once it has extracted.
asked as (
    select
        run_id,
        position,
        data ->> '$.dataset' as dataset,
        (data ->> '$.first')::date as first,
        (data ->> '$.last')::date as last
    from events
    where topic = 'backfill.requested' and list_contains(from_json(data -> '$.layers', '["VARCHAR"]'), 'bronze')
    union all
    select
        run_id,
        position,
        null,
        coalesce((data ->> '$.cursor_from')[:10]::date, (data ->> '$.cursor_to')[:10]::date - 1),
        (data ->> '$.cursor_to')[:10]::date - 1
    from events
    where topic = 'incremental_run.started'
),
planned as (
    select
        w.run_id,
        w.w ->> '$.layer' as layer,
        w.w ->> '$.dataset' as dataset,
        unnest(generate_series((w.w ->> '$.first')::date, (w.w ->> '$.last')::date, interval 1 day))::date as partition,
        (w.w ->> '$.logic_version')::bigint as logic_version,
        w.position
    from windows w
    join open using (run_id)
    union all
    select
        a.run_id, 'bronze', a.dataset,
        unnest(generate_series(a.first, a.last, interval 1 day))::date,
        null, a.position
    from asked a
    join open using (run_id)
),
built as (
    select run_id, layer, dataset, partition, logic_version, outcome, rows, position
    from events
    where topic = 'run.partition_rebuilt' and run_id in (
        select run_id from open union all select run_id from lives where reverted is not null
    )
    qualify row_number() over (partition by run_id, dataset, partition order by position desc) = 1
),
cells as (
    select
        coalesce(p.run_id, b.run_id) as run_id,
        coalesce(p.layer, b.layer) as layer,
        coalesce(p.dataset, b.dataset) as dataset,
        coalesce(p.partition, b.partition) as partition,
        coalesce(b.logic_version, p.logic_version) as logic_version,
        b.rows,
        p.position as planned_position,
        b.position as built_position
    from planned p
    full join (select * from built where run_id in (select run_id from open)) b
        on b.run_id = p.run_id and b.dataset = p.dataset and b.partition = p.partition
),
going_on as (
    select
        c.*, o.run_kind, o.started, o.last_position, o.failure.message as message,
        case
            when o.status = 'FAILED' and coalesce(
                case o.failure.layer
                    when 'publication' then c.built_position is not null
                    else c.layer = o.failure.layer and c.built_position is null
                        and coalesce(c.dataset = o.failure.dataset, true)
                        and coalesce(c.partition = o.failure.partition, true)
                end,
                false
            ) then 'failed'
            when c.built_position is not null then 'candidate'
            when o.status = 'RUNNING' and o.layer = c.layer then 'being built'
            else 'planned'
        end as sign
    from cells c
    join open o using (run_id)
    where not (c.layer = 'bronze' and o.has_extracted)
)
select
    run_id, run_kind, layer, dataset, partition, logic_version, sign, rows,
    case sign when 'failed' then message end as message,
    case sign
        when 'failed' then last_position
        when 'candidate' then built_position
        when 'being built' then started
        else planned_position
    end as position
from going_on
union all
select b.run_id, l.run_kind, b.layer, b.dataset, b.partition, b.logic_version, 'taken back', b.rows, null, l.reverted
from built b
join lives l using (run_id)
where l.reverted is not null and b.outcome = 'written'
union all
select
    e.run_id, e.run_kind, e.layer, e.dataset, e.partition, e.logic_version, 'strange volume',
    (e.data ->> '$.observed')::bigint,
    format('{} rows, {} were expected ({})', e.data ->> '$.observed', e.data ->> '$.expected', e.data ->> '$.rule'),
    e.position
from events e
join lives l using (run_id)
where e.topic = 'run.anomaly_detected' and not l.last_step.gives_up and l.reverted is null
