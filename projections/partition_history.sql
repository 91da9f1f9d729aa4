-- Each version of each partition ever built, published or not; for Bronze, each batch appended to it.
-- published_position is null for a candidate that readers never saw (or do not see yet), and for what was reverted.
-- `state`: candidate (may be published yet), published, superseded (built again by its own run), reverted, or
-- abandoned (its run ended without publishing).
with reverted as (
    select run_id, position from events where topic = 'backfill.reverted'
),
published as (
    select p.run_id, p.position, p."at"
    from events p
    where p.topic = 'run.published' and p.run_id not in (select run_id from reverted)
),
ended as (
    select run_id from events where topic in (select topic from lifecycle where gives_up)
)
select
    e.dataset,
    e.layer,
    e.partition,
    e.logic_version,
    e.run_id,
    e.run_kind,
    case
        when s.last_position is not null then 'superseded'
        when p.position is not null then 'published'
        when e.run_id in (select run_id from reverted) then 'reverted'
        when e.run_id in (select run_id from ended) then 'abandoned'
        else 'candidate'
    end as state,
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
    case when s.last_position is null then p.position end as published_position,
    case when s.last_position is null then p."at" end as published_at
from events e
left join built_again s
    on s.run_id = e.run_id and s.dataset = e.dataset and s.partition = e.partition and s.last_position > e.position
left join published p on p.run_id = e.run_id
where e.topic = 'run.partition_rebuilt'
union all
select
    dataset, layer, partition, logic_version, run_id, run_kind, 'published', 'appended', rows, bytes, files,
    null, null, null, null, position, "at", position, "at"
from events
where topic = 'run.batch_appended'
