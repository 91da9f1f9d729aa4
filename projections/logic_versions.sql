-- Each logic version of each dataset: what it reads, how it is keyed, why it was made, and which one is current.
select
    stream[9:] as dataset,
    (r.data ->> '$.layer') as layer,
    (r.data ->> '$.partition_column') as partition_column,
    (r.data ->> '$.component') as component,
    e.logic_version,
    e.logic_version = max(e.logic_version) over (partition by e.stream) as is_current,
    e.data ->> '$.fingerprint' as fingerprint,
    e.data ->> '$.reason' as reason,
    e.data ->> '$.indirect' as indirect,
    from_json(e.data -> '$.reads', '[{"dataset":"VARCHAR","first":"INTEGER","last":"INTEGER"}]') as reads,
    e.data ->> '$.definition' as definition,
    e."at" as versioned_at,
    e."by" as versioned_by,
    e.position
from events e
join (select stream, data from events where topic = 'dataset.registered') r using (stream)
where e.topic = 'dataset.logic_versioned'
