-- Rows and bytes of each current partition, beside its own previous published version.
with versions as (
    select
        dataset, layer, partition, logic_version, run_id, rows, bytes, published_position, published_at,
        lag(rows) over series as previous_rows
    from recent_history
    where published_position is not null and layer <> 'bronze'
    window series as (partition by dataset, logic_version, partition order by published_position)
)
select
    p.dataset,
    p.layer,
    p.partition,
    p.logic_version,
    p.rows,
    p.bytes,
    len(p.files) as files,
    v.previous_rows,
    p.rows - v.previous_rows as change_rows,
    p.run_id,
    p.published_at
from partitions p
left join versions v
    on v.dataset = p.dataset
    and v.partition = p.partition
    and v.logic_version is not distinct from p.logic_version
    and v.published_position = p.published_position
