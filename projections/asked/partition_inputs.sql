-- What each of some builds of Silver or Gold was made of: the version of each input partition in the catalog as of a
-- base, overlaid with what the build's own run had built before it; of Bronze each batch that was there.
-- `asked` are the positions of builds, each with a base: that of its event, or a later position, as of which no run's own
-- counts: what it would be made of then. Its answer is checked by the digest `inputs` of the event.
-- `is_again`: rows of a day beside those that are read, which an older reader left there; they are read again.
with builds as (
    select a.position, a.base, a.base < a.position as is_then, e.run_id, e.dataset, e.partition, e.logic_version
    from asked a
    join events e using (position)
    where e.topic = 'run.partition_rebuilt'
),
bases as (
    select distinct base from builds
),
kinds as (
    select dataset, layer, data ->> '$.component' as component from events where topic = 'dataset.registered'
),
versions as (
    select
        dataset,
        logic_version,
        coalesce((data ->> '$.reader')::integer, 1) as reader,
        from_json(data -> '$.reads', '[{"dataset":"VARCHAR","first":"INTEGER","last":"INTEGER"}]') as reads,
        position
    from events
    where topic = 'dataset.logic_versioned'
),
-- A run builds upon the newest version of each dataset, and reads again what older readers made than that one's.
newest as (
    select b.base, v.dataset, max(v.logic_version) as logic_version, max_by(v.reader, v.logic_version) as reader
    from bases b
    join versions v on v.position <= b.base
    group by all
),
lost as (
    select b.base, list(l.path) as paths
    from bases b
    join (select unnest(files).path as path, position from events where topic = 'dataset.files_lost') l
        on l.position <= b.base
    group by b.base
),
reads as (
    select b.*, unnest(v.reads) as r, generate_subscripts(v.reads, 1) as number
    from builds b
    join versions v using (dataset, logic_version)
),
wanted as (
    select
        r.position, r.base, r.is_then, r.run_id, r.number,
        r.r.dataset as input_dataset,
        k.layer as input_layer,
        k.component,
        n.logic_version as newest_version,
        n.reader,
        unnest(generate_series(
            r.partition + r.r.first - if(k.layer = 'bronze', 30, 0),
            r.partition + r.r.last + if(k.layer = 'bronze', 1, 0),
            interval 1 day
        ))::date as input_partition,
        input_partition < r.partition + r.r.first or input_partition > r.partition + r.r.last as is_again
    from reads r
    join kinds k on k.dataset = r.r.dataset
    left join newest n on n.base = r.base and n.dataset = r.r.dataset
),
ends as (
    select run_id, topic, position from events where topic in ('run.published', 'backfill.reverted')
),
built as (
    select
        w.*, e.position as input_position, e.run_id as input_run_id, e.logic_version, e.outcome, e.files,
        w.is_then and e.run_id = w.run_id and e.position < w.position as is_own
    from wanted w
    join events e
        on e.topic = 'run.partition_rebuilt' and e.dataset = w.input_dataset and e.partition = w.input_partition
    left join ends p on p.run_id = e.run_id and p.topic = 'run.published' and p.position <= w.base
    left join ends r on r.run_id = e.run_id and r.topic = 'backfill.reverted' and r.position <= w.base
    where
        is_own
        or (
            p.position is not null and r.position is null
            and (w.component is null or e.logic_version = w.newest_version)
        )
    qualify row_number() over (
        partition by w.position, w.base, w.number, w.input_partition
        order by is_own desc, p.position desc, e.position desc
    ) = 1
),
appended as (
    select
        w.*, e.position as input_position, e.run_id as input_run_id, e.logic_version, 'appended' as outcome,
        list_filter(e.files, lambda f: not list_contains(coalesce(l.paths, []), f.path)) as files,
        false as is_own
    from wanted w
    join events e
        on e.topic = 'run.batch_appended' and e.dataset = w.input_dataset and e.partition = w.input_partition
        and e.position <= w.base
    left join lost l on l.base = w.base
    left join versions v on v.dataset = e.dataset and v.logic_version = e.logic_version
    where not w.is_again or v.reader < w.reader
)
select
    position,
    base,
    number,
    input_dataset,
    input_layer,
    input_partition,
    is_again,
    input_position,
    input_run_id,
    logic_version as input_logic_version,
    outcome,
    coalesce(list_sum(list_transform(files, lambda f: f.rows)), 0)::bigint as rows,
    files
from (from built union all by name from appended)
where outcome <> 'appended' or len(files) > 0
