-- What is known of each engine under each logic version of a dataset: whether it gives the rows that others built.
-- One that built everything itself is not judged, and has no row.
-- Empty without dataset.engine_checked.
with checked as (
    select *
    from events
    where topic = 'dataset.engine_checked'
    qualify row_number() over (partition by dataset, logic_version, data ->> '$.engine' order by position desc) = 1
),
accepted as (
    select dataset, logic_version, data ->> '$.engine' as engine, data ->> '$.reason' as reason, "by", "at", position
    from events
    where topic = 'dataset.engine_accepted'
),
newest as (
    select dataset, max(logic_version) as logic_version
    from events
    where topic = 'dataset.logic_versioned'
    group by dataset
)
select
    c.dataset,
    c.logic_version,
    c.logic_version = n.logic_version as is_current,
    c.data ->> '$.engine' as engine,
    case when a.position is not null then 'accepted' else c.data ->> '$.verdict' end as verdict,
    from_json(c.data -> '$.compared_with', '["VARCHAR"]') as compared_with,
    from_json(c.data -> '$.partitions', '["DATE"]') as partitions,
    from_json(
        c.data -> '$.differences',
        '[{"partition":"DATE","key":"VARCHAR","column":"VARCHAR","recorded":"VARCHAR","recomputed":"VARCHAR"}]'
    ) as differences,
    c."at" as checked_at,
    c."by" as checked_by,
    a.reason as accepted_reason,
    a."by" as accepted_by,
    a."at" as accepted_at,
    c.position
from checked c
join newest n using (dataset)
left join accepted a
    on a.dataset = c.dataset and a.logic_version = c.logic_version and a.engine = c.data ->> '$.engine'
