-- What is held back as known-bad, and what of it was released: by whom, why, which rows or which batches.
with told as (
    select
        stream as quarantine,
        data ->> '$.dataset' as dataset,
        from_json(data -> '$.rows', '["VARCHAR"]') as rows,
        from_json(data -> '$.batches', '["BIGINT"]') as batches,
        (data ->> '$.keys')::bigint as keys,
        (data ->> '$.shared')::bigint as shared,
        data ->> '$.reason' as reason,
        "by" as quarantined_by,
        "at" as quarantined_at,
        position
    from events
    where topic = 'quarantine.told'
),
released as (
    select
        stream as quarantine,
        sum((data ->> '$.keys')::bigint)::bigint as keys,
        bool_or((data ->> '$.is_over')::boolean) as is_over,
        arg_max(data ->> '$.reason', position) as reason,
        arg_max("by", position) as released_by,
        max("at") as released_at,
        flatten(list(from_json(data -> '$.rows', '["VARCHAR"]') order by position)) as rows
    from events
    where topic = 'quarantine.released'
    group by 1
)
select
    t.quarantine,
    t.dataset,
    case when r.is_over then 'released' when r.keys is null then 'held' else 'released in part' end as state,
    t.rows,
    t.batches,
    t.keys,
    t.shared,
    coalesce(r.keys, 0) as keys_released,
    r.rows as rows_released,
    t.reason,
    t.quarantined_by,
    t.quarantined_at,
    r.reason as release_reason,
    r.released_by,
    r.released_at,
    t.position
from told t
left join released r using (quarantine)
