-- The catalog: the current version of each partition, and nothing else is visible.
-- A dataset with a version component keeps one current version for each logic version, side by side.
with components as (
    select distinct dataset, component from logic_versions
),
built as (
    select h.*, c.component
    from partition_history h
    left join components c using (dataset)
    where h.layer <> 'bronze' and h.published_position is not null
    qualify row_number() over (
        partition by h.dataset, case when c.component is null then 0 else h.logic_version end, h.partition
        order by h.published_position desc, h.position desc
    ) = 1
)
select
    dataset, layer, partition, logic_version, component, run_id, run_kind, outcome, rows, bytes, files, inputs,
    position, published_position, published_at
from built
union all
select
    dataset,
    any_value(layer),
    partition,
    null,
    null,
    max_by(run_id, position),
    max_by(run_kind, position),
    'appended',
    sum(rows)::bigint,
    sum(bytes)::bigint,
    flatten(list(files order by position)),
    null,
    max(position),
    max(position),
    max("at")
from partition_history
where layer = 'bronze'
group by dataset, partition
