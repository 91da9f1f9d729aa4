-- Each file of the lake that an event names, by whom, and the event after which nobody expects it there any more.
with named as (
    select dataset, layer, partition, logic_version, run_id, position, unnest(files) as f
    from events
    where topic in ('run.batch_appended', 'run.partition_rebuilt')
    union all
    -- What stands in the place of a file of which rows were erased.
    select dataset, layer, partition, logic_version, run_id, position, replaced_by
    from erased_files
    where replaced_by is not null
),
-- A partition that came out the same, or was not built again, names the files that it had.
files as (
    select * from named qualify row_number() over (partition by f.path order by position) = 1
),
gone as (
    select path, topic, position
    from (
        select unnest(files).path as path, topic, position
        from events
        where topic in ('dataset.files_pruned', 'dataset.files_lost')
    )
    union all
    select path, 'erased', position from erased_files
)
select
    n.f.path as path,
    n.f.bytes as bytes,
    n.f.rows as rows,
    n.f.sha256 as sha256,
    n.dataset,
    n.layer,
    n.partition,
    n.logic_version,
    n.run_id,
    greatest(p.position, e.position) as pruned_position,
    l.position as lost_position,
    e.position as erased_position,
    n.position
from files n
left join (select path, max(position) as position from gone where topic = 'dataset.files_pruned' group by path) p
    on p.path = n.f.path
left join (select path, max(position) as position from gone where topic = 'dataset.files_lost' group by path) l
    on l.path = n.f.path
left join (select path, max(position) as position from gone where topic = 'erased' group by path) e
    on e.path = n.f.path
order by n.position, n.f.path
