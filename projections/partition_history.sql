-- Each version of each partition ever built, published or not; for Bronze, each batch appended to it.
-- published_position is null for a candidate that readers never saw (or do not see yet).
with published as (
    select run_id, position, "at" from events where topic = 'run.published'
),
superseded as (
    select
        position,
        lead(position) over (partition by run_id, dataset, partition order by position) as next_position
    from events
    where topic = 'run.partition_rebuilt'
)
select
    e.dataset,
    e.layer,
    e.partition,
    e.logic_version,
    e.run_id,
    e.run_kind,
    e.outcome,
    e.rows,
    e.bytes,
    e.files,
    e.previous_rows,
    e.base,
    e.inputs,
    e.duration_ms,
    e.position,
    e."at",
    case when s.next_position is null then p.position end as published_position,
    case when s.next_position is null then p."at" end as published_at
from events e
join superseded s on s.position = e.position
left join published p on p.run_id = e.run_id
where e.topic = 'run.partition_rebuilt'
union all
select
    dataset, layer, partition, logic_version, run_id, run_kind, 'appended', rows, bytes, files,
    null, null, null, null, position, "at", position, "at"
from events
where topic = 'run.batch_appended'
