-- Each run: what was asked, by whom and why, its status, progress, volume, duration and errors by stage (N34).
-- Of every event.
-- Kept by run, in order of position.
-- Wide: ledger.clock_held_back.
with born as (
    select
        stream as run_id, run_kind, "at" as requested_at, "by" as requested_by, position,
        coalesce(data ->> '$.kind', 'incremental') as kind,
        coalesce(data ->> '$.dataset', data ->> '$.pipeline') as subject,
        data ->> '$.reason' as reason,
        data ->> '$.ticket' as ticket,
        coalesce(data ->> '$.priority', 'normal') as priority,
        (data ->> '$.override_state')::boolean as override_state,
        (data ->> '$.review')::boolean as review,
        data ->> '$.group' as request_group,
        coalesce(data ->> '$.first', data ->> '$.cursor_from') as range_from,
        coalesce(data ->> '$.last', data ->> '$.cursor_to') as range_to,
        coalesce(data ->> '$.first', (data ->> '$.cursor_from')[:10])::date as first_day,
        coalesce(
            (data ->> '$.last')::date, ((data ->> '$.cursor_to')::timestamp - interval 1 microsecond)::date
        ) as last_day
    from events
    where topic in ('backfill.requested', 'incremental_run.started')
),
steps as (
    select
        run_id,
        arg_max(status, position) as status,
        arg_max(is_end or closes, position) as has_ended,  -- one that is at work again after a failure has not
        max("at") filter (closes) as ended_at,
        max(position) filter (closes) as ended_position
    from events
    join lifecycle using (topic)
    group by run_id
),
lives as (
    select
        run_id,
        max("at") filter (topic = 'backfill.approved') as approved_at,
        max_by("by", position) filter (topic = 'backfill.approved') as approved_by,
        min("at") filter (topic = 'run.layer_started') as started_at,
        min(position) filter (topic = 'run.layer_started') as started_position,
        max_by(layer, position) filter (topic = 'run.layer_started') as layer,
        max(position) filter (topic = 'run.published') as published_position,
        count(*) filter (topic = 'run.anomaly_detected') as anomalies,
        count(*) filter (topic = 'run.sla_exceeded') > 0 as sla_exceeded,
        -- Lines that are no posts are kept in datasets of their own, `…__rejected` and `…__undated`: nobody's posts.
        sum(rows) filter (topic = 'run.batch_appended') as appended_rows,
        sum(rows) filter (topic = 'run.batch_appended' and contains(dataset, '__')) as rejected_rows,
        max(position) as last_position
    from events
    where run_id is not null and topic <> 'run.partition_rebuilt'  -- nine in ten, and counted below
    group by run_id
),
-- What stands only in `data` is asked of those few events alone: each look into it costs as much as the rest of the row.
allowed as (
    select run_id, max_by(data ->> '$.rule', position) as approved_rule
    from events
    where topic = 'backfill.approved'
    group by run_id
),
attempts as (
    select run_id, max((data ->> '$.attempt')::integer) as attempts
    from events
    where topic = 'run.layer_started'
    group by run_id
),
planned as (
    select
        run_id,
        sum((w ->> '$.partitions')::bigint) as planned_partitions,
        list_sort(list(distinct w ->> '$.dataset')) as datasets
    from (
        select run_id, unnest(from_json(data -> '$.windows', '["JSON"]')) as w
        from events
        where topic in ('backfill.planned', 'run.plan_extended')
    )
    group by run_id
),
built as (
    select
        e.run_id,
        count(*) as built_partitions,
        count(*) filter (e.outcome = 'written') as written,
        count(*) filter (e.outcome = 'identical') as identical,
        count(*) filter (e.outcome = 'reused') as reused,
        sum(e.rows) as rows,
        sum(e.bytes) as bytes,
        max(e.position) as last_position
    from events e
    left join built_again a
        on a.run_id = e.run_id and a.dataset = e.dataset and a.partition = e.partition and a.last_position > e.position
    where e.topic = 'run.partition_rebuilt' and a.last_position is null
    group by e.run_id
),
-- What was saved after such an event under the very same time bears the time of an earlier event, not its own.
held_back as (
    select "at", min(position) as position
    from events
    where topic = 'ledger.clock_held_back'
    group by "at"
),
failures as (
    select
        run_id,
        map_from_entries(list((layer, n) order by layer)) as errors_by_stage,
        max_by(message, position) as last_error
    from (
        select run_id, layer, count(*) as n, max_by(data ->> '$.message', position) as message, max(position) as position
        from events
        where topic = 'run.layer_failed'
        group by run_id, layer
    )
    group by run_id
)
select
    born.run_id,
    born.run_kind,
    born.kind,
    steps.status,
    born.subject,
    born.range_from,
    born.range_to,
    born.priority,
    born.override_state,
    born.review,
    born.request_group,
    born.reason,
    born.ticket,
    born.requested_by,
    born.requested_at,
    lives.approved_by,
    lives.approved_at,
    lives.started_at,
    case when steps.has_ended then steps.ended_at end as ended_at,
    case
        when not steps.has_ended then null
        when began.position < lives.started_position or ended.position < steps.ended_position then null
        when lives.started_at = steps.ended_at and lives.started_position < steps.ended_position then null
        else datediff('millisecond', lives.started_at, steps.ended_at)
    end as duration_ms,
    lives.layer,
    coalesce(attempts.attempts, 0) as attempts,
    coalesce(planned.planned_partitions, 0)::bigint as planned_partitions,
    coalesce(built.built_partitions, 0)::bigint as built_partitions,
    coalesce(built.written, 0) as written,
    coalesce(built.identical, 0) as identical,
    coalesce(built.reused, 0) as reused,
    coalesce(lives.appended_rows, 0)::bigint as appended_rows,
    coalesce(built.rows, 0)::bigint as rows,
    coalesce(built.bytes, 0)::bigint as bytes,
    coalesce(planned.datasets, []) as datasets,
    coalesce(failures.errors_by_stage, map {}) as errors_by_stage,
    failures.last_error,
    lives.anomalies,
    lives.sla_exceeded,
    lives.published_position,
    born.position,
    greatest(lives.last_position, built.last_position) as last_position,
    allowed.approved_rule,
    coalesce(lives.rejected_rows, 0)::bigint as rejected_rows,
    born.first_day,
    born.last_day
from born
join steps using (run_id)
join lives using (run_id)
left join allowed using (run_id)
left join attempts using (run_id)
left join planned using (run_id)
left join built using (run_id)
left join failures using (run_id)
left join held_back began on began."at" = lives.started_at
left join held_back ended on ended."at" = steps.ended_at
