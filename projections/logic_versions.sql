-- Each logic version of each dataset: what it reads, why it was made, which one is newest and which deprecated.
-- Readers get the newest version that anything was published under: a new version shows once it has something.
with marks as (
    select
        stream,
        logic_version,
        arg_max(topic, position) = 'dataset.version_deprecated' as is_deprecated
    from events
    where topic in ('dataset.version_deprecated', 'dataset.version_restored')
    group by all
),
published as (
    select distinct 'dataset-' || dataset as stream, logic_version
    from recent_history
    where published_position is not null
)
select
    e.stream[9:] as dataset,
    (r.data ->> '$.layer') as layer,
    (r.data ->> '$.partition_column') as partition_column,
    (r.data ->> '$.component') as component,
    e.logic_version,
    e.logic_version = max(e.logic_version) over (partition by e.stream) as is_current,
    e.logic_version = coalesce(
        max(e.logic_version) filter (p.stream is not null) over (partition by e.stream),
        max(e.logic_version) over (partition by e.stream)
    ) as is_read,
    coalesce(m.is_deprecated, false) as is_deprecated,
    e.data ->> '$.fingerprint' as fingerprint,
    coalesce(e.data ->> '$.scheme', 'duckdb-json-1') as scheme,
    case when r.data ->> '$.layer' = 'bronze' then coalesce((e.data ->> '$.reader')::bigint, 1) end as reader,
    e.data ->> '$.reason' as reason,
    e.data ->> '$.indirect' as indirect,
    from_json(e.data -> '$.reads', '[{"dataset":"VARCHAR","first":"INTEGER","last":"INTEGER"}]') as reads,
    e.data ->> '$.definition' as definition,
    e."at" as versioned_at,
    e."by" as versioned_by,
    e.position
from events e
join (select stream, data from events where topic = 'dataset.registered') r using (stream)
left join marks m on m.stream = e.stream and m.logic_version = e.logic_version
left join published p on p.stream = e.stream and p.logic_version = e.logic_version
where e.topic = 'dataset.logic_versioned'
