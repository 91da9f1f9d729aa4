-- Partitions with an input that another run changed after they were last looked at (late data, a half-done run), or
-- never built although an input is there, or built under an older logic only, or lost. `checked_base` is the position at which the run that published a partition
-- had last compared all its inputs; identical and reused partitions were looked at too, so they are not stale.
with edges as (
    select dataset, layer, logic_version, component, unnest(reads) as r
    from logic_versions
    where is_current
),
-- Before its first day there is nothing of X but the day of lines without one, and wrong clocks.
opening as (
    select if(count(*) > 0, date '2006-03-21', date '1900-01-01')
    from events
    where topic = 'dataset.registered' and dataset = 'bronze_x_posts'
),
content as (
    select dataset, partition, run_id, max(published_position) as changed_position
    from recent_history
    where published_position is not null and outcome in ('written', 'appended') and partition >= (from opening)
    group by dataset, partition, run_id
),
checks as (
    select run_id, max(base) as checked_base from publications group by run_id
),
-- The last day that a dataset has which others are built upon; rejected lines open no range.
last_day as (
    select max(partition) as day from partitions where dataset in (select unnest([dataset, r.dataset]) from edges)
),
affected as (
    select
        e.dataset, e.layer, e.logic_version, e.component,
        e.r.dataset as input_dataset,
        c.partition as input_partition,
        c.changed_position,
        c.run_id,
        unnest(generate_series(c.partition - e.r.last, c.partition - e.r.first, interval 1 day))::date as partition
    from edges e
    join content c on c.dataset = e.r.dataset
    where e.r.dataset <> e.dataset
),
stale as (
    select
        a.dataset,
        a.layer,
        a.partition,
        a.logic_version,
        max(p.published_position) as built_position,
        max(a.changed_position) as changed_position,
        -- Of several that became visible at once, the last by name and day.
        max_by(a.input_dataset, (a.changed_position, a.input_dataset, a.input_partition)) as input_dataset,
        max_by(a.input_partition, (a.changed_position, a.input_dataset, a.input_partition)) as input_partition,
        max_by(a.run_id, (a.changed_position, a.input_dataset, a.input_partition)) as changed_by_run
    from affected a
    cross join last_day
    left join partitions p
        on p.dataset = a.dataset
        and p.partition = a.partition
        and (a.component is null or p.logic_version = a.logic_version)
    left join checks k on k.run_id = p.run_id
    where
        a.partition between (from opening) and last_day.day
        and (p.position is null or (a.run_id <> p.run_id and a.changed_position > k.checked_base))
    group by a.dataset, a.layer, a.partition, a.logic_version
),
-- Days that a dataset has, but not under its current logic (bumped and not backfilled, or that backfill reverted).
outdated as (
    select l.dataset, l.layer, p.partition, l.logic_version
    from logic_versions l
    join partitions p using (dataset)
    where l.is_current and l.layer <> 'bronze' and p.partition >= (from opening)
    group by l.dataset, l.layer, p.partition, l.logic_version
    having max(p.logic_version) < l.logic_version
),
-- Days of which files were declared lost, and nothing made up for them yet.
lost as (
    select dataset, any_value(layer) as layer, partition, logic_version, max(position) as position
    from lost_files
    where mended_position is null and partition >= (from opening)
    group by dataset, partition, logic_version
)
select
    dataset,
    layer,
    partition,
    logic_version,
    case when o.partition is null and l.partition is null then s.built_position end as built_position,
    coalesce(l.position, s.changed_position) as changed_position,
    s.input_dataset,
    s.input_partition,
    s.changed_by_run,
    case
        when l.partition is not null then 'files lost'
        when o.partition is not null then 'new logic version'
        when s.built_position is null then 'never built'
        else 'input changed'
    end as reason
from stale s
full join outdated o using (dataset, layer, partition, logic_version)
full join lost l using (dataset, layer, partition, logic_version)
