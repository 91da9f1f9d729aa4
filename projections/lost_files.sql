-- Each file that was declared lost, and the position that made up for it: Bronze was extracted again over its day (what
-- the source still had is there again), or another file is current for a partition of Silver or Gold. Null: nothing has
-- yet.
-- Empty without dataset.files_lost.
with declared as (
    select
        dataset,
        unnest(from_json(
            data -> '$.files',
            '[{"path":"VARCHAR","bytes":"BIGINT","rows":"BIGINT","sha256":"VARCHAR","partition":"DATE",'
            '"logic_version":"BIGINT","problem":"VARCHAR"}]'
        )) as f,
        data ->> '$.reason' as reason,
        data ->> '$.declared_by' as declared_by,
        "by" as confirmed_by,
        position,
        "at"
    from events
    where topic = 'dataset.files_lost'
),
lost as (
    select * exclude (f), f.* from declared
),
layers as (
    select dataset, any_value(layer) as layer from events where topic = 'dataset.registered' group by dataset
),
marks as (
    select
        run_id, topic, position, data,
        max(position) filter (topic = 'run.layer_started') over (partition by run_id order by position) as began
    from events
    where topic in ('run.layer_started', 'run.layer_completed') and layer = 'bronze'
),
extracted as (
    select
        done.run_id,
        done.position,
        done.began,
        coalesce(left(began.data ->> '$.extraction.cursor_from', 10), '') as first_day,
        left(began.data ->> '$.extraction.cursor_to', 10) as until_day,
        -- `trades=files:…, rates=files:…` where there are several sources; one alone has no name here, and was asked.
        began.data ->> '$.extraction.source' as asked
    from marks done
    join marks began on began.run_id = done.run_id and began.position = done.began
    where done.topic = 'run.layer_completed'
),
said as (
    select
        dataset,
        regexp_extract(
            max_by(data ->> '$.definition', logic_version), '--\s*source\s*=\s*["'']([^"'']+)["'']', 1
        ) as source
    from events
    where topic = 'dataset.logic_versioned'
    group by dataset
),
sources as (
    select
        dataset,
        regexp_replace(source, '__(rejected|undated)$', '') as source,
        ends_with(source, '__rejected') as is_of_lines
    from said
),
mended as (
    select l.position, l.path, min(e.position) as mended_position, arg_min(e.run_id, e.position) as mended_by
    from lost l
    join layers y using (dataset)
    left join sources s using (dataset)
    join extracted e
        on e.began > l.position
        and (
            not regexp_matches(coalesce(e.asked, ''), '^[a-z][a-z0-9_]*=files:')
            or regexp_matches(e.asked, concat('(^|, )', s.source, '=files:'))
        )
        -- What no day belongs to is read by each extraction; older readers gave such lines the day of 1970.
        and (
            (s.is_of_lines and l.partition = date '1970-01-01')
            or (e.first_day <= l.partition::varchar and l.partition::varchar < e.until_day)
        )
    where y.layer = 'bronze'
    group by all
    union all
    select l.position, l.path, coalesce(max(p.published_position), l.position), null
    from lost l
    join layers y using (dataset)
    left join partitions p
        on p.dataset = l.dataset and p.partition = l.partition
        and (p.component is null or p.logic_version = l.logic_version)
    where y.layer <> 'bronze'
    group by l.position, l.path
    having not bool_or(coalesce(list_contains(list_transform(p.files, lambda file: file.path), l.path), false))
),
-- Of the run that extracted the day again, in however many attempts. What others brought later was never lost; and
-- nobody finds more again than was lost: what there is more came late.
again as (
    select l.position, l.path, sum(e.rows)::bigint as rows
    from lost l
    join mended m on m.position = l.position and m.path = l.path
    join events e
        on e.topic = 'run.batch_appended' and e.dataset = l.dataset and e.partition = l.partition
        and e.position > l.position and e.run_id = m.mended_by
    group by all
),
by_day as (
    select position, dataset, partition, sum(rows)::bigint as rows from lost group by all
)
select
    l.dataset,
    y.layer,
    l.partition,
    l.logic_version,
    l.path,
    l.rows,
    l.bytes,
    l.sha256,
    l.problem,
    l.reason,
    l.declared_by,
    l.confirmed_by,
    l.position,
    l."at",
    m.mended_position,
    case when y.layer = 'bronze' then least(coalesce(a.rows, 0), d.rows) end as appended_since
from lost l
left join layers y using (dataset)
left join mended m on m.position = l.position and m.path = l.path
left join again a on a.position = l.position and a.path = l.path
left join by_day d on d.position = l.position and d.dataset = l.dataset and d.partition = l.partition
