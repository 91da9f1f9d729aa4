-- Each dataset as it was registered. `is_side`: Bronze that no dataset reads, such as rejected lines: it opens no range.
-- `was_restored`: it, or a version of it, was given up once, and came back.
with reads as (
    select distinct unnest(from_json(data -> '$.reads', '[{"dataset":"VARCHAR"}]')).dataset as dataset
    from events
    where topic = 'dataset.logic_versioned'
)
select
    dataset,
    layer,
    data ->> '$.partition_column' as partition_column,
    data ->> '$.component' as component,
    layer = 'bronze' and dataset not in (from reads) and exists (from reads) as is_side,
    dataset in (select dataset from events where topic = 'dataset.version_restored') as was_restored,
    "at" as registered_at,
    "by" as registered_by,
    position
from events
where topic = 'dataset.registered'
