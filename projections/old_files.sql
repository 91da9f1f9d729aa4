-- The files of Bronze that an older reader made than the one of the dataset's newest version: what they hold is read
-- again by whoever builds upon them.
with readers as (
    select dataset, logic_version, coalesce((data ->> '$.reader')::integer, 1) as reader
    from events
    where topic = 'dataset.logic_versioned'
),
newest as (
    select dataset, max_by(reader, logic_version) as reader from readers group by dataset
),
old as (
    select r.dataset, r.logic_version, r.reader
    from readers r
    join newest n using (dataset)
    where r.reader < n.reader
)
select b.dataset, b.partition, unnest(b.files).path as path, o.reader, b.position
from recent_history b
join old o on o.dataset = b.dataset and o.logic_version = b.logic_version
where b.layer = 'bronze'
