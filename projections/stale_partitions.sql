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
    union all
    -- No run did it.
    select dataset, partition, null, max(position) from erased_files group by dataset, partition
),
checks as (
    select run_id, max(base) as checked_base from publications group by run_id
),
-- The last day that a dataset has which others are built upon; rejected lines open no range.
last_day as (
    select max(partition) as day from partitions where dataset in (select unnest([dataset, r.dataset]) from edges)
),
looked as (
    select p.dataset, p.partition, p.logic_version, p.run_id, p.published_position, k.checked_base
    from partitions p
    left join checks k on k.run_id = p.run_id
),
newest as (
    select dataset, partition, max(changed_position) as changed_position from content group by dataset, partition
),
reached as (
    select
        e.dataset, e.logic_version, e.component,
        n.changed_position,
        unnest(generate_series(n.partition - e.r.last, n.partition - e.r.first, interval 1 day))::date as partition
    from edges e
    join newest n on n.dataset = e.r.dataset
    where e.r.dataset <> e.dataset
),
-- Those that may be stale, whoever changed an input: of these few it is asked which inputs, and by whom.
doubtful as (
    select distinct
        r.dataset, r.logic_version, r.partition,
        l.run_id as built_by,
        l.published_position as built_position,
        l.checked_base
    from reached r
    cross join last_day
    left join looked l
        on l.dataset = r.dataset
        and l.partition = r.partition
        and (r.component is null or l.logic_version = r.logic_version)
    where
        r.partition between (from opening) and last_day.day
        and (l.run_id is null or r.changed_position > l.checked_base)
),
affected as (
    select
        e.dataset, e.layer, e.logic_version,
        e.r.dataset as input_dataset,
        d.partition, d.built_by, d.built_position, d.checked_base,
        unnest(generate_series(d.partition + e.r.first, d.partition + e.r.last, interval 1 day))::date as input_partition
    from doubtful d
    join edges e using (dataset, logic_version)
    where e.r.dataset <> e.dataset
),
stale as (
    select
        a.dataset,
        a.layer,
        a.partition,
        a.logic_version,
        max(a.built_position) as built_position,
        max(c.changed_position) as changed_position,
        -- Of several that became visible at once, the last by name and day.
        max_by(a.input_dataset, (c.changed_position, a.input_dataset, a.input_partition)) as input_dataset,
        max_by(a.input_partition, (c.changed_position, a.input_dataset, a.input_partition)) as input_partition,
        max_by(c.run_id, (c.changed_position, a.input_dataset, a.input_partition)) as changed_by_run
    from affected a
    join content c on c.dataset = a.input_dataset and c.partition = a.input_partition
    where a.built_by is null or (c.run_id is distinct from a.built_by and c.changed_position > a.checked_base)
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
